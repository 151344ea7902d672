"""Every way in which a file can be wrong gets a message that names what and where; nothing is half-written or lost."""

import io
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from apps.grid.models import Consumer, Meter
from apps.readings import actions, partitions, spill
from apps.readings.files import TooLarge
from apps.readings.importers.base import FileFault
from apps.readings.models import HeldMeter, LoadProfile, Upload
from tests.readings.files import hours, long_csv, rejected, send, stored

pytestmark = pytest.mark.django_db


STAMPS = np.datetime64("2026-03-01T00:00", "s") + np.arange(24) * np.timedelta64(1, "h")


def parquet(**columns: np.ndarray) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


NO_METER = "no meter is named, its name is longer than 64 characters, or a spreadsheet rounded its number"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file is empty"),
        (b"\n \n", "The file is empty"),
        (b"meter,timestamp,kwh\n", "Line 1 names the columns, but no line"),
        (b"a,b,c\n1,2,3\n", "these columns: a, b, c"),
        (b"meter,timestamp\nM-1,2026-03-01\n", "No column names the reading"),
        (b"timestamp,kwh\n2026-03-01,1\n", "No column names the meter"),
        (b"2026-03-01 00:00,1,2\n2026-03-01 01:00,1,2\n", "these columns: 2026-03-01 00:00, 1, 2"),
        (parquet(timestamp=STAMPS, M1=np.ones(24))[:400], "The Parquet file is cut off or damaged"),
        (parquet(a=np.ones(2), b=np.ones(2)), "these columns: a, b"),
        (parquet(), "The Parquet file has no columns"),
        (b"\x89PNG\r\n\x1a\n" + bytes(90), "This is a PNG picture"),
        (b"PK\x03\x04" + bytes(90), "The zip archive is cut off or damaged"),
        (b"%PDF-1.7 ...", "This is a PDF document"),
        (b'{"meter": 1}', "No key of the first object names the time"),
        (b"meter,timestamp,kwh\nM-1,2026-03-01 00:00,\x00\n", "byte 42 is zero"),
        (b"meter,timestamp,kwh\nM-1,2026-03-01 00:00,\n", "The file holds no reading"),
        (b"meter,timestamp,kwh\nM-1,soon,1\n", "not a date and time, such as line 2: M-1,soon,1"),
        (b"meter,timestamp,kwh\nM-1,2026-03-01 00:00,inf\nM-1,2026-03-01 01:00,inf\n", "absurd"),
        (b"x" * 200_000 + b",timestamp\n1,2026-03-01\n", "A cell at the beginning of the file is longer than 131072"),
    ],
)
def test_a_file_that_is_no_file_of_readings_fails_and_says_why(content, said):
    upload = send(content)
    assert upload.status == Upload.Status.FAILED
    assert said in upload.error
    assert upload.path.read_bytes() == content
    assert not LoadProfile.objects.exists()
    assert not Meter.objects.exists()


@pytest.mark.parametrize(
    "columns",
    [
        {"meter": ["M-1"], "time": ["2026-03-01"], "kwh": [[1.0]]},
        {"meter": [{"serial": "M-1"}], "time": ["2026-03-01"], "kwh": [1.0]},
        {"meter": ["M-1"], "time": [True], "kwh": [1.0]},
        {"timestamp": [np.datetime64("2026-03-01", "s")], "M-1": [np.datetime64("2026-03-01", "s")]},
    ],
)
def test_a_parquet_file_with_other_things_in_its_columns_is_said_so(columns):
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    upload = send(file.getvalue())
    assert upload.status == Upload.Status.FAILED
    assert "not a date and time" in upload.error or "A column holds something else" in upload.error


def test_a_column_of_readings_without_a_name_is_rejected_reading_by_reading():
    upload = send("timestamp,M-1,\n2026-03-01 00:00,1,2\n2026-03-01 01:00,1,\n")
    assert [line for line, _reason, _text in rejected(upload)] == [2]
    assert upload.readings == 2


def test_a_letter_of_another_encoding_may_stand_in_the_last_line_too():
    upload = send("timestamp,M-1\n2026-03-01 00:00,1\n2026-03-01 01:00,1 £".encode("latin-1"))
    assert rejected(upload) == [(3, "not a number", "M-1: 1 £")]


