"""From stored readings to a model version. A person activates it; by itself only the very first is, which replaces
nothing, and one that replaces a model which this software can no longer use.

Training takes minutes, so it is a wish that waits in the database until a worker has the time: a worker that dies over
it leaves the wish for the next one, and the third that dies parks it.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from apps import claims
from apps.accounts.models import User
from apps.bell import ring
from apps.detection import models_on_disk, windows
from apps.detection.models import ModelVersion, Training
from apps.detection.windows import Drawn
from apps.grid.models import Connection, Installation
from apps.inspections.models import FINDS, Inspection, Outcome
from ml.window import MeterWindow

if TYPE_CHECKING:
    from ml.config import Config
    from ml.outcomes import Outcome as Learned

log = logging.getLogger(__name__)

LEAST_METERS = 30
LEAST_DAYS = 28
SECONDS_BETWEEN = 0.5
STEP = "detection.train_pending"

Status = Training.Status
Say = Callable[[float, str], None]


def brief(config: Config) -> Config:
    """Learns in a minute or two what the full training learns better: for a demo that is to begin soon."""
    models = {name: dict(parameters) for name, parameters in config.models.items()}
    models["autoencoder"] |= {"epochs": 8}
    models["lstm"] |= {"epochs": 5}
    models["booster"] |= {"rounds": 120, "learning_rate": 0.1}
    models["kinds"] |= {"rounds": 8}
    fewer = {"meters": 500, "cases": 5000, "meters_for_signs": 200, "lengths": [56]}
    return replace(config, models=models, training=config.training | fewer)


# How hard a training tries. What was trained in less than full is for a first look, and its page says so.
EFFORTS = {"full": lambda config: config, "brief": brief, "quick": lambda config: config.quick()}


class TooLittleToLearnFrom(Exception):
    def __init__(self, meters: int):
        super().__init__(f"{meters} meters have {LEAST_DAYS} days of readings or more; training needs {LEAST_METERS}.")


def ask_for_first() -> Training | None:
    """Wish for the first model as soon as there is enough to learn from; what failed for good waits for a person."""
    given_up = Training.objects.filter(status=Status.FAILED, attempts__gte=Training.ATTEMPTS)
    if ModelVersion.objects.exists() or given_up.exists() or len(trainable_consumers()) < LEAST_METERS:
        return None
    return ask(by=None)


def given_up_since(version: ModelVersion) -> bool:
    """Whether a later training failed for good, so that the next one waits for a person."""
    return Training.objects.filter(status=Status.FAILED, asked_at__gt=version.trained_at).exists()


@transaction.atomic
def ask(*, by: User | None) -> Training:
    """Wish for another model version; whoever asks while one waits, asks for that one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('detection.ask'))")
    training = Training.objects.filter(status=Status.PENDING).first() or Training.objects.create(by=by)
    ring(STEP)
    return training


def train_pending(effort: str = settings.TRAINING_EFFORT) -> int:
    """Train what was asked for, unless another worker is at it. Returns how many versions this worker made."""
    return sum(attempt(training, effort) is not None for training in Training.objects.filter(status=Status.PENDING))


def attempt(training: Training, effort: str = settings.TRAINING_EFFORT) -> ModelVersion | None:
    """Train once. An error is written down, and the third one parks the wish; too little data is an answer at once."""
    with claims.claim(training) as claimed:
        if not claimed:
            return None
        if not claims.note_attempt(training):
            park(training, "The worker was killed while it trained.")
            return None
        try:
            return finish(training, train(said_on(training), effort))
        except TooLittleToLearnFrom as error:
            Training.objects.filter(pk=training.pk).update(
                status=Status.FAILED, error=str(error), finished_at=timezone.now()
            )
        except Exception as error:
            log.exception("Training %s failed", training.pk)
            claims.reconnect()
            park(training, f"{type(error).__name__}: {error}")
    return None


def park(training: Training, error: str) -> None:
    """Note what went wrong; out of attempts, the wish waits for a person to ask again."""
    waiting = Training.objects.filter(pk=training.pk, status=Status.PENDING)
    waiting.update(error=error[:2000])
    waiting.filter(attempts__gte=Training.ATTEMPTS).update(status=Status.FAILED, finished_at=timezone.now())


@transaction.atomic
def finish(training: Training, version: ModelVersion) -> ModelVersion | None:
    """The version becomes a candidate, or active where none can score. None when another worker was quicker."""
    waiting = Training.objects.select_for_update().filter(pk=training.pk, status=Status.PENDING)
    if not waiting.exists():
        return None
    is_first = not ModelVersion.objects.exists()
    active_cannot = ModelVersion.objects.filter(status=ModelVersion.Status.ACTIVE).exclude(unusable="").exists()
    version.save()
    waiting.update(status=Status.DONE, version=version, finished_at=timezone.now(), fraction=1, doing="", error="")
    return activate(version=version, by=None) if is_first or active_cannot else version


