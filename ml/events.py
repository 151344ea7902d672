"""What meters report beside their readings, as evidence: how much each event counts, and what a meter's come to.

Tamper flags alone give far too many false alarms (docs/events.md), so an event never decides anything by itself: it
fades with time, counts for nothing where the neighbourhood or a visit explains it, and only together with a change of
the curve at the same time may it lift a score to a level that sends a crew.
"""

from dataclasses import dataclass

import numpy as np

DAY = 1440
NOBODY = -1
"""Group of a meter of which nobody knows the transformer, the feeder or the zone."""


@dataclass(frozen=True)
class Kind:
    weight: float
    """0..1: what one fresh event that nothing explains is worth. Judgement of the trade, not fitted to any data."""
    half_life_days: float
    together_minutes: int = 30
    """Neighbours that report the same within so long have a common cause."""


SLOW = 2 * DAY
"""Head-ends set clocks and keys of a whole district in rounds that take a day."""
KINDS: dict[str, Kind] = {
    "magnetic_field": Kind(0.5, 60),
    "load_side_voltage": Kind(0.5, 60),
    "reverse_rotation": Kind(0.45, 60),
    "current_without_voltage": Kind(0.4, 60),
    "currents_unequal": Kind(0.4, 60),
    "cover_opened": Kind(0.3, 90),
    "terminal_cover_opened": Kind(0.3, 90),
    "tamper_suspected": Kind(0.3, 60),
    "replay_attack": Kind(0.3, 60, SLOW),
    "log_cleared": Kind(0.3, 90, SLOW),
    "sub_meter_fraud": Kind(0.2, 60),
    "unexpected_export": Kind(0.15, 30),
    "clock_set": Kind(0.1, 60, SLOW),
    "configuration_changed": Kind(0.15, 60, SLOW),
    "login_failed": Kind(0.1, 30, SLOW),
    "key_changed": Kind(0.1, 30, SLOW),
    "decryption_failed": Kind(0.1, 30, SLOW),
    "clock_invalid": Kind(0.1, 30, SLOW),
    "measurement_fault": Kind(0.1, 30),
    "power_outage": Kind(0.05, 30),
}
"""Every other kind (closed, restored, connected, battery, unknown) is context and weighs nothing."""
NOTHING = Kind(0.0, 1)
DAYS_THAT_COUNT = 3
"""Of one kind, so many days of a meter add up: a switch that chatters says no more on the hundredth day."""

# Why an event counts as it does, the first that applies.
WEIGHTLESS, TOGETHER, VISITED, SETTLED, AFTER_OUTAGE, ROUTINE, COUNTS = range(7)
WHY = ("weightless", "together", "visited", "settled", "after_outage", "routine", "counts")

AFTER_OUTAGE_MINUTES = 120
SHAKEN_BY_OUTAGES = ("clock_set", "clock_invalid", "measurement_fault", "configuration_changed")
ROUTINE_MINUTES = 60
ROUTINE_SHARE = 1 / 3
"""What is left of an opening that was closed within the hour in working hours: a fitter of whom we know nothing."""
CLOSES = {"cover_opened": "cover_closed", "terminal_cover_opened": "terminal_cover_closed"}


@dataclass(frozen=True)
class Level:
    """A neighbourhood in which a common cause is looked for."""

    name: str
    fewest: int
    """Meters that must report, and the share of the group that they must be."""
    share: float


LEVELS = (Level("transformer", 4, 0.3), Level("feeder", 8, 0.15), Level("zone", 20, 0.1))


@dataclass(frozen=True, eq=False)
class Events:
    """E events of M meters, in any order."""

    meter: np.ndarray
    """(E,) int: row of the meter, 0..M-1."""
    kind: np.ndarray
    """(E,) str: one of KINDS, or anything that weighs nothing."""
    minutes: np.ndarray
    """(E,) int64 since 1970, UTC."""
    working_hours: np.ndarray
    """(E,) bool: Monday to Friday between 7 and 18, by the clock on the wall."""

    def __len__(self) -> int:
        return len(self.meter)


@dataclass(frozen=True, eq=False)
class Around:
    """Who else reported: N events of all meters in the same groups, the weighed ones among them."""

    meter: np.ndarray
    """(N,) int: any number that tells meters apart."""
    kind: np.ndarray
    minutes: np.ndarray
    groups: np.ndarray
    """(len(LEVELS), N) int: transformer, feeder and zone of the meter, NOBODY where it is in none that matters."""
    event_groups: np.ndarray
    """(len(LEVELS), E) the same of the weighed events."""
    sizes: np.ndarray
    """(len(LEVELS), E) int: how many meters the groups of the weighed events have."""


