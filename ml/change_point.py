"""The day on which a meter most likely began to read differently, from several channels at once.

For every day the likelihood ratio of "two levels and two spreads, split here" against "one" is summed over the
channels; the largest wins. Gaussian with unknown mean and variance (Hinkley 1970; Killick, Fearnhead and Eckley 2012).
"""

from dataclasses import dataclass

import numpy as np

from ml.day_channels import Days

CHANNELS = ("level", "base", "peak", "zero", "rough", "likeness", *(f"block_{block}" for block in range(6)))
FEWEST_BEFORE = 7
FEWEST_AFTER = 3
SMALLEST_SPREAD = 0.05
"""Spread of a channel below which a day counts as unchanged: a home that always reads zero has no spread of its own."""


@dataclass(frozen=True, eq=False)
class ChangePoint:
    day: np.ndarray
    """(N,) int: first changed day."""
    strength: np.ndarray
    """(N,) log likelihood ratio per channel at that day, 0 or more."""
    by_channel: np.ndarray
    """(N, len(CHANNELS)) the part of each channel."""
    runner_up: np.ndarray
    """(N,) the best strength more than a week away, as a share of the best: near 1 says that the day is uncertain."""


def find_change(days: Days) -> ChangePoint:
    seen = days.seen
    rows, length = seen.shape
    total = np.zeros((rows, length + 1), np.float32)
    ratios = []
    for name in CHANNELS:
        values = days.channels[name]
        if np.isnan(values).all():
            ratios.append(None)
            continue
        ratio = _likelihood_ratio(values)
        ratios.append(ratio)
        total += ratio
    used = max(1, sum(ratio is not None for ratio in ratios))
    known = np.concatenate([np.zeros((rows, 1), int), np.cumsum(seen, 1)], 1)
    allowed = (known >= FEWEST_BEFORE) & (known[:, -1:] - known >= FEWEST_AFTER)
    score = np.where(allowed, total, 0)
    day = score.argmax(1)
    at = day[:, None]
    best = np.take_along_axis(score, at, 1)[:, 0]
    by_channel = np.zeros((rows, len(CHANNELS)), np.float32)
    for column, ratio in enumerate(ratios):
        if ratio is not None:
            by_channel[:, column] = np.take_along_axis(ratio, at, 1)[:, 0]
    far = np.abs(np.arange(length + 1) - at) > 7
    second = np.where(far, score, 0).max(1)
    # Without any split allowed the first day stands in, so that "before" is empty and says so.
    return ChangePoint(day, best / used, by_channel, second / np.maximum(best, 1e-6))


def _likelihood_ratio(values: np.ndarray) -> np.ndarray:
    """(N, D + 1): log likelihood ratio of a split before each day, for (N, D) values with NaN; 0 or more."""
    known = ~np.isnan(values)
    filled = np.where(known, values, 0).astype(np.float64)
    zero = np.zeros((len(values), 1))
    count = np.concatenate([zero, np.cumsum(known, 1)], 1)
    total = np.concatenate([zero, np.cumsum(filled, 1)], 1)
    square = np.concatenate([zero, np.cumsum(filled**2, 1)], 1)

    def log_spread(n, one, two):
        mean = one / np.maximum(n, 1)
        return np.log(np.maximum(two / np.maximum(n, 1) - mean**2, 0) + SMALLEST_SPREAD**2)

    n, one, two = count[:, -1:], total[:, -1:], square[:, -1:]
    before = count * log_spread(count, total, square)
    after = (n - count) * log_spread(n - count, one - total, two - square)
    return np.maximum(0.5 * (n * log_spread(n, one, two) - before - after), 0).astype(np.float32)
