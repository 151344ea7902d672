"""Days that are written while the rest of their file is read: what is stored is what the whole file says."""

import time

import numpy as np
import pytest
from django.db import OperationalError, connection, transaction

from apps.grid.actions import register_meters
from apps.grid.models import Meter
from apps.readings import importing, spill
from apps.readings.early import Early, NotOver
from apps.readings.importers import csv_tables
from apps.readings.merge import Merge
from apps.readings.models import HeldMeter, LoadProfile, MeterState, RejectedLine, Upload
from apps.readings.progress import Progress
from tests.readings.files import long_csv, send
from tests.threads import meanwhile

pytestmark = pytest.mark.django_db(transaction=True)
METERS, DAYS = 7, 40
PATIENCE_SECONDS = 0.3  # of an import that holds meters


@pytest.fixture(autouse=True)
def small(monkeypatch, media):
    for name, size in (("RUN_READINGS", 1200), ("GROUP_READINGS", 400), ("RUNS_IN_MEMORY", 1)):
        monkeypatch.setattr(spill, name, size)
    monkeypatch.setattr(csv_tables, "BLOCK_BYTES", 8192)


@pytest.fixture
def written(monkeypatch):
    """How many portions were written early, and how often an import began anew."""
    found = {"portions": 0, "anew": 0}
    handed_over, read_and_write = Early.handed_over, importing.read_and_write

    def counted(self):
        parts = handed_over(self)
        found["portions"] += bool(parts)
        return parts

    def noted(*args, early):
        try:
            return read_and_write(*args, early=early)
        except (NotOver, OperationalError):
            found["anew"] += 1
            raise

    monkeypatch.setattr(Early, "handed_over", counted)
    monkeypatch.setattr(importing, "read_and_write", noted)
    return found


