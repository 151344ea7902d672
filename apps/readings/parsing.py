"""What a raw file says: its format, clocks and meters settled, in whole days.

Memory stays bounded whatever the size of the file: readings become days while it is read, or wait on disk for the
others of their meter; and days are put together only as fast as they are taken.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

from apps.readings import billing, events, importers, meters
from apps.readings.ahead import made_ahead
from apps.readings.assembly import Assembler
from apps.readings.early import Early, NotOver
from apps.readings.importers.base import Block, FileFault, Reading, Rejects
from apps.readings.models import Channel, Upload
from apps.readings.progress import Progress
from apps.readings.series import Columns, Days
from apps.readings.spill import Spill
from apps.readings.statements import Statement

BLOCKS_AHEAD = 4  # that are read while others are sorted
BLOCKS_AHEAD_OF_WRITING = 12  # while the database takes days that are over
DAYS_AHEAD = 2  # groups of meters that are put together while one is written
READING_SHARE = 0.5  # of the time that an import takes


class Told:
    """What a file says. First it is read to its end, by `read` or `read_early`; then it tells whom it names and between
    which days. What of it can be taken shows as its days are put together, so `periods` come after `days`.
    To be closed by `with`."""

    def __init__(self, upload: Upload, progress: Progress, doing: str = ""):
        """`doing` is what the page says while the file is read. Raises FileFault where nobody can tell how to read
        it."""
        self.upload, self.progress, self.doing = upload, progress, doing or _("Reading the file")
        statement = Statement.of(upload)
        self.format = importers.recognise(upload.path, statement.format, statement.columns)
        # What a person says of columns may make another format of it, which dictates something else.
        statement = replace(statement, **importers.fixed(self.format.name))
        self.reading = Reading(
            Rejects(settings.REJECTED_LINES_KEPT), said_order=statement.order, timezone=statement.timezone
        )
        self.assembler = Assembler(statement, self.reading)
        self.spills: dict[Channel, Spill] = {}
        self.early: dict[Channel, Early] = {}
        self.found_days = False
        self.stack = ExitStack()

    def read(self) -> None:
        """Raises FileFault."""
        for _none in self._fill(early=False):
            self._say_progress()
        self._end()

    def read_early(self) -> Iterator[list[Days]]:
        """Days that are over while the file is still read; they are not among `days` any more. Raises FileFault, and,
        as `days` and `periods` do then, NotOver."""
        with closing(made_ahead(self._early_days(), BLOCKS_AHEAD_OF_WRITING)) as found:
            for parts in found:
                self._say_progress()
                if parts:
                    self.found_days = True
                    yield parts
        self._end()

    def _say_progress(self) -> None:
        self.progress.say(self.reading.fraction * READING_SHARE, self.doing)

    def _end(self) -> None:
        self.foreign = meters.foreign(self.reading.names, self.upload.by)
        self.known_intervals = meters.known_intervals(self.reading.names)
        self.events = events.check(self.reading, self.assembler.statement, self.foreign)

    def _early_days(self) -> Iterator[list[Days]]:
        for _none in self._fill(early=True):
            yield [days for early in self.early.values() for days in early.handed_over()]

    def _fill(self, *, early: bool) -> Iterator[None]:
        """Block by block into the spills."""
        for block in made_ahead(self.format.blocks(self.upload.path, self.reading), BLOCKS_AHEAD):
            for channel, readings in by_channel(block):
                if channel not in self.spills:
                    self.spills[channel] = self.stack.enter_context(Spill(self._early(channel) if early else None))
                self.spills[channel].add(readings)
            yield

    def _early(self, channel: Channel) -> Callable[[Block], int]:
        self.early[channel] = Early(self.assembler, channel)
        return self.early[channel].take

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.stack.close()

    def __len__(self) -> int:
        """How many readings wait to become days."""
        return sum(map(len, self.spills.values()))

    def named(self) -> np.ndarray:
        """(names,) bool: meters of which something may be taken."""
        found = np.zeros(len(self.reading.names), dtype=bool)
        for spill in [*self.spills.values(), *self.assembler.waiting.values()]:
            found |= spill.named(len(found))
        for periods in self.reading.registers:
            found[periods.meters] = True
        found[self.events.meters] = True
        return found & ~self.foreign

    def stamped_days(self) -> np.ndarray:
        """Days since 1970 that its readings may lie in: clocks and ends of periods move a stamp by up to a day."""
        spills = list(self.spills.values())  # the thread that reads may find another channel meanwhile
        stamps = np.concatenate([np.flatnonzero(spill.days) for spill in spills] or [[]]).astype(int)
        days = np.unique(stamps[:, None] + [-1, 0, 1])
        return days[(days >= self.assembler.oldest) & (days <= self.assembler.today + 1)]

    def days(self) -> Iterator[Days]:
        """Put together by another thread, ahead of whoever asks."""
        for days in made_ahead(self._days(), DAYS_AHEAD):
            self.found_days = True
            yield days

    def _days(self) -> Iterator[Days]:
        for channel, spill in self.spills.items():
            early = self.early.get(channel)
            groups, intervals = self._own(spill), self.known_intervals
            if early:
                groups, intervals = early.checked(groups), early.known(intervals)
            for days in self.assembler.days_of_groups(groups, intervals, channel):
                if early:
                    early.check(days)
                yield days

    def _own(self, spill: Spill) -> Iterator[Columns]:
        """The readings of the meters that the uploader looks after, meter by meter."""
        for block in spill.groups():
            columns = Columns.of(block)
            if self.foreign.any():
                reason = _("this meter's consumer is not in your zones")
                columns = self.assembler.refuse(columns, self.foreign[columns.meters], reason)
            yield columns

    def periods(self) -> billing.Periods:
        """Raises FileFault when nothing of the file can be taken."""
        for periods in self.assembler.periods:
            if any(early.has(periods.meters) for early in self.early.values()):
                raise NotOver
        registers = [*self.reading.registers, *self.assembler.periods]
        found = billing.checked(registers, self.assembler.statement, self.reading, self.foreign)
        if not self.found_days and not len(found) and not len(self.events):
            raise FileFault(nothing_valid(self.reading.rejects))
        return found


def by_channel(block: Block) -> Iterator[tuple[Channel, Block]]:
    if block.channels is None:
        yield Channel.IMPORT, block
        return
    for channel in np.unique(block.channels):
        yield Channel(channel), replace(block[block.channels == channel], channels=None)


def nothing_valid(rejects: Rejects) -> str:
    if not rejects.kept:
        return _("The file holds no reading: where values should be, nothing stands. Send the export again.")
    [(reason, _times)] = Counter(reason for _line, reason, _text in rejects.kept).most_common(1)
    line, _reason, text = next(kept for kept in rejects.kept if kept[1] == reason)
    return _(
        "No line holds a reading that can be taken; %(count)d were rejected. Mostly: %(reason)s, such as line %(line)d:"
        " %(text)s. Check what the upload says about time zone, unit and stamps, or send the export again."
    ) % {"count": rejects.count, "reason": reason, "line": line, "text": text}
