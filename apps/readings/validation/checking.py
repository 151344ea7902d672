"""Rules over stored readings: which days to read, what the rules say of them, hits as rows."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from django.db import connection

from apps.readings import profiles, times
from apps.readings.merge import date_of
from apps.readings.models import Channel, RegisterRead, ValidationRule
from apps.readings.quality import Quality
from apps.readings.validation import limits, rules, stays
from apps.readings.validation.estimation import Estimated, estimate
from apps.readings.validation.rules import BY_NAME, HISTORY_DAYS, LONGEST_LIMIT_DAYS, RULES, Curves, Found

# A changed day changes what is usual for the days after it, and runs and estimates on both sides.
DAYS_AFTER = HISTORY_DAYS
DAYS_AROUND = LONGEST_LIMIT_DAYS + 1
NUMBER_OF = {rule.name: number for number, rule in enumerate(RULES)}

FLAGS = """
SELECT meter_id, day - %(epoch)s, quality FROM readings_loadprofile
WHERE meter_id = ANY(%(meters)s) AND channel = %(channel)s AND day BETWEEN %(first)s AND %(last)s
  AND quality IS NOT NULL
"""


@dataclass(frozen=True)
class Waiting:
    """Meters to validate, and which of their days; days are counted since 1970. M meters of one interval."""

    meters: np.ndarray  # (M,) int64, ascending
    revisions: np.ndarray  # (M,) that their readings had when they were read
    first: np.ndarray  # (M,) of their readings at all
    last: np.ndarray
    first_changed: np.ndarray
    last_changed: np.ndarray
    silent_from: np.ndarray  # the changed days, and the days without any reading on both sides of them
    silent_until: np.ndarray
    checked_from: np.ndarray  # these, and those around them that depend on them
    checked_until: np.ndarray
    interval_minutes: int


@dataclass(frozen=True)
class Hits:
    """Hits as they are stored, one element each."""

    meter: np.ndarray
    rule: np.ndarray  # position in RULES
    day: np.ndarray
    last_day: np.ndarray
    first_slot: np.ndarray  # -1: the day as a whole
    slots: np.ndarray  # that many readings of the first day; 0: the day as a whole
    value: np.ndarray
    limit: np.ndarray  # NaN: there is none

    def __len__(self) -> int:
        return len(self.meter)

    def __getitem__(self, rows: np.ndarray) -> Self:
        return Hits(*(getattr(self, column.name)[rows] for column in fields(self)))

    def sorted(self) -> Self:
        return self[np.lexsort((self.day, self.meter, self.rule))]


DTYPES = (np.int64, np.int16, np.int64, np.int64, np.int64, np.int64, float, float)
NO_HITS = Hits(*(np.zeros(0, dtype) for dtype in DTYPES))


def together(parts: Iterable[Hits]) -> Hits:
    parts = [NO_HITS, *parts]
    return Hits(*(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Hits)))


@dataclass(frozen=True)
class Checked:
    waiting: Waiting
    hits: Hits
    estimated: Estimated  # over the window's days
    first_day: int  # of the window
    checked: np.ndarray  # (M, D)
    edited: np.ndarray  # (M, D): a person's estimate stands there
    week_keys: np.ndarray
    week_starts: np.ndarray  # days since 1970, -1: no week


def check(waiting: Waiting) -> Checked:
    first = int(waiting.checked_from.min()) - HISTORY_DAYS
    last = min(int(waiting.checked_until.max()) + DAYS_AROUND, int(waiting.last.max()))
    last = max(last, first)  # after a withdrawal all that changed may lie beyond the last day that is left
    curves, edited, measured = read(waiting, first, last)
    zones = limits.zones_of(waiting.meters.tolist())
    settings = limits.settings_of_zones(zones)
    hits = [day_hits(curves, waiting.meters, first, zones, settings), register_hits(waiting, zones, settings)]
    twins = limits.arranged(BY_NAME["same_curve"], zones, settings)
    estimated = estimated_by_stay(replace(curves, kwh=measured), waiting.meters, first)
    # What was sent stands, whatever its flag says: estimates are for what is missing.
    estimated.kwh[~np.isnan(curves.kwh)] = np.nan
    keys, starts = rules.week_keys(curves, twins.limits["changes"])
    starts[~twins.enabled] = -1
    return Checked(
        waiting=waiting,
        hits=together(hits),
        estimated=estimated,
        first_day=first,
        checked=curves.checked,
        edited=edited,
        week_keys=keys,
        week_starts=np.where(starts >= 0, starts + first, -1),
    )


def estimated_by_stay(measured: Curves, meters: np.ndarray, first: int) -> Estimated:
    """Of a meter that moved, each consumer's days by themselves."""
    by_stay, of = stays.parted(measured, meters, first)
    found = estimate(by_stay.kwh)
    if by_stay is measured:
        return found
    kwh, method = np.full_like(measured.kwh, np.nan), np.zeros(measured.kwh.shape, found.method.dtype)
    for part, row in enumerate(of):
        here = np.isfinite(found.kwh[part])
        kwh[row][here], method[row][here] = found.kwh[part][here], found.method[part][here]
    return Estimated(kwh, method)


