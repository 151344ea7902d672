"""Readings of meters that mostly read at the same moments, as one matrix: nothing is sorted, and clocks and days are
worked out once for all meters instead of for each reading."""

from dataclasses import dataclass

import numpy as np

from apps.readings.series import Columns

LONGEST_SPAN_MINUTES = 12_000_000  # over twenty years
MOST_CELLS_A_READING = 2


@dataclass(frozen=True)
class Grid:
    """Where each reading has its place: M meters, T stamps."""

    first_meter: int
    meters: int
    minutes: np.ndarray  # (T,) int32 as the file has them, rising
    cells: np.ndarray | None  # (N,) int64, of each reading; None: all of them lie in order and none is missing

    def filled(self, columns: Columns, kwh: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """(M, T) kWh with NaN where nothing was sent, and quality. Of several values for one stamp any may be there."""
        shape = self.meters, len(self.minutes)
        with np.errstate(over="ignore"):  # a file may say 1e308; what is absurd is refused afterwards
            kwh = kwh.astype(np.float32)
        if self.cells is None:
            flagged = columns.quality is not None and columns.quality.any()
            return kwh.reshape(shape), columns.quality.reshape(shape).copy() if flagged else None
        matrix = np.full(shape, np.nan, dtype=np.float32)
        matrix.ravel()[self.cells] = kwh
        if columns.quality is None or not columns.quality.any():
            return matrix, None
        flags = np.zeros(shape, dtype=np.int8)
        flags.ravel()[self.cells] = columns.quality
        return matrix, flags


def grid_of(columns: Columns) -> Grid | None:
    """None where the readings would fill too little of a matrix."""
    if len(columns) < 2:
        return None
    return in_step(columns) or scattered(columns)


def in_step(columns: Columns) -> Grid | None:
    """Of meters one after the other, each with the same rising stamps; None of others."""
    first_meter = int(columns.meters[0])
    meters = int(columns.meters[-1]) - first_meter + 1
    if meters < 1 or len(columns) % meters:
        return None
    minutes = columns.local[: len(columns) // meters]
    each = np.arange(first_meter, first_meter + meters, dtype=np.int32)[:, None]
    if (
        (minutes[1:] <= minutes[:-1]).any()
        or (columns.local.reshape(meters, -1) != minutes).any()
        or (columns.meters.reshape(meters, -1) != each).any()
    ):
        return None
    return Grid(first_meter, meters, minutes, None)


def scattered(columns: Columns) -> Grid | None:
    first_meter, first = int(columns.meters.min()), int(columns.local.min())
    meters, span = int(columns.meters.max()) - first_meter + 1, int(columns.local.max()) - first + 1
    if span > LONGEST_SPAN_MINUTES:
        return None
    since = columns.local - np.int32(first)
    seen = np.zeros(span, dtype=bool)
    seen[since] = True
    stamps = np.flatnonzero(seen)
    if meters * len(stamps) > MOST_CELLS_A_READING * len(columns):
        return None
    column = np.empty(span, dtype=np.int32)
    column[stamps] = np.arange(len(stamps))
    cells = (columns.meters - np.int32(first_meter)) * np.int64(len(stamps))
    cells += column.take(since)
    return Grid(first_meter, meters, (stamps + first).astype(np.int32), cells)
