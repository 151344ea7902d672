"""Whole days on their way from a file to the table: in memory while they are few, on disk once they are many."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from django.conf import settings

from apps.readings.assembly import Days
from apps.readings.models import Channel

MEMORY_BYTES = 40 * 1024**2


class Shelf:
    def __init__(self) -> None:
        self.folder = Path(settings.MEDIA_ROOT) / "uploads"
        self.file = None  # without a name: it goes with the process
        self.on_disk: list[tuple[Channel, bool]] = []  # channel, and whether flags follow
        self.in_memory: list[Days] = []
        self.bytes_in_memory = 0
        self.months: set[int] = set()  # since 1970
        self.counts = np.zeros(0)  # of readings by meter

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        if self.file:
            self.file.close()

    def __len__(self) -> int:
        return len(self.on_disk) + len(self.in_memory)

    def readings(self, meters: int) -> np.ndarray:
        """(meters,) how many readings there are of each."""
        return np.append(self.counts, np.zeros(meters - len(self.counts))).astype(np.int64)

    def add(self, days: Days) -> None:
        self.in_memory.append(days)
        self.months.update(np.unique(days.days.astype("datetime64[D]").astype("datetime64[M]")).astype(int).tolist())
        missing = np.isnan(days.kwh)
        sent = days.kwh.shape[1] - (missing.sum(axis=1) if missing.any() else np.zeros(len(days)))
        counts = np.bincount(days.meters, sent)
        longer, shorter = sorted((self.counts, counts), key=len, reverse=True)
        longer[: len(shorter)] += shorter
        self.counts = longer
        self.bytes_in_memory += days.kwh.nbytes + (0 if days.quality is None else days.quality.nbytes)
        if self.bytes_in_memory > MEMORY_BYTES:
            self._put_by()

    def __iter__(self) -> Iterator[Days]:
        """In the order in which they were added."""
        if self.file:
            self.file.seek(0)
        for channel, with_quality in self.on_disk:
            meters, days, kwh = (np.load(self.file) for _column in range(3))
            yield Days(meters, days, kwh, np.load(self.file) if with_quality else None, channel)
        yield from self.in_memory

    def _put_by(self) -> None:
        if self.file is None:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 closed with the shelf
        for days in self.in_memory:
            for column in (days.meters, days.days, days.kwh, days.quality):
                if column is not None:
                    np.save(self.file, column)
            self.on_disk.append((days.channel, days.quality is not None))
        self.in_memory, self.bytes_in_memory = [], 0
