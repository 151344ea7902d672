"""What validation found, into the database: set-wise, in the caller's transaction; running twice changes nothing."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from django.db import connection

from apps.readings.merge import date_of
from apps.readings.models import MeterState
from apps.readings.quality import Quality
from apps.readings.validation.checking import DTYPES, NUMBER_OF, Checked, Hits, joined, together
from apps.readings.validation.estimation import METHODS
from apps.readings.validation.rules import RULES
from apps.readings.validation.sql import execute, fetched

# The checked days of each meter.
RANGES = """
    (SELECT meter_id, %(epoch)s::date + first AS first, %(epoch)s::date + last AS last
     FROM unnest(%(meters)s::bigint[], %(firsts)s::int[], %(lasts)s::int[]) AS given (meter_id, first, last)) AS range
"""
TAKE_HITS = f"""
DELETE FROM readings_validationhit hit USING {RANGES}
WHERE hit.meter_id = range.meter_id AND hit.channel = %(channel)s AND hit.rule <> 'same_curve'
  AND hit.day <= range.last + 1 AND hit.last_day >= range.first - 1
RETURNING hit.meter_id, hit.rule, hit.day - %(epoch)s, hit.last_day - %(epoch)s, coalesce(hit.first_slot, -1),
          hit.slots, hit.value, hit.limit
"""  # noqa: S608 made of our own text alone
PUT_HITS = """
INSERT INTO readings_validationhit (meter_id, channel, rule, day, last_day, first_slot, slots, value, "limit")
SELECT meter_id, %(channel)s, rule, %(epoch)s::date + day, %(epoch)s::date + last_day, nullif(first_slot, -1), slots,
       nullif(value, 'NaN'), nullif("limit", 'NaN')
FROM unnest(%(meters)s::bigint[], %(rules)s::text[], %(days)s::int[], %(last_days)s::int[], %(first_slots)s::int[],
            %(slots)s::int[], %(values)s::float8[], %(limits)s::float8[])
     AS found (meter_id, rule, day, last_day, first_slot, slots, value, "limit")
"""
# One curve under two serials. Both meters are hit, whichever was validated first.
TWINS = """
WITH own AS (
    UPDATE readings_meterstate state SET week_key = given.key
    FROM unnest(%(meters)s::bigint[], %(keys)s::bigint[]) AS given (meter_id, key)
    WHERE state.meter_id = given.meter_id RETURNING state.meter_id, state.week_key
),
alike AS (
    SELECT week_key, meter_id FROM own WHERE week_key IS NOT NULL
    UNION
    SELECT state.week_key, state.meter_id FROM readings_meterstate state
    WHERE state.week_key IN (SELECT week_key FROM own) AND state.meter_id NOT IN (SELECT meter_id FROM own)
),
week AS (
    SELECT key AS week_key, %(epoch)s::date + start AS monday
    FROM unnest(%(keys)s::bigint[], %(starts)s::int[]) AS given (key, start) WHERE key IS NOT NULL GROUP BY 1, 2
)
INSERT INTO readings_validationhit (meter_id, channel, rule, day, last_day, slots, value)
SELECT meter_id, %(channel)s, 'same_curve', monday, monday + 6, 0, many
FROM (SELECT week_key, meter_id, count(*) OVER (PARTITION BY week_key) AS many FROM alike) AS found
JOIN week USING (week_key)
WHERE many > 1 AND NOT EXISTS (
    SELECT FROM readings_validationhit hit
    WHERE hit.meter_id = found.meter_id AND hit.rule = 'same_curve' AND hit.day = week.monday)
RETURNING day
"""
FORGET_TWINS = f"""
DELETE FROM readings_validationhit hit USING {RANGES}
WHERE hit.meter_id = range.meter_id AND hit.rule = 'same_curve'
  AND hit.day <= range.last AND hit.last_day >= range.first
