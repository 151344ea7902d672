"""Raw files: kept as they came before anybody is told that they arrived."""

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.utils.translation import gettext as _

SYNCED_AT_ONCE = 16 * 1024**2  # bytes


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
        with _disk_full_said(), os.fdopen(descriptor, "wb") as file, ThreadPoolExecutor(1) as beside:
            synced, syncing = 0, None
            for chunk in chunks:
                size += len(chunk)
                if size > settings.UPLOAD_MAX_BYTES:
                    raise TooLarge(too_large())
                digest.update(chunk)
                file.write(chunk)
                if size - synced >= SYNCED_AT_ONCE and (syncing is None or syncing.done()):
                    if syncing:
                        syncing.result()  # the system tells a fault of the disk only once
                    file.flush()
                    # The disk need not wait for the end of the file.
                    synced, syncing = size, beside.submit(os.fdatasync, file.fileno())
            if syncing:
                syncing.result()
            file.flush()
            os.fsync(file.fileno())
        yield Kept(path, digest.hexdigest(), size)
    finally:
        path.unlink(missing_ok=True)


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
