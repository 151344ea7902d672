"""Which meters wait for validation, and who validates them. Beside the pipeline: no score waits for it."""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import date

import numpy as np
from django.db import DatabaseError, connection, transaction
from django.db.models import F, QuerySet

from apps import claims
from apps.bell import ring
from apps.readings import profiles
from apps.readings.models import Channel, MeterState, ValidationShard
from apps.readings.validation import checking, counting, limits, moves, storing
from apps.readings.validation.checking import DAYS_AFTER, DAYS_AROUND, Checked, Waiting
from apps.readings.validation.rules import HISTORY_DAYS

log = logging.getLogger(__name__)

STEP = "readings.validate_pending"
Status = ValidationShard.Status
CELLS = 1_000_000  # readings that the window of a shard may hold: it then takes half a second and 100 MB
METERS_CUT_AT_ONCE = 20_000
# A worker looks up after so long, so that imports and scores that were rung meanwhile come first.
SECONDS_AT_ONCE = 3
NONE = -(2**40)  # no day


class RulesChanged(Exception):
    """Somebody set a rule while days were checked by the rules of before."""


# The last day with a row before the changed days, and the first after them; mostly the nearest days have one.
NEIGHBOURS = """
SELECT changed.meter_id,
       coalesce((SELECT max(day) FROM readings_loadprofile
                 WHERE meter_id = changed.meter_id AND channel = %(channel)s
                   AND day BETWEEN changed.first - %(near)s AND changed.first - 1),
                (SELECT max(day) FROM readings_loadprofile
                 WHERE meter_id = changed.meter_id AND channel = %(channel)s AND day < changed.first)) - %(epoch)s,
       coalesce((SELECT min(day) FROM readings_loadprofile
                 WHERE meter_id = changed.meter_id AND channel = %(channel)s
                   AND day BETWEEN changed.last + 1 AND changed.last + %(near)s),
                (SELECT min(day) FROM readings_loadprofile
                 WHERE meter_id = changed.meter_id AND channel = %(channel)s AND day > changed.last)) - %(epoch)s
FROM (
    SELECT meter_id, %(epoch)s::date + first AS first, %(epoch)s::date + last AS last
    FROM unnest(%(meters)s::bigint[], %(firsts)s::int[], %(lasts)s::int[]) AS given (meter_id, first, last)
) AS changed
"""


def validate_pending() -> int:
    """Validate whatever is pending, or as much as fits in a few seconds and ring for the rest.

    Returns how many meters were validated. One worker at a time: the others are left to imports and scores.
    """
    with alone() as is_alone:
        return validate_for_a_while() if is_alone else 0


@contextmanager
def alone() -> Iterator[bool]:
    """Whether no other worker validates now. The server lets go of the lock of a worker that was killed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext('readings.validating'))")
        is_alone = cursor.fetchone()[0]
    try:
        yield is_alone
    finally:
        # On a lost connection there is nothing to let go of.
        with suppress(DatabaseError):
            if is_alone:
                connection.cursor().execute("SELECT pg_advisory_unlock(hashtext('readings.validating'))")


def validate_for_a_while() -> int:
    began, validated, tried = time.monotonic(), 0, []
    moves.note()
    while (shard := next_pending(tried)) or cut():
        if shard:
            tried.append(shard.pk)
            validated += attempt(shard)
            if time.monotonic() - began > SECONDS_AT_ONCE:
                ring(STEP)
                break
    count_days()
    return validated


def next_pending(tried: list[int]) -> ValidationShard | None:
    waiting = ValidationShard.objects.filter(status=Status.PENDING).exclude(pk__in=tried)
    return waiting.order_by("attempts", "pk").first()


@transaction.atomic
def cut() -> bool:
    """Cut what is pending into shards, unless shards still wait. False when nothing is pending."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('readings.validate_pending'))")
    if ValidationShard.objects.filter(status=Status.PENDING).exists():
        return False
    parked = [
        meter
        for ids in ValidationShard.objects.filter(status=Status.FAILED).values_list("meter_ids", flat=True)
        for meter in ids
    ]
    states = pending().exclude(meter__in=parked).order_by("interval_minutes", "unvalidated_from", "meter_id")
    shards = packed(list(states[:METERS_CUT_AT_ONCE]))
    ValidationShard.objects.bulk_create(ValidationShard(meter_ids=ids) for ids in shards)
    return bool(shards)


