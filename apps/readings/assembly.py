"""From what a file says to whole days of kWh: clocks, duplicates, registers, intervals, limits. Arrays in, arrays out.

Steps work on the readings of whole meters, sorted by meter and time. Each drops what it refuses and counts it among
the rejected lines with a reason that a sender understands; docs/readings.md has the rules in words.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Self

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

from apps.readings import times
from apps.readings.importers.base import Block, Reading
from apps.readings.registers import energy_between_reads
from apps.readings.statements import Statement

DAY = 1440
INTERVALS = np.array([minutes for minutes in range(5, 61) if DAY % minutes == 0] + [DAY])
CHUNK_READINGS = 2_000_000
NEVER_SEEN = len(INTERVALS)  # the class of a distance that is no interval
DISTANCE_CLASS = np.full(DAY + 2, NEVER_SEEN, dtype=np.int8)
DISTANCE_CLASS[INTERVALS] = np.arange(len(INTERVALS))
STAMPS_WITHOUT_NEIGHBOUR = (60, 30, 15, 10, 5)  # the widest that all stamps fit on is taken


Fallback = Callable[[], np.ndarray]  # (names,) minutes for meters whose own readings do not tell


@dataclass(frozen=True)
class Columns:
    """Readings, one element each, sorted by meter, then time, then place in the file."""

    meters: np.ndarray  # (N,) int32
    local: np.ndarray  # (N,) int32 minutes since 1970 as the meter's clock showed them
    utc: np.ndarray  # (N,) int32 minutes since 1970
    values: np.ndarray  # (N,) float64
    lines: np.ndarray  # (N,) int32

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: np.ndarray | slice) -> Self:
        return Columns(*(getattr(self, column.name)[rows] for column in fields(self)))


@dataclass(frozen=True)
class Days:
    """Whole days that share an interval; a meter and day occurs once."""

    meters: np.ndarray  # (R,) int32, positions in Reading.names
    days: np.ndarray  # (R,) int32, days of the utility's standard time since 1970
    kwh: np.ndarray  # (R, S) float32, NaN = missing


class Assembler:
    def __init__(self, statement: Statement, reading: Reading):
        self.statement = statement
        self.reading = reading
        self.duplicates = 0
        self.today = times.today()
        self.oldest = self.today - round(settings.READINGS_OLDEST_YEARS * 365.25)

    def days(self, columns: Columns, known_intervals: np.ndarray | None = None) -> Iterator[Days]:
        """All days of a file. Meters come whole and once, in the order of their positions.

        `known_intervals` (names,) are minutes, 0 where a meter is new: they help where one meter has a single reading.
        """

        @cache
        def fallback() -> np.ndarray:
            found = np.full(len(self.reading.names), self.fallback_interval(columns))
            return found if known_intervals is None else np.where(known_intervals > 0, known_intervals, found)

        for chunk in chunks_of_meters(columns):
            yield from self.days_of_meters(chunk, fallback)

    def sorted(self, blocks: Iterable[Block]) -> Columns:
        """The readings of all blocks, without what was not sent."""
        found = [block for block in blocks if len(block.values)]
        if not found:
            return Columns(*(np.zeros(0, dtype) for dtype in ("i4", "i4", "i4", "f8", "i4")))
        block = joined(found)
        found.clear()
        columns = Columns(block.meters, block.minutes, block.minutes, block.values, block.lines)
        sent = ~np.isnan(columns.values)
        if not sent.all():
            columns = columns[sent]
        order = order_of(columns.meters, columns.local)
        return columns if order is None else columns[order]

    def fallback_interval(self, columns: Columns) -> int:
        """For meters whose own readings do not tell; 0 where nothing in the file does."""
        apart, _places = distances(columns.meters, columns.utc)
        votes = np.bincount(DISTANCE_CLASS[np.minimum(apart, DAY + 1)], minlength=NEVER_SEEN + 1)[:NEVER_SEEN]
        if votes.any():
            return int(INTERVALS[votes.argmax()])
        if len(apart):
            return 0
        if self.reading.dates_only:
            return DAY
        return next((width for width in STAMPS_WITHOUT_NEIGHBOUR if not (columns.utc % width).any()), 0)

    def days_of_meters(self, columns: Columns, fallback: Fallback) -> Iterator[Days]:
        columns = self.with_clocks(columns)
        if not self.statement.is_register:
            columns = self.without_impossible_values(columns)
        columns = self.without_duplicates(columns)
        if not len(columns):
            return
        first = columns.meters[0]
        intervals = self.intervals(columns, fallback)
        for interval in np.unique(intervals[np.unique(columns.meters - first)]):
            part = columns if (intervals == interval).all() else columns[intervals[columns.meters - first] == interval]
            if interval:
                yield from self.days_of_interval(part, int(interval))
            else:
                reason = _("readings are neither 5 to 60 minutes nor a day apart")
                self.refuse(part, np.ones(len(part), dtype=bool), reason)

    def with_clocks(self, columns: Columns) -> Columns:
        """Bring stamps to UTC and drop those that the stated clock never showed."""
        if self.reading.dates_only:
            return columns  # the name of a day is no moment: it means that day wherever the meter stands
        if self.reading.zoned:
            return replace(columns, local=times.to_local(columns.utc, times.utility_zone()))
        clock = times.zone(self.statement.timezone)
        if clock.is_fixed:
            return replace(columns, utc=columns.local - np.int32(clock.offsets[0]))
        again = np.zeros(len(columns), dtype=bool)
        again[1:] = same_as_before(columns.meters) & same_as_before(columns.local)
        utc, skipped = times.to_utc(columns.local, again, clock)
        columns = self.refuse(
            replace(columns, utc=utc),
            skipped,
            _("this time does not exist: clocks in %(zone)s were put forward over it")
            % {"zone": self.statement.timezone},
        )
        # The second time round, 01:00 follows 01:30.
        order = order_of(columns.meters, columns.utc)
        return columns if order is None else columns[order]

    def without_impossible_values(self, columns: Columns) -> Columns:
        """Before duplicates are looked for: a value that cannot be replaces none that can."""
        columns = self.refuse(columns, columns.values < 0, _("negative: energy taken from the grid cannot be"))
        return self.refuse(columns, ~(columns.values * self.statement.factor <= settings.READING_MAX_KWH), absurd())

    def without_duplicates(self, columns: Columns) -> Columns:
        """The last line for a meter and time counts; an earlier one that says something else is a rejected line."""
        followed = np.zeros(len(columns), dtype=bool)
        followed[:-1] = same_as_before(columns.meters) & same_as_before(columns.utc)
        if not followed.any():
            return columns
        last = np.flatnonzero(~followed)
        kept = columns.values[last[np.searchsorted(last, np.arange(len(columns)))]]
        self.duplicates += int((followed & (columns.values == kept)).sum())
        conflicting = followed & (columns.values != kept)
        columns = columns[~followed | conflicting]
        return self.refuse(
            columns,
            conflicting[~followed | conflicting],
            _("duplicate: a later line gives another value for this time"),
        )

    def intervals(self, columns: Columns, fallback: Fallback) -> np.ndarray:
        """(M,) minutes between the readings of each meter from the first to the last of these; 0 where they are no
        interval that we take."""
        first = columns.meters[0]
        votes = interval_votes(columns.meters - first, columns.utc)
        found = INTERVALS[votes.argmax(axis=1)]
        voted = votes.any(axis=1)
        return found if voted.all() else np.where(voted, found, fallback()[first : first + len(votes)])

    def days_of_interval(self, columns: Columns, interval: int) -> Iterator[Days]:
        if self.statement.is_register:
            columns = energy_between_reads(columns, interval, self.refuse)
        starts = self.period_starts(columns, interval)
        days = starts // DAY
        kwh = columns.values * (self.statement.factor * (interval / 60 if self.statement.is_power else 1))
        good = np.ones(len(columns), dtype=bool)
        for wrong, reason in (
            (starts % interval != 0, _("off the grid of this meter's %(minutes)d minutes") % {"minutes": interval}),
            (
                (days < self.oldest) | (days > self.today + 1),
                _("the day is more than %(years)d years ago or after tomorrow")
                % {"years": settings.READINGS_OLDEST_YEARS},
            ),
            (~(kwh <= settings.READING_MAX_KWH), absurd()),
        ):
            self.refuse(columns, wrong & good, reason)
            good &= ~wrong
        if not good.all():
            columns, starts, days, kwh = columns[good], starts[good], days[good], kwh[good]
        if len(columns):
            found = whole_days(columns.meters, days, (starts - days * DAY) // interval, kwh, DAY // interval)
            yield from self.by_width(found, interval)

    def by_width(self, found: Days, interval: int) -> Iterator[Days]:
        """A meter may be set to another interval within a file: a day with every reading of a wider interval, and none
        between, came at that one. Half an hour's slot is no place for an hour's energy."""
        sent = np.isfinite(found.kwh)
        if self.statement.is_register or sent.all():
            yield found
            return
        left = np.ones(len(found.days), dtype=bool)
        for width in (
            minutes for minutes in INTERVALS.tolist() if interval < minutes < DAY and minutes % interval == 0
        ):
            slots = width // interval
            marked = slice(slots - 1 if self.statement.is_period_end else 0, None, slots)
            wide = left & sent[:, marked].all(axis=1) & (sent.sum(axis=1) == DAY // width)
            if wide.any():
                # Power lasts for the whole of the wider interval; energy is what it is.
                kwh = found.kwh[wide, marked] * (slots if self.statement.is_power else 1)
                yield Days(found.meters[wide], found.days[wide], kwh)
                left &= ~wide
        if left.any():
            yield Days(found.meters[left], found.days[left], found.kwh[left])

    def period_starts(self, columns: Columns, interval: int) -> np.ndarray:
        """(N,) minutes since 1970 in the utility's standard time; for daily readings in its civil time."""
        ends = self.statement.is_period_end and not self.reading.dates_only and not self.statement.is_register
        shift = interval if ends else 0
        if interval == DAY:
            # A daily reading belongs to the civil day that the sender names, also where that has 23 or 25 hours.
            starts = columns.local - np.int32(shift)
            # A stamp with a zone names a moment, perhaps midnight elsewhere: the day that begins nearest is meant.
            return (starts + DAY // 2) // DAY * DAY if self.reading.zoned else starts
        return columns.utc + np.int32(times.utility_offset_minutes() - shift)

    def refuse(self, columns: Columns, wrong: np.ndarray, reason: str) -> Columns:
        """Count the wrong ones among the rejected lines and return the others."""
        if not wrong.any():
            return columns
        refused = columns[wrong]
        self.reading.rejects.add(refused.lines, reason, self.describe(refused))
        return columns[~wrong]

    def describe(self, refused: Columns) -> Callable[[int], str]:
        def text(i: int) -> str:
            stamp = np.datetime64(int(refused.local[i]), "m").item()
            name = self.reading.names[refused.meters[i]]
            return f"{name},{stamp:%Y-%m-%d %H:%M},{refused.values[i]:.10g}"

        return text


def absurd() -> str:
    return _("absurd: above %(limit)d kWh for one reading") % {"limit": settings.READING_MAX_KWH}


def same_as_before(values: np.ndarray) -> np.ndarray:
    return values[1:] == values[:-1]


def order_of(meters: np.ndarray, minutes: np.ndarray) -> np.ndarray | None:
    """What sorts by meter and time and keeps the file's order among equals; None where they are sorted."""
    rising = (meters[1:] > meters[:-1]) | (same_as_before(meters) & (minutes[1:] >= minutes[:-1]))
    if rising.all():
        return None
    key = meters.astype(np.int64) << 32
    key += minutes.astype(np.int64) + 2**31
    return np.argsort(key, kind="stable")


def distances(meters: np.ndarray, minutes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Minutes between neighbours of one meter, and where the second of them stands; equal stamps have none."""
    apart = minutes[1:] - minutes[:-1]
    inside = np.flatnonzero(same_as_before(meters) & (apart > 0))
    return apart[inside], inside + 1


def interval_votes(meters: np.ndarray, minutes: np.ndarray) -> np.ndarray:
    """(last meter + 1, intervals): how often neighbouring readings of a meter are so far apart."""
    apart, places = distances(meters, minutes)
    classes = DISTANCE_CLASS[np.minimum(apart, DAY + 1)]
    rows, width = int(meters[-1]) + 1, len(INTERVALS) + 1
    cells = np.bincount(meters[places].astype(np.int64) * width + classes, minlength=rows * width)
    return cells.reshape(rows, width)[:, :NEVER_SEEN]


def chunks_of_meters(columns: Columns) -> Iterator[Columns]:
    """Slices of about CHUNK_READINGS that never part a meter."""
    starts = np.append(np.flatnonzero(np.diff(columns.meters, prepend=-1)), len(columns))
    start = 0
    while start < len(columns):
        end = int(starts[min(np.searchsorted(starts, start + CHUNK_READINGS), len(starts) - 1)])
        yield columns[start:end]
        start = end


def joined(blocks: list[Block]) -> Block:
    if len(blocks) == 1:
        return blocks[0]
    needed = ("meters", "minutes", "values", "lines")
    return Block(*(np.concatenate([getattr(block, column) for block in blocks]) for column in needed))


def whole_days(meters: np.ndarray, days: np.ndarray, slots: np.ndarray, kwh: np.ndarray, slots_a_day: int) -> Days:
    """Readings sorted by meter and time to one row for each meter and day."""
    first = np.ones(len(kwh), dtype=bool)
    first[1:] = ~(same_as_before(meters) & same_as_before(days))
    starts = np.flatnonzero(first)
    if len(starts) * slots_a_day == len(kwh):
        return Days(meters[starts], days[starts], kwh.astype(np.float32).reshape(-1, slots_a_day))  # no slot is missing
    rows = np.full((len(starts), slots_a_day), np.nan, dtype=np.float32)
    rows[np.cumsum(first) - 1, slots] = kwh
    return Days(meters[starts], days[starts], rows)