def said_on(training: Training) -> Say:
    """Writes on the wish how far its training has come, twice a second at most."""
    said_at = 0.0

    def say(fraction: float, doing: str) -> None:
        nonlocal said_at
        if time.monotonic() - said_at > SECONDS_BETWEEN:
            Training.objects.filter(pk=training.pk).update(fraction=fraction, doing=str(doing)[:100])
            said_at = time.monotonic()

    return say


def train(say: Say, effort: str) -> ModelVersion:
    """Fit on the utility's own consumers and on what crews found there; the version is not saved yet, its files are."""
    consumer_ids = trainable_consumers()
    if len(consumer_ids) < LEAST_METERS:
        raise TooLittleToLearnFrom(len(consumer_ids))
    from ml.config import default_config  # noqa: PLC0415 what learns takes seconds to load: web processes need not wait
    from ml.ensemble import Ensemble  # noqa: PLC0415

    say(0, "readings")
    # Windows differ in their ends; the largest group is the population that the model learns as usual.
    found = max(windows.read(consumer_ids), key=lambda found: len(found.consumer_ids))
    outcomes = outcomes_in(found)
    ensemble = Ensemble(EFFORTS[effort](default_config())).fit(found.window, outcomes=outcomes, progress=say)
    version = ModelVersion(
        folder=f"models/{uuid4().hex}",
        trained_on=described(found.window, outcomes) | {"effort": effort},
        held_out=ensemble.held_out_,
    )
    models_on_disk.save(version, ensemble)
    return version


def trainable_consumers() -> list[int]:
    """Consumers with enough days; of too many to learn from at once, whole neighbourhoods spread evenly over all.

    Neighbours are compared, and a transformer's balance needs every one of its meters.
    """
    enough = [
        (consumer_id, zone_id)
        for consumer_id, zone_id, first, last in Installation.objects.filter(meter__state__isnull=False)
        .order_by("consumer_id")
        .values_list("consumer_id", "consumer__zone", "meter__state__first_day", "meter__state__last_day")
        if (last - first).days + 1 >= LEAST_DAYS
    ]
    transformer_of = dict(Connection.objects.current().values_list("consumer", "transformer"))
    neighbourhoods = defaultdict(list)
    for consumer_id, zone_id in dict.fromkeys(enough):
        apart = (zone_id, consumer_id // settings.SCORING_SHARD_CONSUMERS)
        neighbourhoods[transformer_of.get(consumer_id, apart)].append(consumer_id)
    step = -(-len(dict.fromkeys(enough)) // settings.TRAINING_MOST_CONSUMERS) or 1
    return [consumer_id for one in list(neighbourhoods.values())[::step] for consumer_id in one]


def outcomes_in(found: Drawn) -> dict[str, Learned]:
    """Meter → what the last crew that reached it within the days of the window found, and when."""
    from ml.outcomes import Outcome as Learned  # noqa: PLC0415

    window = found.window
    number = dict(zip(found.consumer_ids, window.meters.tolist(), strict=True))
    days = window.first_day.item(), (window.first_day + window.days - 1).item()
    visits = Inspection.objects.standing().exclude(outcome=Outcome.NO_ACCESS)
    within = visits.filter(consumer__in=found.consumer_ids, inspected_on__range=days).order_by("inspected_on", "pk")
    return {
        number[consumer_id]: Learned(outcome in FINDS, inspected_on)
        for consumer_id, outcome, inspected_on in within.values_list("consumer_id", "outcome", "inspected_on")
    }


def described(window: MeterWindow, outcomes: dict[str, Learned]) -> dict:
    """What a version learned from, for people."""
    return {
        "meters": len(window),
        "first_day": str(window.first_day),
        "last_day": str(window.first_day + window.days - 1),
        "interval_minutes": window.interval_minutes,
        "transformers": 0 if window.sums is None else len(window.sums),
        "visits": len(outcomes),
        "finds": sum(outcome.found for outcome in outcomes.values()),
    }


@transaction.atomic
def activate(*, version: ModelVersion, by: User | None) -> ModelVersion:
    """Make this version the one that scores; everything is scored again."""
    ModelVersion.objects.select_for_update().filter(status=ModelVersion.Status.ACTIVE).exclude(pk=version.pk).update(
        status=ModelVersion.Status.RETIRED
    )
    version.status = ModelVersion.Status.ACTIVE
    version.activated_at, version.activated_by = timezone.now(), by
    version.save(update_fields=["status", "activated_at", "activated_by"])
    ring("detection.score_pending")
    return version