def test_a_file_that_mixes_zoned_and_naive_stamps_is_refused_with_the_line_that_differs():
    upload = send(long_csv(("M-1", "2026-03-01 00:00", 1), ("M-1", "2026-03-01T01:00Z", 1)))
    assert upload.status == Upload.Status.FAILED
    assert upload.error.startswith("Line 3 has a stamp with its own time zone")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("M-1,2026-03-01 24:30,1", "not a date and time"),
        ("M-1,2026-02-30 00:00,1", "not a date and time"),
        ("M-1,,1", "not a date and time"),
        (",2026-03-01 01:00,1", NO_METER),
        (f"{'M' * 65},2026-03-01 01:00,1", NO_METER),
        ("M-1,2026-03-02 01:00,lots", "not a number"),
        ("M-1,2026-03-02 01:00,1.2.3", "not a number"),
        ("M-1,2026-03-02 01:00,-0.5", "negative: energy taken from the grid cannot be"),
        ("M-1,2026-03-02 01:00,1e9", "absurd: above 100000 kWh for one reading"),
        ("M-1,2026-03-02 01:17,1", "off the grid of this meter's 60 minutes"),
        ("M-1,2026-03-02 01:00:30,1", "a stamp with seconds is on no interval"),
        ("M-1,1900-01-01 00:00,1", "the day is more than 20 years ago or after tomorrow"),
        ("M-1,2999-01-01 00:00,1", "the day is more than 20 years ago or after tomorrow"),
        ("M-1,2026-03-02 01:00", "3 columns expected, 2 found"),
    ],
)
def test_a_wrong_line_is_kept_with_its_number_and_reason_and_the_others_are_taken(line, reason):
    upload = send(long_csv(*hours()) + line + "\n")
    assert upload.status == Upload.Status.IMPORTED
    assert upload.readings == 24
    assert [(number, why) for number, why, _text in rejected(upload)] == [(26, reason)]
    assert upload.rejected == 1
    assert stored("M-1", "2026-03-01") == [float(hour) for hour in range(24)]


def test_line_numbers_stay_right_after_empty_and_broken_lines():
    content = long_csv(*hours()[:2]) + "\nM-1\n\nM-1,2026-03-01 02:00,x\n"
    assert [(line, why) for line, why, _text in rejected(send(content))] == [
        (5, "3 columns expected, 1 found"),
        (7, "not a number"),
    ]


def test_line_numbers_stay_right_across_blocks_of_a_large_file(monkeypatch):
    monkeypatch.setattr("apps.readings.importers.csv_tables.BLOCK_BYTES", 200)
    lines = long_csv(*(hours() + hours(day="2026-03-02"))).splitlines()
    lines[7] += ",1"
    lines[30] = "M-1,2026-03-02 05:00,x"
    lines[40] += ",1"
    lines[45] = "M-1,2026-03-02 20:00,y"
    upload = send("\n".join(lines))
    assert [line for line, _why, _text in rejected(upload)] == [8, 31, 41, 46]


def test_text_in_a_wide_file_is_named_with_line_and_column():
    upload = send("timestamp,M-1,M-2\n2026-03-01 00:00,1,2\n2026-03-01 01:00,1,two\n")
    assert rejected(upload) == [(3, "not a number", "M-2: two")]
    assert upload.readings == 3


def test_the_last_of_conflicting_lines_counts_and_identical_ones_are_no_fault():
    rows = [*hours(), ("M-1", "2026-03-01 03:00", 9), ("M-1", "2026-03-01 04:00", 4)]
    upload = send(long_csv(*rows))
    assert stored("M-1", "2026-03-01")[3] == 9
    assert (upload.duplicates, upload.rejected) == (1, 1)
    assert rejected(upload) == [
        (5, "duplicate: a later line gives another value for this time", "M-1,2026-03-01 03:00,3")
    ]


@pytest.mark.parametrize("value", [-4, 1e9])
def test_a_value_that_cannot_be_replaces_none_that_can(value):
    upload = send(long_csv(*hours(), ("M-1", "2026-03-01 03:00", value)))
    assert [line for line, _why, _text in rejected(upload)] == [26]
    assert stored("M-1", "2026-03-01")[3] == 3


def test_stamps_may_come_in_any_order():
    send(long_csv(*reversed(hours())))
    assert stored("M-1", "2026-03-01") == [float(hour) for hour in range(24)]


