"""From pending readings to standing scores."""

import logging

from django.db import connection, transaction
from django.utils import timezone

from apps.bell import ring
from apps.detection import models_on_disk, pending, windows
from apps.detection.models import ModelVersion, RiskLevel, RiskScore, ScoringRun, ScoringShard, Standing
from ml.findings import Finding

log = logging.getLogger(__name__)


def score_pending() -> int:
    """Score whatever is pending with the active model. Any number of workers may be in here at once.

    Returns how many shards this worker scored.
    """
    version = ModelVersion.objects.filter(status=ModelVersion.Status.ACTIVE).first()
    if version is None:
        return 0
    scored, tried = 0, []
    while (shard := claim_next(tried)) or start_run(version):
        if shard is None:
            continue
        tried.append(shard.pk)
        scored += attempt(shard)
        finish_runs()
    return scored


@transaction.atomic
def start_run(version: ModelVersion) -> ScoringRun | None:
    """Cut what is pending into shards, unless shards of an earlier run still wait."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('detection.start_run'))")
    if ScoringShard.objects.filter(status=ScoringShard.Status.PENDING).exists():
        return None
    shards = pending.shards(version.pk)
    if not shards:
        return None
    run = ScoringRun.objects.create(model_version=version, consumers=sum(map(len, shards)))
    ScoringShard.objects.bulk_create(ScoringShard(run=run, consumer_ids=consumer_ids) for consumer_ids in shards)
    if len(shards) > 1:
        ring("detection.score_pending")  # call another worker to help
    return run


def claim_next(tried: list[int]) -> ScoringShard | None:
    """The next shard that nobody works on, with this attempt counted and committed before the work starts."""
    with transaction.atomic():
        shard = (
            ScoringShard.objects.select_for_update(skip_locked=True, no_key=True)
            .filter(status=ScoringShard.Status.PENDING)
            .exclude(pk__in=tried)
            .order_by("attempts", "pk")
            .first()
        )
        if shard is None:
            return None
        if shard.attempts >= ScoringShard.ATTEMPTS:
            # Its workers died without a word: parked, so that the ones behind it go on.
            shard.status = ScoringShard.Status.FAILED
            shard.error = shard.error or "The worker was killed while it scored this shard."
        shard.attempts += 1
        shard.save(update_fields=["attempts", "status", "error"])
    return shard


def attempt(shard: ScoringShard) -> bool:
    """Score a claimed shard in one transaction. An error is written on the shard; the third one parks it."""
    try:
        with transaction.atomic():
            # This row lock is the claim: it falls with the worker that held it.
            mine = (
                ScoringShard.objects.select_for_update(skip_locked=True, no_key=True)
                .select_related("run__model_version")
                .filter(pk=shard.pk, status=ScoringShard.Status.PENDING)
                .first()
            )
            if mine is None:
                return False
            score(mine.run, mine.consumer_ids)
            mine.status = ScoringShard.Status.DONE
            mine.save(update_fields=["status"])
        return True
    except Exception as error:
        log.exception("Scoring shard %s failed at attempt %s", shard.pk, shard.attempts)
        parked = shard.attempts >= ScoringShard.ATTEMPTS
        ScoringShard.objects.filter(pk=shard.pk).update(
            error=f"{type(error).__name__}: {error}"[:2000],
            status=ScoringShard.Status.FAILED if parked else ScoringShard.Status.PENDING,
        )
        return False


def score(run: ScoringRun, consumer_ids: list[int]) -> None:
    """Write a risk score for every consumer, and make it the one that stands."""
    # Read before the readings: what arrives in between is scored again rather than missed.
    revisions = pending.revisions(consumer_ids)
    ensemble = models_on_disk.load(run.model_version)
    scores: dict[int, RiskScore] = {pk: without_readings(run, pk) for pk in consumer_ids}
    for rows, window in windows.read(consumer_ids):
        for consumer_id, finding in zip(rows, ensemble.explain(window), strict=True):
            scores[consumer_id] = risk_score(run, consumer_id, finding)
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


def risk_score(run: ScoringRun, consumer_id: int, finding: Finding) -> RiskScore:
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
        data_from=finding.data_from,
        data_until=finding.data_until,
    )


def without_readings(run: ScoringRun, consumer_id: int) -> RiskScore:
    reasons = [{"code": "too_little_data", "share": 0, "params": {"days": 0, "needed": 28}}]
    return RiskScore(run=run, consumer_id=consumer_id, level=RiskLevel.UNSCORED, reasons=reasons)


def finish_runs() -> None:
    pending_shards = ScoringShard.objects.filter(status=ScoringShard.Status.PENDING)
    ScoringRun.objects.filter(finished_at=None).exclude(pk__in=pending_shards.values("run")).update(
        finished_at=timezone.now()
    )


def retry(*, shard: ScoringShard) -> None:
    """Take a parked shard up again."""
    ScoringShard.objects.filter(pk=shard.pk, status=ScoringShard.Status.FAILED).update(
        status=ScoringShard.Status.PENDING, attempts=0, error=""
    )
    ScoringRun.objects.filter(pk=shard.run_id).update(finished_at=None)
    ring("detection.score_pending")
