"""From pending readings to standing scores."""

import logging
from datetime import date

import numpy as np
from django.db import connection, transaction
from django.utils import timezone

from apps import claims
from apps.bell import ring
from apps.detection import balances, events, judging, models_on_disk, pending, training, windows
from apps.detection.models import EnergyBalance, ModelVersion, RiskLevel, RiskScore, ScoringRun, ScoringShard, Standing
from ml.findings import Finding
from ml.window import MeterWindow

log = logging.getLogger(__name__)

Status = ScoringShard.Status
SHARDS_LOOKED_AT = 10
AS_GOOD_AS_NOTHING = 0.1  # kWh a day: less than anything that is plugged in uses, more than a meter's own noise


def score_pending() -> int:
    """Score whatever is pending with the active model. Any number of workers may be in here at once.

    Returns how many shards this worker scored.
    """
    scored, tried = 0, []
    while (shard := next_pending(tried)) or start_run():
        if shard:
            tried.append(shard.pk)
            scored += attempt(shard)
            finish_runs()
    return scored


def get_ready() -> None:
    """Load the active model, where this process has not done so yet."""
    version = ModelVersion.objects.filter(status=ModelVersion.Status.ACTIVE).first()
    if version is None or models_on_disk.missing():
        return
    try:
        usable(version)
    except Exception:  # whoever scores with it parks its shard, and says why
        log.warning("Model %s cannot be loaded", version.pk, exc_info=True)


def usable(version: ModelVersion) -> bool:
    """Whether this software can score with it. Where it cannot, as after an upgrade that measures other things, the
    scores stay as they are and another model is asked for, which takes over by itself."""
    from ml.artifacts import OutdatedError  # noqa: PLC0415 what scores takes a second to load

    try:
        models_on_disk.load(version)
        reason = ""
    except OutdatedError as error:
        reason = str(error)
    if reason != version.unusable:
        ModelVersion.objects.filter(pk=version.pk).update(unusable=reason)
    if reason and not training.given_up_since(version):
        training.ask(by=None)
    return not reason


def next_pending(tried: list[int]) -> ScoringShard | None:
    """The one that this process remembers most of, among those that come first."""
    pending_shards = ScoringShard.objects.filter(status=Status.PENDING).exclude(pk__in=tried)
    first = pending_shards.order_by("attempts", "pk")[:SHARDS_LOOKED_AT]
    return max(first, key=lambda one: (-one.attempts, judging.memory.share_of(one.consumer_ids)), default=None)


@transaction.atomic
def start_run() -> ScoringRun | None:
    """Cut what is pending for the active model into shards, unless shards of an earlier run still wait."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('detection.start_run'))")
    if ScoringShard.objects.filter(status=Status.PENDING).exists():
        return None
    # Read anew for each run: somebody may have activated another model while the last one was scored.
    version = ModelVersion.objects.filter(status=ModelVersion.Status.ACTIVE).first()
    shards = pending.shards(version.pk) if version else []
    if not shards or not usable(version):
        return None
    run = ScoringRun.objects.create(model_version=version, consumers=sum(map(len, shards)))
    ScoringShard.objects.bulk_create(ScoringShard(run=run, consumer_ids=consumer_ids) for consumer_ids in shards)
    if len(shards) > 1:
        ring("detection.score_pending")  # call another worker to help
    return run


def attempt(shard: ScoringShard) -> bool:
    """Score one waiting shard, unless another worker does. True when its scores stand.

    An error is written on the shard; the third one parks it, so that the ones behind it go on.
    """
    with claims.claim(shard) as claimed:
        if not claimed:
            return False
        if not claims.note_attempt(shard):
            park(shard, "The worker was killed while it scored this shard.")
            return False
        try:
            with transaction.atomic():
                run = locked_run(shard)
                if run:
                    score(run, shard.consumer_ids)
                    ScoringShard.objects.filter(pk=shard.pk).update(status=Status.DONE)
            return run is not None
        except Exception as error:
            log.exception("Scoring shard %s failed", shard.pk)
            claims.reconnect()
            park(shard, f"{type(error).__name__}: {error}")
    return False


def locked_run(shard: ScoringShard) -> ScoringRun | None:
    """The run of a shard that still waits, with the shard's row locked until the scores are in."""
    waiting = ScoringShard.objects.select_for_update(of=["self"], no_key=True).select_related("run__model_version")
    found = waiting.filter(pk=shard.pk, status=Status.PENDING).first()
    return found and found.run


def park(shard: ScoringShard, error: str) -> None:
    """Note what went wrong; out of attempts, the shard waits for a person."""
    waiting = ScoringShard.objects.filter(pk=shard.pk, status=Status.PENDING)
    waiting.filter(error="").update(error=error[:2000])
    waiting.filter(attempts__gte=ScoringShard.ATTEMPTS).update(status=Status.FAILED)