def read(waiting: Waiting, first: int, last: int) -> tuple[Curves, np.ndarray, np.ndarray]:
    """The curves of the days [first, last], which of their days a person has edited, and what of them was measured."""
    slots = profiles.MINUTES_PER_DAY // waiting.interval_minutes
    kwh = profiles.read_window(waiting.meters.tolist(), date_of(first), date_of(last), slots=slots).kwh
    days = np.arange(first, last + 1)
    curves = Curves(
        kwh=kwh,
        checked=(days >= waiting.checked_from[:, None])
        & (days <= waiting.checked_until[:, None])
        & ~stays.away(waiting.meters, days),
        first_day=np.datetime64(first, "D"),
        began=waiting.first - first,
        ended=waiting.last - first,
        hours_ahead=hours_ahead(days),
    )
    edited, measured = np.zeros(curves.checked.shape, bool), kwh
    for row, day, quality in flags(waiting, first, last):
        edited[row, day] = (quality == Quality.EDITED).any()
        measured = kwh.copy() if measured is kwh else measured
        # Of a sum of several readings all have to be measured.
        measured[row, day, (quality != Quality.MEASURED).reshape(slots, -1).any(1)] = np.nan
    return curves, edited, measured


def flags(waiting: Waiting, first: int, last: int) -> list[tuple[int, int, np.ndarray]]:
    """Rows and days of the window that carry flags, few of all, with them."""
    params = {
        "meters": waiting.meters.tolist(),
        "channel": Channel.IMPORT,
        "first": date_of(first),
        "last": date_of(last),
        "epoch": profiles.EPOCH,
    }
    with connection.cursor() as cursor:
        cursor.execute(FLAGS, params)
        return [
            (int(np.searchsorted(waiting.meters, meter)), day - first, np.array(quality))
            for meter, day, quality in cursor.fetchall()
        ]


def hours_ahead(days: np.ndarray) -> np.ndarray:
    """(D,) whole hours that the clock on the wall is ahead of the utility's standard time at noon."""
    clock = times.utility_zone()
    steps = np.searchsorted(clock.since, days * profiles.MINUTES_PER_DAY + 720, side="right") - 1
    return (clock.offsets[steps] - times.utility_offset_minutes()) // 60


def day_hits(curves: Curves, meters: np.ndarray, first: int, zones: list, settings: dict) -> Hits:
    """What the rules that look at one meter's days say of the checked ones."""
    parts = []
    by_stay, of = stays.parted(curves, meters, first)
    everybody = np.arange(len(meters))
    for number, rule in enumerate(RULES):
        if rule.find is None:
            continue
        seen, rows = (by_stay, of) if rule.by_stay else (curves, everybody)
        own = limits.arranged(rule, [zones[row] for row in rows], settings)
        if own.enabled.any():
            found = rule.find(seen, own.limits)
            hit = found.hit & seen.checked & own.enabled[:, None]
            parts.append(as_hits(number, found, hit, meters[rows], first))
    return together(parts)


def as_hits(number: int, found: Found, hit: np.ndarray, meters: np.ndarray, first: int) -> Hits:
    """Days that were hit as rows, days in a row as one."""
    row, day = np.nonzero(hit)
    blank = np.zeros(len(row), np.int64)
    return joined(
        Hits(
            meters[row],
            np.full(len(row), number, np.int16),
            day + first,
            day + first,
            blank - 1 if found.first_slot is None else found.first_slot[row, day].astype(np.int64),
            blank if found.slots is None else found.slots[row, day].astype(np.int64),
            found.value[row, day].astype(float),
            np.full(len(row), np.nan) if found.limit is None else found.limit[row, day].astype(float),
        )
    )


def joined(hits: Hits) -> Hits:
    """Hits of one rule and meter whose days follow each other, as one. Sorted by rule, meter and day."""
    if not len(hits):
        return hits
    hits = hits.sorted()
    follows = (hits.rule[1:] == hits.rule[:-1]) & (hits.meter[1:] == hits.meter[:-1])
    follows &= (hits.day[1:] <= hits.last_day[:-1] + 1) & lasting()[hits.rule[1:]]
    begins = np.flatnonzero(np.r_[True, ~follows])
    worst = np.zeros(len(begins))
    for number in np.unique(hits.rule):
        join = RULES[number].worst
        worst = np.where(hits.rule[begins] == number, join.reduceat(hits.value, begins), worst)
    last_day = np.maximum.reduceat(hits.last_day, begins)
    # Of a run of days the window sees a part: its days say how long it is.
    days = (last_day - hits.day[begins] + 1).astype(float)
    worst = np.where(in_days()[hits.rule[begins]] & (days > worst), days, worst)
    return Hits(
        hits.meter[begins],
        hits.rule[begins],
        hits.day[begins],
        last_day,
        hits.first_slot[begins],
        hits.slots[begins],
        worst,
        hits.limit[begins],
    )


