"""What a raw file says: its format, clocks and meters settled, in whole days. Nothing is written.

Memory stays bounded whatever the size of the file: readings wait on disk for the others of their meter, and so do the
whole days that they make.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

from apps.readings import billing, events, importers, meters
from apps.readings.ahead import made_ahead
from apps.readings.assembly import Assembler, Columns
from apps.readings.importers.base import Block, FileFault, Reading, Rejects
from apps.readings.models import Channel, Upload
from apps.readings.progress import Progress
from apps.readings.shelf import Shelf
from apps.readings.spill import Spill
from apps.readings.statements import Statement

BLOCKS_AHEAD = 4  # that are read while others are sorted
READING_SHARE, PARSING_SHARE = 0.4, 0.5  # of the time that an import takes: the file is read; it is understood


@dataclass(frozen=True)
class Parsed:
    reading: Reading
    shelf: Shelf  # of the days
    periods: billing.Periods
    events: events.Events
    duplicates: int


def parse(upload: Upload, progress: Progress, shelf: Shelf) -> Parsed:
    """What a file says, in whole days on the shelf."""
    statement = Statement.of(upload)
    format_ = importers.recognise(upload.path, statement.format, statement.columns)
    # What a person says of columns may make another format of it, which dictates something else.
    statement = replace(statement, **importers.fixed(format_.name))
    reading = Reading(Rejects(settings.REJECTED_LINES_KEPT), said_order=statement.order, timezone=statement.timezone)
    assembler = Assembler(statement, reading)
    with ExitStack() as stack:
        spills: dict[Channel, Spill] = {}
        for block in made_ahead(format_.blocks(upload.path, reading), BLOCKS_AHEAD):
            progress.say(reading.fraction * READING_SHARE, _("Reading the file"))
            for channel, readings in by_channel(block):
                if channel not in spills:
                    spills[channel] = stack.enter_context(Spill())
                spills[channel].add(readings)
        foreign = meters.foreign(reading.names, upload.by)
        known_intervals = meters.known_intervals(reading.names)
        for channel, spill in spills.items():
            for days in assembler.days_of_groups(own(spill, assembler, foreign, progress), known_intervals, channel):
                shelf.add(days)
    periods = billing.checked([*reading.registers, *assembler.periods], statement, reading, foreign)
    reported = events.check(reading, statement, foreign)
    if not len(shelf) and not len(periods) and not len(reported):
        raise FileFault(nothing_valid(reading.rejects))
    return Parsed(reading, shelf, periods, reported, assembler.duplicates)


def by_channel(block: Block) -> Iterator[tuple[Channel, Block]]:
    if block.channels is None:
        yield Channel.IMPORT, block
        return
    for channel in np.unique(block.channels):
        rows = block.channels == channel
        columns = (block.meters, block.minutes, block.values, block.lines)
        quality = None if block.quality is None else block.quality[rows]
        yield Channel(channel), Block(*(column[rows] for column in columns), quality=quality)


def own(spill: Spill, assembler: Assembler, foreign: np.ndarray, progress: Progress) -> Iterator[Columns]:
    """The readings of the meters that the uploader looks after, meter by meter."""
    done = 0
    for block in spill.groups():
        progress.say(READING_SHARE + (PARSING_SHARE - READING_SHARE) * done / len(spill), _("Putting days together"))
        done += len(block.values)
        columns = Columns.of(block)
        if foreign.any():
            reason = _("this meter's consumer is not in your zones")
            columns = assembler.refuse(columns, foreign[columns.meters], reason)
        yield columns


def nothing_valid(rejects: Rejects) -> str:
    if not rejects.kept:
        return _("The file holds no reading: where values should be, nothing stands. Send the export again.")
    [(reason, _times)] = Counter(reason for _line, reason, _text in rejects.kept).most_common(1)
    line, _reason, text = next(kept for kept in rejects.kept if kept[1] == reason)
    return _(
        "No line holds a reading that can be taken; %(count)d were rejected. Mostly: %(reason)s, such as line %(line)d:"
        " %(text)s. Check what the upload says about time zone, unit and stamps, or send the export again."
    ) % {"count": rejects.count, "reason": reason, "line": line, "text": text}
