"""Does the gap of the transformer move with this meter? Numbers for the booster."""

from functools import cache

import numpy as np

from ml.balance.residual import TINY, Residual, profile, residual_of
from ml.evidence import Evidence

ROWS_PER_PASS = 32
"""So few that what a pass looks at stays in the processor's cache."""
PARTS_OF_DAY = 6
LEAST_DAYS = 14
"""Days with a balance below which it says nothing."""
LEAST_SINCE = 5
"""Days that a pattern must have lasted."""
RECENT = (7, 14, 28)
NEAR_TOP = 0.985
STANDS_STILL = 0.02
"""Share of the usual slot below which a meter stands still."""

Features = dict[str, np.ndarray]


def balance_features(evidence: Evidence) -> np.ndarray:
    """(N, len(names())) float32; NaN in the rows without a sum meter, and where the balance cannot say.

    Sizes of the gap itself are left out on purpose: all meters of a transformer share them, and a model that knows a
    transformer by its gap learns which of its meters it has seen as thieves.
    """
    table = np.full((len(evidence), len(names())), np.nan, np.float32)
    if evidence.measured is None or not len(evidence):
        return table
    both = np.isfinite(evidence.measured) & np.isfinite(evidence.reported)
    rows = np.flatnonzero(both.any(2).sum(1) >= LEAST_DAYS)
    for start in range(0, len(rows), ROWS_PER_PASS):
        some = rows[start : start + ROWS_PER_PASS]
        values = features_of(residual_of(evidence.take(some)))
        for column, name in enumerate(names()):
            table[some, column] = values[name]
    table[~np.isfinite(table)] = np.nan
    return table


@cache
def names() -> tuple[str, ...]:
    """The columns, in order; they are the same for every interval and length."""
    ones = np.ones((1, 28, 24), np.float32)
    evidence = Evidence(
        ones, np.datetime64("2024-01-01"), np.arange(28)[None] < 14, ones[:, :, 0], reported=ones, measured=ones
    )
    return tuple(features_of(residual_of(evidence)))


def features_of(residual: Residual) -> Features:
    """Each (n,). Shares are of the meter's own usual load, `_z` are standard errors, `_days` days up to the last."""
    values: Features = {}
    daily, scans = _patterns(residual)
    values |= scans
    values |= _levels(residual)
    values |= _profiles(residual)
    values |= _conditional(residual)
    values |= daily
    values |= residual.quality
    return values


# ---------------------------------------------------------------------------------- the pattern within days


def _patterns(residual: Residual) -> tuple[Features, Features]:
    """How the gap follows patterns that a theft by this meter would leave: regressions on the fast part of both."""
    there = residual.there
    n, days, slots = there.shape
    week_there = np.maximum(_over_week(there), 1)

    def fast(values):
        """Against the same slot in the week around: neither a habit nor a change of level is left."""
        return (values - _over_week(values) / week_there) * there

    gap, own = fast(residual.unexplained), fast(residual.own)
    middle = np.median(residual.own.reshape(n, -1), 1)[:, None, None]
    values: Features = {}
    whiten, phi = _whitener(gap, there)
    values["gap_memory"] = phi
    white, noise = _standardised(whiten(gap), there)
    scale = 1 / noise[:, :, None]
    pattern = whiten(own) * scale
    scans: Features = {}
    product, square = white * pattern, pattern * pattern
    by_day = product.sum(2), square.sum(2)
    scans |= _scan("scaled", *by_day, residual)
    values |= _day_factors(*by_day, residual.days & ~residual.reference)
    heavy = whiten(fast(np.maximum(residual.own - middle, 0) * there)) * scale
    scans |= _scan("heavy", (white * heavy).sum(2), (heavy * heavy).sum(2), residual)
    if slots > 1:
        back = whiten(own[:, :, ::-1] * there) * scale
        scans |= _scan("reversed", (white * back).sum(2), (back * back).sum(2), residual)
        from_top = whiten(fast(_at_top(residual))) * scale
        scans |= _scan("capped", (white * from_top).sum(2), (from_top * from_top).sum(2), residual)
    else:
        for name in ("reversed", "capped"):
            scans |= _nothing(name, n)
    if slots % PARTS_OF_DAY == 0:
        shape = (n, days, PARTS_OF_DAY, -1)
        scans |= _scan_parts(product.reshape(shape).sum(3), square.reshape(shape).sum(3), residual)
    else:
        scans |= dict.fromkeys(PART_NAMES, np.full(n, np.nan))
    return values, scans


