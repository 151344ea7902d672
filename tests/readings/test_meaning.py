"""What stamps and values mean: clocks, intervals, units, registers, shapes of files. docs/readings.md in tests."""

import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.readings import actions
from apps.readings.models import LoadProfile, MeterState, Upload
from tests.readings.files import STATEMENT, hours, long_csv, rejected, send, stored

pytestmark = pytest.mark.django_db
DAY = [float(hour) for hour in range(24)]


@pytest.mark.parametrize(
    "content",
    [
        "Zähler;Zeit;Wert\n" + "".join(f"M-1;01.03.2026 {hour:02}:00;{hour},0\n" for hour in range(24)),
        "kWh\tMETER ID\tTimestamp\n" + "".join(f"{hour}\tM-1\t2026-03-01T{hour:02}:00:00Z\n" for hour in range(24)),
        "timestamp,M-1,M-2\n" + "".join(f"2026-03-01 {hour:02}:00,{hour},\n" for hour in range(24)),
        '"serial","date","value"\n' + "".join(f'"M-1","3/13/2026 {hour}:00","{hour}"\n' for hour in range(24)),
        "meter,timestamp,kwh\r\n" + "".join(f"M-1,20260301 {hour:02}:00,{hour}\r\n" for hour in range(24)),
        "\ufeffmeter,timestamp,kwh\n" + "".join(f"M-1,2026/3/1 {hour}:00,{hour}\n" for hour in range(24)),
    ],
)
def test_spellings_of_the_same_day(content):
    assert send(content).rejected == 0
    assert stored("M-1", "2026-03-13" if "3/13" in content else "2026-03-01") == DAY


def test_utf_16_and_latin_1_are_read_too():
    send(long_csv(*hours("Zähler 1")).encode("utf-16"))
    send(long_csv(*hours("Zähler 2")).encode("latin-1"))
    assert stored("Zähler 1", "2026-03-01") == stored("Zähler 2", "2026-03-01") == DAY


def test_rows_of_meters_and_columns_of_days_are_daily_readings():
    upload = send("CONS_NO,FLAG,2014/1/1,2014/1/2,2014/1/3\nA,1,7.5,,8\nB,0,1,2,3\n")
    assert (upload.format, upload.readings, upload.rejected) == ("csv_days", 5, 0)
    assert (stored("A", "2014-01-01"), stored("A", "2014-01-03"), stored("B", "2014-01-02")) == ([7.5], [8.0], [2.0])
    assert not LoadProfile.objects.filter(meter__serial="A", day="2014-01-02").exists()
    assert MeterState.objects.get(meter__serial="A").interval_minutes == 1440


def test_a_header_of_very_many_meters_is_read_to_its_end():
    names = [f"METER-{number:058}" for number in range(4_500)]
    upload = send(
        f"timestamp,{','.join(names)}\n2026-03-01 00:00{',1' * len(names)}\n2026-03-01 01:00{',' * len(names)}"
    )
    assert (upload.error, upload.readings, upload.meters, upload.rejected) == ("", 4_500, 4_500, 0)


def test_a_long_header_may_be_cut_within_a_letter():
    names = [f"Zähler{'ä' * 50}{number:06}" for number in range(4_000)]
    send(f"timestamp,{','.join(names)}\n2026-03-01 00:00{',1' * len(names)}\n2026-03-01 01:00{',' * len(names)}")
    assert stored(names[-1], "2026-03-01")[0] == 1


@pytest.mark.parametrize("shape", ["long", "wide", "days"])
def test_parquet_in_each_shape(shape):
    stamps = np.datetime64("2026-03-01T00:00", "us") + np.arange(24) * np.timedelta64(1, "h")
    tables = {
        "long": {"meter_id": ["M-1"] * 24, "read_at": stamps, "kwh": np.arange(24.0)},
        "wide": {"M-1": np.arange(24.0), "timestamp": stamps},
        "days": {"meter": ["M-1"], "2026-03-01": [276.0], "2026-03-02": [1.0]},
    }
    file = io.BytesIO()
    pq.write_table(pa.table(tables[shape]), file)
    upload = send(file.getvalue(), name="misleading.csv")
    assert upload.format == f"parquet_{shape}"
    assert stored("M-1", "2026-03-01") == ([276.0] if shape == "days" else DAY)