def test_no_more_rejected_lines_are_kept_than_the_setting_allows_but_all_are_counted(settings):
    settings.REJECTED_LINES_KEPT = 2
    upload = send(long_csv(*hours(), *(("M-1", "2026-03-02 00:00", "x"),) * 5))
    assert (upload.rejected, upload.rejected_lines.count()) == (5, 2)


def test_a_file_over_the_limit_is_refused_before_it_is_kept(settings, media):
    settings.UPLOAD_MAX_BYTES = 100
    with pytest.raises(TooLarge, match=r"larger than the 0\.0001 MB"):
        send(long_csv(*hours()))
    assert not Upload.objects.exists()
    assert list((media / "uploads").iterdir()) == []


def test_an_import_that_breaks_in_the_middle_leaves_nothing_and_is_tried_again(monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr("apps.readings.copying.rejected_lines", lambda *_: 1 / 0)
        upload = send(long_csv(*hours()))
    assert (upload.status, upload.attempts) == (Upload.Status.PENDING, 1)
    assert not LoadProfile.objects.exists()
    assert not Meter.objects.exists()
    assert actions.import_upload(upload)
    assert LoadProfile.objects.count() == 1


def test_a_meter_of_which_nothing_can_be_taken_is_not_registered():
    upload = send(long_csv(*hours(), *((name, stamp, -1) for name, stamp, _kwh in hours("M-2"))))
    assert (upload.meters, upload.meters_registered, upload.rejected) == (1, 1, 24)
    assert list(Meter.objects.values_list("serial", flat=True)) == ["M-1"]
    assert list(Consumer.objects.values_list("number", flat=True)) == ["M-1"]
    assert not HeldMeter.objects.exists()


def test_a_file_that_is_refused_at_its_last_meter_leaves_nothing(monkeypatch):
    from apps.readings.assembly import Assembler

    monkeypatch.setattr(spill, "GROUP_READINGS", 30)
    assembled, real = [], Assembler.days_of_group

    def refused(self, columns, fallback):
        assembled.append(columns)
        if len(assembled) == 3:
            raise FileFault("Send the time of day beside the date.")
        return real(self, columns, fallback)

    monkeypatch.setattr(Assembler, "days_of_group", refused)
    upload = send(long_csv(*hours("M-1"), *hours("M-2"), *hours("M-3")))
    assert (upload.status, upload.error) == (Upload.Status.FAILED, "Send the time of day beside the date.")
    assert not LoadProfile.objects.exists()
    assert not Meter.objects.exists()


def test_months_are_made_for_what_may_come_and_not_for_a_stray_stamp(monkeypatch):
    made = []
    monkeypatch.setattr(partitions, "attach", made.append)
    monkeypatch.setattr(partitions, "existing_months", lambda: {date(2026, 3, 1)})
    send(long_csv(*hours(), ("M-1", "1999-05-05 00:00", 1), ("M-1", "2025-06-15 12:00", -1)))
    assert made == [date(2025, 6, 1), date(2026, 2, 1)]


def test_what_cannot_be_looked_at_is_kept_and_can_be_tried_again(monkeypatch, sam, caplog):
    with monkeypatch.context() as broken:
        broken.setattr(actions, "guess", lambda *_: 1 / 0)
        upload = send(long_csv(*hours(values=[1, 2] * 12)))
        assert (upload.status, upload.format) == (Upload.Status.FAILED, "")
        assert "could not look into the file" in actions.retry(upload=upload, by=sam).error
    actions.import_upload(actions.retry(upload=upload, by=sam))
    upload.refresh_from_db()
    assert (upload.status, upload.readings) == (Upload.Status.IMPORTED, 24)


def test_what_stops_three_times_is_parked_with_a_way_to_try_again(monkeypatch, sam, rung):
    monkeypatch.setattr("apps.readings.importing.Told", lambda *_: 1 / 0)
    upload = send(long_csv(*hours()))
    for _attempt in range(3):
        actions.import_upload(upload)
    upload.refresh_from_db()
    assert (upload.status, upload.attempts) == (Upload.Status.FAILED, 3)
    assert "stopped 3 times" in upload.error
    monkeypatch.undo()
    actions.import_upload(actions.retry(upload=upload, by=sam))
    upload.refresh_from_db()
    assert upload.status == Upload.Status.IMPORTED
