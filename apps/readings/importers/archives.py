"""gzip, zstd and zip around files of readings: unpacked below MEDIA_ROOT, in bounded steps, by no name inside."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

from apps.archives import BROKEN, Member, damaged, is_archive, members
from apps.readings.importers import headings
from apps.readings.importers.base import Block, FileFault, Format, Reading
from apps.readings.importers.tables import TableFormat

Found = TypeVar("Found")
STEP_BYTES = 1024**2
LOOK_BYTES = 8 * 1024**2  # enough for a first look at what is inside
MOST_TIMES_LARGER = 250  # readings as text shrink to a tenth, hardly ever to a hundredth
ALWAYS_ALLOWED_BYTES = 64 * 1024**2


@dataclass(frozen=True)
class Packed:
    """An archive, read as the format of what is in it. Of several files, the first of readings gives the name."""

    inner: Format
    recognise: Callable[[Path], Format]
    magic: bytes = b""

    @classmethod
    def of(cls, path: Path, recognise: Callable[[Path], Format]) -> Self:
        """Raises FileFault where no file of readings is inside."""
        return cls(look(path, recognise, lambda format_, _file: format_), recognise)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def label(self) -> str:
        return self.inner.label

    @property
    def fixed(self) -> dict:
        return getattr(self.inner, "fixed", {})

    def recognises(self, path: Path, head: bytes) -> bool:
        return is_archive(head)

    def blocks(self, path: Path, reading: Reading) -> Iterator[Block]:
        """Of all files of readings in turn. Lines count on from file to file."""
        found = members(path)
        budget = Budget(path)
        before, read, meant = 0, 0, None
        for place, member in enumerate(found):
            with unpacked(member, budget) as file:
                if len(found) > 1:
                    reading.rejects.files.append((before, member.name))
                    reading.rejects.file = member.name
                try:
                    format_ = self.recognise(file)
                except FileFault as fault:
                    if len(found) == 1:
                        raise
                    reason = _("this file of the archive is none of readings")
                    reading.rejects.add(np.array([1]), reason, lambda _i, why=str(fault): why)
                    continue
                last, events, registers = 0, len(reading.events), len(reading.registers)
                meant = Meaning.of(format_, file, member.name).agreeing_with(meant)
                try:
                    for block in format_.blocks(file, reading):
                        reading.fraction = (place + reading.fraction) / len(found)
                        last = max(last, int(block.lines.max(initial=0)))
                        yield replace(block, lines=block.lines + np.int32(before)) if before else block
                except FileFault as fault:
                    raise fault if len(found) == 1 else FileFault(f"{member.name[:100]}: {fault}") from None
                if before:
                    reading.events[events:] = [replace(one, line=one.line + before) for one in reading.events[events:]]
                    reading.registers[registers:] = [
                        replace(one, lines=one.lines + before) for one in reading.registers[registers:]
                    ]
                read += 1
                before += max([last, *(one.line for one in reading.events[events:])])
        reading.rejects.file = ""
        if not read:
            raise FileFault(_("No file in the archive holds readings."))


@dataclass(frozen=True)
class Meaning:
    """What a file says by itself of what is stated once for all files of an upload."""

    file: str
    fixed: dict[str, str | float]
    unit: str | None
    is_register: bool
    has_readings: bool

    @classmethod
    def of(cls, format_: Format, path: Path, name: str) -> Self:
        fixed, values = getattr(format_, "fixed", {}), ""
        if isinstance(format_, TableFormat):
            values = format_.shape.value_name(format_.table(path))
        has_readings = not format_.name.endswith("_events")
        return cls(name, fixed, headings.unit_of(values), headings.word(values) in headings.REGISTER, has_readings)

    def agreeing_with(self, other: Self | None) -> Self:
        """The one of both that says more. Raises FileFault where they do not go together: in one of them, kWh would be
        taken for Wh, reads of a register for energy, or the clock of one place for that of another."""
        if other is None:
            return self
        agree = self.fixed.get("timezone") == other.fixed.get("timezone")
        if self.has_readings and other.has_readings:
            agree &= self.fixed == other.fixed and self.is_register == other.is_register
            agree &= self.unit == other.unit or not (self.unit and other.unit)
        if not agree:
            raise FileFault(
                _(
                    "Files of the archive do not mean the same: %(one)s and %(other)s differ in unit, clock, or in"
                    " whether they hold energy or reads of a register. Send them apart."
                )
                % {"one": other.file[:100], "other": self.file[:100]}
            )
        return self if self.has_readings and (self.unit or not other.has_readings) else other


def look(path: Path, recognise: Callable[[Path], Format], then: Callable[[Format, Path], Found]) -> Found:
    """What `then` finds in a file, or in the first file of readings of an archive, of which no more is unpacked than
    needed. Raises FileFault."""
    with path.open("rb") as file:
        head = file.read(8)
    if not is_archive(head):
        return then(recognise(path), path)
    fault = None
    for member in members(path):
        # The beginning will do, unless what counts stands at the end, as in Parquet.
        for most in (LOOK_BYTES, None):
            with unpacked(member, Budget(path), most) as file:
                try:
                    return then(recognise(file), file)
                except FileFault as why:
                    fault = fault or why
                    if file.stat().st_size < LOOK_BYTES // 2:
                        break
    raise fault or FileFault(_("The archive is empty."))


class Budget:
    """How much may still come out of an archive: a file of some kilobytes that holds terabytes fills no disk."""

    def __init__(self, path: Path):
        size = path.stat().st_size
        self.limit = self.left = max(
            min(settings.UPLOAD_MAX_BYTES * 4, size * MOST_TIMES_LARGER),
            min(ALWAYS_ALLOWED_BYTES, settings.UPLOAD_MAX_BYTES),
        )

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise FileFault(
                _(
                    "What is packed in the archive is larger than %(limit)d MB, which no file of readings of its size"
                    " unpacks to. Send it unpacked, or in parts."
                )
                % {"limit": self.limit // 1024**2}
            )


@contextmanager
def unpacked(member: Member, budget: Budget, most: int | None = None) -> Iterator[Path]:
    """A file of an archive, unpacked; with `most`, its beginning up to about as many bytes, cut at a line's end."""
    folder = Path(settings.MEDIA_ROOT) / "uploads"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=folder, prefix="unpacked-") as file:
        size = 0
        try:
            with member.open() as stream:
                while step := stream.read(min(STEP_BYTES, most - size) if most else STEP_BYTES):
                    budget.spend(len(step))
                    size += len(step)
                    file.write(step)
                    if most and size >= most:
                        file.truncate(end_of_last_line(step, size))
                        break
        except BROKEN as error:
            raise damaged(error) from None
        file.flush()
        path = Path(file.name)
        with path.open("rb") as opened:
            if is_archive(opened.read(8)):
                raise FileFault(_("There is an archive in the archive. Pack the files of readings themselves."))
        yield path


def end_of_last_line(step: bytes, size: int) -> int:
    """Where the file is to end, given its last bytes and its size."""
    newline = step.rfind(b"\n")
    return size - len(step) + newline + 1 if newline >= 0 else size
