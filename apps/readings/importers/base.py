"""What every importer works with. An importer only parses: what stamps and values mean is decided in `assembly`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from threading import Lock
from typing import Protocol, Self

import numpy as np
from django.utils.translation import gettext as _

from apps.faults import FileFault
from apps.readings.date_order import DateOrder

TEXT_LENGTH = 200  # of what is kept of a rejected line
NAME_LENGTH = 64  # of a meter's serial number
FILE_MOST_METERS = 500_000  # their names are held in memory
FILE_MOST_EVENTS = 1_000_000  # and so are events, at nearly 400 bytes each


@dataclass(frozen=True)
class Block:
    """Some readings of a file in file order, one array element each; nothing is checked yet but the spelling."""

    meters: np.ndarray  # (N,) int32, positions in Reading.names
    minutes: np.ndarray  # (N,) int32, since 1970; UTC where the file says its zone, else as the meter's clock showed it
    values: np.ndarray  # (N,) float64, in the file's unit; NaN = nothing was sent
    lines: np.ndarray  # (N,) int32, line of the file, or row of a file without lines; the first is 1
    channels: np.ndarray | None = None  # (N,) int8, models.Channel; None: all of them import
    quality: np.ndarray | None = None  # (N,) int8, readings.quality; None: all of them measured

    def __getitem__(self, rows: np.ndarray | slice) -> Self:
        found = (getattr(self, column.name) for column in fields(self))
        return Block(*(None if column is None else column[rows] for column in found))


@dataclass(frozen=True)
class RegisterPeriods:
    """Energy of whole days between two reads of a register, such as the months of a bill; one array element each."""

    meters: np.ndarray  # (N,) int32, positions in Reading.names
    first_day: np.ndarray  # (N,) int32 days since 1970, as the file names them
    last_day: np.ndarray  # (N,) int32, the last day that counts
    values: np.ndarray  # (N,) float64 energy, in the file's unit
    lines: np.ndarray  # (N,) int32
    estimated: np.ndarray | None = None  # (N,) bool; None: all of them read
    channels: np.ndarray | None = None  # (N,) int8; None: all of them import


@dataclass(frozen=True, slots=True)
class EventLine:
    """Something that a meter reported beside its readings, as the file spells it."""

    meter: int  # position in Reading.names
    code: str
    minutes: int  # since 1970; UTC where the file says its zone, else as the meter's clock showed it
    detail: str
    line: int


@dataclass
class Rejects:
    """Lines that are not taken, with the reason. All are counted; as many as `limit` are kept for a person to see."""

    limit: int
    count: int = 0
    kept: list[tuple[int, str, str]] = field(default_factory=list)  # line, reason, content
    # Of an archive with several files: lines before each, and its name; and the one that is being read, if one is.
    files: list[tuple[int, str]] = field(default_factory=list)
    file: str = ""
    _adding: Lock = field(default_factory=Lock)  # days are put together while lines behind them are read

    @property
    def is_archive(self) -> bool:
        return bool(self.files or self.file)

    def add(self, lines: np.ndarray, reason: str, text: Callable[[int], str]) -> None:
        """`text(i)` gives the content of lines[i]; it is asked only for what is kept."""
        with self._adding:
            room = self.limit - len(self.kept)
            for i, line in enumerate(lines[:room]):
                line, file = self.located(int(line))
                said = f"{file[:80]}: {text(i)}" if file else text(i)
                self.kept.append((line, reason, said[:TEXT_LENGTH]))
            self.count += len(lines)

    def located(self, line: int) -> tuple[int, str]:
        """The line in its own file, and that file's name where there are several. While a file is read, its lines are
        known by their own numbers; afterwards, they count on from file to file."""
        if self.file or not self.files:
            return line, self.file
        before, file = next((one for one in reversed(self.files) if one[0] < line), self.files[0])
        return line - before, file


@dataclass
class Reading:
    """What is common to all blocks while one file is read."""

    rejects: Rejects
    meters_wanted: int | None = None  # for a look at the file: as few meters suffice, where that saves work
    said_order: DateOrder | None = None  # of dates such as 3/4/2026, as far as it is known beside the file
    date_order: DateOrder | None = None  # that was taken; None where no date needs it
    timezone: str = ""  # of stamps that carry none, as it is stated; empty: the utility's
    names: list[str] = field(default_factory=list)  # of meters, as the file spells them
    zoned: bool | None = None  # do stamps carry their own zone; None until the first stamp is seen
    dates_only: bool = True  # no stamp so far had a time of day
    fraction: float = 0.0  # how much of the file is read
    events: list[EventLine] = field(default_factory=list)
    registers: list[RegisterPeriods] = field(default_factory=list)
    _positions: dict[str, int] = field(default_factory=dict)

    def add_events(self, found: list[EventLine]) -> None:
        if len(self.events) + len(found) > FILE_MOST_EVENTS:
            raise FileFault(
                _("The file holds more than %(limit)s meter events. Send it in parts.")
                % {"limit": f"{FILE_MOST_EVENTS:,}"}
            )
        self.events += found

    def positions(self, names: Sequence[str | None]) -> np.ndarray:
        """(N,) int32 positions of meters by name; -1 where there is no name that a meter can have."""
        return np.array([self._position(name) for name in names], dtype=np.int32)

    def _position(self, name: str | None) -> int:
        name = (name or "").strip()
        if not name or len(name) > NAME_LENGTH or "\0" in name:
            return -1
        position = self._positions.setdefault(name, len(self.names))
        if position == len(self.names):
            if position == FILE_MOST_METERS:
                raise FileFault(
                    _(
                        "The file names more than %(limit)s meters. Check which column names the meter, or send the"
                        " file in parts."
                    )
                    % {"limit": f"{FILE_MOST_METERS:,}"}
                )
            self.names.append(name)
        return position


class Format(Protocol):
    name: str
    label: str
    magic: bytes  # how its files begin; empty: any way
    # What of the statement the format itself dictates, such as {"unit": "kWh"}; a format may leave the attribute out.
    fixed: dict[str, str | float]

    def recognises(self, path: Path, head: bytes) -> bool:
        """From the content alone. Raises FileFault where the file is of this format but broken."""

    def blocks(self, path: Path, reading: Reading) -> Iterator[Block]: ...
