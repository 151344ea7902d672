"""From the order of a file to the order of meters, in bounded memory however large the file is.

Readings fill a buffer. A full one is sorted by meter and put by as a run, on disk once there are several; at the end
each group of whole meters is gathered from all runs. The disk file has no name: it goes with the process, however that
ends.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

from apps.readings.importers.base import Block, FileFault

RUNS_IN_MEMORY = 3  # beside the one that is being filled
RUN_READINGS = settings.IMPORT_READINGS_IN_MEMORY // (RUNS_IN_MEMORY + 1)
GROUP_READINGS = RUN_READINGS // 3
# Twenty years of five minutes, and some of them sent twice. What has more is no meter, and would not fit in memory.
METER_MOST_READINGS = 2_500_000
DAY = 1440
LAST_DAY = 40_000  # since 1970: in 2079

# Of a run; which meter a reading is of, its place says. The quality comes last: most files say nothing of it.
COLUMNS = {"minutes": "i4", "values": "f8", "lines": "i4", "quality": "i1"}
# Where in a run each column begins, in bytes a reading.
OFFSETS = dict(zip(COLUMNS, np.cumsum([0] + [np.dtype(kind).itemsize for kind in COLUMNS.values()]), strict=False))


@dataclass
class Run:
    """Readings sorted by meter; in each meter in the order of the file."""

    columns: dict[str, np.ndarray] | None  # None: on disk
    has_quality: bool
    start: int  # where its first column begins in the disk file
    first_meter: int
    ends: np.ndarray  # (M,) int32, where each meter from the first on ends

    @property
    def size(self) -> int:
        return int(self.ends[-1])

    def bounds(self, first: int, last: int) -> tuple[int, int]:
        """From where to where the meters from first to last (not included) lie."""
        places = np.clip(np.array([first, last]) - self.first_meter - 1, -1, len(self.ends) - 1)
        low, high = (0 if place < 0 else int(self.ends[place]) for place in places)
        return low, high

    def counts(self, first: int, last: int) -> np.ndarray:
        """(last - first,) how many readings there are of each of these meters."""
        ends = np.append(0, self.ends)
        return np.diff(ends[np.clip(np.arange(first, last + 1) - self.first_meter, 0, len(self.ends))])


@dataclass(frozen=True)
class Piece:
    """What of a run belongs to a group."""

    run: Run
    low: int
    high: int
    counts: np.ndarray  # of each meter of the group

    @property
    def is_even(self) -> bool:
        """Are there as many readings of each meter?"""
        return self.counts.min() == self.counts.max()


class Spill:
    def __init__(self, settle: Callable[[Block], int] | None = None) -> None:
        """`settle` makes something of the first readings in the buffer and says how many need not be kept."""
        self.settle = settle
        # Of the buffer, before it is looked at: little at first, so that there is soon something to do with it.
        self.room = RUN_READINGS if settle is None else GROUP_READINGS // 4
        self.folder = Path(settings.MEDIA_ROOT) / "uploads"  # beside the raw files, where there is room for them
        self.meters = np.empty(RUN_READINGS, "i4")
        self.buffer = empty_buffer()
        self.filled = 0
        self.file = None
        self.runs: list[Run] = []
        self.has_quality = False
        self.days = np.zeros(LAST_DAY, dtype=bool)  # since 1970 as the file's clock has them: which have readings

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        if self.file:
            self.file.close()

    def add(self, block: Block) -> None:
        """Readings in the order of the file; what was not sent is left out."""
        columns = {name: getattr(block, name) for name in ("meters", *COLUMNS) if getattr(block, name) is not None}
        missing = np.isnan(block.values)
        if missing.any():
            columns = {name: column[~missing] for name, column in columns.items()}
        meters, flags = columns.pop("meters"), columns.pop("quality", None)
        self._note_days(columns["minutes"] // DAY)
        if flags is not None and flags.any() and not self.has_quality:
            self.has_quality = True
            self.buffer["quality"][: self.filled] = 0
        size, done = len(meters), 0
        while done < size:
            if self.filled == self.room:
                self._make_room()
            some = slice(done, min(done + self.room - self.filled, size))
            place = slice(self.filled, self.filled + some.stop - done)
            self.meters[place] = meters[some]
            for name, column in columns.items():
                self.buffer[name][place] = column[some]
            if self.has_quality:
                self.buffer["quality"][place] = 0 if flags is None else flags[some]
            self.filled, done = place.stop, some.stop

    def _note_days(self, days: np.ndarray) -> None:
        if len(days) and (days.min() < 0 or days.max() >= LAST_DAY):
            days = days[(days >= 0) & (days < LAST_DAY)]
        self.days[days] = True

    def __len__(self) -> int:
        return self.filled + sum(run.size for run in self.runs)

    def named(self, meters: int) -> np.ndarray:
        """(meters,) bool: those that have readings."""
        found = np.zeros(meters, dtype=bool)
        found[self.meters[: self.filled]] = True
        for run in self.runs:
            found[run.first_meter : run.first_meter + len(run.ends)] |= np.diff(run.ends, prepend=0) > 0
        return found

    def groups(self) -> Iterator[Block]:
        """All readings, in groups of whole meters that follow each other; each meter's in the order of the file."""
        if not self.runs and self.filled <= GROUP_READINGS:
            if self.filled:
                yield Block(self.meters[: self.filled], **self._filled())
            return
        while self.filled:
            self._put_by()
        for first, last in self._ranges():
            yield self._gathered(first, last)

    def _put_by(self) -> None:
        """Sort the buffer by meter; too many runs in memory go to disk. Of a file by time, a round of its meters that
        has only begun stays in the buffer."""
        in_memory = sum(run.columns is not None for run in self.runs)
        each = round_of(self.meters[: self.filled])
        # A single round is in the order of meters, or may be: what is cut from it would lie in the same memory.
        whole = self.filled - (self.filled % each if each and self.filled >= 2 * each else 0)
        filled = {name: column[:whole] for name, column in self._filled().items()}
        meters, columns = sorted_by_meter(self.meters[:whole], filled)
        if columns is filled and self.file is None and in_memory < RUNS_IN_MEMORY:
            self.buffer = empty_buffer()  # the old one is the run
        ends = np.searchsorted(meters, np.arange(meters[0], meters[-1] + 1, dtype=np.int32), side="right")
        self.runs.append(Run(columns, self.has_quality, 0, int(meters[0]), ends.astype(np.int32)))
        self._keep_from(whole)
        if in_memory == RUNS_IN_MEMORY or self.file:
            self._to_disk()

    def _make_room(self) -> None:
        if self.settle:
            done = self.settle(Block(self.meters[: self.filled], **self._filled()))
            self._keep_from(done)
            if done or self.room < RUN_READINGS:
                self.room = min(self.filled + GROUP_READINGS, RUN_READINGS)
                return
            self.settle = None
        self._put_by()

    def _keep_from(self, begin: int) -> None:
        for column in (self.meters, *self._filled().values()) if 0 < begin < self.filled else ():
            column[: self.filled - begin] = column[begin : self.filled]
        self.filled -= begin

    def _filled(self) -> dict[str, np.ndarray]:
        names = [name for name in COLUMNS if name != "quality" or self.has_quality]
        return {name: self.buffer[name][: self.filled] for name in names}

    def _to_disk(self) -> None:
        if self.file is None:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.file = tempfile.TemporaryFile(dir=self.folder, buffering=0)  # noqa: SIM115 closed with the spill
        for run in self.runs:
            if run.columns is not None:
                run.start = self.file.tell()
                for column in run.columns.values():
                    _write(self.file, column)
                run.columns = None

    def _ranges(self) -> Iterator[tuple[int, int]]:
        """Neighbouring meters, about GROUP_READINGS of readings together."""
        meters = max(run.first_meter + len(run.ends) for run in self.runs)
        counts = sum(run.counts(0, meters) for run in self.runs)
        if counts.max() > METER_MOST_READINGS:
            raise FileFault(
                _(
                    "%(readings)d lines of the file name one and the same meter; twenty years of five minutes are"
                    " 2,103,840. Check which column names the meter."
                )
                % {"readings": counts.max()}
            )
        ends = np.cumsum(counts)
        first = 0
        while first < meters:
            before = int(ends[first - 1]) if first else 0
            last = max(int(np.searchsorted(ends, before + GROUP_READINGS, side="right")), first + 1)
            if ends[last - 1] > before:
                yield first, last
            first = last

    def _gathered(self, first: int, last: int) -> Block:
        """Meter after meter where all have as many readings in each run, as meters that read together do; else run
        after run."""
        pieces = [Piece(run, *run.bounds(first, last), run.counts(first, last)) for run in self.runs]
        pieces = [piece for piece in pieces if piece.high > piece.low]
        each = np.arange(first, last, dtype=np.int32)
        in_step = all(piece.is_even for piece in pieces)
        counts = [sum(piece.counts for piece in pieces)] if in_step else [piece.counts for piece in pieces]
        meters = np.concatenate([np.repeat(each, found) for found in counts])
        names = [name for name in COLUMNS if name != "quality" or self.has_quality]
        if len(pieces) == 1:
            return Block(meters, **{name: self._column(name, pieces[0]) for name in names})
        columns = {name: np.empty(len(meters), COLUMNS[name]) for name in names}
        done = 0
        for piece in pieces:
            size = piece.high - piece.low
            for name, column in columns.items():
                if in_step:
                    width, begin = size // len(each), done // len(each)
                    into = column.reshape(len(each), -1)[:, begin : begin + width]
                    into[:] = self._column(name, piece).reshape(len(each), -1)
                else:
                    column[done : done + size] = self._column(name, piece)
            done += size
        return Block(meters, **columns)

    def _column(self, name: str, piece: Piece) -> np.ndarray:
        run, size = piece.run, piece.high - piece.low
        if name == "quality" and not run.has_quality:
            return np.zeros(size, COLUMNS[name])
        if run.columns is not None:
            return run.columns[name][piece.low : piece.high]
        column = np.empty(size, COLUMNS[name])
        _read(self.file, column, run.start + run.size * int(OFFSETS[name]) + piece.low * column.itemsize)
        return column


