"""Values for short gaps, by a stated method. They lie beside the readings, never among them: no score sees them."""

from dataclasses import dataclass

import numpy as np

from apps.readings.models import Estimate
from apps.readings.validation.rules import run_lengths

LINEAR_MINUTES = 60  # a gap up to here is bridged by a straight line
MOST_DAYS = 7  # a longer gap is left open
WEEKS_BACK = (7, 14, 21)
LEVEL_DAYS = 7  # on both sides of a day, whose measured energy says how high the meter is now
LEVEL_BOUNDS = (0.25, 4.0)
FEWEST_LEVEL_SLOTS = 12  # measured readings with a history that a level rests on

NONE, LINEAR, HISTORY = 0, 1, 2
METHODS = {LINEAR: Estimate.Method.LINEAR, HISTORY: Estimate.Method.HISTORY}


@dataclass(frozen=True)
class Estimated:
    """Both (M, D, S): kWh, NaN where nothing is estimated, and by which method."""

    kwh: np.ndarray
    method: np.ndarray


def estimate(measured: np.ndarray) -> Estimated:
    """Fill the gaps between readings that are `measured` (M, D, S), NaN elsewhere.

    Up to an hour: a straight line between the readings on both sides. Up to seven days: the mean of the same weekday
    and slot in the three weeks before (of those that are known), times the meter's level now: what it measured in the
    seven days on both sides against what the same means say of these days. Longer gaps, and gaps without such a
    history, stay open. Estimates rest on measured values alone, never on other estimates.
    """
    slots = measured.shape[2]
    line = measured.reshape(len(measured), -1)
    missing = np.isnan(line)
    length = run_lengths(missing)
    # A run that touches the end of the window has nothing on its other side.
    inner = (np.logical_or.accumulate(~missing, axis=1)) & (
        np.logical_or.accumulate(~missing[:, ::-1], axis=1)[:, ::-1]
    )
    gap = missing & inner & (length <= MOST_DAYS * slots)
    kwh = np.full(line.shape, np.nan, np.float32)
    method = np.zeros(line.shape, np.int8)
    short = gap & (length * 1440 <= LINEAR_MINUTES * slots)
    if short.any():
        kwh[short] = between(line, short)
        method[short] = LINEAR
    if (gap & ~short).any():
        rows = np.flatnonzero((gap & ~short).any(1))
        means = levelled(measured[rows]).reshape(len(rows), -1)
        fits = (gap & ~short)[rows] & np.isfinite(means)
        kwh[rows] = np.where(fits, means, kwh[rows])
        method[rows] = np.where(fits, HISTORY, method[rows])
    return Estimated(kwh.reshape(measured.shape), method.reshape(measured.shape))


def between(line: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """Values for the slots of gap (M, N), all with readings on both sides: on the line between these."""
    many = line.shape[1]
    position = np.arange(many)
    known = ~np.isnan(line)
    before = np.maximum.accumulate(np.where(known, position, -1), axis=1)
    after = np.minimum.accumulate(np.where(known, position, many)[:, ::-1], axis=1)[:, ::-1]
    row, at = np.nonzero(gap)
    left, right = before[row, at], after[row, at]
    share = (at - left) / (right - left)
    return line[row, left] * (1 - share) + line[row, right] * share


def levelled(measured: np.ndarray) -> np.ndarray:
    """(M, D, S) mean of the same weekday and slot in the weeks before, at the meter's level around each day."""
    usual = weeks_mean(measured)
    comparable = np.isfinite(measured) & np.isfinite(usual)
    own = around(np.where(comparable, measured, 0).sum(2))
    past = around(np.where(comparable, usual, 0).sum(2))
    slots = around(comparable.sum(2))
    sure = (slots >= FEWEST_LEVEL_SLOTS) & (past > 0)
    level = np.where(sure, own / np.where(past > 0, past, 1), 1)
    return usual * np.clip(level, *LEVEL_BOUNDS)[..., None]


def weeks_mean(measured: np.ndarray) -> np.ndarray:
    """(M, D, S) mean of the readings 7, 14 and 21 days before, of those that are there; NaN where none is."""
    sums, known = np.zeros(measured.shape, np.float32), np.zeros(measured.shape, np.int8)
    for lag in WEEKS_BACK:
        if lag < measured.shape[1]:
            past = measured[:, :-lag]
            sums[:, lag:] += np.nan_to_num(past)
            known[:, lag:] += np.isfinite(past)
    return np.where(known > 0, sums / np.maximum(known, 1), np.nan)


def around(values: np.ndarray) -> np.ndarray:
    """(M, D) sums over LEVEL_DAYS on both sides of each day."""
    days = values.shape[1]
    sums = np.zeros((len(values), days + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    start = np.maximum(np.arange(days) - LEVEL_DAYS, 0)
    end = np.minimum(np.arange(days) + LEVEL_DAYS + 1, days)
    return sums[:, end] - sums[:, start]


def one_day(measured: np.ndarray, day: int) -> np.ndarray:
    """(S,) kWh for a whole day of measured (D, S), as if nothing of it were known; NaN where its weeks before are not
    known either."""
    others = measured.copy()
    others[day] = np.nan
    return levelled(others[np.newaxis])[0, day]