@dataclass(frozen=True, eq=False)
class Crowd:
    """For each of E events, the narrowest group that reported it together; `level` is -1 without one."""

    level: np.ndarray
    reported: np.ndarray
    size: np.ndarray
    apart: np.ndarray
    """Minutes from the first of them to the last."""


@dataclass(frozen=True, eq=False)
class Visits:
    """When somebody of the utility was at a meter: V spans, in minutes since 1970 UTC."""

    meter: np.ndarray
    """(V,) int rows."""
    first: np.ndarray
    last: np.ndarray
    looked: np.ndarray
    """(V,) bool: the meter was inspected, so that what it had reported before is answered."""


@dataclass(frozen=True, eq=False)
class Weighed:
    """E events by what they are worth, and the evidence of M meters."""

    why: np.ndarray
    """(E,) int: WEIGHTLESS ... COUNTS."""
    fresh: np.ndarray
    """(E,) 0..1: without regard to age; 0 where it is explained."""
    weight: np.ndarray
    """(E,) 0..1: by now."""
    crowd: Crowd


def weigh(events: Events, now: np.ndarray, around: Around, visits: Visits) -> Weighed:
    """What each event counts. `now` (M,) are minutes since 1970: the end of what is known of each meter."""
    kinds = [KINDS.get(kind, NOTHING) for kind in events.kind.tolist()]
    full = np.array([kind.weight for kind in kinds])
    half_life = np.array([kind.half_life_days for kind in kinds])
    crowd = crowds(events, around)
    visited, settled = explained_by_visits(events, visits)
    why = np.full(len(events), COUNTS)
    # The strongest explanation is written last.
    why[closed_again(events)] = ROUTINE
    why[after_outage(events)] = AFTER_OUTAGE
    why[settled] = SETTLED
    why[visited] = VISITED
    why[crowd.level >= 0] = TOGETHER
    why[(full == 0) & (crowd.level < 0)] = WEIGHTLESS
    left = np.array([0.0, 0.0, 0.0, 0.0, 0.0, ROUTINE_SHARE, 1.0])
    fresh = full * left[why]
    age_days = np.maximum(now[events.meter] - events.minutes, 0) / DAY
    return Weighed(why, fresh, fresh * 0.5 ** (age_days / half_life), crowd)


def crowds(events: Events, around: Around) -> Crowd:
    """Who reported the same at the same time. Time is cut into spans twice, half a span apart: what happened within
    half a span lies whole in one of them."""
    level, reported, size, apart = (np.full(len(events), fill) for fill in (-1, 0, 0, 0))
    for number in reversed(range(len(LEVELS))):  # the narrowest group has the last word
        for half in (0, 1):
            count, span = _reported_with(events, around, number, half)
            is_crowd = (around.event_groups[number] != NOBODY) & (count >= LEVELS[number].fewest)
            is_crowd &= count >= LEVELS[number].share * around.sizes[number]
            is_crowd &= (level != number) | (count > reported)
            level[is_crowd], reported[is_crowd], apart[is_crowd] = number, count[is_crowd], span[is_crowd]
            size[is_crowd] = np.maximum(around.sizes[number], count)[is_crowd]
    return Crowd(level, reported, size, apart)


