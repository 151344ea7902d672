"""Days that are written while the rest of their file is still being read.

Most files come meter by meter or day by day: what lies behind is over, unless the file comes back to it. That is found
out in any case before the import is committed. Where it happens, or where a meter turns out to read at two intervals,
`NotOver` undoes the import, and the file is read once more, to its end before anything of it is written.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from apps.readings.assembly import MOST_SLOTS_A_READING, Assembler
from apps.readings.billing import LEAST_DAYS
from apps.readings.importers.base import Block
from apps.readings.models import Channel
from apps.readings.series import DAY, Columns, Days, same_as_before, spans_of
from apps.readings.spill import COLUMNS, sorted_by_meter

# Fewer tell no interval. The first day of the utility's standard time has one where clocks show summer time.
MOMENTS_LEAST = 4
CYCLE = LEAST_DAYS * DAY - 120  # minutes, by clocks that may be put forward in between
# Of a meter: how many readings were taken that were not impossible in any case, their first and last stamp; minutes
# between them (0: they made no day), its first and last day.
TAKEN = np.dtype([(name, "i4") for name in ("count", "first", "last", "interval", "first_day", "last_day")])


class NotOver(Exception):
    """The file says more of days that were written already, or says that they were other days."""


class Early:
    """Of one channel of a file."""

    def __init__(self, assembler: Assembler, channel: Channel):
        self.assembler, self.channel = assembler, channel
        self.found: list[Days] = []  # until somebody takes them to write them
        self.taken = np.zeros(0, TAKEN)  # by position in Reading.names
        assembler.check_interval[channel] = self.check_interval

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
            self._note_readings(meters, columns["minutes"], columns["values"])
            slots = 0
            for days in self.assembler.days_of_portion(Columns.of(Block(meters, **columns)), self.channel):
                self.check(days)
                self._note_days(days)
                self.found.append(days)
                slots += days.kwh.size
                if slots > MOST_SLOTS_A_READING * over:
                    raise NotOver  # there may be too many to wait for their turn
            if self.assembler.periods:
                raise NotOver  # a billing cycle may be longer than what was read of it
        return over

    def checked(self, groups: Iterable[Columns]) -> Iterator[Columns]:
        """Readings that were not taken early; NotOver where they say more of those that were."""
        for columns in groups:
            self._note_readings(columns.meters, columns.local, columns.values)
            yield columns

    def _over(self, block: Block) -> int:
        """How many of the first readings are of meters, or else of days, that the block has left behind."""
        meters, minutes = block.meters, block.minutes
        if not (meters[1:] < meters[:-1]).any():
            # Where all are of one day, or not even the first meter comes twice, a file by time may begin so.
            begins = meters[0] != meters[1] or minutes.min() // DAY == minutes.max() // DAY
            return 0 if begins else int(np.searchsorted(meters, meters[-1]))
        named = minutes // DAY
        if (named[1:] < named[:-1]).any():
            return 0
        places = np.append(0, np.flatnonzero(minutes[1:] != minutes[:-1]) + 1)
        stamps = self.assembler.clock_of_grid(minutes[places])
        apart = np.diff(np.unique(stamps.utc))
        if not len(apart):
            return 0
        days = self.assembler.period_starts(stamps, int(apart.min())) // DAY
        lowest_behind = np.minimum.accumulate(days[::-1])[::-1][1:]
        cuts = np.flatnonzero(np.maximum.accumulate(days)[:-1] < lowest_behind) + 1
        if (minutes[1:] < minutes[:-1]).any():
            # Meter by meter in each day of the file's clock: the utility's day may begin in the middle of it, and what
            # the next meters say of the day before is still to come.
            cuts = cuts[cuts <= np.argmax(named[places] == named[-1])]
        moments = cuts[-1] if len(cuts) else 0
        return int(places[moments]) if moments >= MOMENTS_LEAST else 0

    def _note_readings(self, meters: np.ndarray, minutes: np.ndarray, values: np.ndarray) -> None:
        """Raises NotOver where readings of these meters were taken that mean something else beside these."""
        possible = self.assembler.possible(values)
        if not possible.all():
            meters, minutes = meters[possible], minutes[possible]
        if not len(meters):
            return
        meters, columns = sorted_by_meter(meters, {"minutes": minutes})
        starts = np.flatnonzero(np.append(True, ~same_as_before(meters)))
        meters, counts = meters[starts], np.diff(starts, append=len(meters))
        first, last = (found.reduceat(columns["minutes"], starts) for found in (np.minimum, np.maximum))
        self._grow()
        before = self.taken[meters]
        known = before["count"] > 0
        # They wait to be told an interval, or were refused for theirs.
        undecided = before["interval"] == 0
        # One of a stamp counts, and a day may be the other's too.
        shared = (first <= before["last"]) & (last >= before["first"])
        first = np.where(known, np.minimum(before["first"], first), first)
        last = np.where(known, np.maximum(before["last"], last), last)
        counts = counts + before["count"]
        # Reads of billing cycles, if most of them are so far apart; some may have come twice.
        billed = 4 * ((last - first) // CYCLE) > counts - 1
        self.taken["count"][meters], self.taken["first"][meters], self.taken["last"][meters] = counts, first, last
        if (known & (undecided | shared | billed)).any():
            raise NotOver

    def check_interval(self, meters: np.ndarray, interval: int) -> None:
        """Raises NotOver where a meter had another interval: what is off its grid may have been on it."""
        self._grow()
        before = self.taken["interval"][meters]
        if ((before > 0) & (before != interval)).any():
            raise NotOver

    def check(self, days: Days) -> None:
        """Raises NotOver where these days are beside early ones of the same meter and cannot be."""
        self.check_interval(days.meters, DAY // days.kwh.shape[1])
        before = self.taken[days.meters]
        inside = (days.days >= before["first_day"]) & (days.days <= before["last_day"])
        if ((before["interval"] > 0) & inside).any():
            raise NotOver

    def _note_days(self, days: Days) -> None:
        meters, first, last = spans_of(days.meters, days.days, days.days)
        before = self.taken[meters]
        known = before["interval"] > 0
        self.taken["first_day"][meters] = np.where(known, np.minimum(before["first_day"], first), first)
        self.taken["last_day"][meters] = np.where(known, np.maximum(before["last_day"], last), last)
        self.taken["interval"][meters] = DAY // days.kwh.shape[1]

    def _grow(self) -> None:
        more = len(self.assembler.reading.names) - len(self.taken)
        if more:
            self.taken = np.append(self.taken, np.zeros(more, TAKEN))

    def known(self, intervals: np.ndarray) -> np.ndarray:
        """(names,) minutes between readings: what early days said of a meter goes before what was known of it."""
        self._grow()
        return np.where(self.taken["interval"] > 0, self.taken["interval"], intervals)

    def has(self, meters: np.ndarray) -> bool:
        """Has one of these meters early days?"""
        self._grow()
        return bool((self.taken["interval"][meters] > 0).any())
