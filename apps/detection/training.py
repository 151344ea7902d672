"""From stored readings to a model version. A person activates it; only the very first, which replaces nothing, is
activated by itself."""

from uuid import uuid4

from django.db import connection, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.bell import ring
from apps.detection import models_on_disk, windows
from apps.detection.models import ModelVersion
from apps.grid.models import Installation
from ml.window import MeterWindow

LEAST_METERS = 30
LEAST_DAYS = 28
MOST_CONSUMERS = 5000


class TooLittleToLearnFrom(Exception):
    def __init__(self, meters: int):
        super().__init__(f"{meters} meters have {LEAST_DAYS} days of readings or more; training needs {LEAST_METERS}.")


def train_first() -> ModelVersion | None:
    """Train and activate the first model as soon as there is enough to learn from."""
    if ModelVersion.objects.exists() or len(trainable_consumers()) < LEAST_METERS:
        return None
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('detection.train_first'))")
        if ModelVersion.objects.exists():
            return None
        return activate(version=train(), by=None)


def train() -> ModelVersion:
    """Fit on the utility's own consumers, without labels; the version waits as a candidate."""
    consumer_ids = trainable_consumers()
    if len(consumer_ids) < LEAST_METERS:
        raise TooLittleToLearnFrom(len(consumer_ids))
    from ml.ensemble import Ensemble  # noqa: PLC0415 scikit-learn takes a second that web processes need not wait

    # Windows differ in their ends; the largest group is the population that the model learns as usual.
    _rows, window = max(windows.read(consumer_ids), key=lambda found: len(found[0]))
    version = ModelVersion(folder=f"models/{uuid4().hex}", trained_on=described(window))
    models_on_disk.save(version, Ensemble().fit(window))
    version.save()
    return version


def trainable_consumers() -> list[int]:
    """Consumers with enough days, spread evenly over all of them when there are too many to learn from at once."""
    found = [
        consumer_id
        for consumer_id, first, last in Installation.objects.filter(meter__state__isnull=False)
        .order_by("consumer_id")
        .values_list("consumer_id", "meter__state__first_day", "meter__state__last_day")
        if (last - first).days + 1 >= LEAST_DAYS
    ]
    distinct = list(dict.fromkeys(found))
    step = -(-len(distinct) // MOST_CONSUMERS) or 1
    return distinct[::step]


def described(window: MeterWindow) -> dict:
    return {
        "meters": len(window),
        "first_day": str(window.first_day),
        "last_day": str(window.first_day + window.days - 1),
        "interval_minutes": window.interval_minutes,
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
