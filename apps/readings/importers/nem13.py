"""NEM13 of the Australian market: accumulation meters, a record for what a register counted between two reads.

Registers of one connection point that count the same way between the same days (peak and off-peak, controlled load) are
one consumption and are added. A period lasts from the day of a read to the day before the next.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.readings.importers import stamping, texts
from apps.readings.importers.base import Block, Reading, RegisterPeriods
from apps.readings.importers.event_tables import nothing
from apps.readings.importers.nem12 import KWH, QUALITIES, Nem12, shown, unquoted
from apps.readings.models import Channel
from apps.readings.quality import Quality

BEGINNING = re.compile(rb'(?:\xef\xbb\xbf)?\s*"?(?:100"?,"?NEM13|250"?,"?\w{10,11}"?,)', re.IGNORECASE)
LINE_BYTES = 16 * 1024
FIELDS = 20  # of the 23 of a 250 record; what follows are dates of the market
POINT, REGISTER, SUFFIX, DIRECTION = 1, 3, 4, 7
BEFORE, BEFORE_QUALITY, NOW, NOW_QUALITY, QUANTITY, UNIT = 9, 10, 14, 15, 18, 19
# As the market sees it: what is exported from the grid, a consumer takes.
CHANNELS = {"E": Channel.IMPORT, "I": Channel.EXPORT}


@dataclass(frozen=True)
class Period:
    meter: int
    channel: Channel
    first_day: int  # since 1970
    last_day: int


@dataclass(frozen=True)
class Counted:
    kwh: float
    estimated: bool
    line: int


class Nem13:
    name = "nem13"
    label = gettext_lazy("NEM13")
    magic = b""
    fixed = Nem12.fixed  # both may come in one archive; a period says itself what it is

    def recognises(self, path: Path, head: bytes) -> bool:
        return BEGINNING.match(head) is not None

    def blocks(self, path: Path, reading: Reading) -> Iterator[Block]:
        stamping.note_zone(reading, zoned=False, line=1)
        reading.dates_only = False
        found: dict[Period, dict[tuple[str, str], Counted]] = {}
        ended, number = False, 0
        for number, line in numbered(path, reading):
            kind = line[:3]
            if kind == b"250":
                self.note(line, number, found, reading)
            elif kind == b"900":
                ended = True
            elif line and kind not in {b"100", b"550"}:
                reject(reading, number, _("neither a 250, 550 nor a 900 record"), line)
        if not ended:
            reject(reading, number, _("the file ends without a 900 record: its end may be missing"), b"")
        if found:
            reading.registers.append(together(found))
        yield nothing()

    def note(
        self, line: bytes, number: int, found: dict[Period, dict[tuple[str, str], Counted]], reading: Reading
    ) -> None:
        cells = [part.strip() for part in line.decode("utf-8", "replace").split(",")]
        if len(cells) < FIELDS:
            return reject(reading, number, _("a 250 record has 23 fields"), line)
        meter = int(reading.positions([cells[POINT]])[0])
        channel = CHANNELS.get(cells[DIRECTION].upper())
        to_kwh = KWH.get(cells[UNIT].upper())
        before, now = day_of(cells[BEFORE]), day_of(cells[NOW])
        quantity = float(cells[QUANTITY]) if re.fullmatch(texts.NUMBER, cells[QUANTITY]) else None
        flags = [cells[place][:1].upper() for place in (BEFORE_QUALITY, NOW_QUALITY)]
        for wrong, reason in (
            (meter < 0, _("the NMI is missing, or longer than a meter's name may be")),
            (channel is None, _("the eighth field is no direction of energy: E or I")),
            (to_kwh is None, _("a stream that is no energy taken (E) or given (B) is not read")),
            (before is None or now is None, _("the tenth and fifteenth field are no moments such as 20260301000000")),
            (flags[1] == "N" or not cells[QUANTITY], ""),  # nothing was read
            (quantity is None, _("not a number")),
        ):
            if wrong:
                return reject(reading, number, reason, line) if reason else None
        estimated = any(QUALITIES.get(flag) == Quality.ESTIMATED_BY_SENDER for flag in flags)
        counted = found.setdefault(Period(meter, channel, before, now - 1), {})
        counted[cells[REGISTER], cells[SUFFIX]] = Counted(quantity * to_kwh, estimated, number)
        return None


def numbered(path: Path, reading: Reading) -> Iterator[tuple[int, bytes]]:
    """Number and text of each line. Of a line without end only the beginning comes."""
    size, number = max(path.stat().st_size, 1), 0
    with path.open("rb") as file:
        while line := file.readline(LINE_BYTES):
            number += 1
            rest = line
            while not rest.endswith(b"\n") and (rest := file.readline(LINE_BYTES)):
                pass
            reading.fraction = file.tell() / size
            line = line.removeprefix(b"\xef\xbb\xbf").strip()
            yield number, unquoted(line) if b'"' in line else line


def day_of(text: str) -> int | None:
    """The day of a moment such as 20260301000000, since 1970."""
    found = re.fullmatch(r"(\d{4})(\d\d)(\d\d)(?:\d{6})?", text)
    try:
        return int(np.datetime64("-".join(found.groups()), "D").astype(int)) if found else None
    except ValueError:
        return None


def together(found: dict[Period, dict[tuple[str, str], Counted]]) -> RegisterPeriods:
    """Energy of all registers of each period."""
    periods = list(found)
    registers = [list(counted.values()) for counted in found.values()]
    return RegisterPeriods(
        *(np.array([getattr(one, name) for one in periods], "i4") for name in ("meter", "first_day", "last_day")),
        np.array([sum(one.kwh for one in each) for each in registers]),
        np.array([each[-1].line for each in registers], "i4"),
        np.array([any(one.estimated for one in each) for each in registers]),
        np.array([one.channel for one in periods], "i1"),
    )


def reject(reading: Reading, line: int, reason: str, record: bytes) -> None:
    reading.rejects.add(np.array([line]), reason, lambda _i: shown(record))
