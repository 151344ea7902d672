"""Raw files on their way to the disk."""

import errno
import hashlib

import pytest

from apps.readings import files

CHUNKS = [b"meter,", b"time,kwh\n", b"", b"M-1,2026-03-01 00:00,1\n"] * 5


@pytest.fixture(autouse=True)
def synced_often(monkeypatch):
    monkeypatch.setattr(files, "SYNCED_AT_ONCE", 10)


def test_a_file_that_is_synced_while_it_comes_is_kept_as_it_came():
    with files.received(iter(CHUNKS)) as kept:
        assert kept.path.read_bytes() == b"".join(CHUNKS)
        assert (kept.sha256, kept.size) == (hashlib.sha256(b"".join(CHUNKS)).hexdigest(), 190)
    assert not kept.path.exists()


def test_a_disk_that_fails_while_the_file_comes_is_not_forgotten_at_its_end(monkeypatch, media):
    faults = [OSError(errno.ENOSPC, "No space left on device")]

    def once(_descriptor):
        if faults:
            raise faults.pop()

    monkeypatch.setattr(files.os, "fdatasync", once)
    with pytest.raises(files.DiskFull), files.received(iter(CHUNKS)):
        pass
    assert not faults
    assert list((media / "uploads").iterdir()) == []