def lasting() -> np.ndarray:
    return np.array([rule.lasts for rule in RULES])


def in_days() -> np.ndarray:
    return np.array([rule.name in {"zeros", "stuck"} for rule in RULES])


def register_hits(waiting: Waiting, zones: list, settings: dict) -> Hits:
    """Register reads whose period touches the checked days and whose energy is not what the intervals of its days add
    up to: apart by more than `share` of it, and more than `kwh`. Periods with missing readings are not compared; a
    register that went backwards is a negative value. [CA] sum check."""
    own = limits.arranged(BY_NAME["register"], zones, settings)
    reads = register_reads(waiting)
    if not len(reads):
        return NO_HITS
    row = np.searchsorted(waiting.meters, reads["meter"])
    first, last = int(reads["start"].min()), int(reads["end"].max())
    sums = period_sums(waiting, np.unique(row), row, reads["start"], reads["end"], first, last)
    apart = np.abs(reads["kwh"] - sums)
    limit = np.maximum(own.limits["share"][row] * reads["kwh"], own.limits["kwh"][row])
    backwards = (reads["kwh"] < 0) & limits.arranged(BY_NAME["negative"], zones, settings).enabled[row]
    with np.errstate(invalid="ignore"):
        wrong = (apart > limit) & own.enabled[row] & ~backwards
    chosen = np.flatnonzero(wrong | backwards)
    blank = np.zeros(len(chosen), np.int64)
    return Hits(
        reads["meter"][chosen],
        np.where(backwards[chosen], NUMBER_OF["negative"], NUMBER_OF["register"]).astype(np.int16),
        reads["start"][chosen],
        reads["end"][chosen],
        blank - 1,
        blank,
        np.where(backwards, reads["kwh"], apart)[chosen],
        np.where(backwards, 0, limit)[chosen],
    )


def register_reads(waiting: Waiting) -> np.ndarray:
    """Reads of these meters whose period touches their checked days: meter, start, end (days since 1970), kwh."""
    rows = RegisterRead.objects.filter(
        meter__in=waiting.meters.tolist(),
        channel=Channel.IMPORT,
        end__gte=date_of(waiting.checked_from.min()),
        start__lte=date_of(waiting.checked_until.max()),
    ).values_list("meter_id", "start", "end", "kwh")
    dtype = [("meter", np.int64), ("start", np.int64), ("end", np.int64), ("kwh", float)]
    reads = np.array(
        [(meter, (start - profiles.EPOCH).days, (end - profiles.EPOCH).days, kwh) for meter, start, end, kwh in rows],
        dtype,
    )
    row = np.searchsorted(waiting.meters, reads["meter"])
    touched = (reads["end"] >= waiting.checked_from[row]) & (reads["start"] <= waiting.checked_until[row])
    return reads[touched]


def period_sums(
    waiting: Waiting, rows: np.ndarray, row: np.ndarray, start: np.ndarray, end: np.ndarray, first: int, last: int
) -> np.ndarray:
    """(R,) kWh that the intervals of each period add up to; NaN where one is missing."""
    slots = profiles.MINUTES_PER_DAY // waiting.interval_minutes
    kwh = profiles.read_window(waiting.meters[rows].tolist(), date_of(first), date_of(last), slots=slots).kwh
    total, missing = np.nan_to_num(kwh).sum(2, dtype=float), np.isnan(kwh).sum(2)
    total, missing = (np.pad(values.cumsum(1), ((0, 0), (1, 0))) for values in (total, missing))
    at = np.searchsorted(rows, row)
    start, end = start - first, end - first + 1
    complete = missing[at, end] == missing[at, start]
    return np.where(complete, total[at, end] - total[at, start], np.nan)


def dry_run(waiting: Waiting, zone: int | None, tries: list[list[ValidationRule]]) -> list[dict[str, tuple[int, int]]]:
    """For each set of settings, rule → (days, meters) that it would hit; nothing is stored."""
    first = int(waiting.checked_from.min()) - HISTORY_DAYS
    curves, _edited, _measured = read(waiting, first, int(waiting.checked_until.max()))
    zones = [zone] * len(waiting.meters)
    found = []
    for rows in tries:
        settings = limits.settings_of_zones(zones, rows)
        days = day_hits(curves, waiting.meters, first, zones, settings)
        found.append(counted(together([days, register_hits(waiting, zones, settings)])))
    return found


def counted(hits: Hits) -> dict[str, tuple[int, int]]:
    days = hits.last_day - hits.day + 1
    return {
        rule.name: (int(days[hits.rule == number].sum()), len(np.unique(hits.meter[hits.rule == number])))
        for number, rule in enumerate(RULES)
    }
