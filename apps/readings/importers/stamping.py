"""Stamps that all shapes treat alike: unreadable ones are rejected lines, a mix of zoned and naive ones is a fault."""

from collections.abc import Callable

import numpy as np
from django.utils.translation import gettext as _

from apps.readings.importers.base import FileFault, Reading
from apps.readings.importers.texts import Stamps


def check(stamps: Stamps, lines: np.ndarray, text: Callable[[int], str], reading: Reading) -> np.ndarray:
    """(N,) bool: which stamps can be used. Counts the others as rejected lines; `text(i)` is the content of line i."""
    for wrong, reason in (
        (~stamps.valid, _("not a date and time")),
        (stamps.valid & ~stamps.whole, _("a stamp with seconds is on no interval")),
    ):
        rows = np.flatnonzero(wrong)
        if len(rows):
            reading.rejects.add(lines[rows], reason, lambda i, rows=rows: text(rows[i]))
    good = stamps.valid & stamps.whole
    note_zones(stamps, good, lines, reading)
    return good


def note_zones(stamps: Stamps, good: np.ndarray, lines: np.ndarray, reading: Reading) -> None:
    if not good.any():
        return
    reading.dates_only &= not stamps.timed[good].any()
    zoned = stamps.zoned & good
    note_zone(reading, zoned=bool(zoned[np.argmax(good)]), line=int(lines[np.argmax(good)]))
    other = good & (zoned != reading.zoned)
    if other.any():
        note_zone(reading, zoned=not reading.zoned, line=int(lines[np.argmax(other)]))


def note_zone(reading: Reading, *, zoned: bool, line: int) -> None:
    """The stamps from here on carry their zone, or do not. Raises FileFault where those before were otherwise."""
    if reading.zoned is None:
        reading.zoned = zoned
    if reading.zoned != zoned:
        if reading.zoned:
            message = _("Line %(line)d has a stamp without a time zone, while the stamps before it carry theirs.")
        else:
            message = _("Line %(line)d has a stamp with its own time zone, while the stamps before it have none.")
        raise FileFault(f"{message} {_('Send all stamps one way.')}" % {"line": line})