def pending() -> QuerySet[MeterState]:
    return MeterState.objects.filter(revision__gt=F("validated_revision"))


def packed(states: list[MeterState]) -> list[list[int]]:
    """Meters of one interval, each list so long that the window of its days holds about CELLS readings."""
    shards: list[list[int]] = []
    open_for, first, last = None, 0, 0
    for state in states:
        since, until = days_of(state)
        own = (state.interval_minutes, min(first, since), max(last, until))
        days = own[2] - own[1] + 1 + HISTORY_DAYS + 2 * DAYS_AROUND + DAYS_AFTER
        cells = days * (profiles.MINUTES_PER_DAY // state.interval_minutes)
        if open_for == state.interval_minutes and (len(shards[-1]) + 1) * cells <= CELLS:
            shards[-1].append(state.meter_id)
            first, last = own[1:]
        else:
            shards.append([state.meter_id])
            open_for, first, last = state.interval_minutes, since, until
    return shards


def days_of(state: MeterState) -> tuple[int, int]:
    """First and last changed day, in days since 1970; all of the meter's days where nobody said which."""
    since, until = state.unvalidated_from or state.first_day, state.unvalidated_until or state.last_day
    return (since - profiles.EPOCH).days, (until - profiles.EPOCH).days


def attempt(shard: ValidationShard) -> int:
    """Validate one waiting shard, unless another worker does. How many meters stand validated.

    An error is written on the shard; the third one parks it, so that the ones behind it go on.
    """
    with claims.claim(shard) as claimed:
        if not claimed:
            return 0
        if not claims.note_attempt(shard):
            park(shard, "The worker was killed while it validated this shard.")
            return 0
        try:
            return validate(shard)
        except Exception as error:
            # The type and no message: that may quote readings, and those stay out of the log.
            log.error("Validating shard %s failed: %s", shard.pk, type(error).__name__)
            claims.reconnect()
            park(shard, type(error).__name__)
    return 0


def validate(shard: ValidationShard) -> int:
    """Read and check outside of the transaction that stores. What changed in between stays pending."""
    rules = limits.stored()
    waiting = waiting_of(shard.meter_ids)
    checked = [checking.check(part) for part in waiting]
    try:
        with transaction.atomic():
            return store(shard, waiting, checked, rules)
    except RulesChanged:
        shard.delete()  # its meters still wait, and are cut anew
        return 0


def store(shard: ValidationShard, waiting: list[Waiting], checked: list[Checked], rules: list) -> int:
    locked = ValidationShard.objects.select_for_update(no_key=True).filter(pk=shard.pk, status=Status.PENDING)
    if not locked.exists():
        return 0
    stored = [storing.store(part) for part in checked]
    # The meters' states are locked by now: who sets a rule has either done it before, or comes after and has them
    # wait once more.
    if limits.stored() != rules:
        raise RulesChanged
    if not checked:
        locked.delete()
        return 0
    locked.update(
        status=Status.DONE,
        first_day=storing.date_of(min(int(part.silent_from.min()) for part in waiting)),
        last_day=storing.date_of(max(int(part.silent_until.max()) for part in waiting)),
        hit_days=sorted(set().union(*(part.hit_days for part in stored))),
    )
    return sum(part.meters for part in stored)


def waiting_of(meter_ids: list[int]) -> list[Waiting]:
    """What is pending of these meters now, by interval: one may have changed since the shard was cut."""
    by_interval: dict[int, list[MeterState]] = {}
    for state in pending().filter(meter__in=meter_ids).order_by("meter_id"):
        by_interval.setdefault(state.interval_minutes, []).append(state)
    return [waiting(states, interval) for interval, states in by_interval.items()]


def waiting(states: list[MeterState], interval_minutes: int) -> Waiting:
    first, last = (
        np.array([(getattr(state, name) - profiles.EPOCH).days for state in states], np.int64)
        for name in ("first_day", "last_day")
    )
    meters = np.array([state.meter_id for state in states], np.int64)
    changed = np.array([days_of(state) for state in states], np.int64)
    before, after = neighbours(meters, changed)
    silent_from = np.where(before == NONE, changed[:, 0], before + 1)
    silent_until = np.where(after == NONE, changed[:, 1], after - 1)
    # The state knows the days of all channels, and of energy that was only ever given none was taken.
    first = np.where(before == NONE, np.maximum(first, changed[:, 0]), first)
    last = np.where(after == NONE, np.minimum(last, changed[:, 1]), last)
    return Waiting(
        meters=meters,
        revisions=np.array([state.revision for state in states]),
        first=first,
        last=last,
        first_changed=changed[:, 0],
        last_changed=changed[:, 1],
        silent_from=silent_from,
        silent_until=silent_until,
        checked_from=np.minimum(np.maximum(changed[:, 0] - DAYS_AROUND, np.minimum(first, changed[:, 0])), silent_from),
        checked_until=np.maximum(np.minimum(changed[:, 1] + DAYS_AFTER, np.maximum(last, changed[:, 1])), silent_until),
        interval_minutes=interval_minutes,
    )


def neighbours(meters: np.ndarray, changed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(M,) the last day with a row before the changed days (M, 2) of each meter, and the first after them; NONE where
    there is none. Between these days and the changed ones it was silent: a gap is known for one only when readings
    came on both sides, however long it was."""
    params = {
        "meters": meters.tolist(),
        "firsts": changed[:, 0].tolist(),
        "lasts": changed[:, 1].tolist(),
        "epoch": profiles.EPOCH,
        "channel": Channel.IMPORT,
        "near": DAYS_AROUND,
    }
    before, after = np.full((2, len(meters)), NONE)
    with connection.cursor() as cursor:
        cursor.execute(NEIGHBOURS, params)
        for meter, day_before, day_after in cursor.fetchall():
            row = np.searchsorted(meters, meter)
            before[row] = NONE if day_before is None else day_before
            after[row] = NONE if day_after is None else day_after
    return before, after


@transaction.atomic
def park(shard: ValidationShard, error: str) -> None:
    """Note what went wrong. Out of attempts, a shard is halved, so that the others do not stand still with the meter
    whose days are the trouble; one of a single meter waits for a person."""
    waiting = ValidationShard.objects.filter(pk=shard.pk, status=Status.PENDING)
    waiting.filter(error="").update(error=error)
    if not waiting.filter(attempts__gte=ValidationShard.ATTEMPTS).exists():
        return
    if len(shard.meter_ids) == 1:
        waiting.update(status=Status.FAILED)
        return
    half = len(shard.meter_ids) // 2
    waiting.delete()
    ValidationShard.objects.bulk_create(
        ValidationShard(meter_ids=ids) for ids in (shard.meter_ids[:half], shard.meter_ids[half:])
    )


@transaction.atomic
def count_days() -> None:
    """Count completeness and hits of the days of all shards that are done, once no shard waits any more."""
    if ValidationShard.objects.filter(status=Status.PENDING).exists():
        return
    done = ValidationShard.objects.select_for_update(skip_locked=True, no_key=True).filter(status=Status.DONE)
    shards = list(done)
    for first, last in stretches((shard.first_day, shard.last_day) for shard in shards):
        counting.count_days(first, last)
    counting.count_hits(day for shard in shards for day in shard.hit_days)
    ValidationShard.objects.filter(pk__in=[shard.pk for shard in shards]).delete()


def stretches(ranges: Iterable[tuple[date, date]]) -> list[tuple[date, date]]:
    """Ranges of days, those that overlap as one."""
    joined: list[tuple[date, date]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


def validate_again(zone_id: int | None) -> None:
    """After a rule was set otherwise: all days of the zone's meters wait once more; without a zone, of all meters."""
    states = MeterState.objects.all()
    if zone_id is not None:
        states = states.filter(meter__in=limits.meters_in(zone_id))
    states.update(validated_revision=0, unvalidated_from=F("first_day"), unvalidated_until=F("last_day"))
    ring(STEP)


def retry() -> None:
    """Take parked shards up again."""
    ValidationShard.objects.filter(status=Status.FAILED).update(status=Status.PENDING, attempts=0, error="")
    ring(STEP)
