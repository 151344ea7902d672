"""What a detector looks at about each meter: its own days, what its neighbours did, what its transformer delivered.

Detectors work on these arrays alone, so a score depends on the meter, its neighbours and nothing else: neither the
order of the rows nor the other meters that happen to be scored beside it.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ml.calendar import slots_ahead, to_civil_days
from ml.peers import known_median_of_others
from ml.window import MeterWindow

METERS_PER_BLOCK = 256
SHORT_DAYS = 84
"""Below this many days the reference is the first third, at least 14 days; a result says so."""
LEAST_COVERAGE = 0.5
"""Share of a day's slots that must be there for the day to count."""
OUTAGE_LEVEL = 0.8
"""Neighbours below this share of their usual level: a day of outages, on which no meter is judged."""
USUAL_DAYS = 15
LEAST_LEVEL = 0.02
"""Of the neighbours, also where all of them count nothing: a ratio to it stays finite."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """N meters over D civil days of S slots. NaN is missing; a negative reading counts as missing."""

    kwh: np.ndarray
    """(N, D, S) float32 as reported; days without a contract are missing."""
    first_day: np.datetime64
    reference: np.ndarray
    """(N, D) bool: the days that count as the meter's honest past, seen or not."""
    peer_level: np.ndarray
    """(N, D) float32: median over the neighbours of a day's kWh relative to their own reference; 1 without any."""
    reported: np.ndarray | None = None
    """(N, D, S) float32 kWh that all meters of the transformer report together, gaps filled, this meter included."""
    measured: np.ndarray | None = None
    """(N, D, S) float32 kWh of the transformer's sum meter; NaN where there is none. None: no transformer has one."""
    filled: np.ndarray | None = None
    """(N, D, S) float32: of how many other meters of the transformer the reading in `reported` is only filled in."""

    def __len__(self) -> int:
        return len(self.kwh)

    @property
    def days(self) -> int:
        return self.kwh.shape[1]

    @property
    def slots(self) -> int:
        return self.kwh.shape[2]

    @property
    def interval_minutes(self) -> int:
        return 1440 // self.slots

    @cached_property
    def weekday(self) -> np.ndarray:
        """(D,) 0 = Monday ... 6 = Sunday."""
        return (self.first_day.astype("M8[D]").astype(int) + 3 + np.arange(self.days)) % 7

    def take(self, rows: np.ndarray) -> "Evidence":
        """Some of the meters, by index, slice or mask."""

        def chosen(array):
            return None if array is None else array[rows]

        return replace(
            self,
            kwh=self.kwh[rows],
            reference=self.reference[rows],
            peer_level=self.peer_level[rows],
            reported=chosen(self.reported),
            measured=chosen(self.measured),
            filled=chosen(self.filled),
        )

    def until(self, day: int) -> "Evidence":
        """What was known on the morning of `day` (0 is the first): the days before it, the same reference."""

        def cut(array):
            return None if array is None else array[:, :day]

        return replace(
            self,
            kwh=self.kwh[:, :day],
            reference=self.reference[:, :day],
            peer_level=self.peer_level[:, :day],
            reported=cut(self.reported),
            measured=cut(self.measured),
            filled=cut(self.filled),
        )

    def at_interval(self, minutes: int) -> "Evidence":
        """The same on longer intervals; a sum with a missing part is missing. Raises ValueError if they do not fit."""
        if minutes == self.interval_minutes:
            return self
        if minutes % self.interval_minutes or 1440 % minutes:
            raise ValueError(f"{self.interval_minutes}-minute readings do not make up {minutes} minutes")

        parts = (len(self), self.days, 1440 // minutes, minutes // self.interval_minutes)

        def longer(array):
            return None if array is None else array.reshape(parts).sum(3)

        if minutes < 1440:
            kwh = longer(self.kwh)
        else:
            # A day with half of its readings counts, brought up to a whole one.
            there = ~np.isnan(self.kwh)
            count = there.sum(2, keepdims=True)
            total = np.where(there, self.kwh, 0).sum(2, keepdims=True) * self.slots / np.maximum(count, 1)
            kwh = np.where(count >= LEAST_COVERAGE * self.slots, total, np.nan).astype(np.float32)
        filled = self.filled
        if filled is not None:
            filled = filled.reshape(parts).max(3)
        return replace(self, kwh=kwh, reported=longer(self.reported), measured=longer(self.measured), filled=filled)

    def without_sums(self) -> "Evidence":
        return replace(self, reported=None, measured=None, filled=None)


def reference_length(days: int) -> int:
    """Days of the frozen reference in a history of that many days."""
    if days < SHORT_DAYS:
        return min(days, max(14, days // 3))
    return min(56, max(28, days // 4))


def reference_mask(usable: np.ndarray) -> np.ndarray:
    """(N, D) bool: each meter's first days, counted from the first of its (N, D) usable ones to its last."""
    days = usable.shape[1]
    some = usable.any(1)
    first = np.where(some, usable.argmax(1), 0)
    last = np.where(some, days - 1 - usable[:, ::-1].argmax(1), -1)
    length = np.array([reference_length(int(span)) for span in last - first + 1])
    day = np.arange(days)
    return (day >= first[:, None]) & (day < (first + length)[:, None])


def blocks(window: MeterWindow, size: int = METERS_PER_BLOCK) -> Iterator[tuple[slice, Evidence]]:
    """The evidence about each meter of a window, a block of meters at a time."""
    neighbourhood = Neighbourhood(window)
    for start in range(0, len(window), size):
        rows = slice(start, min(start + size, len(window)))
        yield rows, neighbourhood.evidence(rows)


class Neighbourhood:
    """What one pass over a window learns about all its meters together; then evidence can be had for any rows."""

    def __init__(self, window: MeterWindow):
        self.window = window
        self.ahead = slots_ahead(
            window.first_day, window.days, window.interval_minutes, window.timezone, window.utc_offset_minutes
        )
        level = np.full(window.kwh.shape[:2], np.nan, np.float32)
        for rows, daily in self._by_block(lambda rows: _daily(self._civil(rows))):
            level[rows] = daily
        self.reference = reference_mask(~np.isnan(level))
        usual = mean_over(level, self.reference)[:, None]
        ratio = np.where(usual > 0, level / np.maximum(usual, 1e-3), np.nan)
        others, count = known_median_of_others(ratio, window.peer_group)
        # A day on which all neighbours counted nothing is an outage; one on which nobody was read says nothing.
        self.peer_level = np.where(np.isnan(others), 1, np.maximum(others, LEAST_LEVEL)).astype(np.float32)
        self.peer_count = count
        self._sum_up()

    def _by_block(self, compute: Callable) -> Iterator[tuple]:
        """What is computed about each block of meters, in their order, by as many threads as there are processors."""
        blocks = [slice(at, at + METERS_PER_BLOCK) for at in range(0, len(self.window), METERS_PER_BLOCK)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            yield from zip(blocks, pool.map(compute, blocks), strict=True)

    def _civil(self, rows) -> np.ndarray:
        kwh = to_civil_days(self.window.kwh[rows], self.ahead)
        unusable = ~(kwh >= 0) | ~self.window.contract_active[rows][:, :, None]
        return np.where(unusable, np.float32(np.nan), kwh)

    def _sum_up(self) -> None:
        """The (T, D, S) sums of each transformer that has a sum meter: as reported by its meters, and as measured."""
        self.reported = self.measured = self.filled = None
        window = self.window
        if window.sums is None or not (window.sum_row >= 0).any():
            return
        self.measured = to_civil_days(window.sums, self.ahead)
        self.reported, self.filled = np.zeros_like(self.measured), np.zeros_like(self.measured)
        for _rows, (transformers, reported, filled) in self._by_block(self._sums_of):
            self.reported[transformers] += reported
            self.filled[transformers] += filled

    def _sums_of(self, block: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The transformers of a block of meters, what its meters report together, and how many of them did not."""
        rows = np.arange(len(self.window))[block]
        behind = self.window.sum_row[rows]
        order = np.argsort(behind, kind="stable")[(behind < 0).sum() :]
        if not len(order):
            return np.zeros(0, int), 0, 0
        kwh = to_civil_days(self.window.kwh[rows[order]], self.ahead)
        transformers, first = np.unique(behind[order], return_index=True)
        filled = np.add.reduceat((~(kwh >= 0)).astype(np.float32), first, axis=0)
        return transformers, np.add.reduceat(fill_gaps(kwh), first, axis=0), filled

    def evidence(self, rows: slice | np.ndarray) -> Evidence:
        reported = measured = filled = None
        if self.measured is not None:
            row = self.window.sum_row[rows]
            reported = self.reported[row]
            own = ~(to_civil_days(self.window.kwh[rows], self.ahead) >= 0)
            filled = np.maximum(self.filled[row] - own, 0)
            measured = np.where((row >= 0)[:, None, None], self.measured[row], np.float32(np.nan))
        return Evidence(
            kwh=self._civil(rows),
            first_day=self.window.first_day,
            reference=self.reference[rows],
            peer_level=self.peer_level[rows],
            reported=reported,
            measured=measured,
            filled=filled,
        )


def fill_gaps(kwh: np.ndarray) -> np.ndarray:
    """Each gap of (N, D, S) becomes the meter's median of that slot over its days; 0 where it has none."""
    missing = ~(kwh >= 0)
    rows = np.flatnonzero(missing.any((1, 2)))
    if not len(rows):
        return kwh
    filled = kwh.copy()
    for row in rows:  # few have gaps, and a median over NaN of all at once takes four times the memory
        there = ~missing[row]
        curve = np.where(there, kwh[row], np.inf)
        curve.sort(0)
        count = there.sum(0)
        middle = np.take_along_axis(curve, np.maximum(count - 1, 0)[None] // 2, 0)[0]
        filled[row] = np.where(missing[row], np.where(count > 0, middle, 0), kwh[row])
    return filled


def without_outages(evidence: Evidence) -> Evidence:
    """Days on which the neighbours all fell at once are missing: nobody is to blame for an outage."""
    level, half = evidence.peer_level, USUAL_DAYS // 2
    # A median is no more than the most: where nothing lies that far below, there is nothing to look for.
    rows = np.flatnonzero((level < OUTAGE_LEVEL * level.max(1, keepdims=True, initial=0)).any(1))
    if not len(rows):
        return evidence
    padded = np.pad(level[rows], ((0, 0), (half, half)), mode="edge")
    usual = np.median(np.lib.stride_tricks.sliding_window_view(padded, USUAL_DAYS, axis=1), axis=2)
    out = np.zeros(level.shape, bool)
    out[rows] = level[rows] < OUTAGE_LEVEL * usual
    if not out.any():
        return evidence
    return replace(evidence, kwh=np.where(out[:, :, None], np.float32(np.nan), evidence.kwh))


def _daily(kwh: np.ndarray) -> np.ndarray:
    """(N, D) kWh a day, a day with gaps brought up to a whole one; NaN for a day without enough readings."""
    there = ~np.isnan(kwh)
    count = there.sum(2)
    total = np.where(there, kwh, 0).sum(2) * kwh.shape[2] / np.maximum(count, 1)
    return np.where(count >= LEAST_COVERAGE * kwh.shape[2], total, np.nan)


def mean_over(values: np.ndarray, days: np.ndarray) -> np.ndarray:
    """(N,) mean of (N, D) values over the chosen days that have one; 0 without any."""
    chosen = days & ~np.isnan(values)
    return np.where(chosen, values, 0).sum(1) / np.maximum(chosen.sum(1), 1)
