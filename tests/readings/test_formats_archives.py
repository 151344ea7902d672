"""gzip, zstd and zip around files of readings."""

import gzip

import pyarrow as pa
import pytest

from apps.readings import guessing, importers
from apps.readings.importers import archives
from apps.readings.models import LoadProfile, Upload
from tests.broken_files import zipped
from tests.readings.files import hours, long_csv, rejected, send, stored
from tests.readings.test_bad_input import STAMPS, parquet

pytestmark = pytest.mark.django_db
DAY = long_csv(*hours()).encode()
ZEROS = b"meter,timestamp,kwh\n" + b"M-1,2026-03-01 00:00,0\n" * 200_000


def zstd(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content, asbytes=True)


@pytest.mark.parametrize("pack", [gzip.compress, lambda content: zipped({"a.csv": content})])
@pytest.mark.parametrize("content", [DAY, parquet(timestamp=STAMPS, M1=[1.0] * 24)])
def test_a_packed_file_is_read_as_what_is_in_it(pack, content, media):
    upload = send(pack(content))
    assert (upload.status, upload.readings, rejected(upload)) == (Upload.Status.IMPORTED, 24, [])
    assert upload.format in {"csv_long", "parquet_wide"}
    assert not list((media / "uploads").glob("unpacked-*"))


def test_zstd_is_read_as_what_is_in_it():
    upload = send(zstd(DAY))
    assert (upload.status, upload.format, upload.readings) == (Upload.Status.IMPORTED, "csv_long", 24)


def test_all_files_of_readings_in_a_zip_are_one_upload_and_lines_are_those_of_their_file(media):
    other = long_csv(*hours("M-2")).replace(",7\n", ",x\n")
    negative = long_csv(*hours("M-3")).replace(",9\n", ",-9\n")
    files = {
        "../../../etc/first.csv": DAY, "read me.txt": b"hello, you\n", "__MACOSX/._a": b"?", ".DS_Store": b"?",
        "b.csv": other.encode(), "c/c.csv": negative.encode(),
    }  # fmt: skip
    upload = send(zipped(files))
    assert (upload.status, upload.readings) == (Upload.Status.IMPORTED, 70)
    found = rejected(upload)
    assert [(line, why) for line, why, text in found if text.startswith("b.csv: M-2")] == [(9, "not a number")]
    assert [line for line, _why, text in found if text.startswith("c/c.csv: M-3")] == [11]
    assert [why for _line, why, text in found if text.startswith("read me.txt: ")] == [
        "this file of the archive is none of readings"
    ]
    assert stored("M-1", "2026-03-01")[5] == 5
    assert {path.parent.parent for path in media.rglob("*") if path.is_file()} == {media / "uploads"}


def locked() -> bytes:
    content = bytearray(zipped({"a.csv": DAY}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(DAY, mtime=0)[:-9], "The archive is cut off or damaged"),
        (zipped({"a.csv": DAY})[:-30], "The zip archive is cut off or damaged"),
        (zipped({}), "The archive is empty"),
        (zipped({"[Content_Types].xml": b"<a/>", "xl/a.xml": b"<a/>"}), "an Excel workbook"),
        (zipped({"a.gz": gzip.compress(DAY, mtime=0)}), "There is an archive in the archive"),
        (gzip.compress(zipped({"a.csv": DAY}), mtime=0), "There is an archive in the archive"),
        (zipped({f"{n}.csv": b"x" for n in range(1001)}), "holds 1001 files; 1000 are taken at once"),
        (locked(), "locked with a password"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "these columns: a, b"),
        (gzip.compress(b"", mtime=0), "The file is empty"),
        (zstd(DAY)[:40], "The archive is cut off or damaged"),
    ],
)  # fmt: skip
def test_an_archive_that_cannot_be_read_is_refused_with_the_cause(content, said):
    upload = send(content)
    assert upload.status == Upload.Status.FAILED
    assert any(one in upload.error for one in said.split("|")), upload.error
    assert not LoadProfile.objects.exists()


@pytest.mark.parametrize("content", [gzip.compress(ZEROS, mtime=0), zipped({f"{n}.csv": ZEROS for n in range(3)})])
def test_what_unpacks_to_far_more_than_readings_do_is_refused_before_it_fills_the_disk(content, monkeypatch, media):
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED_BYTES", 1024)
    monkeypatch.setattr(archives, "LOOK_BYTES", 1000)
    upload = send(content)
    assert upload.status == Upload.Status.FAILED
    assert "which no file of readings of its size unpacks to" in upload.error
    assert not list((media / "uploads").glob("unpacked-*"))


def test_a_look_unpacks_no_more_than_it_needs(tmp_path, monkeypatch):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(DAY + ZEROS[20:]))
    monkeypatch.setattr(archives, "LOOK_BYTES", 4000)
    monkeypatch.setattr(archives, "STEP_BYTES", 1000)
    read = []
    spend = archives.Budget.spend
    monkeypatch.setattr(archives.Budget, "spend", lambda self, size: (read.append(size), spend(self, size)))
    statement = guessing.guess(path)
    assert guessing.preview(path, statement).day == "2026-03-01"
    assert importers.recognise(path).name == "csv_long"
    assert sum(read) <= 3 * 4000


@pytest.mark.parametrize(
    "other",
    [
        long_csv(*hours("M-2", values=range(500, 524)), header="meter,timestamp,wh"),
        long_csv(*hours("M-2"), header="meter,timestamp,register"),
        f"100,NEM12,202603030000,A,B\n200,6001234567,E1,1,E1,N1,7,kWh,60,\n300,20260301,{'1,' * 24}A,,,,\n900\n",
    ],
)
def test_files_that_do_not_mean_the_same_are_no_upload(other):
    for files in ({"a.csv": DAY, "b.csv": other.encode()}, {"b.csv": other.encode(), "a.csv": DAY}):
        upload = send(zipped(files))
        assert "do not mean the same" in upload.error
        assert not LoadProfile.objects.exists()


def test_events_may_come_beside_readings():
    events = b"meter,timestamp,event\nM-1,2026-03-01 10:00,cover opened\n"
    upload = send(zipped({"a.csv": events, "b.csv": DAY, "c.csv": DAY.replace(b"M-1", b"M-2")}))
    assert (upload.error, upload.readings, upload.events) == ("", 48, 1)