def rows_of(by_time: bool, minutes: int = 60, first: str = "2026-02-15") -> list[tuple]:
    begin = np.datetime64(first, "m")
    stamps = begin + np.arange(DAYS * 1440 // minutes) * np.timedelta64(minutes, "m")
    texts = [str(stamp).replace("T", " ") for stamp in stamps]
    pairs = (
        [(m, t) for t in range(len(texts)) for m in range(METERS)]
        if by_time
        else [(m, t) for m in range(METERS) for t in range(len(texts))]
    )
    return [(f"M-{m}", texts[t], (m * 7 + t) % 50 / 8) for m, t in pairs]


def in_the_tables(upload: Upload) -> tuple:
    upload.refresh_from_db()
    assert upload.status == Upload.Status.IMPORTED, upload.error
    counts = ("readings", "days_new", "days_changed", "meters", "meters_registered", "duplicates", "rejected")
    return (
        [getattr(upload, name) for name in (*counts, "first_day", "last_day", "register_reads")],
        str(list(
            LoadProfile.objects.order_by("meter__serial", "channel", "day").values_list(
                "meter__serial", "channel", "day", "kwh", "quality"
            )
        )),
        sorted(MeterState.objects.values_list("meter__serial", "first_day", "last_day", "interval_minutes")),
        sorted(RejectedLine.objects.values_list("line", "reason", "text")),
        sorted(HeldMeter.objects.values_list("serial", "readings")),
    )  # fmt: skip


def both_ways(rows: list[tuple], monkeypatch, **statement) -> None:
    """Import, look, forget, import again without anything early: it must be the same."""
    content = long_csv(*rows)
    early = in_the_tables(send(content, **statement))
    forget_everything()
    monkeypatch.setattr(importing, "may_write_early", lambda _upload: False)
    assert in_the_tables(send(content, **statement)) == early
    assert early[0][0] > 0


def forget_everything() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE readings_loadprofile, readings_upload, grid_meter, grid_consumer CASCADE")


@pytest.mark.parametrize("by_time", [True, False])
@pytest.mark.parametrize("clock", ["UTC", "Europe/Berlin", "Asia/Tokyo"])
def test_files_by_meter_and_by_day_are_written_as_they_are_read(written, monkeypatch, by_time, clock):
    both_ways(rows_of(by_time), monkeypatch, timezone=clock)
    assert (written["portions"] > 3, written["anew"]) == (True, 0)


def test_lines_that_are_refused_are_the_same(written, monkeypatch):
    rows = rows_of(by_time=True)
    for at in (5, 700, 701, 3000, 6000):
        rows[at] = (rows[at][0], rows[at][1], -1)
    rows[2000] = ("M-1", "no time", 1)
    del rows[4000:4003]
    both_ways(rows, monkeypatch)
    assert written["portions"] > 3


@pytest.mark.parametrize(
    ("late", "anew"),
    [
        (("M-2", "2026-02-16 07:00", 9), 1),  # another value for a day that is long over
        (("M-2", "2026-02-16 07:30", 9), 1),  # half an hour among hours: perhaps not the only one
        (("M-9", "2026-02-16 07:00", 9), 0),  # a meter that reads once
    ],
)
@pytest.mark.parametrize("by_time", [True, False])
def test_a_file_that_comes_back_to_days_that_were_over_is_read_anew(written, monkeypatch, late, anew, by_time):
    said = set()
    monkeypatch.setattr(Progress, "say", lambda _self, _fraction, doing: said.add(doing))
    both_ways([*rows_of(by_time), late], monkeypatch)
    assert written["anew"] == anew
    assert any("comes back" in doing for doing in said) == bool(anew), "the page says why it takes longer"


def test_a_meter_that_is_set_to_another_interval_makes_the_file_be_read_anew(written, monkeypatch):
    rows = rows_of(by_time=True) + rows_of(by_time=True, minutes=30, first="2026-04-01")
    both_ways(rows, monkeypatch)
    assert written["anew"] == 1


def test_readings_in_any_order_wait_for_the_end_of_the_file(written, monkeypatch):
    rows = rows_of(by_time=True)
    both_ways([rows[i] for i in np.random.default_rng(0).permutation(len(rows))], monkeypatch)
    assert written == {"portions": 0, "anew": 0}


def test_meters_that_come_later_in_a_file_by_day(written, monkeypatch):
    rows = [row for row in rows_of(by_time=True) if row[0] != "M-6" or row[1] > "2026-03-10"]
    both_ways(rows, monkeypatch)
    assert (written["portions"] > 3, written["anew"]) == (True, 0)


def test_meters_that_nobody_registered_wait_with_all_their_readings(written, monkeypatch, settings):
    settings.REGISTER_UNKNOWN_METERS = False
    upload = send(long_csv(*rows_of(by_time=False)))
    assert (upload.status, upload.readings) == (Upload.Status.IMPORTED, 0)
    assert set(HeldMeter.objects.values_list("readings", flat=True)) == {DAYS * 24}
    assert HeldMeter.objects.count() == METERS
    assert written["portions"] > 3


@pytest.mark.parametrize("by_time", [True, False])
@pytest.mark.parametrize("no_reading", [-1, 99_999])
def test_marks_of_missing_readings_on_many_days_do_not_make_the_file_be_read_anew(
    written, monkeypatch, by_time, no_reading
):
    rows = [
        (meter, stamp, no_reading if meter == "M-3" and stamp < "2026-03-12" else value)
        for meter, stamp, value in rows_of(by_time)
    ]
    both_ways(rows, monkeypatch)
    assert (written["portions"] > 3, written["anew"]) == (True, 0)


def test_a_file_that_breaks_off_leaves_nothing(written, monkeypatch):
    def stop(self, block):
        found = take(self, block)
        if written["portions"] > 2:
            raise OSError("the disk is gone")
        return found

    take = Early.take
    monkeypatch.setattr(Early, "take", stop)
    upload = send(long_csv(*rows_of(by_time=True)))
    assert (upload.status, upload.attempts) == (Upload.Status.PENDING, 1)
    for model in (LoadProfile, MeterState, RejectedLine, HeldMeter):
        assert not model.objects.exists()


def test_later_files_of_the_same_days_are_merged(written):
    send(long_csv(*rows_of(by_time=True)))
    changed = [(meter, stamp, value + 1 if stamp < "2026-02-20" else value) for meter, stamp, value in rows_of(True)]
    upload = send(long_csv(*changed))
    assert (upload.days_new, upload.days_changed, upload.days_same) == (0, 5 * METERS, (DAYS - 5) * METERS)
    assert written["anew"] == 0


def test_one_moment_of_many_meters_is_not_taken_for_a_file_by_meter(written, monkeypatch):
    rows = [(f"M-{m}", f"2026-03-{1 + hour // 24:02} {hour % 24:02}:00", m) for hour in range(60) for m in range(250)]
    both_ways(rows, monkeypatch)
    assert written["anew"] == 0


def test_a_meter_whose_only_reading_was_taken_comes_again(written, monkeypatch):
    rows = rows_of(by_time=False)
    rows.insert(DAYS * 24, ("M-X", "2026-02-20 03:00", 1))
    both_ways([*rows, ("M-X", "2026-02-20 04:00", 1)], monkeypatch)
    assert written["anew"] == 1


def test_two_that_hold_meters_and_ask_for_those_of_the_other_do_not_stop_each_other(written):
    send(long_csv(*rows_of(by_time=False)))
    content = long_csv(*[(meter, stamp, value + 1) for meter, stamp, value in rows_of(by_time=False)])
    with transaction.atomic():
        lock_state("M-5")
        upload = meanwhile(lambda: send(content))
        lock_state("M-0")  # which the import has written, while it asks for the other
    upload = upload.result(timeout=30)
    assert (upload.status, upload.attempts) == (Upload.Status.IMPORTED, 1)
    assert (upload.days_changed, written["anew"]) == (METERS * DAYS, 1)


def lock_state(serial: str) -> None:
    MeterState.objects.select_for_update().get(meter__serial=serial)


def stamps(first: str, count: int, minutes: int = 60) -> list[str]:
    begin = np.datetime64(first, "m")
    return [str(begin + np.timedelta64(minutes * i, "m")).replace("T", " ") for i in range(count)]


@pytest.mark.parametrize("by_time", [True, False])
def test_a_meter_that_reads_once_in_the_middle_of_a_file_is_registered(written, monkeypatch, by_time):
    rows = rows_of(by_time)
    rows.insert(5 * 24 * METERS if by_time else DAYS * 24, ("M-X", "2026-02-20 00:00", 1))
    both_ways(rows, monkeypatch)
    assert (written["portions"] > 3, written["anew"]) == (True, 0)
    assert MeterState.objects.filter(meter__serial="M-X").exists()


def test_flags_of_meters_that_were_left_behind_stay_where_they_were(written, monkeypatch):
    rows = [
        (f"M-{m}", stamp, i % 9, "estimated" if (i + m) % 5 == 0 else "")
        for m in range(12)
        for i, stamp in enumerate(stamps(str(np.datetime64("2026-01-01") + 4 * m), 96))
    ]
    content = long_csv(*rows, header="meter,timestamp,kwh,quality")
    early = in_the_tables(send(content))
    forget_everything()
    monkeypatch.setattr(importing, "may_write_early", lambda _upload: False)
    assert in_the_tables(send(content)) == early
    assert written["portions"] > 1


def test_what_is_left_of_a_meter_is_not_taken_at_an_interval_of_its_own(written, monkeypatch):
    rows = [("M-X", stamp, 1) for stamp in [*stamps("2026-02-15", 24), "2026-03-25 03:00", "2026-03-26 03:00"]]
    both_ways(sorted([*rows_of(by_time=True), *rows], key=lambda row: row[1]), monkeypatch)
    assert written["portions"] > 3


def test_a_meter_that_is_billed_as_the_whole_file_has_it_is_billed(written, monkeypatch):
    rows = rows_of(by_time=True)[: METERS * 24 * 40] + [
        (f"M-{m}", stamp, 1) for stamp in stamps("2026-03-27", 24 * 100) for m in range(METERS)
    ]
    billed = [("M-X", f"2026-{when}", 1) for when in ("02-20 00:00", "02-20 01:00", "03-15 00:00", "05-20 00:00")]
    both_ways(sorted([*rows, *billed], key=lambda row: row[1]), monkeypatch)
    assert written["anew"] == 1


def test_an_outage_of_a_month_does_not_make_the_file_be_read_anew(written, monkeypatch):
    rows = [row for row in rows_of(by_time=True) if row[0] != "M-2" or not "2026-02-20" < row[1] < "2026-03-20"]
    both_ways(rows, monkeypatch)
    assert (written["portions"] > 3, written["anew"]) == (True, 0)


def test_stamps_of_meters_that_are_known_do_not_tell_the_interval_of_others(written, monkeypatch):
    def known():
        send(long_csv(*[("M-0", stamp, 1) for stamp in stamps("2026-01-01", 20, minutes=15)]))

    rows = [("M-0", "2026-03-01 00:15", 1)] * 2
    rows += [(f"N-{i}", f"2026-03-{1 + i % 9:02} {i % 24:02}:00", 1) for i in range(300)]
    known()
    early = in_the_tables(send(long_csv(*rows)))
    forget_everything()
    monkeypatch.setattr(importing, "may_write_early", lambda _upload: False)
    known()
    assert in_the_tables(send(long_csv(*rows))) == early


def test_days_of_the_file_that_begin_before_those_of_the_utility_are_read_once(written, monkeypatch, settings):
    settings.UTILITY_TIME_ZONE = "Europe/London"
    rows = [
        (f"M-{m}", stamp, m + 1)
        for day in range(20)
        for m in range(METERS)
        for stamp in stamps(str(np.datetime64("2026-06-01") + day), 24)
    ]
    both_ways(rows, monkeypatch, timezone="Europe/London")
    assert written["anew"] == 0


def test_days_with_few_of_their_readings_are_not_held_in_memory(written, monkeypatch):
    rows = [
        (f"M-{m}", stamp, 1)
        for m in range(400)
        for day in ("2026-03-01", "2026-03-02")
        for stamp in stamps(day, 2, minutes=5)
    ]
    both_ways(rows, monkeypatch)
    assert written["anew"] == 1


def test_a_lock_that_copy_meets_makes_the_file_be_read_to_its_end_and_wait(written):
    ids = register_meters([f"M-{m}" for m in range(METERS)])
    other = send(long_csv(("Q", "2026-02-15 00:00", 1), ("Q", "2026-02-15 01:00", 1)))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO readings_loadprofile (meter_id, channel, day, kwh, upload_id)"
            " SELECT %s, 1, '2026-02-20', array_fill(1::real, '{24}'), %s",
            [ids["M-5"], other.pk],
        )
        upload = meanwhile(lambda: send(long_csv(*rows_of(by_time=False))))
        time.sleep(2 * PATIENCE_SECONDS)
        transaction.set_rollback(True)
    upload = upload.result(timeout=30)
    assert (upload.status, upload.attempts, written["anew"]) == (Upload.Status.IMPORTED, 1, 1)


def test_two_files_of_meters_without_a_state_follow_each_other():
    register_meters(["M-0"])
    rows = [("M-0", stamp, 1) for stamp in stamps("2026-03-01", 24)]
    first = Upload.objects.get(pk=send(long_csv(("Q", "2026-03-01", 1))).pk)
    with transaction.atomic(), Merge(first.pk, [Meter.objects.get(serial="M-0").pk]):
        second = meanwhile(lambda: send(long_csv(*rows)))
        assert not second.done()
    assert second.result(timeout=30).status == Upload.Status.IMPORTED