def _reported_with(events: Events, around: Around, level: int, half: int) -> tuple[np.ndarray, np.ndarray]:
    """(E,) meters of the event's group with the same kind in the same span, and (E,) minutes from first to last."""
    names, kind = np.unique(np.concatenate([events.kind, around.kind]), return_inverse=True)
    width = np.array([KINDS.get(name, NOTHING).together_minutes for name in names.tolist()], dtype=np.int64)[kind]
    minutes = np.concatenate([events.minutes, around.minutes]).astype(np.int64)
    group = np.concatenate([around.event_groups[level], around.groups[level]])
    cell = np.stack([kind, group, (minutes + half * width // 2) // width])
    _cells, cell = np.unique(cell, axis=1, return_inverse=True)
    cell = cell.reshape(-1)
    mine, theirs = cell[: len(events)], cell[len(events) :]
    cells = int(cell.max()) + 1 if len(cell) else 0
    pairs = np.unique(np.stack([theirs, around.meter]), axis=1)[0]
    count = np.bincount(pairs, minlength=cells)
    first, last = np.full(cells, np.iinfo(np.int64).max), np.zeros(cells, np.int64)
    np.minimum.at(first, theirs, around.minutes)
    np.maximum.at(last, theirs, around.minutes)
    return count[mine], np.maximum(last - first, 0)[mine]


def explained_by_visits(events: Events, visits: Visits) -> tuple[np.ndarray, np.ndarray]:
    """(E,) bool: during a visit; and (E,) bool: before one at which the meter was looked at."""
    visited, settled = np.zeros((2, len(events)), dtype=bool)
    for meter, first, last, looked in zip(visits.meter, visits.first, visits.last, visits.looked, strict=True):
        own = events.meter == meter
        visited |= own & (events.minutes >= first) & (events.minutes <= last)
        if looked:
            settled |= own & (events.minutes < first)
    return visited, settled


def closed_again(events: Events) -> np.ndarray:
    """(E,) bool: openings in working hours that were closed again within the hour."""
    routine = np.zeros(len(events), dtype=bool)
    for opened, closed in CLOSES.items():
        after = _minutes_to(events, np.flatnonzero(events.kind == closed), forward=True)
        routine |= (events.kind == opened) & events.working_hours & (after <= ROUTINE_MINUTES)
    return routine


def after_outage(events: Events) -> np.ndarray:
    """(E,) bool: clocks and self-tests that speak up because the power had been away."""
    power = np.flatnonzero(np.isin(events.kind, ("power_outage", "power_restored")))
    return np.isin(events.kind, SHAKEN_BY_OUTAGES) & (_minutes_to(events, power, forward=False) <= AFTER_OUTAGE_MINUTES)


def _minutes_to(events: Events, others: np.ndarray, *, forward: bool) -> np.ndarray:
    """(E,) minutes to the next (or since the last) of these others of the same meter; infinite without one."""
    far = 1 << 40  # more minutes than any calendar: meters never meet on this one line of time
    line = events.meter.astype(np.int64) * far + events.minutes
    targets = np.sort(line[others])
    if not len(targets):
        return np.full(len(events), np.inf)
    if forward:
        place = np.searchsorted(targets, line)
        distance = targets[np.minimum(place, len(targets) - 1)] - line
    else:
        place = np.searchsorted(targets, line, side="right") - 1
        distance = line - targets[np.maximum(place, 0)]
    return np.where((distance >= 0) & (distance < far // 2), distance, np.inf)


def evidence(meters: int, events: Events, worth: np.ndarray) -> np.ndarray:
    """(M,) 0..1: noisy-or of what a meter's events are worth (E,), of each kind the strongest DAYS_THAT_COUNT days."""
    missing = np.ones(meters)
    some = np.flatnonzero(worth > 0)
    if not len(some):
        return 1 - missing
    _names, kind = np.unique(events.kind[some], return_inverse=True)
    order = some[np.lexsort((-worth[some], kind, events.meter[some]))]
    kind = dict(zip(some.tolist(), kind.tolist(), strict=True))
    seen: dict[tuple[int, int], set[int]] = {}
    for event in order.tolist():
        row, day = int(events.meter[event]), int(events.minutes[event]) // DAY
        days = seen.setdefault((row, kind[event]), set())
        if day not in days and len(days) < DAYS_THAT_COUNT:
            days.add(day)
            missing[row] *= 1 - worth[event]
    return 1 - missing


NO_DAY = -(1 << 30)
NEAR_DAYS = 7
"""An event within so many days of the day on which the curve changed belongs to the change."""
DAYS_BESIDE = 28
FEWEST_DAYS = 5
LEAST_FALL = 0.15
SURE = 3.0
"""Standard errors of the difference by which the days after an event must lie below those before it."""
NEXT_TO_NOTHING = 0.05
"""kWh: added before logarithms, so that the days of an empty home can be compared."""


def at_change(
    kwh: np.ndarray, first_day: int, group: np.ndarray, onset: np.ndarray, meter: np.ndarray, day: np.ndarray
) -> np.ndarray:
    """(E,) bool: events at which the curve changed.

    Either the detectors saw it change within NEAR_DAYS (`onset` (M,) days since 1970, NO_DAY where they saw none), or
    the meter's days, or their peaks, are clearly smaller after the event than before. `kwh` (M, D, S) from `first_day`
    on, NaN where missing; `group` (M,) of neighbours; `meter` and `day` (E,) days since 1970.
    """
    changed = (onset[meter] != NO_DAY) & (np.abs(day - onset[meter]) <= NEAR_DAYS)
    rest = np.flatnonzero(~changed)
    rows = np.isin(group, group[meter[rest]])
    place = np.cumsum(rows) - 1
    for series in _days_and_peaks(kwh[rows]):
        changed[rest] |= falls(series, group[rows], place[meter[rest]], day[rest] - first_day) > 0
    return changed


def _days_and_peaks(kwh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(M, D) kWh a day and (M, D) highest reading; NaN for a day of which less than half is known."""
    there = np.isfinite(kwh)
    count = there.sum(2)
    known = 2 * count >= kwh.shape[2]
    daily = np.where(there, kwh, 0).sum(2) * kwh.shape[2] / np.maximum(count, 1)
    return np.where(known, daily, np.nan), np.where(known, np.where(there, kwh, 0).max(2), np.nan)


def falls(daily: np.ndarray, group: np.ndarray, meter: np.ndarray, day: np.ndarray) -> np.ndarray:
    """(E,) 0..1: by what share lower a meter's days are after the day of an event than its neighbours explain; 0 where
    it is no clear fall, or too few days are known.

    `daily` (M, D) with NaN for unknown days, `meter` and `day` (E,) into them. At most DAYS_BESIDE days on each
    side are compared by their medians.
    """
    found = np.zeros(len(meter))
    for event, (row, at) in enumerate(zip(meter.tolist(), day.tolist(), strict=True)):
        first, split = max(at - DAYS_BESIDE, 0), max(at, 0)
        rows = np.flatnonzero(group == group[row])
        log = np.log(np.maximum(daily[rows, first : split + 1 + DAYS_BESIDE], 0) + NEXT_TO_NOTHING)
        before, after = log[:, : split - first], log[:, split + 1 - first :]
        difference = _medians(after) - _medians(before)
        own = rows == row
        theirs = difference[~own & np.isfinite(difference)]
        fall = difference[own][0] - (np.median(theirs) if len(theirs) else 0.0)
        # NaN, where too few days are known, is no fall.
        if fall < -SURE * np.hypot(_error(before[own]), _error(after[own])) and 1 - np.exp(fall) >= LEAST_FALL:
            found[event] = 1 - np.exp(fall)
    return found


def _medians(values: np.ndarray) -> np.ndarray:
    """(N,) medians of rows with NaN in them; NaN for a row with fewer than FEWEST_DAYS known."""
    if values.shape[1] < FEWEST_DAYS:
        return np.full(len(values), np.nan)
    ranked = np.sort(values, axis=1)  # what is not known comes last
    count = np.isfinite(values).sum(axis=1)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    row = np.arange(len(values))
    middle = (ranked[row, low] + ranked[row, np.minimum(high, values.shape[1] - 1)]) / 2
    return np.where(count >= FEWEST_DAYS, middle, np.nan)


def _error(values: np.ndarray) -> float:
    """Standard error of the median of one row, from the median distance to it: a few odd days do not widen it."""
    spread = 1.4826 * _medians(np.abs(values - _medians(values)[:, None]))[0]
    return max(1.2533 * float(spread) / np.sqrt(max(np.isfinite(values).sum(), 1)), 0.015)


MOST_LIFT = 0.45
"""What events may add to a score at most, however many they are."""


def lifted(score: np.ndarray, strength: np.ndarray, with_change: np.ndarray, high: float) -> np.ndarray:
    """(M,) scores with the evidence of events, never below the score of the curve.

    score' = 1 - (1 - score)(1 - strength), below `high` (the threshold of that level): flags alone send nobody.
    Where the curve changed at an event (`with_change` (M,), the evidence of those events without regard to age, 0
    without any), half of the doubt about it goes: score' = 1 - (1 - score)(1 - (1 + with_change) / 2). Either way at
    most MOST_LIFT is added.
    """
    alone = np.where(strength > 0, np.minimum(1 - (1 - score) * (1 - strength), high - 0.01), 0)
    together = np.where(with_change > 0, 1 - (1 - score) * (1 - (1 + with_change) / 2), 0)
    return np.maximum(score, np.minimum(np.maximum(alone, together), score + MOST_LIFT))
