"""Which interval each meter reports in, told by where in the day its readings lie."""

import numpy as np

FINEST = 5
"""Minutes. Readings closer together than this are not told apart."""
MARKS = 1440 // FINEST
WHOLE = (5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440)
USED = {5: 15, 10: 30, 15: 15, 20: 60, 30: 30, 60: 60}
"""Interval to the one it is scored in; whatever is longer than an hour is scored by the day."""
STRAY = 0.05
"""Share of the fullest mark's readings below which a mark of the day holds strays."""
LONGER_DAYS = 0.1
"""Share of a meter's days on a longer interval from which all its days are summed up to that."""
METERS_AT_ONCE = 512


def finest(counts: np.ndarray) -> np.ndarray:
    """(M,) minutes between neighbouring readings, from (M, MARKS) readings at each five minutes of the day.

    The commonest distance counts, so gaps and strays change nothing; a meter with one mark a day reports by the day.
    """
    full = counts > STRAY * counts.max(1, keepdims=True)
    patterns, which = np.unique(np.packbits(full, axis=1), axis=0, return_inverse=True)
    found = [_commonest_distance(np.flatnonzero(np.unpackbits(row)[:MARKS])) for row in patterns]
    return np.array(found, int)[which.ravel()]


def _commonest_distance(marks: np.ndarray) -> int:
    apart = np.diff(marks, append=marks[:1] + MARKS) * FINEST
    # Two marks an hour apart are one reading a day, whose midnight moved with the clocks.
    if len(marks) < 2 or (len(marks) == 2 and apart.min() <= 60):
        return 1440
    values, times = np.unique(apart, return_counts=True)
    minutes = int(values[times.argmax()])
    return max(whole for whole in WHOLE if whole <= minutes)


def by_days(kwh: np.ndarray, minutes: int) -> np.ndarray:
    """(M,) the interval that each row of (M, D, S) kWh really has, a multiple of `minutes`.

    On a day of a longer interval the readings lie on every second slot, every fourth, or on one alone.
    """
    found = np.full(len(kwh), minutes)
    slots = kwh.shape[2]
    steps = [whole // minutes for whole in WHOLE if whole > minutes and whole % minutes == 0]
    for start in range(0, len(kwh), METERS_AT_ONCE):
        there = ~np.isnan(kwh[start : start + METERS_AT_ONCE])
        count = there.sum(2)
        days = (count > 0).sum(1)
        thin = ((count > 0) & (count <= slots / 2)).sum(1)
        for row in np.flatnonzero((thin >= LONGER_DAYS * days) & (days > 1)):
            found[start + row] = minutes * _step(there[row], count[row], steps, int(days[row]))
    return found


def _step(there: np.ndarray, count: np.ndarray, steps: list[int], days: int) -> int:
    """How many slots apart the readings of one meter are on its longest days that are not rare."""
    slots, step = there.shape[1], 1
    for longer in steps:
        on_it = there.reshape(len(there), -1, longer).any(1).sum(1) == 1
        on_it &= count >= (1 if longer == slots else max(2, 0.5 * slots / longer))
        if on_it.sum() >= max(LONGER_DAYS * days, 2):
            step = longer
    return step


def sum_up(kwh: np.ndarray, step: int) -> tuple[np.ndarray, int]:
    """(M, D, S / step) kWh of `step` slots each, and how many readings found no place.

    A day whose readings lie on the longer interval already keeps them; else a sum with a missing part is missing, but
    half a day's readings are brought up to a whole day's.
    """
    meters, days, slots = kwh.shape
    parts = kwh.reshape(meters, days, slots // step, step)
    there = ~np.isnan(parts)
    count = there.sum(3)
    total = np.where(there, parts, 0).sum(3, dtype=np.float32)
    sparse = (there.any(2).sum(2) == 1)[:, :, None]
    if step == slots:
        enough = (count >= slots / 2) | sparse
        total = np.where(sparse, total, total * np.float32(slots) / np.maximum(count, 1))
    else:
        enough = (count == step) | (sparse & (count == 1))
    return np.where(enough, total, np.float32(np.nan)).astype(np.float32), int(count[~enough].sum())