RETURNING hit.day
"""  # noqa: S608 made of our own text alone
# Meters that were hit for these weeks beside one whose readings changed, and that are like nobody any more.
FORGET_LONELY = """
DELETE FROM readings_validationhit hit
WHERE hit.rule = 'same_curve' AND hit.day = ANY(%(mondays)s) AND NOT EXISTS (
    SELECT FROM readings_validationhit other
    WHERE other.rule = 'same_curve' AND other.day = hit.day AND other.meter_id <> hit.meter_id AND NOT EXISTS (
        SELECT FROM readings_loadprofile own JOIN readings_loadprofile theirs USING (channel, day)
        WHERE own.meter_id = hit.meter_id AND theirs.meter_id = other.meter_id AND channel = %(channel)s
          AND day BETWEEN hit.day AND hit.last_day AND own.kwh <> theirs.kwh))
"""

ESTIMATES = "CREATE TEMP TABLE new_estimate (meter_id bigint, day date, kwh real[]) ON COMMIT DROP"
COPY_ESTIMATES = "COPY new_estimate FROM STDIN"
# Both follow the index of the rows' key, in the months that hold the days.
OLD_ESTIMATES = f"""
    {RANGES}
    WHERE profile.meter_id = range.meter_id AND profile.channel = %(channel)s
      AND profile.day BETWEEN range.first AND range.last AND profile.day BETWEEN %(first)s AND %(last)s
      AND profile.estimated_kwh IS NOT NULL AND NOT {Quality.EDITED.value} = ANY(coalesce(profile.quality, '{{}}'))
      AND NOT EXISTS (SELECT FROM new_estimate new WHERE new.meter_id = profile.meter_id AND new.day = profile.day)
"""
DROP_PLACEHOLDERS = f"""
DELETE FROM readings_loadprofile profile USING {OLD_ESTIMATES} AND 'NaN'::real = ALL (profile.kwh)
"""  # noqa: S608 made of our own text alone
DROP_ESTIMATES = f"""
UPDATE readings_loadprofile profile SET estimated_kwh = NULL FROM {OLD_ESTIMATES}
"""  # noqa: S608 made of our own text alone
PUT_ESTIMATES = """
UPDATE readings_loadprofile profile SET estimated_kwh = new.kwh FROM new_estimate new
WHERE new.day BETWEEN %(first)s AND %(last)s AND profile.day BETWEEN %(first)s AND %(last)s
  AND profile.meter_id = new.meter_id AND profile.channel = %(channel)s AND profile.day = new.day
  AND cardinality(profile.kwh) = cardinality(new.kwh) AND profile.estimated_kwh IS DISTINCT FROM new.kwh
"""
# A day of which nothing came has no row; its estimate needs one, and takes the upload of the day before it.
PUT_PLACEHOLDERS = """
INSERT INTO readings_loadprofile (meter_id, channel, day, kwh, estimated_kwh, upload_id)
SELECT new.meter_id, %(channel)s, new.day, array_fill('NaN'::real, ARRAY[cardinality(new.kwh)]), new.kwh,
       before.upload_id
FROM new_estimate new
CROSS JOIN LATERAL (
    SELECT upload_id FROM readings_loadprofile profile
    WHERE profile.meter_id = new.meter_id AND profile.channel = %(channel)s
      AND profile.day BETWEEN new.day - 8 AND new.day - 1 AND profile.day BETWEEN %(first)s AND %(last)s
    ORDER BY profile.day DESC LIMIT 1
) before
WHERE NOT EXISTS (
    SELECT FROM readings_loadprofile profile
    WHERE profile.meter_id = new.meter_id AND profile.channel = %(channel)s AND profile.day = new.day
      AND profile.day BETWEEN %(first)s AND %(last)s)
"""
FORGET_METHODS = f"""
DELETE FROM readings_estimate estimate USING {RANGES}
WHERE estimate.meter_id = range.meter_id AND estimate.channel = %(channel)s
  AND estimate.day BETWEEN range.first AND range.last
"""  # noqa: S608 made of our own text alone
# Only where they stand: a day that came at a finer interval than it is checked at takes no estimate.
PUT_METHODS = """
INSERT INTO readings_estimate (meter_id, channel, method, day, slots, kwh)
SELECT meter_id, %(channel)s, method, %(epoch)s::date + day, slots, kwh
FROM unnest(%(meters)s::bigint[], %(methods)s::text[], %(days)s::int[], %(slots)s::int[], %(values)s::float8[])
     AS found (meter_id, method, day, slots, kwh)