@given(st.permutations(hours(values=[0.5 * hour for hour in range(24)]) + hours("M-2", "2026-03-02")))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_long_file_means_the_same_in_any_order_of_its_lines(rows):
    from django.db import transaction

    with transaction.atomic():
        upload = send(long_csv(*rows))
        assert (upload.readings, upload.rejected) == (48, 0)
        assert stored("M-1", "2026-03-01") == [0.5 * hour for hour in range(24)]
        assert stored("M-2", "2026-03-02") == DAY
        transaction.set_rollback(True)


def test_stamps_at_the_end_of_the_period_belong_to_the_period_before():
    rows = [("M-1", f"2026-03-01 {hour:02}:00", hour - 1) for hour in range(1, 24)] + [("M-1", "2026-03-02 00:00", 23)]
    send(long_csv(*rows), stamps="end")
    assert stored("M-1", "2026-03-01") == DAY


@pytest.mark.parametrize(
    ("statement", "sent"),
    [({"unit": "Wh"}, 1500), ({"unit": "MWh"}, 0.0015), ({"unit": "kW"}, 3), ({"multiplier": 60}, 0.025)],
)
def test_units_and_multipliers_come_to_kwh(statement, sent):
    rows = [("M-1", f"2026-03-01 {minute // 60:02}:{minute % 60:02}", sent) for minute in range(0, 1440, 30)]
    send(long_csv(*rows), **statement)
    assert stored("M-1", "2026-03-01") == [1.5] * 48


def test_civil_time_skips_an_hour_in_spring_and_its_stamps_do_not_exist():
    upload = send(long_csv(*hours(day="2026-03-29")), timezone="Europe/London")
    assert rejected(upload)[0][:2] == (3, "this time does not exist: clocks in Europe/London were put forward over it")
    # From 02:00 civil time on, standard time is an hour behind.
    assert stored("M-1", "2026-03-29") == [0.0, *DAY[2:], None]


def test_civil_time_repeats_an_hour_in_autumn_and_the_second_line_is_the_later_one():
    rows = hours(day="2025-10-26")
    rows.insert(2, ("M-1", "2025-10-26 01:00", 100))
    upload = send(long_csv(*rows), timezone="Europe/London")
    assert upload.rejected == 0
    assert stored("M-1", "2025-10-25")[23] == 0
    assert stored("M-1", "2025-10-26") == [1.0, 100.0, *DAY[2:]]


def test_of_a_file_that_begins_with_the_newest_the_earlier_line_is_the_later_hour():
    moments = [datetime(2025, 10, 25, 22, tzinfo=UTC) + timedelta(minutes=30 * n) for n in range(52)]
    rows = [(f"{moment.astimezone(ZoneInfo('Europe/London')):%Y-%m-%d %H:%M}", n) for n, moment in enumerate(moments)]
    send(
        long_csv(*(("M-1", *row) for row in reversed(rows)), *(("M-2", *row) for row in rows)), timezone="Europe/London"
    )
    assert stored("M-1", "2025-10-26") == stored("M-2", "2025-10-26") == [float(n) for n in range(4, 52)]


def test_offsets_in_the_file_win_over_what_is_stated():
    rows = [("M-1", f"2026-07-01T{hour:02}:00:00+01:00", hour) for hour in range(24)]
    send(long_csv(*rows), timezone="Asia/Tokyo")
    assert stored("M-1", "2026-07-01") == [*DAY[1:], None]


def test_a_fixed_offset_may_be_stated():
    send(long_csv(*hours(day="2026-07-01")), timezone="+10:00")
    assert stored("M-1", "2026-06-30")[14:] == DAY[:10]


