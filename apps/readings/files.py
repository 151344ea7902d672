"""Raw files: kept as they came before anybody is told that they arrived."""

import errno
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path

from django.conf import settings
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.utils.translation import gettext as _

# Bytes.
READ_AT_ONCE = 1024**2
HASHED_AT_ONCE = 4 * 1024**2
SYNCED_AT_ONCE = 16 * 1024**2


class TooLarge(Exception):
    """The message tells a person the limit."""


class DiskFull(Exception):
    """The message tells a person that nothing was kept."""


class LimitedUploadHandler(TemporaryFileUploadHandler):
    """Django reads a form to its end before anybody is asked. What lies beyond the limit is counted, for the message,
    and not written: nobody fills the disk with a file that is refused in any case."""

    def receive_data_chunk(self, raw_data, start):
        if start <= settings.UPLOAD_MAX_BYTES:
            super().receive_data_chunk(raw_data, start)


@dataclass(frozen=True)
class Kept:
    path: Path  # temporary, below MEDIA_ROOT
    sha256: str
    size: int


class Following:
    """Something done to a file by another thread, as far as it is written, while more of it is."""

    def __init__(self, pool: ThreadPoolExecutor, step: int, do: Callable[[int, int], None]):
        """`do` is called with the bytes from which and up to which it has to be done, from so many on."""
        self.pool, self.step, self.do = pool, step, do
        self.begun, self.doing = 0, None

    def follow(self, file: BufferedRandom, size: int) -> None:
        if size - self.begun >= self.step and (self.doing is None or self.doing.done()):
            self._wait()
            file.flush()
            self.doing, self.begun = self.pool.submit(self.do, self.begun, size), size

    def finish(self, size: int) -> None:
        self._wait()
        self.do(self.begun, size)

    def _wait(self) -> None:
        if self.doing:
            self.doing.result()  # the system tells a fault of the disk only once


@contextmanager
def received(chunks: Iterable[bytes]) -> Iterator[Kept]:
    """Stream to disk, counting and hashing. What the block does not move away is removed. Raises TooLarge, DiskFull."""
    folder = Path(settings.MEDIA_ROOT) / "uploads"
    digest, size = hashlib.sha256(), 0
    with _disk_full_said():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix="incoming-")
    path = Path(name)
    try:
        with _disk_full_said(), os.fdopen(descriptor, "w+b") as file, ThreadPoolExecutor(2) as pool:
            # Neither need wait for the end of the file. What is hashed is what was written: it is read back.
            hashing = Following(pool, HASHED_AT_ONCE, lambda start, end: _hash(file, start, end, digest))
            syncing = Following(pool, SYNCED_AT_ONCE, lambda _start, _end: os.fdatasync(file.fileno()))
            for chunk in chunks:
                size += len(chunk)
                if size > settings.UPLOAD_MAX_BYTES:
                    raise TooLarge(too_large())
                file.write(chunk)
                hashing.follow(file, size)
                syncing.follow(file, size)
            file.flush()
            hashing.finish(size)
            syncing.finish(size)
        yield Kept(path, digest.hexdigest(), size)
    finally:
        path.unlink(missing_ok=True)


def _hash(file: BufferedRandom, start: int, end: int, digest) -> None:
    while start < end:
        some = os.pread(file.fileno(), min(READ_AT_ONCE, end - start), start)
        if not some:
            raise OSError("the file ends earlier than it was written")
        digest.update(some)
        start += len(some)


@contextmanager
def _disk_full_said() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise DiskFull(
            _("This server's disk is full: the file was not kept. Tell whoever runs the server, and send it again.")
        ) from error


def too_large() -> str:
    limit = f"{settings.UPLOAD_MAX_BYTES / 1e6:,.6g}"
    return _(
        "The file is larger than the %(limit)s MB that this server takes at once. Send it in parts, such as by month."
    ) % {"limit": limit}


def move(kept: Kept, name: str) -> None:
    """To its place below MEDIA_ROOT, so that it survives a power cut. Raises DiskFull."""
    target = Path(settings.MEDIA_ROOT) / name
    with _disk_full_said():
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept.path.rename(target)
        for folder in (target.parent, target.parent.parent):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def overwrite(path: Path, start: int, content: bytes) -> None:
    """Make the file end with this content from `start` on, safe on disk; a new file where there is none. Raises
    DiskFull."""
    with _disk_full_said():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, start)
            os.pwrite(descriptor, content, start)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
