"""gzip, zstd and zip around files that somebody sent: what is inside. Who reads it bounds how much comes out."""

import gzip
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import pyarrow as pa
from django.utils.translation import gettext as _

from apps.faults import FileFault

GZIP, ZSTD, ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
EMPTY_ZIP = b"PK\x05\x06"
MOST_FILES = 1000
NOBODYS_FILES = ("__MACOSX/", ".")  # what systems add by themselves
# What reading from a member may raise.
BROKEN = (
    OSError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    pa.ArrowException,
)


@dataclass(frozen=True)
class Member:
    """A file in an archive. Its name is somebody's text: it is shown, and never becomes a path."""

    name: str
    open: Callable[[], BinaryIO]


def is_archive(head: bytes) -> bool:
    return head.startswith((GZIP, ZSTD, ZIP, EMPTY_ZIP))


def members(path: Path) -> list[Member]:
    """What is in the archive that a person put there. Raises FileFault."""
    with path.open("rb") as file:
        head = file.read(4)
    if head.startswith(GZIP):
        return [Member("", lambda: gzip.open(path))]
    if head.startswith(ZSTD):
        return [Member("", lambda: pa.CompressedInputStream(pa.OSFile(str(path)), "zstd"))]
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise FileFault(
            _("The zip archive is cut off or damaged (%(error)s). Pack it again.") % {"error": str(error)[:100]}
        ) from None
    if any(entry.filename == "[Content_Types].xml" for entry in entries):
        raise FileFault(_("This is an Excel workbook or another Office document. Save it as CSV."))
    if len(entries) > MOST_FILES:
        raise FileFault(
            _("The archive holds %(count)d files; %(limit)d are taken at once. Send it in parts.")
            % {"count": len(entries), "limit": MOST_FILES}
        )
    if any(entry.flag_bits & 1 for entry in entries):
        raise FileFault(_("The archive is locked with a password. Pack it without one."))
    files = [
        Member(entry.filename.replace("\0", "�"), lambda entry=entry: opened(path, entry))
        for entry in entries
        if not entry.is_dir()
        and not entry.filename.startswith(NOBODYS_FILES[0])
        and not PurePosixPath(entry.filename).name.startswith(NOBODYS_FILES[1])
    ]
    if not files:
        raise FileFault(_("The archive is empty."))
    return files


def opened(path: Path, entry: zipfile.ZipInfo) -> BinaryIO:
    with zipfile.ZipFile(path) as archive:
        return archive.open(entry)  # which keeps the file open as long as it is needed


def damaged(error: Exception) -> FileFault:
    return FileFault(_("The archive is cut off or damaged (%(error)s). Pack it again.") % {"error": str(error)[:100]})