def test_a_daily_reading_belongs_to_the_civil_day_that_is_named():
    rows = [("M-1", f"2026-{month:02}-{day:02}", day) for month in (3, 6) for day in range(1, 29)]
    upload = send(long_csv(*rows), timezone="Europe/London")
    assert (upload.rejected, upload.days_new) == (0, 56)
    assert stored("M-1", "2026-06-05") == [5.0]


@pytest.mark.parametrize("clock", ["Z", "+02:00", "-05:00"])
@pytest.mark.parametrize("stamps", ["start", "end"])
def test_a_daily_reading_stamped_at_midnight_elsewhere_belongs_to_that_day(clock, stamps):
    rows = [("M-1", f"2026-{month:02}-{day:02}T00:00:00{clock}", day) for month in (2, 6) for day in range(1, 29)]
    upload = send(long_csv(*rows), stamps=stamps)
    assert (upload.rejected, upload.days_new) == (0, 56)
    assert stored("M-1", "2026-06-05") == [5.0 if stamps == "start" else 6.0]


@pytest.mark.parametrize(
    ("stated", "hour"),
    [({}, 1.0), ({"stamps": "end"}, 1.0), ({"unit": "kW"}, 1.0), ({"unit": "kW", "stamps": "end"}, 1.0)],
)
def test_a_meter_that_is_set_to_another_interval_keeps_the_hours_of_its_days_before(stated, hour):
    first = 60 if "stamps" in stated else 0
    before = [("M-1", _stamp(minute + first), 1) for minute in range(0, 1440, 60)]
    after = [("M-1", _stamp(minute + first // 2), 1) for minute in range(1440, 3 * 1440, 30)]
    upload = send(long_csv(*before, *after), **stated)
    assert (upload.rejected, upload.days_new) == (0, 3)
    assert stored("M-1", "2026-03-01") == [hour] * 24
    assert len(stored("M-1", "2026-03-02")) == 48
    assert None not in stored("M-1", "2026-03-03")


def _stamp(minutes: int) -> str:
    return f"2026-03-{1 + minutes // 1440:02} {minutes % 1440 // 60:02}:{minutes % 60:02}"


def test_a_day_that_only_begins_is_no_day_of_a_wider_interval():
    send(long_csv(*hours(), ("M-1", "2026-03-02 00:00", 7)))
    assert stored("M-1", "2026-03-02") == [7.0] + [None] * 23


def test_each_meter_of_a_file_has_an_interval_of_its_own():
    quarters = [("M-2", f"2026-03-01 {minute // 60:02}:{minute % 60:02}", 1) for minute in range(0, 1440, 15)]
    send(long_csv(*hours(), *quarters))
    assert (len(stored("M-1", "2026-03-01")), len(stored("M-2", "2026-03-01"))) == (24, 96)


def test_a_single_reading_takes_the_interval_that_its_meter_is_known_by():
    quarters = [("M-1", f"2026-03-01 {minute // 60:02}:{minute % 60:02}", 1) for minute in range(0, 720, 15)]
    send(long_csv(*quarters))
    send(long_csv(("M-1", "2026-03-01 12:00", 7)))
    assert stored("M-1", "2026-03-01")[47:50] == [1.0, 7.0, None]


def test_readings_a_week_apart_are_refused_rather_than_taken_for_a_day():
    upload = send(long_csv(*[("M-1", f"2026-03-{day:02}", 70) for day in (1, 8, 15, 22)]))
    assert upload.status == Upload.Status.FAILED
    assert "neither 5 to 60 minutes nor a day apart" in upload.error


class TestRegisters:
    def send(self, values: list[float], **statement) -> Upload:
        rows = [("M-1", f"2026-03-01 {hour:02}:00", value) for hour, value in enumerate(values)]
        return send(long_csv(*rows), measures="register", **statement)

    def test_energy_is_the_difference_of_two_reads(self):
        upload = self.send([100 + 2 * hour for hour in range(24)])
        assert (upload.readings, upload.rejected) == (23, 0)
        assert stored("M-1", "2026-03-01") == [2.0] * 23 + [None]

    def test_it_goes_on_across_midnight(self):
        rows = [("M-1", "2026-03-01 23:00", 5), ("M-1", "2026-03-02 00:00", 6), ("M-1", "2026-03-02 01:00", 8)]
        send(long_csv(*rows), measures="register")
        assert stored("M-1", "2026-03-01")[23] == 1
        assert stored("M-1", "2026-03-02")[0] == 2

    def test_a_register_that_begins_anew_is_refused_once_and_counted_on(self):
        upload = self.send([100, 101, 0.5, 1.5, 2.5])
        assert rejected(upload) == [(4, "the register falls back", "M-1,2026-03-01 02:00,0.5")]
        assert stored("M-1", "2026-03-01")[:4] == [1.0, None, 1.0, 1.0]

    def test_a_fall_over_midnight_is_refused_too(self):
        rows = [("M-1", "2026-03-01 22:00", 8), ("M-1", "2026-03-01 23:00", 9), ("M-1", "2026-03-02 00:00", 1)]
        upload = send(long_csv(*rows, ("M-1", "2026-03-02 01:00", 2)), measures="register")
        assert [line for line, _why, _text in rejected(upload)] == [4]
        assert stored("M-1", "2026-03-01")[22:] == [1.0, None]

    @pytest.mark.parametrize("slip", [5, 999])
    def test_a_slip_costs_its_own_two_intervals_and_makes_no_spike(self, slip):
        upload = self.send([100, 101, slip, 103, 104])
        assert [line for line, _why, _text in rejected(upload)] == [4]
        assert stored("M-1", "2026-03-01")[:5] == [1.0, None, None, 1.0, None]

    def test_energy_over_a_gap_is_nobodys_slot(self):
        rows = [("M-1", f"2026-03-01 {hour:02}:00", hour) for hour in (0, 1, 2, 6, 7)]
        send(long_csv(*rows), measures="register")
        assert stored("M-1", "2026-03-01")[:8] == [1.0, 1.0, None, None, None, None, 1.0, None]


class TestGuess:
    def guess(self, content: str) -> Upload:
        upload, _new = actions.receive(file=iter([content.encode()]), name="x", sender="s", by=None, confirm=False)
        return upload

    def test_readings_in_the_hour_that_spring_skips_show_standard_time(self):
        assert self.guess(long_csv(*hours(day="2026-03-29"))).timezone == "UTC"
        assert self.guess(long_csv(*hours(day="2026-03-28"))).timezone == "Europe/London"

    def test_a_file_that_begins_at_half_past_midnight_marks_ends(self):
        rows = [("M", f"2026-03-01 {minute // 60:02}:{minute % 60:02}", 0.2) for minute in range(30, 1440, 30)]
        assert self.guess(long_csv(*rows)).stamps == "end"

    def test_the_column_says_the_unit_and_else_the_size_of_values(self):
        assert self.guess(long_csv(*hours(), header="meter,time,energy (Wh)")).unit == "Wh"
        assert self.guess(long_csv(*hours(values=[400, 300] * 12), header="meter,time,value")).unit == "Wh"
        assert self.guess(long_csv(*hours(values=[0.4, 0.3] * 12), header="meter,time,value")).unit == "kWh"

    def test_values_that_only_rise_are_a_register(self):
        assert self.guess(long_csv(*hours(values=range(500, 548, 2)))).measures == "register"

    def test_the_senders_last_statement_wins(self):
        send(long_csv(*hours()), timezone="+02:00", unit="Wh", multiplier=40)
        upload, _new = actions.receive(
            file=iter([long_csv(*hours(day="2026-03-02")).encode()]),
            name="x",
            sender="head-end",
            by=None,
            confirm=False,
        )
        assert (upload.timezone, upload.unit, upload.multiplier) == ("+02:00", "Wh", 40)
        assert {
            **STATEMENT,
            "timezone": "+02:00",
            "unit": "Wh",
            "multiplier": 40,
        }.items() <= upload.sender.statement.items()
