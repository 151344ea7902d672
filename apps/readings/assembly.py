"""From what a file says to whole days of kWh: clocks, duplicates, registers, intervals, limits. Arrays in, arrays out.

Steps work on the readings of whole meters, sorted by meter and time. Each drops what it refuses and counts it among
the rejected lines with a reason that a sender understands; docs/readings.md has the rules in words.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

from apps.readings import billing, times
from apps.readings.grids import Grid, grid_of
from apps.readings.importers.base import Block, FileFault, Reading, RegisterPeriods
from apps.readings.intervals import (
    DISTANCE_CLASS,
    INTERVALS,
    NEVER_SEEN,
    STAMPS_WITHOUT_NEIGHBOUR,
    UNDECIDED,
    interval_votes,
)
from apps.readings.models import Channel
from apps.readings.registers import energy_between_reads
from apps.readings.series import (
    DAY,
    Columns,
    Days,
    days_of_matrix,
    joined,
    order_of,
    same_as_before,
    sorted_columns,
    whole_days,
    whole_days_at_once,
)
from apps.readings.spill import Spill
from apps.readings.statements import Statement

MOST_SLOTS_A_READING = 4  # in a matrix of days; what is sparser would mostly be filled with nothing


Fallback = Callable[[], np.ndarray]  # (names,) minutes for meters whose own readings do not tell


class Assembler:
    def __init__(self, statement: Statement, reading: Reading):
        self.statement = statement
        self.reading = reading
        self.duplicates = 0
        self.channel = Channel.IMPORT
        self.votes: dict[Channel, np.ndarray] = {}  # (intervals,) how often neighbouring readings are so far apart
        self.waiting: dict[Channel, Spill] = {}  # readings of meters whose own readings tell no interval
        # Told of meters and their interval, before days are made of them.
        self.check_interval: dict[Channel, Callable[[np.ndarray, int], None]] = {}
        self.periods: list[RegisterPeriods] = []  # of meters that are read once in a billing cycle
        self.today = times.today()
        self.oldest = self.today - round(settings.READINGS_OLDEST_YEARS * 365.25)

    def days(self, columns: Columns, known_intervals: np.ndarray | None = None) -> Iterator[Days]:
        """All days of readings that are sorted by meter and time.

        `known_intervals` (names,) are minutes, 0 where a meter is new: they help where one meter has a single reading.
        """
        yield from self._days([columns], known_intervals, self.days_of_meters)

    def days_of_groups(
        self, groups: Iterable[Columns], known_intervals: np.ndarray, channel: Channel = Channel.IMPORT
    ) -> Iterator[Days]:
        """All days of a channel. A group has whole meters, each in the order of the file."""
        self.channel = channel
        for days in self._days(groups, known_intervals, self.days_of_group):
            yield replace(days, channel=channel)

    def days_of_portion(self, columns: Columns, channel: Channel) -> Iterator[Days]:
        """All days of some readings of a channel, before others of it: meter by meter, each in the order of the file.
        Those of which the interval does not show wait for days_of_groups."""
        self.channel = channel
        for days in self.days_of_group(columns, lambda: np.full(len(self.reading.names), UNDECIDED)):
            yield replace(days, channel=channel)

    def _days(
        self,
        groups: Iterable[Columns],
        known_intervals: np.ndarray | None,
        days_of: Callable[[Columns, Fallback], Iterator[Days]],
    ) -> Iterator[Days]:
        """Meters whose own readings tell no interval wait for the file's most common one, which its end decides."""
        known = np.zeros(len(self.reading.names), dtype=int) if known_intervals is None else known_intervals
        for group in groups:
            yield from days_of(group, lambda: np.where(known > 0, known, UNDECIDED))
        if self.channel not in self.waiting:
            return
        with self.waiting.pop(self.channel) as waiting:
            for block in waiting.groups():
                new = known[block.meters] <= 0
                fallback = self.fallback_interval(block[new]) if new.any() else 0
                intervals = np.where(known > 0, known, fallback)
                yield from self.days_of_meters(sorted_columns(Columns.of(block)), lambda found=intervals: found)

    def sorted(self, blocks: Iterable[Block]) -> Columns:
        """The readings of all blocks, without what was not sent."""
        found = [block for block in blocks if len(block.values)]
        if not found:
            return Columns(*(np.zeros(0, dtype) for dtype in ("i4", "i4", "i4", "f8", "i4")))
        columns = Columns.of(joined(found))
        found.clear()
        sent = ~np.isnan(columns.values)
        return sorted_columns(columns if sent.all() else columns[sent])

    def fallback_interval(self, undecided: Block) -> int:
        """For meters whose own readings do not tell; 0 where nothing in the file does."""
        if self.channel in self.votes:
            return int(INTERVALS[self.votes[self.channel].argmax()])
        if (same_as_before(np.sort(undecided.meters))).any():
            return 0
        if self.reading.dates_only:
            return DAY
        utc = self.with_clocks(Columns.of(undecided)).utc
        return next((width for width in STAMPS_WITHOUT_NEIGHBOUR if not (utc % width).any()), 0)

    def days_of_group(self, columns: Columns, fallback: Fallback) -> Iterator[Days]:
        """As days_of_meters, of readings in any order: the quick way for meters that read at the same moments."""
        grid = None if self.statement.is_register else grid_of(columns)
        if grid is not None and (skipped := self.skipped(grid.minutes)).any():
            columns = self.refuse(columns, np.isin(columns.local, grid.minutes[skipped]), self.never_shown())
            grid = grid_of(columns)
        if grid is not None and (found := self.days_of_grid(columns, grid)) is not None:
            even, days = found
            yield from days
            columns = columns[[]] if even.all() else columns[~even[columns.meters - grid.first_meter]]
        if len(columns):
            yield from self.days_of_meters(sorted_columns(columns), fallback)

    def days_of_grid(self, columns: Columns, grid: Grid) -> tuple[np.ndarray, Iterator[Days]] | None:
        """Days of the meters of which nothing has to be refused, and (M,) bool which of the grid's meters these are.
        None where the clock or the interval of the stamps asks for a closer look."""
        stamps = self.clock_of_grid(grid.minutes)
        apart = np.diff(stamps.utc)
        if not len(apart) or apart.min() <= 0 or apart.max() > DAY * 400:
            return None
        interval, times_found = (found[-1] for found in _by_count(apart))
        if interval not in INTERVALS or (apart % interval).any():
            return None
        starts = self.period_starts(stamps, interval)
        days = starts // DAY
        if (starts % interval).any() or days[0] < self.oldest or days[-1] > self.today + 1:
            return None
        if grid.meters * int(days[-1] - days[0] + 1) * (DAY // interval) > MOST_SLOTS_A_READING * len(columns):
            return None
        factor = self.statement.factor * (interval / 60 if self.statement.is_power else 1)
        matrix, quality = grid.filled(columns, columns.values if factor == 1 else columns.values * factor)
        # However the missing readings lie, most neighbours of such a meter are one interval apart.
        missing = np.zeros(len(matrix), dtype=int) if grid.cells is None else np.isnan(matrix).sum(axis=1)
        even = 3 * missing + 2 * (len(apart) - times_found) < len(apart)
        if matrix.size - missing.sum() < len(columns):  # some stamps have several values
            even &= np.bincount(columns.meters - grid.first_meter) == matrix.shape[1] - missing
        limit = settings.READING_MAX_KWH / max(factor, self.statement.factor)
        if columns.values.min() < 0 or columns.values.max() > limit:
            even[columns.meters[(columns.values < 0) | (columns.values > limit)] - grid.first_meter] = False
        if not even.any():
            return None
        votes = np.zeros(NEVER_SEEN, dtype=np.int64)
        votes[DISTANCE_CLASS[interval]] = times_found * int(even.sum())
        self._vote(votes)
        rows = np.flatnonzero(even)
        found = days_of_matrix(
            rows + grid.first_meter,
            starts // interval,
            matrix if even.all() else matrix[rows],
            quality if quality is None or even.all() else quality[rows],
            DAY // interval,
        )
        return even, self.by_width(found, int(interval))

    def clock_of_grid(self, minutes: np.ndarray) -> Columns:
        """Stamps that several meters share, brought to UTC."""
        nothing = np.zeros(len(minutes), dtype=bool)
        stamps = Columns(nothing, minutes, minutes, minutes, minutes)
        if self.reading.dates_only or self.reading.zoned:
            return self.with_clocks(stamps)
        utc, _skipped = times.to_utc(minutes, nothing, times.zone(self.statement.timezone))
        return replace(stamps, utc=utc)

    def skipped(self, minutes: np.ndarray) -> np.ndarray:
        """Which of these stamps the stated clock never showed: (T,) bool, or none of them."""
        if self.reading.dates_only or self.reading.zoned:
            return np.zeros(0, dtype=bool)
        return times.to_utc(minutes, np.zeros(len(minutes), dtype=bool), times.zone(self.statement.timezone))[1]

    def never_shown(self) -> str:
        zone = self.statement.timezone
        return _("this time does not exist: clocks in %(zone)s were put forward over it") % {"zone": zone}

    def days_of_meters(self, columns: Columns, fallback: Fallback) -> Iterator[Days]:
        columns = self.with_clocks(columns)
        if not self.statement.is_register:
            columns = self.without_impossible_values(columns)
        columns = self.without_billed(self.without_duplicates(columns))
        if not len(columns):
            return
        first = columns.meters[0]
        intervals = self.intervals(columns, fallback)
        for interval in np.unique(intervals[np.unique(columns.meters - first)]):
            part = columns if (intervals == interval).all() else columns[intervals[columns.meters - first] == interval]
            if interval == UNDECIDED:
                minutes = part.utc if self.reading.zoned else part.local
                if self.channel not in self.waiting:
                    self.waiting[self.channel] = Spill()
                self.waiting[self.channel].add(
                    Block(part.meters, minutes, part.values, part.lines, quality=part.quality)
                )
            elif interval:
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
        utc, skipped = times.to_utc(columns.local, shown_again(columns), clock)
        columns = self.refuse(replace(columns, utc=utc), skipped, self.never_shown())
        # The second time round, 01:00 follows 01:30.
        order = order_of(columns.meters, columns.utc)
        return columns if order is None else columns[order]

    def without_impossible_values(self, columns: Columns) -> Columns:
        """Before duplicates are looked for: a value that cannot be replaces none that can."""
        columns = self.refuse(columns, columns.values < 0, _("negative: energy taken from the grid cannot be"))
        return self.refuse(columns, ~(columns.values * self.statement.factor <= settings.READING_MAX_KWH), absurd())

    def possible(self, values: np.ndarray) -> np.ndarray:
        """(N,) bool: which of them without_impossible_values leaves."""
        return (values >= 0) & (values * self.statement.factor <= settings.READING_MAX_KWH)

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
        if self.reading.dates_only and conflicting.sum() > len(last):
            raise FileFault(
                _(
                    "Line %(line)d: several readings of a meter come for one day, and no column that is understood says"
                    " their times. Send the time of day beside the date, as 07:30 or as the hour."
                )
                % {"line": int(columns.lines[np.argmax(conflicting)])}
            )
        columns = columns[~followed | conflicting]
        return self.refuse(
            columns,
            conflicting[~followed | conflicting],
            _("duplicate: a later line gives another value for this time"),
        )

    def without_billed(self, columns: Columns) -> Columns:
        """Meters that are read once in a billing cycle have periods instead of load profiles."""
        billed, others = billing.part_billed(columns)
        if len(billed):
            self.periods.append(
                billing.periods_between(billed, self.statement, self.reading.dates_only, self.refuse, self.channel)
            )
        return others

    def intervals(self, columns: Columns, fallback: Fallback) -> np.ndarray:
        """(M,) minutes between the readings of each meter from the first to the last of these; 0 where they are no
        interval that we take."""
        first = columns.meters[0]
        votes = interval_votes(columns.meters - first, columns.utc)
        found = INTERVALS[votes.argmax(axis=1)]
        voted = votes.any(axis=1)
        self._vote(votes.sum(axis=0))
        return found if voted.all() else np.where(voted, found, fallback()[first : first + len(votes)])

    def _vote(self, votes: np.ndarray) -> None:
        if votes.any():
            self.votes[self.channel] = self.votes.get(self.channel, 0) + votes

    def days_of_interval(self, columns: Columns, interval: int) -> Iterator[Days]:
        if self.channel in self.check_interval:
            self.check_interval[self.channel](columns.meters, interval)
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
        columns = replace(columns, values=kwh)
        for rows in whole_days_at_once(columns.meters, days, DAY // interval):
            yield from self.by_width(whole_days(columns[rows], starts[rows], interval), interval)

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
                quality = None if found.quality is None else found.quality[wide, marked]
                yield Days(found.meters[wide], found.days[wide], kwh, quality)
                left &= ~wide
        if left.any():
            yield found[left]

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


def shown_again(columns: Columns) -> np.ndarray:
    """(N,) bool: of readings with the same stamp, which one was when the meter's clock showed it again: the later line,
    or the earlier one where the meter's lines begin with the newest."""
    same_meter = same_as_before(columns.meters)
    again = np.zeros(len(columns), dtype=bool)
    again[1:] = same_meter & same_as_before(columns.local)
    if again.any():
        steps = np.sign(np.diff(columns.lines)) * (same_meter & ~again[1:])
        backwards = np.bincount(columns.meters[1:] - columns.meters[0], steps) < 0
        turned = again[1:] & backwards[columns.meters[1:] - columns.meters[0]]
        again[1:][turned] = False
        again[:-1][turned] = True
    return again


def absurd() -> str:
    return _("absurd: above %(limit)d kWh for one reading") % {"limit": settings.READING_MAX_KWH}


def _by_count(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Different values and how often each occurs, the most frequent one last."""
    found, counts = np.unique(values, return_counts=True)
    order = np.argsort(counts, kind="stable")
    return found[order], counts[order]
