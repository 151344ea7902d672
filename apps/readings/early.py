"""Days that are written while the rest of their file is still being read.

Most files come meter by meter or day by day: what lies behind is over, unless the file comes back to it. That is found
out in any case before the import is committed. Where it happens, or where a meter turns out to read at two intervals,
`NotOver` undoes the import, and the file is read once more, to its end before anything of it is written.
"""

import numpy as np

from apps.readings.assembly import Assembler
from apps.readings.importers.base import Block
from apps.readings.models import Channel
from apps.readings.series import DAY, Columns, Days, same_as_before, spans_of
from apps.readings.spill import COLUMNS, sorted_by_meter

# Fewer tell no interval. The first day of the utility's standard time has one where clocks show summer time.
MOMENTS_LEAST = 4


class NotOver(Exception):
    """The file says more of days that were written already, or says that they were other days."""


class Early:
    """Of one channel of a file."""

    def __init__(self, assembler: Assembler, channel: Channel):
        self.assembler, self.channel = assembler, channel
        self.found: list[Days] = []  # until somebody takes them to write them
        # Of each meter in Reading.names: minutes between its readings (0: it has no such days), its first and last day.
        self.intervals, self.first_days, self.last_days = (np.zeros(0, dtype=np.int32) for _ in range(3))
        self.named = np.zeros(0, dtype=bool)  # of which readings were taken that were not impossible in any case

    def handed_over(self) -> list[Days]:
        found, self.found = self.found, []
        return found

    def take(self, block: Block) -> int:
        """Put the days together that are over; with which reading of the block begin those that are not. 0: none is
        over, as far as this block tells. Raises NotOver."""
        reading = self.assembler.reading
        # What a register read means, only the next one says; the day of a name is over when another day is named, and
        # lines of an archive have their numbers when all of its files are known.
        if self.assembler.statement.is_register or reading.dates_only or reading.rejects.is_archive:
            return 0
        over = self._over(block)
        if over:
            columns = {name: getattr(block, name)[:over] for name in COLUMNS if getattr(block, name) is not None}
            meters, columns = sorted_by_meter(block.meters[:over], columns)
            each = meters[np.append(True, ~same_as_before(meters))]
            self.check_names(each)
            possible = self.assembler.possible(columns["values"])
            self.named[each if possible.all() else meters[possible]] = True
            for days in self.assembler.days_of_portion(Columns.of(Block(meters, **columns)), self.channel):
                self.check(days)
                self._note(days)
                self.found.append(days)
            if self.assembler.periods:
                raise NotOver  # a billing cycle may be longer than what was read of it
        return over

    def _over(self, block: Block) -> int:
        """How many of the first readings are of meters, or else of days, that the block has left behind."""
        meters, minutes = block.meters, block.minutes
        if not (meters[1:] < meters[:-1]).any():
            # Where not even the first meter comes twice, this may be the first moment of a file by time.
            return int(np.searchsorted(meters, meters[-1])) if meters[0] == meters[1] else 0
        named = minutes // DAY
        if (named[1:] < named[:-1]).any():
            return 0
        places = np.append(0, np.flatnonzero(minutes[1:] != minutes[:-1]) + 1)
        stamps = self.assembler.clock_of_grid(minutes[places])
        apart = np.diff(np.unique(stamps.utc))
        if not len(apart):
            return 0
        days = self.assembler.period_starts(stamps, int(apart.min())) // DAY
        moments = np.argmax(days == days.max())
        return int(places[moments]) if moments >= MOMENTS_LEAST else 0

    def check_names(self, meters: np.ndarray) -> None:
        """Raises NotOver where readings of a meter were taken that made no day: they wait, or were refused for their
        interval, without those that come now."""
        self._grow()
        if (self.named[meters] & (self.intervals[meters] == 0)).any():
            raise NotOver

    def check(self, days: Days) -> None:
        """Raises NotOver where these days are beside early ones of the same meter and cannot be."""
        self._grow()
        interval, meters = DAY // days.kwh.shape[1], days.meters
        inside = (days.days >= self.first_days[meters]) & (days.days <= self.last_days[meters])
        if ((self.intervals[meters] > 0) & (inside | (self.intervals[meters] != interval))).any():
            raise NotOver

    def _note(self, days: Days) -> None:
        meters, first, last = spans_of(days.meters, days.days, days.days)
        known = self.intervals[meters] > 0
        self.first_days[meters] = np.where(known, np.minimum(self.first_days[meters], first), first)
        self.last_days[meters] = np.where(known, np.maximum(self.last_days[meters], last), last)
        self.intervals[meters] = DAY // days.kwh.shape[1]

    def _grow(self) -> None:
        more = len(self.assembler.reading.names) - len(self.intervals)
        if more:
            self.intervals, self.first_days, self.last_days = (
                np.append(column, np.zeros(more, dtype=np.int32))
                for column in (self.intervals, self.first_days, self.last_days)
            )
            self.named = np.append(self.named, np.zeros(more, dtype=bool))

    def known(self, intervals: np.ndarray) -> np.ndarray:
        """(names,) minutes between readings: what early days said of a meter goes before what was known of it."""
        self._grow()
        return np.where(self.intervals > 0, self.intervals, intervals)

    def has(self, meters: np.ndarray) -> bool:
        """Has one of these meters early days?"""
        self._grow()
        return bool((self.intervals[meters] > 0).any())