def _whitener(gap: np.ndarray, there: np.ndarray):
    """A filter that takes the memory out of the gap (a household's load lasts for hours), and the (n,) memory."""
    n, _, slots = gap.shape
    if slots == 1:
        return lambda values: values, np.full(n, np.nan)
    flat = gap.reshape(n, -1)
    phi = np.einsum("nt,nt->n", flat[:, 1:], flat[:, :-1]) / (np.einsum("nt,nt->n", flat, flat) + TINY)
    keep = np.clip(phi, 0, 0.9).astype(np.float32)[:, None]
    both = there.reshape(n, -1)[:, 1:] * there.reshape(n, -1)[:, :-1]

    def whiten(values):
        flat = values.reshape(n, -1)
        white = np.zeros_like(flat)
        white[:, 1:] = (flat[:, 1:] - keep * flat[:, :-1]) * both
        return white.reshape(values.shape)

    return whiten, phi


def _standardised(white: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The gap in units of its own noise in the week around each day, without outliers, and that (n, D) noise."""
    total = _over_week(np.einsum("nds,nds->nd", white, white))
    noise = np.sqrt(total / np.maximum(_over_week(there.sum(2)), 1)) + np.float32(0.01)
    return np.clip(white / noise[:, :, None], -5, 5), noise


def _over_week(values: np.ndarray) -> np.ndarray:
    """Sums along the days (axis 1) over three days on either side, fewer at the ends."""
    total = values.astype(np.float32)
    for away in (1, 2, 3):
        total[:, away:] += values[:, :-away]
        total[:, :-away] += values[:, away:]
    return total


def _scan(name: str, product: np.ndarray, square: np.ndarray, residual: Residual) -> Features:
    """The onset since when the gap follows a pattern best: how surely, by which factor, for how many days.

    The error of the factor is counted between days, because the slots of a day err together.
    """
    days = product.shape[1]
    tail = [np.cumsum(one[:, ::-1], 1)[:, ::-1] for one in (product, square, product**2, product * square, square**2)]
    factor = tail[0] / (tail[1] + 1)
    error = tail[2] - 2 * factor * tail[3] + factor**2 * tail[4]
    z = tail[0] / np.sqrt(np.maximum(error, tail[1]) + 1)
    counted = np.cumsum(residual.days[:, ::-1], 1)[:, ::-1]
    searched = np.where(counted >= LEAST_SINCE, z, -np.inf)
    rows, at = np.arange(len(z)), searched.argmax(1)
    lowest = np.where(counted >= LEAST_SINCE, z, np.inf).min(1)
    past = residual.reference
    last = max(days - 28, 0)
    found = (
        z[rows, at],
        factor[rows, at],
        (days - at).astype(np.float32),
        lowest,
        z[:, 0],
        factor[:, 0],
        z[:, last],
        factor[:, last],
        (product * past).sum(1) / ((square * past).sum(1) + 1),
    )
    return {f"{name}_{what}": value for what, value in zip(SCANNED, found, strict=True)}


SCANNED = ("z", "factor", "days", "low_z", "all_z", "all_factor", "28_z", "28_factor", "reference_factor")


def _nothing(name: str, n: int) -> Features:
    return {f"{name}_{what}": np.full(n, np.nan) for what in SCANNED}


PART_NAMES = ("part_z", "part_factor", "part_days", "part_second_z", "part_low_z", "part_low_factor", "part_which")


def _scan_parts(product: np.ndarray, square: np.ndarray, residual: Residual) -> Features:
    """The same for each part of the day, (n, D, parts): the best, the second and the lowest of them."""
    found = [_scan("part", product[:, :, part], square[:, :, part], residual) for part in range(product.shape[2])]
    z, factor, days, low = (
        np.stack([one[f"part_{what}"] for one in found], 1) for what in ("z", "factor", "days", "low_z")
    )
    rows, best, worst = np.arange(len(z)), z.argmax(1), low.argmin(1)
    return {
        "part_z": z[rows, best],
        "part_factor": factor[rows, best],
        "part_days": days[rows, best],
        "part_second_z": np.sort(z, 1)[:, -2],
        "part_low_z": low[rows, worst],
        "part_low_factor": factor[rows, worst],
        "part_which": best.astype(np.float32),
    }


def _day_factors(product: np.ndarray, square: np.ndarray, since: np.ndarray) -> Features:
    """How the day's own factor is spread: one value means scaling, two mean some days, a slope means a slow theft."""
    usual = (square * since).sum(1, keepdims=True) / np.maximum(since.sum(1, keepdims=True), 1)
    factor = product / (square + 0.1 * usual + 1)
    ranked = np.sort(np.where(since, factor, np.inf), 1)
    count = since.sum(1)
    rows = np.arange(len(ranked))

    def quantile(q):
        return np.where(count > 0, ranked[rows, np.maximum((q * (count - 1)).astype(int), 0)], np.nan)

    day = np.arange(since.shape[1])
    time = (day - (day * since).sum(1, keepdims=True) / np.maximum(count, 1)[:, None]) * since
    return {
        **{f"factor_q{int(q * 100)}": quantile(q) for q in (0.1, 0.25, 0.5, 0.75, 0.9)},
        "factor_days_high": (since & (factor > 0.2)).sum(1) / np.maximum(count, 1),
        "factor_slope": (factor * time).sum(1) / np.maximum((time**2).sum(1), 1) * 28,
    }


def _at_top(residual: Residual) -> np.ndarray:
    """1 where the meter reads the most that it ever does in the last 28 days of the window, which a cap makes often."""
    recent = np.zeros(residual.days.shape[1], bool)
    recent[-28:] = True
    top = residual.own[:, recent].max((1, 2), keepdims=True)
    return ((residual.own >= NEAR_TOP * top) & (residual.there > 0)).astype(np.float32)


# -------------------------------------------------------------------------------------------- the level of days


def _levels(residual: Residual) -> Features:
    """Does the gap grow by what this meter no longer reports, and when it stops reporting it?"""
    days = residual.days
    since = days & ~residual.reference
    count = np.maximum(residual.there.sum(2), 1)
    gap, missing = (one.sum(2) / count for one in (residual.unexplained, residual.missing))
    total = np.arange(days.shape[1])
    values: Features = {}
    values["level_factor"], values["level_fit"] = _line(gap, missing, days)
    values["level_since_factor"], values["level_since_fit"] = _line(gap, missing, since)
    both = days[:, 1:] & days[:, :-1]
    values["step_factor"], values["step_fit"] = _line(np.diff(gap, axis=1), np.diff(missing, axis=1), both)
    spans = {f"{span}": days & (total >= days.shape[1] - span) for span in RECENT} | {"since": since}
    for name, span in spans.items():
        size = np.maximum(span.sum(1), 1)
        more, less = (gap * span).sum(1) / size, (missing * span).sum(1) / size
        values[f"missing_{name}"] = less
        values[f"gap_{name}_ratio"] = _ratio(more, less)
    own = _best_split(missing, days)
    res = _best_split(gap, days)
    at_own, at_own_z = _step_at(gap, days, own[0])
    at_res, at_res_z = _step_at(missing, days, res[0])
    last = days.shape[1]
    values |= {
        "own_days": (last - own[0]).astype(np.float32),
        "own_step": own[1],
        "own_z": own[2],
        "own_gap": at_own,
        "own_gap_z": at_own_z,
        "own_gap_ratio": _ratio(at_own, own[1]),
        "gap_own": at_res,
        "gap_own_z": at_res_z,
        "gap_own_ratio": _ratio(at_res, res[1]),
        "days_apart": np.abs(own[0] - res[0]).astype(np.float32),
    }
    return values


def _ratio(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """One over the other, of which at least 3 % of the usual load counts, cut at ±3."""
    return np.clip(one / np.where(np.abs(other) < 0.03, np.where(other < 0, -0.03, 0.03), other), -3, 3)


def _line(gap: np.ndarray, missing: np.ndarray, days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) slope and correlation of the two over some days."""
    count = np.maximum(days.sum(1, keepdims=True), 1)
    one, other = ((values - (values * days).sum(1, keepdims=True) / count) * days for values in (gap, missing))
    both, square = (one * other).sum(1), (other**2).sum(1)
    return both / (square + 0.05), both / np.sqrt(square * (one**2).sum(1) + 1e-4)


def _best_split(values: np.ndarray, days: np.ndarray, least: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) the day that best parts earlier from later days, the step there, and its t."""
    kept = np.where(days, values, 0).astype(float)
    count, total, square = days.cumsum(1), kept.cumsum(1), (kept**2).cumsum(1)
    before, after = count[:, :-1], count[:, -1:] - count[:, :-1]
    low, high = total[:, :-1] / np.maximum(before, 1), (total[:, -1:] - total[:, :-1]) / np.maximum(after, 1)
    error = square[:, -1:] - low**2 * before - high**2 * after
    t = (high - low) / np.sqrt(_variance(error, count[:, -1:], before, after))
    t[(before < least) | (after < least)] = 0
    rows, at = np.arange(len(t)), np.abs(t).argmax(1)
    return at + 1, (high - low)[rows, at], t[rows, at]


def _step_at(values: np.ndarray, days: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) the step of the values on each row's given day, and its t."""
    later = np.arange(days.shape[1]) >= day[:, None]
    spans = days & ~later, days & later
    counts = [np.maximum(span.sum(1), 1) for span in spans]
    means = [(values * span).sum(1) / count for span, count in zip(spans, counts, strict=True)]
    error = sum((((values - mean[:, None]) * span) ** 2).sum(1) for span, mean in zip(spans, means, strict=True))
    step = means[1] - means[0]
    return step, step / np.sqrt(_variance(error, days.sum(1), *counts))


def _variance(error, count, before, after):
    return np.maximum(error, 1e-9) / np.maximum(count - 2, 1) * (1 / np.maximum(before, 1) + 1 / np.maximum(after, 1))


# ------------------------------------------------------------------------------- the hours, and special readings


def _profiles(residual: Residual) -> Features:
    """Has the mean day of the gap grown where the mean day of the meter shrank? The day's own level is taken out."""
    values: Features = {}
    days = np.arange(residual.days.shape[1])
    both_types = np.zeros_like(residual.weekend)
    for span in (14, 28, 63):
        weight = residual.there * (days >= len(days) - span)[:, None] * ~residual.reference[:, :, None]
        more, less = (profile(one, weight, both_types)[:, 0] for one in (residual.unexplained, residual.missing))
        more, less = more - more.mean(1, keepdims=True), less - less.mean(1, keepdims=True)
        both, square, size = (more * less).mean(1), (less**2).mean(1), (more**2).mean(1)
        values[f"profile_{span}_factor"] = both / (square + 0.01)
        values[f"profile_{span}_fit"] = both / np.sqrt(square * size + 1e-4)
        values[f"profile_{span}_size"] = np.sqrt(size)
    return values


def _conditional(residual: Residual) -> Features:
    """What the gap is while the meter reads its most, and while it stands still, in the last four weeks."""
    recent = residual.there.copy()
    recent[:, :-28] = 0
    own, gap = residual.own, residual.unexplained
    usual = (gap * recent).sum((1, 2)) / np.maximum(recent.sum((1, 2)), 1)
    spread = np.sqrt((gap**2 * recent).sum((1, 2)) / np.maximum(recent.sum((1, 2)), 1)) + 0.02
    top = (own * recent).max((1, 2), keepdims=True)
    values: Features = {}
    chosen = {
        "top": recent * (own >= NEAR_TOP * top),
        "high": recent * ((own < NEAR_TOP * top) & (own >= 0.6 * top)),
        "still": recent * (own <= STANDS_STILL),
        "running": recent * (own > STANDS_STILL),
    }
    for name, weight in chosen.items():
        count = weight.sum((1, 2))
        values[f"{name}_share"] = count / np.maximum(recent.sum((1, 2)), 1)
        values[f"{name}_gap"] = np.where(count > 0, (gap * weight).sum((1, 2)) / np.maximum(count, 1), np.nan)
    values["top_level"] = top[:, 0, 0]
    values["top_more"] = values["top_gap"] - values["high_gap"]
    values["top_z"] = (values["top_gap"] - usual) * np.sqrt(chosen["top"].sum((1, 2))) / spread
    weight = chosen["still"]
    lost = ((residual.missing + own) * weight).sum((1, 2))
    values["still_ratio"] = _ratio((gap * weight).sum((1, 2)), lost)
    return values