def sorted_by_meter(meters: np.ndarray, columns: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The same readings meter by meter, each meter's in their order; the same objects where they are so already."""
    if not (meters[1:] < meters[:-1]).any():
        return meters, columns
    each = round_of(meters)
    if each and len(meters) % each == 0:
        order = np.argsort(meters[:each])
        columns = {name: column.reshape(-1, each).T[order].ravel() for name, column in columns.items()}
        return np.repeat(meters[:each][order], len(meters) // each), columns
    order = np.argsort(meters, kind="stable")
    return meters[order], {name: column[order] for name, column in columns.items()}


def round_of(meters: np.ndarray) -> int:
    """After how many readings of a file by time its meters come again, each in its turn; 0 where they do not."""
    again = np.flatnonzero(meters[1:] == meters[0])
    each = int(again[0]) + 1 if len(again) else 0
    if each < 2 or len(np.unique(meters[:each])) < each:
        return 0
    rounds = meters[: len(meters) // each * each].reshape(-1, each)
    return each if (rounds == rounds[0]).all() else 0


def empty_buffer() -> dict[str, np.ndarray]:
    return {name: np.empty(RUN_READINGS, kind) for name, kind in COLUMNS.items()}


def _write(file, column: np.ndarray) -> None:
    rest = memoryview(column).cast("B")
    while rest:
        rest = rest[file.write(rest) :]


def _read(file, column: np.ndarray, offset: int) -> None:
    rest = memoryview(column).cast("B")
    while rest:
        read = os.preadv(file.fileno(), [rest], offset)
        if not read:
            raise OSError("the spilled readings end too early")
        rest, offset = rest[read:], offset + read
