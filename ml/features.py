"""How each meter's days changed against its own past and against its neighbours.

Levels say who is big; changes say who became different. So everything here is a difference between the last days and a
frozen reference, the meter's own first third, and the common movement of the neighbours is taken out. Whole-array
NumPy; the readings are visited once, in blocks of meters, so memory does not grow with the city.
"""

from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np

from ml.calendar import slots_ahead, to_civil_days
from ml.evidence import mean_over
from ml.peers import median_of_others
from ml.window import MeterWindow

METERS_PER_BLOCK = 256
NEEDED_DAYS = 28
"""Days with readings below which nothing is said about a meter."""
LEAST_COVERAGE = 0.75
"""Share of a day's slots that must be there for the day to count."""
RECENT_DAYS = 28
REGISTER_KWH = 0.0005
"""Readings below half a Wh are zeros of a register that counts in Wh."""
LOG_LIMIT = 3.0
NIGHT_HOURS = (2, 5)
PARTS_OF_DAY = 8
NOON = slice(3, 5)
"""The parts from 9 to 15 o'clock, where solar panels show."""

CHANNELS = ("level", "night", "peak", "floor", "zero", "rough", "equal")
FEATURES = (
    *("level_7", "level_14", "level_28", "step", "step_strength", "ramp", "ramp_strength", "noise"),
    *("night", "part_min", "part_max", "peak", "peak_spread", "floor", "zero", "zero_days", "rough", "equal"),
    *("shape", "noon", "weekend"),
)


@dataclass(frozen=True, eq=False)
class Measures:
    """Everything that the detectors share about a window; (M, D) arrays are by civil day, NaN where not measured."""

    scorable: np.ndarray
    """(M,) bool: enough days with readings and with a contract."""
    vacated: np.ndarray
    """(M,) bool: the contract ended and so did the consumption; nothing to score, and nothing suspicious."""
    data_days: np.ndarray
    """(M,) int days with any usable reading, contract or not."""
    first: np.ndarray
    last: np.ndarray
    """(M,) int first and last such day; -1 without one."""
    usable: np.ndarray
    """(M, D) bool: enough readings that day, and a contract."""
    reference: np.ndarray
    recent: np.ndarray
    """(M, D) bool: usable days of the frozen reference, and of the last RECENT_DAYS."""
    level: np.ndarray
    """(M, D) kWh a day."""
    zero: np.ndarray
    """(M, D) share of the day's slots that are zero."""
    peak: np.ndarray
    """(M, D) kWh in the largest slot."""
    night: np.ndarray
    """(M, D) kWh per slot between 2 and 5 in the morning; NaN for daily readings."""
    usual: np.ndarray
    """(M, D) kWh a day that the reference lets expect, by workday and weekend."""
    peers: np.ndarray
    """(M, D) how far the neighbours moved from their own usual, as a log ratio; 0 where nobody is near."""
    peer_count: np.ndarray
    """(M,) int neighbours behind `peers`."""
    change: np.ndarray
    """(M, D) log ratio to the usual, less the neighbours', around 0 in the reference."""
    onset: np.ndarray
    """(M,) int day of the likeliest change."""
    neighbours_kwh: np.ndarray
    """(M,) median recent kWh a day of the neighbours; NaN without any."""
    features: np.ndarray
    """(M, len(FEATURES)) float32, finite; 0 is no change. Rows that are not scorable are 0."""

    @cached_property
    def expected(self) -> np.ndarray:
        """(M, D) kWh a day that the own past, moved along with the neighbours, lets expect."""
        return self.usual * np.exp(self.peers)

    def feature(self, name: str) -> np.ndarray:
        return self.features[:, FEATURES.index(name)]


_measured: WeakKeyDictionary[MeterWindow, Measures] = WeakKeyDictionary()


def measure(window: MeterWindow) -> Measures:
    """The measures of a window; every detector asks, the first one waits."""
    if window not in _measured:
        _measured[window] = _measure(window)
    return _measured[window]