def score(run: ScoringRun, consumer_ids: list[int]) -> None:
    """Write a risk score for every consumer, and make it the one that stands; draw the balance of every transformer."""
    # Read before the readings: what arrives in between is scored again rather than missed.
    revisions = pending.revisions(consumer_ids)
    ensemble = models_on_disk.load(run.model_version)
    scores: dict[int, RiskScore] = {pk: without_readings(run, pk) for pk in consumer_ids}
    drawn: list[EnergyBalance] = []
    for found in windows.read(consumer_ids):
        findings, balanced = judging.judge(ensemble, run.model_version.folder, found)
        zeros = zero_days(found.window.kwh)
        told, heard_until = events.told(found, findings, ensemble.config), last_days(found.window)
        for consumer_id, one, days, until in zip(found.consumer_ids, told, zeros, heard_until, strict=True):
            score = risk_score(run, consumer_id, one.finding, zero_days=int(days), events=one.events)
            # A day that has only begun says too little to count as one. It was looked at all the same.
            score.data_until = score.data_until and max(score.data_until, until)
            scores[consumer_id] = score
        drawn += (balances.of_run(run, one) for one in balanced)
    EnergyBalance.objects.bulk_create(drawn)
    stored = RiskScore.objects.bulk_create(scores.values())
    Standing.objects.bulk_create(
        (
            Standing(consumer_id=one.consumer_id, score=one, scored_revision=revisions.get(one.consumer_id, 0))
            for one in stored
        ),
        update_conflicts=True,
        unique_fields=["consumer"],
        update_fields=["score", "scored_revision"],
    )


def zero_days(kwh: np.ndarray) -> np.ndarray:
    """(M,) how many of each meter's last days with readings, up to the very last, registered as good as nothing."""
    heard = np.isfinite(kwh).any(2)
    silent = heard & (np.nan_to_num(kwh).sum(2) < AS_GOOD_AS_NOTHING)
    used = heard & ~silent
    last_use = np.where(used.any(1), kwh.shape[1] - 1 - used[:, ::-1].argmax(1), -1)
    return (silent & (np.arange(kwh.shape[1]) > last_use[:, None])).sum(1)


def last_days(window: MeterWindow) -> list[date]:
    """(M,) the last day of which each meter reported anything; the window's first, where it never did."""
    heard = np.isfinite(window.kwh).any(2)
    last = np.where(heard.any(1), heard.shape[1] - 1 - heard[:, ::-1].argmax(1), 0)
    return (window.first_day + last).tolist()


def risk_score(
    run: ScoringRun, consumer_id: int, finding: Finding, zero_days: int = 0, events: list[dict] | None = None
) -> RiskScore:
    return RiskScore(
        run=run,
        consumer_id=consumer_id,
        score=finding.score,
        level=finding.level,
        kind=finding.kind or "",
        parts=finding.parts,
        reasons=[{"code": one.code, "share": one.share, "params": one.params} for one in finding.reasons],
        spans=[
            {"first_day": one.first_day.isoformat(), "last_day": one.last_day.isoformat(), "code": one.code}
            for one in finding.spans
        ],
        onset_on=finding.onset_day,
        kwh_missing_per_month=finding.kwh_missing_per_month,
        probability=finding.probability,
        families=[{"family": family, "share": share} for family, share in finding.families],
        benign=finding.benign and {"name": finding.benign[0], "share": finding.benign[1]},
        missing_kwh=finding.missing_kwh,
        before_kwh=finding.before_kwh,
        after_kwh=finding.after_kwh,
        reference_days=finding.reference_days,
        notes=finding.notes,
        zero_days=zero_days,
        events=events or [],
        data_from=finding.data_from,
        data_until=finding.data_until,
    )


def without_readings(run: ScoringRun, consumer_id: int) -> RiskScore:
    reasons = [{"code": "too_little_data", "share": 0, "params": {"days": 0, "needed": 28}}]
    return RiskScore(run=run, consumer_id=consumer_id, level=RiskLevel.UNSCORED, reasons=reasons)


def finish_runs() -> None:
    pending_shards = ScoringShard.objects.filter(status=Status.PENDING)
    ScoringRun.objects.filter(finished_at=None).exclude(pk__in=pending_shards.values("run")).update(
        finished_at=timezone.now()
    )


def retry(*, shard: ScoringShard) -> None:
    """Take a parked shard up again."""
    ScoringShard.objects.filter(pk=shard.pk, status=Status.FAILED).update(status=Status.PENDING, attempts=0, error="")
    ScoringRun.objects.filter(pk=shard.run_id).update(finished_at=None)
    ring("detection.score_pending")
