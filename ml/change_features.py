"""How each meter changed: the numbers that the boosters and the isolation forest look at.

Everything compares days with the meter's own past: the last 7, 14 and 28 days with the frozen reference, and the days
since the likeliest change with the days before it. Energy ratios are logarithms, the neighbours' movement is taken out.
"""

from functools import cache

import numpy as np

from ml.change_point import CHANNELS as CHANGE_CHANNELS
from ml.change_point import ChangePoint, find_change
from ml.day_channels import CHANNELS, FLOOR, REGISTER_KWH, Days, profile_over, read_days
from ml.evidence import Evidence, mean_over

RECENT = (7, 14, 28)
QUANTILES = (0.0, 0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.995, 1.0)
SCAN_HOURS = (4, 6, 8, 12)
"""Lengths of the part of the day in which something may be hidden."""
REPEATS = (2, 4, 8, 16, 32)
YEAR = 364
"""Whole weeks, so that weekdays meet weekdays."""

Features = dict[str, np.ndarray]


def change_features(evidence: Evidence) -> np.ndarray:
    """(N, len(names())) float32; NaN where the readings cannot say."""
    days = read_days(evidence)
    return features_of(days, find_change(days), evidence)


def features_of(days: Days, change: ChangePoint, evidence: Evidence) -> np.ndarray:
    """The same for days that were read already. Memory is about six times that of the readings."""
    values = _all(days, change, evidence)
    table = np.stack([np.asarray(values[name], np.float32) for name in values], 1)
    table[~np.isfinite(table)] = np.nan
    return table


@cache
def names() -> tuple[str, ...]:
    """The columns, in order; they are the same for every interval and length."""
    kwh = np.ones((1, 28, 24), np.float32)
    reference = np.ones((1, 28), bool)
    evidence = Evidence(kwh, np.datetime64("2024-01-01"), reference, np.ones((1, 28), np.float32))
    days = read_days(evidence)
    return tuple(_all(days, find_change(days), evidence))


def _all(days: Days, change: ChangePoint, evidence: Evidence) -> Features:
    day = np.arange(days.seen.shape[1])
    since = days.seen & (day >= change.day[:, None])
    before = days.seen & (day < change.day[:, None])
    before[~before.any(1)] = days.reference[~before.any(1)]
    last = days.seen.shape[1] - 1 - days.seen[:, ::-1].argmax(1)
    recent = {n: days.seen & (day > (last - n)[:, None]) for n in RECENT}
    values: Features = {}
    values |= _of_change(days, change, since)
    for label, now, past in (
        *((f"last{n}", chosen, days.reference) for n, chosen in recent.items()),
        ("since", since, before),
    ):
        values |= _channel_means(label, days, now, past)
    for label, now, past in (("last28", recent[28], days.reference), ("since", since, before)):
        values |= _spreads(label, days, now, past)
        values |= _profiles(label, days, now, past, evidence.peer_level)
        values |= _distributions(label, days, now, past)
    values |= _quiet_hours("since", days, since, before)
    values |= _courses(days, since, recent[28])
    values |= _two_states(days, since)
    values |= _last_year(days, recent[28])
    return values


def _of_change(days: Days, change: ChangePoint, since: np.ndarray) -> Features:
    strongest = change.by_channel / np.maximum(change.by_channel.sum(1, keepdims=True), 1e-6)
    return {
        "change_strength": np.log1p(change.strength),
        "change_runner_up": change.runner_up,
        "change_days": since.sum(1),
        "change_place": change.day / max(1, days.seen.shape[1]),
        **{f"change_by_{name}": strongest[:, at] for at, name in enumerate(CHANGE_CHANNELS)},
        "usual": np.log(days.usual),
        "reference_noise": _spread(days.channels["level"], days.reference),
        "reference_zero": mean_over(days.channels["zero"], days.reference),
        "reference_likeness": mean_over(days.channels["likeness"], days.reference),
    }


def _channel_means(label: str, days: Days, now: np.ndarray, past: np.ndarray) -> Features:
    values = {}
    for name in CHANNELS:
        channel = days.channels[name]
        values[f"{label}_{name}"] = mean_over(channel, now) - mean_over(channel, past)
    values[f"{label}_own_level"] = mean_over(days.own_level, now) - mean_over(days.own_level, past)
    return values


