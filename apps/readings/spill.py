"""From the order of a file to the order of meters, in bounded memory however large the file is.

Readings fill a buffer. A full one is sorted by meter and put by as a run, on disk once there are several; at the end
each group of whole meters is gathered from all runs. The disk file has no name: it goes with the process, however that
ends.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

from apps.readings.importers.base import Block, FileFault

RUNS_IN_MEMORY = 3  # beside the one that is being filled
RUN_READINGS = settings.IMPORT_READINGS_IN_MEMORY // (RUNS_IN_MEMORY + 1)
GROUP_READINGS = RUN_READINGS // 2
# Twenty years of five minutes, and some of them sent twice. What has more is no meter, and would not fit in memory.
METER_MOST_READINGS = 2_500_000

COLUMNS = {"meters": "i4", "minutes": "i4", "values": "f8", "lines": "i4", "quality": "i1"}
# Where in a run each column begins, in bytes a reading.
OFFSETS = dict(zip(COLUMNS, np.cumsum([0] + [np.dtype(kind).itemsize for kind in COLUMNS.values()]), strict=False))


@dataclass
class Run:
    """Readings sorted by meter; in each meter in the order of the file."""

    columns: dict[str, np.ndarray] | None  # None: on disk
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


class Spill:
    def __init__(self) -> None:
        self.folder = Path(settings.MEDIA_ROOT) / "uploads"  # beside the raw files, where there is room for them
        self.buffer = empty_buffer()
        self.filled = 0
        self.file = None
        self.runs: list[Run] = []
        self.has_quality = False

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        if self.file:
            self.file.close()

    def add(self, block: Block) -> None:
        """Readings in the order of the file; what was not sent is left out."""
        columns = {name: getattr(block, name) for name in COLUMNS}
        missing = np.isnan(block.values)
        if missing.any():
            columns = {name: None if column is None else column[~missing] for name, column in columns.items()}
        size, done = len(columns["values"]), 0
        while done < size:
            if self.filled == RUN_READINGS:
                self._put_by()
            taken = min(size - done, RUN_READINGS - self.filled)
            place = slice(self.filled, self.filled + taken)
            for name, column in columns.items():
                self.buffer[name][place] = 0 if column is None else column[done : done + taken]
            self.has_quality |= columns["quality"] is not None and bool(self.buffer["quality"][place].any())
            self.filled += taken
            done += taken

    def __len__(self) -> int:
        return self.filled + sum(run.size for run in self.runs)

    def groups(self) -> Iterator[Block]:
        """All readings, in groups of whole meters that follow each other; each meter's in the order of the file."""
        if not self.runs and self.filled <= GROUP_READINGS:
            if self.filled:
                yield self._block({name: column[: self.filled] for name, column in self.buffer.items()})
            return
        if self.filled:
            self._put_by()
        for first, last in self._ranges():
            yield self._gathered(first, last)

    def _put_by(self) -> None:
        """Sort the buffer by meter; too many runs in memory go to disk."""
        columns = {name: column[: self.filled] for name, column in self.buffer.items()}
        meters = columns["meters"]
        in_memory = sum(run.columns is not None for run in self.runs)
        if (meters[1:] < meters[:-1]).any():
            order = np.argsort(meters, kind="stable")
            columns = {name: column[order] for name, column in columns.items()}
            meters = columns["meters"]
        elif self.file is None and in_memory < RUNS_IN_MEMORY:
            self.buffer = empty_buffer()  # the old one is the run
        ends = np.searchsorted(meters, np.arange(meters[0], meters[-1] + 1, dtype=np.int32), side="right")
        self.runs.append(Run(columns, 0, int(meters[0]), ends.astype(np.int32)))
        self.filled = 0
        if in_memory == RUNS_IN_MEMORY or self.file:
            self._to_disk()

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
        counts = np.zeros(meters, dtype=np.int64)
        for run in self.runs:
            counts[run.first_meter : run.first_meter + len(run.ends)] += np.diff(run.ends, prepend=0)
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
        pieces = [(run, *run.bounds(first, last)) for run in self.runs]
        pieces = [(run, low, high) for run, low, high in pieces if high > low]
        if len(pieces) == 1 and pieces[0][0].columns is not None:
            run, low, high = pieces[0]
            return self._block({name: column[low:high] for name, column in run.columns.items()})
        size = sum(high - low for _run, low, high in pieces)
        columns = {}
        for name, kind in COLUMNS.items():
            columns[name] = column = np.empty(size, kind)
            done = 0
            for run, low, high in pieces:
                into = column[done : done + high - low]
                if run.columns is not None:
                    into[:] = run.columns[name][low:high]
                else:
                    _read(self.file, into, run.start + run.size * int(OFFSETS[name]) + low * column.itemsize)
                done += high - low
        return self._block(columns)

    def _block(self, columns: dict[str, np.ndarray]) -> Block:
        quality = columns["quality"] if self.has_quality else None
        return Block(**{**columns, "quality": quality})


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
