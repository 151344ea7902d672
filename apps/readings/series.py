"""The two forms that readings have on their way from a file to the table: one by one in columns, and as whole days.
Nothing about them is decided here."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from apps.readings.importers.base import Block
from apps.readings.models import Channel

DAY = 1440
SLOTS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Columns:
    """Readings, one element each, sorted by meter, then time, then place in the file."""

    meters: np.ndarray  # (N,) int32
    local: np.ndarray  # (N,) int32 minutes since 1970 as the meter's clock showed them
    utc: np.ndarray  # (N,) int32 minutes since 1970
    values: np.ndarray  # (N,) float64
    lines: np.ndarray  # (N,) int32
    quality: np.ndarray | None = None  # (N,) int8; None: all measured

    @classmethod
    def of(cls, block: Block) -> Self:
        """As the block has them: its clock is not applied yet."""
        return cls(block.meters, block.minutes, block.minutes, block.values, block.lines, block.quality)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: np.ndarray | slice) -> Self:
        found = (getattr(self, column.name) for column in fields(self))
        return Columns(*(None if column is None else column[rows] for column in found))


@dataclass(frozen=True)
class Days:
    """Whole days that share an interval; a meter and day occurs once."""

    meters: np.ndarray  # (R,) int32, positions in Reading.names
    days: np.ndarray  # (R,) int32, days of the utility's standard time since 1970
    kwh: np.ndarray  # (R, S) float32, NaN = missing
    quality: np.ndarray | None = None  # (R, S) int8; None: all measured
    channel: Channel = Channel.IMPORT

    def __len__(self) -> int:
        return len(self.days)

    def __getitem__(self, rows: np.ndarray | slice) -> Self:
        """Those rows; the same object where that is all."""
        if not isinstance(rows, slice) and rows.dtype == bool and rows.all():
            return self
        quality = None if self.quality is None else self.quality[rows]
        return replace(self, meters=self.meters[rows], days=self.days[rows], kwh=self.kwh[rows], quality=quality)


def same_as_before(values: np.ndarray) -> np.ndarray:
    return values[1:] == values[:-1]


def spans_of(meters: np.ndarray, first_days: np.ndarray, last_days: np.ndarray) -> tuple[np.ndarray, ...]:
    """Each meter once, rising, with its first and its last day."""
    order = np.argsort(meters, kind="stable")
    ids, starts = np.unique(meters[order], return_index=True)
    return ids, np.minimum.reduceat(first_days[order], starts), np.maximum.reduceat(last_days[order], starts)


def sorted_columns(columns: Columns) -> Columns:
    order = order_of(columns.meters, columns.local)
    return columns if order is None else columns[order]


def order_of(meters: np.ndarray, minutes: np.ndarray) -> np.ndarray | None:
    """What sorts by meter and time and keeps the file's order among equals; None where they are sorted."""
    rising = (meters[1:] > meters[:-1]) | (same_as_before(meters) & (minutes[1:] >= minutes[:-1]))
    if rising.all():
        return None
    key = meters.astype(np.int64) << 32
    key += minutes.astype(np.int64) + 2**31
    return np.argsort(key, kind="stable")


def joined(blocks: list[Block]) -> Block:
    """One block of all; channels are kept apart before."""
    if len(blocks) == 1:
        return blocks[0]
    columns = [[getattr(block, name) for block in blocks] for name in ("meters", "minutes", "values", "lines")]
    quality = None
    if any(block.quality is not None for block in blocks):
        found = ((block.quality, len(block.values)) for block in blocks)
        quality = np.concatenate([np.zeros(size, "i1") if flags is None else flags for flags, size in found])
    return Block(*(np.concatenate(column) for column in columns), quality=quality)


def whole_days_at_once(meters: np.ndarray, days: np.ndarray, slots_a_day: int) -> Iterator[slice]:
    """Slices that part no day: a single reading of a day takes the room of all its slots."""
    rows = np.flatnonzero(np.append(True, ~(same_as_before(meters) & same_as_before(days)))) if len(meters) else []
    ends = [*rows[SLOTS_AT_ONCE // slots_a_day :: SLOTS_AT_ONCE // slots_a_day], len(meters)]
    start = 0
    for end in ends:
        if end > start:
            yield slice(start, end)
        start = end


def whole_days(columns: Columns, starts: np.ndarray, interval: int) -> Days:
    """Readings in kWh, sorted by meter and time, to one row for each meter and day."""
    meters, days, slots_a_day = columns.meters, starts // DAY, DAY // interval
    first = np.ones(len(columns), dtype=bool)
    first[1:] = ~(same_as_before(meters) & same_as_before(days))
    begins = np.flatnonzero(first)
    flagged = columns.quality is not None and columns.quality.any()
    if len(begins) * slots_a_day == len(columns):  # no slot is missing
        kwh = columns.values.astype(np.float32).reshape(-1, slots_a_day)
        quality = columns.quality.reshape(-1, slots_a_day).copy() if flagged else None  # of a buffer that goes on
        return Days(meters[begins], days[begins], kwh, quality)
    kwh = np.full((len(begins), slots_a_day), np.nan, dtype=np.float32)
    cells = np.cumsum(first) - 1, (starts - days * DAY) // interval
    kwh[cells] = columns.values
    quality = None
    if flagged:
        quality = np.zeros(kwh.shape, dtype=np.int8)
        quality[cells] = columns.quality
    return Days(meters[begins], days[begins], kwh, quality)


def days_of_matrix(
    meters: np.ndarray, slots: np.ndarray, kwh: np.ndarray, quality: np.ndarray | None, slots_a_day: int
) -> Days:
    """(M, T) readings at T slots, counted since 1970 and rising, to one row for each meter and day with readings."""
    first_day, last_day = slots[0] // slots_a_day, slots[-1] // slots_a_day
    days = np.arange(first_day, last_day + 1, dtype=np.int32)
    if len(days) * slots_a_day > len(slots):
        places = slots - first_day * slots_a_day
        if places[-1] - places[0] + 1 == len(places):
            places = slice(places[0], places[-1] + 1)  # no gap: many times as quick
        whole = np.full((len(kwh), len(days) * slots_a_day), np.nan, dtype=np.float32)
        whole[:, places] = kwh
        kwh = whole
        if quality is not None:
            flags = np.zeros(kwh.shape, dtype=np.int8)
            flags[:, places] = quality
            quality = flags
    found = Days(
        np.repeat(meters.astype(np.int32), len(days)),
        np.tile(days, len(meters)),
        kwh.reshape(-1, slots_a_day),
        None if quality is None else quality.reshape(-1, slots_a_day),
    )
    missing = np.isnan(found.kwh)
    return found[~missing.all(axis=1)] if missing.any() else found