def _measure(window: MeterWindow) -> Measures:
    days = window.days
    weekend = ((window.first_day + np.arange(days)).astype(int) + 3) % 7 >= 5
    channels, shape = _read_days(window)
    level = channels["level"]
    seen = ~np.isnan(level)
    usable = seen & window.contract_active
    first, last = _ends(usable)
    day = np.arange(days)
    span = last - first + 1
    reference_days = np.maximum(span // 3, np.minimum(RECENT_DAYS, span // 2))
    reference = usable & (day < (first + reference_days)[:, None])
    recent = usable & (day > (last - RECENT_DAYS)[:, None])
    scorable = (usable.sum(1) >= NEEDED_DAYS) & (reference.sum(1) >= 7)
    vacated = _vacated(level, usable, window.contract_active, reference, last)
    scorable &= ~vacated
    reference &= scorable[:, None]

    usual = _usual(level, reference, weekend)
    floor = 0.05 * usual + 0.05
    ratio = np.clip(np.log((level + floor) / (usual + floor)), -LOG_LIMIT, LOG_LIMIT)
    ratio[~(usable & scorable[:, None])] = np.nan
    peers, peer_count = median_of_others(ratio, window.peer_group)
    change = ratio - peers
    change -= mean_over(change, reference)[:, None]
    noise = np.sqrt(mean_over(change**2, reference)) + 0.05

    recent_kwh = mean_over(level, recent)
    recent_kwh[~scorable] = np.nan
    neighbours_kwh, neighbours = median_of_others(recent_kwh[:, None], window.peer_group)
    found, onset = _shifts(change, noise, first, last)
    values = found | {
        f"level_{n}": mean_over(change, usable & (day > (last - n)[:, None])) for n in (7, 14, RECENT_DAYS)
    }
    values |= {"noise": _log_ratio(_spread(change, recent), _spread(change, reference), 0.05)}
    values |= _channel_changes(channels, reference, recent, usual, window)
    values |= _shape_changes(shape, level, reference, recent, weekend, window)
    features = np.stack([values[name] for name in FEATURES], axis=1).astype(np.float32)
    features[~scorable] = 0
    seen_first, seen_last = _ends(seen)
    return Measures(
        scorable=scorable,
        vacated=vacated,
        data_days=seen.sum(1),
        first=seen_first,
        last=seen_last,
        usable=usable,
        reference=reference,
        recent=recent,
        level=level,
        zero=channels["zero"],
        peak=channels["peak"],
        night=channels["night"],
        usual=usual,
        peers=peers,
        peer_count=peer_count,
        change=change,
        onset=onset,
        neighbours_kwh=np.where(neighbours > 0, neighbours_kwh[:, 0], np.nan),
        features=np.clip(np.nan_to_num(features), -10, 10),
    )


def _spread(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    centre = mean_over(values, chosen)[:, None]
    return np.sqrt(mean_over((values - centre) ** 2, chosen))


def _log_ratio(now: np.ndarray, before: np.ndarray, floor: np.ndarray | float) -> np.ndarray:
    return np.clip(np.log((now + floor) / (before + floor)), -LOG_LIMIT, LOG_LIMIT)


def _ends(days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last chosen day of each row; -1 for a row without any."""
    if days.shape[1] == 0:
        return np.full(len(days), -1), np.full(len(days), -1)
    some = days.any(1)
    return np.where(some, days.argmax(1), -1), np.where(some, days.shape[1] - 1 - days[:, ::-1].argmax(1), -1)


def _vacated(
    level: np.ndarray, usable: np.ndarray, contract_active: np.ndarray, reference: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """No contract any more (or ever), and next to nothing used without it."""
    without = ~np.isnan(level) & ~contract_active & (np.arange(level.shape[1]) > last[:, None])
    used = mean_over(level, without)
    return without.any(1) & (used <= np.maximum(1.2, 0.25 * mean_over(level, reference)))


def _usual(level: np.ndarray, reference: np.ndarray, weekend: np.ndarray) -> np.ndarray:
    """(M, D) mean kWh of the reference's workdays or weekend days; of all its days where one of them is too rare."""
    overall = mean_over(level, reference)
    usual = np.repeat(overall[:, None], level.shape[1], axis=1)
    for days in (weekend, ~weekend):
        enough = (reference & days).sum(1) >= 4
        usual[:, days] = np.where(enough, mean_over(level, reference & days), overall)[:, None]
    return usual


def _read_days(window: MeterWindow) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """One pass over the readings: the (M, D) channels, and (M, D, PARTS_OF_DAY) kWh per slot of each part."""
    channels = {name: np.full(window.kwh.shape[:2], np.nan, np.float32) for name in CHANNELS}
    parts = np.full((*window.kwh.shape[:2], PARTS_OF_DAY), np.nan, np.float32)
    ahead = slots_ahead(
        window.first_day, window.days, window.interval_minutes, window.timezone, window.utc_offset_minutes
    )
    for start in range(0, len(window), METERS_PER_BLOCK):
        rows = slice(start, start + METERS_PER_BLOCK)
        kwh = to_civil_days(window.kwh[rows], ahead)
        _read_block(kwh, {name: channel[rows] for name, channel in channels.items()}, parts[rows])
    return channels, parts


def _read_block(kwh: np.ndarray, channels: dict[str, np.ndarray], parts: np.ndarray) -> None:
    """Fill the channels of (m, D, S) civil kWh in place. A negative reading is a fault and counts as missing."""
    slots = kwh.shape[2]
    valid = kwh >= 0  # False for NaN as well
    filled = np.where(valid, kwh, np.float32(0))
    count = valid.sum(2, dtype=np.float32)
    some = np.maximum(count, 1)
    enough = count >= max(1, LEAST_COVERAGE * slots)
    mean = filled.sum(2) / some
    values = {
        "level": mean * slots,
        "peak": filled.max(2),
        "floor": np.where(valid, kwh, np.float32(np.inf)).min(2, initial=np.inf),
        "zero": (valid & (filled < REGISTER_KWH)).sum(2, dtype=np.float32) / some,
    }
    if slots > 1:
        step = np.abs(np.diff(filled, axis=2))
        both = valid[:, :, 1:] & valid[:, :, :-1]
        pairs = np.maximum(both.sum(2, dtype=np.float32), 1)
        values["rough"] = np.where(both, step, 0).sum(2) / pairs / (mean + 0.01)
        values["equal"] = (both & (step < REGISTER_KWH) & (filled[:, :, 1:] > REGISTER_KWH)).sum(2) / pairs
    if slots % 24 == 0:
        night = slice(NIGHT_HOURS[0] * slots // 24, NIGHT_HOURS[1] * slots // 24)
        there = valid[:, :, night].sum(2)
        values["night"] = np.where(there > 0, filled[:, :, night].sum(2) / np.maximum(there, 1), np.nan)
    if slots % PARTS_OF_DAY == 0:
        shape = (*kwh.shape[:2], PARTS_OF_DAY, -1)
        there = valid.reshape(shape).sum(3)
        sums = filled.reshape(shape).sum(3)
        parts[enough] = np.where(there > 0, sums / np.maximum(there, 1), np.nan)[enough]
    for name, value in values.items():
        channels[name][enough] = value[enough]


def _shifts(
    change: np.ndarray, noise: np.ndarray, first: np.ndarray, last: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The best single step and the best single ramp that go on until now: their features, and the day they began.

    Both are projections of the daily change on all candidate days at once, so two matrix products find them. Strength
    is how far the projection stands out of the day-to-day noise, signed, on a log scale.
    """
    days = change.shape[1]
    known = ~np.isnan(change)
    filled = np.where(known, change, 0).astype(np.float32)
    day = np.arange(days, dtype=np.float32)
    since = day[:, None] - day[None, :]
    allowed = (day >= (first + 7)[:, None]) & (day <= (last - 4)[:, None])
    found, began, strongest = {}, np.maximum(first, 0), np.zeros(len(change))
    for name, course in (("step", (since >= 0).astype(np.float32)), ("ramp", np.clip(since + 1, 0, None))):
        along = filled @ course
        size = known.astype(np.float32) @ course**2
        strength = np.where(allowed, along / np.sqrt(np.maximum(size, 1)) / noise[:, None], 0)
        at = np.abs(strength).argmax(1)[:, None] if days else np.zeros((len(change), 1), int)
        best = np.take_along_axis(strength, at, 1)[:, 0]
        slope = np.take_along_axis(along / np.maximum(size, 1), at, 1)[:, 0]
        length = np.where(name == "ramp", last - at[:, 0] + 1, 1)
        found[name] = np.where(best == 0, 0, np.clip(slope * length, -LOG_LIMIT, LOG_LIMIT))
        found[f"{name}_strength"] = np.sign(best) * np.log1p(np.abs(best))
        began = np.where(np.abs(best) > strongest, at[:, 0], began)
        strongest = np.maximum(strongest, np.abs(best))
    return found, began


def _channel_changes(
    channels: dict[str, np.ndarray], reference: np.ndarray, recent: np.ndarray, usual: np.ndarray, window: MeterWindow
) -> dict[str, np.ndarray]:
    """How each channel's recent mean differs from its reference, the neighbours' median difference taken out."""
    before = {name: mean_over(channel, reference) for name, channel in channels.items()}
    now = {name: mean_over(channel, recent) for name, channel in channels.items()}
    slot = 0.1 * mean_over(usual, reference) / window.slots + 0.002
    differences = {name: _log_ratio(now[name], before[name], slot) for name in ("night", "peak", "floor")}
    differences |= {name: now[name] - before[name] for name in ("zero", "equal")}
    differences["rough"] = _log_ratio(now["rough"], before["rough"], 0.1)
    differences["peak_spread"] = _log_ratio(
        _spread(channels["peak"], recent) / (now["peak"] + slot),
        _spread(channels["peak"], reference) / (before["peak"] + slot),
        0.1,
    )
    empty = np.where(np.isnan(channels["zero"]), np.nan, channels["zero"] >= 0.95)
    differences["zero_days"] = mean_over(empty, recent) - mean_over(empty, reference)
    return _less_the_neighbours(differences, window, reference)


def _shape_changes(
    parts: np.ndarray,
    level: np.ndarray,
    reference: np.ndarray,
    recent: np.ndarray,
    weekend: np.ndarray,
    window: MeterWindow,
) -> dict[str, np.ndarray]:
    """How the day's shape changed: the parts that moved most, the likeness to before, weekends against workdays."""
    pieces = [parts[:, :, part] for part in range(PARTS_OF_DAY)]
    before = np.stack([mean_over(piece, reference) for piece in pieces], axis=1)
    now = np.stack([mean_over(piece, recent) for piece in pieces], axis=1)
    floor = 0.2 * before.mean(1, keepdims=True) + 0.005
    moved = _log_ratio(now, before, floor)
    rows = {f"part_{part}": moved[:, part] for part in range(PARTS_OF_DAY)}
    moved = np.stack(list(_less_the_neighbours(rows, window, reference).values()), axis=1)

    def centred(profile: np.ndarray) -> np.ndarray:
        return profile - profile.mean(1, keepdims=True)

    size = np.linalg.norm(centred(before), axis=1) * np.linalg.norm(centred(now), axis=1)
    alike = np.where(size > 1e-9, (centred(before) * centred(now)).sum(1) / np.maximum(size, 1e-9), 1)
    ratios = [
        _log_ratio(mean_over(level, days & weekend), mean_over(level, days & ~weekend), 0.3)
        for days in (recent, reference)
    ]
    others = {"shape": 1 - alike, "weekend": ratios[0] - ratios[1]}
    noon = moved[:, NOON].mean(1)
    return {"part_min": moved.min(1), "part_max": moved.max(1), "noon": noon} | _less_the_neighbours(
        others, window, reference
    )


def _less_the_neighbours(
    differences: dict[str, np.ndarray], window: MeterWindow, reference: np.ndarray
) -> dict[str, np.ndarray]:
    values = np.stack(list(differences.values()), axis=1)
    values[~reference.any(1)] = np.nan
    common, _ = median_of_others(values, window.peer_group)
    return dict(zip(differences, (values - common).T, strict=True))