def _spread(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    centre = mean_over(values, chosen)[:, None]
    return np.sqrt(mean_over((values - centre) ** 2, chosen))


def _spreads(label: str, days: Days, now: np.ndarray, past: np.ndarray) -> Features:
    """How much the days differ among themselves, and whether low and high readings move together from day to day."""
    values = {}
    for name in ("level", "base", "low", "peak", "likeness", "rough", "zero", "night_noise"):
        channel = days.channels[name]
        values[f"{label}_spread_{name}"] = np.log(_spread(channel, now) + 0.02) - np.log(_spread(channel, past) + 0.02)
    for one, other in (("base", "peak"), ("low", "peak"), ("base", "median"), ("level", "base"), ("level", "flat")):
        values[f"{label}_{one}_with_{other}"] = _correlation(
            days.channels[one], days.channels[other], now
        ) - _correlation(days.channels[one], days.channels[other], past)
    return values


def _correlation(one: np.ndarray, other: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    a = one - mean_over(one, chosen)[:, None]
    b = other - mean_over(other, chosen)[:, None]
    size = np.sqrt(mean_over(a**2, chosen) * mean_over(b**2, chosen))
    return mean_over(a * b, chosen) / (size + 0.01)


def _profiles(label: str, days: Days, now: np.ndarray, past: np.ndarray, peer_level: np.ndarray) -> Features:
    """The mean day now against the mean day before: scaled, flattened, shifted, or with a part missing."""
    parts = days.hourly.shape[2]
    names = (
        *("slope", "intercept", "fit", "shifted", "shift", "reversed", "hour_min", "hour_q1", "hour_median", "hour_q3"),
        *("hour_max", "hour_unrest", "noon", "evening", "night", "morning", "floor_rise", "peak_hours"),
        *(f"scan_{measure}" for measure in ("depth", "contrast", "hours", "centre", "zero")),
        *("workday_gap", "floor_gap"),
    )
    names = [f"{label}_{name}" for name in names]
    if parts != 24:
        return dict.fromkeys(names, np.full(len(now), np.nan))
    peers = np.maximum(mean_over(peer_level, now) / np.maximum(mean_over(peer_level, past), 0.05), 1e-6)[:, None]
    after = profile_over(days.hourly, now) / peers
    # Weekends weigh in the past as they do now, or a short window around a weekend looks like a change.
    share = (now & days.weekend).sum(1) / np.maximum(now.sum(1), 1)
    free, work = (past & days.weekend), (past & ~days.weekend)
    known = (free.any(1) & work.any(1))[:, None]
    mixed = share[:, None] * profile_over(days.hourly, free) + (1 - share[:, None]) * profile_over(days.hourly, work)
    own = np.where(known, mixed, profile_over(days.hourly, past))
    usual = days.usual[:, None]
    ratio = np.clip(np.log((after + 0.05 * usual) / (own + 0.05 * usual)), -4, 4)
    a, b = after - after.mean(1, keepdims=True), own - own.mean(1, keepdims=True)
    slope = (a * b).sum(1) / ((b**2).sum(1) + 1e-3 * usual[:, 0] ** 2)
    size = np.sqrt((a**2).sum(1) * (b**2).sum(1)) + 1e-4 * usual[:, 0] ** 2
    turned = np.stack([(a * np.roll(b, hours, 1)).sum(1) / size for hours in range(24)], 1)
    ranked = np.sort(ratio, 1)
    peak = np.argsort(-own, axis=1)[:, :5]
    in_peak = np.take_along_axis(ratio, peak, 1).mean(1)
    depth, contrast, length, centre = _scan(ratio)
    inside = _inside(length, centre)
    zero_profile = profile_over(_hourly_zero(days), now)
    workday = [
        np.log((mean_over(np.where(days.seen, days.hourly.mean(2), np.nan), now & kind) + FLOOR) / (1 + FLOOR))
        for kind in (days.weekend[None, :] & np.ones_like(now), ~days.weekend[None, :] & np.ones_like(now))
    ]
    both = (now & days.weekend).any(1) & (now & ~days.weekend).any(1)
    values = [
        slope,
        (after.mean(1) - slope * own.mean(1)) / usual[:, 0],
        turned[:, 0],
        turned[:, 1:].max(1) - turned[:, 0],
        np.minimum(turned.argmax(1), 24 - turned.argmax(1)),
        (a * b[:, ::-1]).sum(1) / size - turned[:, 0],
        ranked[:, 0],
        ranked[:, 6],
        ranked[:, 12],
        ranked[:, 17],
        ranked[:, 23],
        np.abs(np.diff(ratio, axis=1)).mean(1),
        ratio[:, 10:15].mean(1) - ranked[:, 12],
        ratio[:, 17:22].mean(1) - ranked[:, 12],
        ratio[:, 0:5].mean(1) - ranked[:, 12],
        ratio[:, 6:9].mean(1) - ranked[:, 12],
        (np.sort(after, 1)[:, :4].mean(1) - np.sort(own, 1)[:, :4].mean(1)) / usual[:, 0],
        in_peak - ranked[:, 12],
        depth,
        contrast,
        length,
        centre,
        (zero_profile * inside).sum(1) / np.maximum(inside.sum(1), 1),
        np.where(both, workday[0] - workday[1], 0),
        np.log(after.min(1) / usual[:, 0] + 0.03) - np.log(own.min(1) / usual[:, 0] + 0.03),
    ]
    return dict(zip(names, values, strict=True))


def _hourly_zero(days: Days) -> np.ndarray:
    rows, length, slots = days.filled.shape
    zero = (days.filled <= REGISTER_KWH).astype(np.float32)
    return zero.reshape(rows, length, 24, slots // 24).mean(3) if slots > 24 else zero


def _scan(ratio: np.ndarray) -> tuple[np.ndarray, ...]:
    """The run of hours that fell most against the others: its fall, the contrast in spreads, its length and middle."""
    rows, hours = ratio.shape
    twice = np.concatenate([np.zeros((rows, 1)), np.cumsum(np.concatenate([ratio, ratio], 1), 1)], 1)
    total = ratio.sum(1)[:, None]
    spread = ratio.std(1)[:, None] + 0.05
    best = [np.full(rows, np.inf), np.zeros(rows), np.zeros(rows), np.zeros(rows)]
    for length in SCAN_HOURS:
        sums = twice[:, length : length + hours] - twice[:, :hours]
        gap = sums / length - (total - sums) / (hours - length)
        weighed = gap * np.sqrt(length * (hours - length) / hours)
        at = weighed.argmin(1)
        value = np.take_along_axis(weighed, at[:, None], 1)[:, 0]
        better = value < best[0]
        best[0] = np.where(better, value, best[0])
        best[1] = np.where(better, np.take_along_axis(gap, at[:, None], 1)[:, 0], best[1])
        best[2] = np.where(better, length, best[2])
        best[3] = np.where(better, (at + length / 2) % hours, best[3])
    return best[1], best[0] / spread[:, 0], best[2], best[3]


def _inside(length: np.ndarray, centre: np.ndarray) -> np.ndarray:
    hour = np.arange(24) + 0.5
    away = np.abs((hour[None, :] - centre[:, None] + 12) % 24 - 12)
    return away <= length[:, None] / 2


def _quiet_hours(label: str, days: Days, now: np.ndarray, past: np.ndarray) -> Features:
    """The low readings of each hour now against before: what runs day and night shows which hours are registered in
    part, and on how many days."""
    names = [f"{label}_quiet_{name}" for name in ("min", "q1", "median", "q3", "max", "unrest", "depth", "contrast")]
    names += [f"{label}_{name}" for name in ("gap_strength", "gap_hours", "gap_centre", "rise_strength")]
    if days.hourly.shape[2] != 24:
        return dict.fromkeys(names, np.full(len(now), np.nan))
    quiet = _low_by_hour(days.hourly, now) / _low_by_hour_floor(days)
    quiet = np.log(quiet + 0.1) - np.log(_low_by_hour(days.hourly, past) / _low_by_hour_floor(days) + 0.1)
    ranked = np.sort(quiet, 1)
    depth, contrast, _length, _centre = _scan(quiet)
    # The same for means, each hour in its own day-to-day noise.
    floor = 0.05 * days.usual[:, None, None]
    logs = np.log(days.hourly + floor)
    n, m = np.maximum(now.sum(1), 1)[:, None], np.maximum(past.sum(1), 1)[:, None]
    mean_now, mean_past = profile_over(logs, now), profile_over(logs, past)
    spread = np.sqrt(np.maximum(profile_over(logs**2, past) - mean_past**2, 0) + 0.1**2)
    strength = (mean_now - mean_past) / (spread * np.sqrt(1 / n + 1 / m))
    centred = strength - np.median(strength, axis=1)[:, None]
    _gap, gap_contrast, hours, centre = _scan(centred)
    _rise, rise_contrast, _hours, _at_hour = _scan(-centred)
    values = (ranked[:, 0], ranked[:, 6], ranked[:, 12], ranked[:, 17], ranked[:, 23])
    values += (np.abs(np.diff(quiet, axis=1)).mean(1), depth, contrast, gap_contrast, hours, centre, rise_contrast)
    return dict(zip(names, values, strict=True))


def _low_by_hour(hourly: np.ndarray, days: np.ndarray) -> np.ndarray:
    """(N, 24) the reading of each hour that a fifth of the chosen days stay under."""
    ranked = np.where(days[:, :, None], hourly, np.float32(np.inf))
    ranked.sort(1)
    place = (np.maximum(days.sum(1) - 1, 0) // 5)[:, None, None]
    values = np.take_along_axis(ranked, place, 1)[:, 0]
    return np.where(np.isfinite(values), values, 0)


def _low_by_hour_floor(days: Days) -> np.ndarray:
    return np.maximum(days.usual[:, None], 1e-3)


def _distributions(label: str, days: Days, now: np.ndarray, past: np.ndarray) -> Features:
    """Quantiles of the readings now against before: scaling moves all alike, a cap only the highest."""
    usual = days.usual
    after, n_after = _ranked(days.filled, now)
    before, n_before = _ranked(days.filled, past)
    ratios = []
    for quantile in QUANTILES:
        high, low = _at(after, n_after, quantile), _at(before, n_before, quantile)
        ratios.append(np.log((high + 0.01 * usual) / (low + 0.01 * usual)))
    values = {f"{label}_q{round(1000 * q)}": ratio for q, ratio in zip(QUANTILES, ratios, strict=True)}
    stacked = np.stack(ratios, 1)
    values[f"{label}_q_slope"] = stacked[:, 7:11].mean(1) - stacked[:, 2:5].mean(1)
    values[f"{label}_q_bend"] = stacked.std(1)
    for kind, ranked, count in (("", after, n_after), ("past_", before, n_before)):
        top = _at(ranked, count, 1.0)
        values[f"{label}_{kind}at_top"] = _share_near_top(ranked, count, top, 0.0)
        values[f"{label}_{kind}near_top"] = _share_near_top(ranked, count, top, 0.05)
        values[f"{label}_{kind}repeats"] = _repeats(ranked, count, usual)
    values[f"{label}_at_top_count"] = np.log1p(values[f"{label}_at_top"] * n_after)
    # How many readings as high as before would be expected above the highest now: a cap leaves none of them.
    above = (np.isfinite(before) & (before > 1.03 * _at(after, n_after, 1.0)[:, None])).sum(1)
    values[f"{label}_none_above"] = np.log1p(above / np.maximum(n_before, 1) * n_after)
    return values


def _ranked(filled: np.ndarray, days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, D * S) readings of the chosen days in rising order, the others behind them as infinite, and how many."""
    rows, length, slots = filled.shape
    flat = np.where(days[:, :, None], filled, np.float32(np.inf)).reshape(rows, length * slots)
    flat.sort(1)
    return flat, days.sum(1) * slots


def _at(ranked: np.ndarray, count: np.ndarray, quantile: float) -> np.ndarray:
    place = np.floor(quantile * np.maximum(count - 1, 0)).astype(int)
    values = np.take_along_axis(ranked, place[:, None], 1)[:, 0]
    return np.where(count > 0, values, np.nan)


def _share_near_top(ranked: np.ndarray, count: np.ndarray, top: np.ndarray, within: float) -> np.ndarray:
    limit = (top * (1 - within) - REGISTER_KWH)[:, None]
    return ((ranked >= limit) & np.isfinite(ranked)).sum(1) / np.maximum(count, 1)


def _repeats(ranked: np.ndarray, count: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Longest run of the same reading among those well above zero, as a power of two: invented or capped values."""
    longest = np.zeros(len(ranked))
    above = ranked > 0.3 * usual[:, None]
    for run in REPEATS:
        if ranked.shape[1] <= run:
            continue
        same = (ranked[:, run:] == ranked[:, :-run]) & above[:, :-run] & np.isfinite(ranked[:, run:])
        longest = np.where(same.any(1), np.log2(run), longest)
    return longest


def _courses(days: Days, since: np.ndarray, recent: np.ndarray) -> Features:
    """Slopes over days, and how the level wanders."""
    level = days.channels["level"]
    values = {}
    for label, chosen in (("since", since), ("all", days.seen), ("last28", recent)):
        values[f"{label}_trend"] = _slope(level, chosen) * chosen.sum(1)
    values["since_trend_base"] = _slope(days.channels["base"], since) * since.sum(1)
    before, after = level[:, :-1], level[:, 1:]
    pairs = since[:, :-1] & since[:, 1:]
    values["since_memory"] = _correlation(before, after, pairs)
    values["reference_memory"] = _correlation(before, after, days.reference[:, :-1] & days.reference[:, 1:])
    steps = np.abs(after - before)
    values["since_steps"] = np.log(mean_over(steps, pairs) + 0.03) - np.log(
        mean_over(steps, days.reference[:, :-1] & days.reference[:, 1:]) + 0.03
    )
    values["lowest_week"] = _extreme_week(level, days.seen, np.min)
    values["highest_week"] = _extreme_week(level, days.seen, np.max)
    return values


def _slope(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    day = np.broadcast_to(np.arange(values.shape[1], dtype=np.float32), values.shape)
    chosen = chosen & ~np.isnan(values)
    x = day - mean_over(day, chosen)[:, None]
    y = values - mean_over(values, chosen)[:, None]
    return mean_over(x * y, chosen) / (mean_over(x**2, chosen) + 1)


def _extreme_week(level: np.ndarray, seen: np.ndarray, extreme) -> np.ndarray:
    if level.shape[1] < 7:
        return np.full(len(level), np.nan)
    filled, known = np.where(seen, np.nan_to_num(level), 0), seen.astype(float)
    zero = np.zeros((len(level), 1))
    total = np.concatenate([zero, np.cumsum(filled, 1)], 1)
    count = np.concatenate([zero, np.cumsum(known, 1)], 1)
    weeks = (total[:, 7:] - total[:, :-7]) / np.maximum(count[:, 7:] - count[:, :-7], 1)
    return extreme(weeks, 1)


def _two_states(days: Days, since: np.ndarray) -> Features:
    """Whether the days since the change fall into two groups, as they do when a bypass is used on some days only."""
    values = {}
    for name in ("level", "base", "low", "peak"):
        channel = days.channels[name]
        known = since & ~np.isnan(channel)
        count = known.sum(1)
        ranked = np.sort(np.where(known, channel, np.inf), 1)
        ranked = np.where(np.isinf(ranked), 0, ranked)
        total, square = ranked.cumsum(1), (ranked**2).cumsum(1)
        n = np.arange(1, ranked.shape[1] + 1)[None, :]
        whole = np.maximum(count, 1)[:, None]
        low = total / n
        high = (total[:, -1:] - total) / np.maximum(whole - n, 1)
        variance = np.maximum(square[:, -1:] / whole - (total[:, -1:] / whole) ** 2, 1e-6)
        share = n / whole
        explained = np.where((n < whole) & (share >= 0.1) & (share <= 0.9), share * (1 - share) * (high - low) ** 2, 0)
        at = explained.argmax(1)[:, None]
        values[f"two_states_{name}"] = np.take_along_axis(explained, at, 1)[:, 0] / variance[:, 0]
        values[f"two_states_{name}_gap"] = np.take_along_axis(high - low, at, 1)[:, 0]
        values[f"two_states_{name}_share"] = np.take_along_axis(share, at, 1)[:, 0]
        values[f"two_states_{name}_low"] = np.take_along_axis(low, at, 1)[:, 0]
        values[f"two_states_{name}_high"] = np.take_along_axis(high, at, 1)[:, 0]
    return values


def _last_year(days: Days, recent: np.ndarray) -> Features:
    """The last four weeks against the same weeks a year before; NaN for shorter histories."""
    level = days.channels["level"]
    if level.shape[1] < YEAR + 28:
        return {"last_year": np.full(len(level), np.nan)}
    before = np.zeros_like(recent)
    before[:, :-YEAR] = recent[:, YEAR:]
    before &= days.seen
    enough = before.sum(1) >= 14
    return {"last_year": np.where(enough, mean_over(level, recent) - mean_over(level, before), np.nan)}