WHERE EXISTS (
    SELECT FROM readings_loadprofile profile
    WHERE profile.meter_id = found.meter_id AND profile.channel = %(channel)s
      AND profile.day = %(epoch)s::date + found.day AND cardinality(profile.estimated_kwh) = %(width)s)
"""
VALIDATED = """
UPDATE readings_meterstate
SET validated_revision = revision, unvalidated_from = NULL, unvalidated_until = NULL
WHERE meter_id = ANY(%(meters)s)
"""


@dataclass(frozen=True)
class Stored:
    meters: int
    hit_days: set[date]  # on which hits begin or end otherwise than before


def store(checked: Checked) -> Stored:
    """Replace the hits and estimates of the checked days, of meters whose readings are still as they were read.

    The others are pending as before. Locks the meters' states, as a merge does, in the same order.
    """
    waiting = checked.waiting
    states = MeterState.objects.select_for_update(no_key=True).filter(meter__in=waiting.meters.tolist())
    now = dict(states.order_by("meter_id").values_list("meter_id", "revision"))
    same = np.array([now.get(int(meter)) for meter in waiting.meters]) == waiting.revisions
    if not same.any():
        return Stored(0, set())
    ranges = {
        "meters": waiting.meters[same].tolist(),
        "firsts": waiting.checked_from[same].tolist(),
        "lasts": waiting.checked_until[same].tolist(),
    }
    hit_days = store_hits(checked, same, ranges) | store_twins(checked, same)
    store_estimates(checked, same, ranges)
    execute(VALIDATED, meters=ranges["meters"])
    return Stored(int(same.sum()), hit_days)


def store_hits(checked: Checked, same: np.ndarray, ranges: dict) -> set[date]:
    waiting = checked.waiting
    taken = as_hits([row for row in fetched(TAKE_HITS, **ranges) if row[1] in NUMBER_OF])
    row = np.searchsorted(waiting.meters, taken.meter)
    kept = outside(taken, waiting.checked_from[row], waiting.checked_until[row])
    new = checked.hits[same[np.searchsorted(waiting.meters, checked.hits.meter)]]
    found = joined(together([kept, new]))
    put(found)
    return {date_of(day) for end in ("day", "last_day") for *_hit, day in apart(ends(taken, end), ends(found, end))}


def ends(hits: Hits, end: str) -> Counter[tuple[int, int, int]]:
    """Meter, rule and one end of each hit."""
    return Counter(zip(hits.meter.tolist(), hits.rule.tolist(), getattr(hits, end).tolist(), strict=True))


def apart(before: Counter, after: Counter) -> Counter:
    """What one has and the other has not."""
    return (before - after) + (after - before)


def as_hits(rows: list[tuple]) -> Hits:
    rows = [(meter, NUMBER_OF[rule], *numbers) for meter, rule, *numbers in rows]
    columns = zip(*rows, strict=True) if rows else [()] * len(DTYPES)
    return Hits(*(np.array(column, dtype) for column, dtype in zip(columns, DTYPES, strict=True)))


def outside(hits: Hits, first: np.ndarray, last: np.ndarray) -> Hits:
    """What of the hits lies before and after the days [first, last] of each. Of a hit that cannot be cut, nothing."""
    lasts = np.array([rule.lasts for rule in RULES])[hits.rule]
    whole = (hits.last_day < first) | (hits.day > last)
    begins, ends = ~whole & lasts & (hits.day < first), ~whole & lasts & (hits.last_day > last)
    return together(
        [
            hits[whole],
            cut(hits[begins], hits.day[begins], first[begins] - 1),
            cut(hits[ends], last[ends] + 1, hits.last_day[ends]),
        ]
    )


def cut(hits: Hits, day: np.ndarray, last_day: np.ndarray) -> Hits:
    """The same on these of their days. Which readings of a day it was is known of the first day only."""
    whole = day == hits.day
    first_slot, slots = np.where(whole, hits.first_slot, -1), np.where(whole, hits.slots, 0)
    return Hits(hits.meter, hits.rule, day, last_day, first_slot, slots, hits.value, hits.limit)


def put(hits: Hits) -> None:
    if len(hits):
        execute(
            PUT_HITS,
            meters=hits.meter.tolist(),
            rules=[RULES[number].name for number in hits.rule],
            days=hits.day.tolist(),
            last_days=hits.last_day.tolist(),
            first_slots=hits.first_slot.tolist(),
            slots=hits.slots.tolist(),
            values=hits.value.tolist(),
            limits=hits.limit.tolist(),
        )


def store_twins(checked: Checked, same: np.ndarray) -> set[date]:
    """Hits of weeks whose readings did not change stay: only last weeks are compared, and there is one each week."""
    waiting = checked.waiting
    changed = {
        "meters": waiting.meters[same].tolist(),
        "firsts": waiting.first_changed[same].tolist(),
        "lasts": waiting.last_changed[same].tolist(),
    }
    mondays = [day for (day,) in fetched(FORGET_TWINS, **changed)]
    # A window around days that were mended long after does not hold the meter's last week.
    same = same & (waiting.last < checked.first_day + checked.checked.shape[1])
    starts = checked.week_starts[same]
    week_keys = [int(key) if start >= 0 else None for key, start in zip(checked.week_keys[same], starts, strict=True)]
    found = fetched(TWINS, meters=waiting.meters[same].tolist(), keys=week_keys, starts=starts.tolist())
    if mondays:
        execute(FORGET_LONELY, mondays=mondays)
    return {day + timedelta(days=later) for day in [*mondays, *(day for (day,) in found)] for later in (0, 6)}


def store_estimates(checked: Checked, same: np.ndarray, ranges: dict) -> None:
    estimated = checked.estimated
    row, day = np.nonzero(np.isfinite(estimated.kwh).any(2) & checked.checked & ~checked.edited & same[:, None])
    meters, days = checked.waiting.meters[row], day + checked.first_day
    kwh, method = estimated.kwh[row, day], estimated.method[row, day]
    execute("DROP TABLE IF EXISTS new_estimate")
    execute(ESTIMATES)
    copy_estimates(meters, days, kwh)
    first, last = date_of(min(ranges["firsts"])), date_of(max(ranges["lasts"]))
    for statement in (DROP_PLACEHOLDERS, DROP_ESTIMATES):
        execute(statement, first=first, last=last, **ranges)
    # Month by month, so that the server looks into one partition only.
    for month_first, month_last in months(days):
        execute(PUT_ESTIMATES, first=month_first, last=month_last)
    if len(days):
        execute(PUT_PLACEHOLDERS, first=date_of(days.min() - 8), last=date_of(days.max()))
    execute(FORGET_METHODS, **ranges)
    for number, name in METHODS.items():
        by_method = np.where(method == number, kwh, np.nan)
        used = np.isfinite(by_method).any(1)
        execute(
            PUT_METHODS,
            meters=meters[used].tolist(),
            methods=[name.value] * int(used.sum()),
            days=days[used].tolist(),
            slots=np.isfinite(by_method[used]).sum(1).tolist(),
            values=np.nansum(by_method[used], axis=1, dtype=float).round(4).tolist(),
            width=kwh.shape[1],
        )


def copy_estimates(meters: np.ndarray, days: np.ndarray, kwh: np.ndarray) -> None:
    with connection.cursor() as cursor, cursor.copy(COPY_ESTIMATES) as copy:
        for meter, day, values in zip(meters, days, kwh.astype("U16"), strict=True):
            copy.write(f"{meter}\t{date_of(day)}\t{{{','.join(values)}}}\n")


def months(days: np.ndarray) -> list[tuple[date, date]]:
    """First and last day of each month that holds some of the days."""
    found = np.unique(days.astype("datetime64[D]").astype("datetime64[M]"))
    return [(month.astype("datetime64[D]").item(), ((month + 1).astype("datetime64[D]") - 1).item()) for month in found]
