"""Meters that are read once in a billing cycle: periods of days instead of load profiles."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from django.urls import reverse

from apps.readings import billing
from apps.readings.importers.base import Reading, RegisterPeriods, Rejects
from apps.readings.models import Channel, LoadProfile, MeterState, RegisterRead
from apps.readings.statements import Statement
from tests.factories import InstallationFactory, UserFactory
from tests.readings.files import hours, long_csv, rejected, send

pytestmark = pytest.mark.django_db


def periods() -> list[tuple]:
    found = RegisterRead.objects.order_by("meter", "start").values_list("start", "end", "kwh")
    return [(str(start), str(end), float(kwh)) for start, end, kwh in found]


def test_a_register_read_each_cycle_becomes_the_energy_between_reads():
    upload = send("meter,date,kwh\nB,2025-01-14,100\nB,2025-02-15,400\nB,2025-03-14,500\n", measures="register")
    assert periods() == [("2025-01-14", "2025-02-14", 300), ("2025-02-15", "2025-03-13", 100)]
    assert (upload.register_reads, upload.readings, upload.meters_registered) == (2, 0, 1)
    assert (str(upload.first_day), str(upload.last_day)) == ("2025-01-14", "2025-03-13")
    assert not LoadProfile.objects.exists()


def test_energy_of_months_named_by_their_first_day_needs_no_other_reading_beside_it():
    send("meter,date,kwh\nB,2025-01-01,310\nB,2025-02-01,280\n")
    assert periods() == [("2025-01-01", "2025-01-31", 310), ("2025-02-01", "2025-02-28", 280)]


def test_energy_of_months_named_by_their_last_day_is_that_of_the_month():
    send("meter,date,kwh\nB,2025-01-31,310\nB,2025-02-28,280\n", stamps="end")
    assert periods() == [("2025-01-01", "2025-01-31", 310), ("2025-02-01", "2025-02-28", 280)]


def test_of_a_cycle_that_cuts_months_the_open_side_is_not_guessed():
    upload = send("meter,date,kwh\nB,2025-01-14,310\nB,2025-02-15,280\nB,2025-03-14,1\n")
    assert periods() == [("2025-01-14", "2025-02-14", 310), ("2025-02-15", "2025-03-13", 280)]
    assert [line for line, _reason, _text in rejected(upload)] == [4]


def test_energy_after_a_gap_is_not_that_of_the_gap():
    upload = send("meter,date,kwh\nB,2025-01-14,310\nB,2025-02-15,280\nB,2025-03-14,9\nB,2025-09-14,9\n")
    assert len(periods()) == 2
    assert [line for line, _reason, _text in rejected(upload)] == [4, 5]


def test_a_register_that_falls_is_a_rejected_line_and_counts_on_from_there():
    lines = "B,2025-01-14,100\nB,2025-02-15,400\nB,2025-03-14,10\nB,2025-04-14,30\n"
    upload = send("meter,date,kwh\n" + lines, measures="register")
    assert [kwh for _start, _end, kwh in periods()] == [300, 20]
    assert rejected(upload)[0][1] == "the register falls back"


def test_unit_and_multiplier_count_for_periods_too():
    send("meter,date,wh\nB,2025-01-01,310000\nB,2025-02-01,280000\n", unit="Wh", multiplier=10)
    assert [kwh for _start, _end, kwh in periods()] == [3100, 2800]


def test_hourly_and_billed_meters_of_one_file_are_each_what_they_are():
    upload = send(long_csv(*hours(), ("B", "2025-01-01 00:00", 310), ("B", "2025-02-01 00:00", 280)))
    assert (LoadProfile.objects.count(), RegisterRead.objects.count()) == (1, 2)
    assert (upload.readings, upload.register_reads, upload.meters) == (24, 2, 2)


def test_what_was_uploaded_later_has_the_last_word_on_a_period():
    send("meter,date,kwh\nB,2025-01-01,310\nB,2025-02-01,280\n")
    later = send("meter,date,kwh\nB,2025-01-01,300\nB,2025-02-01,280\n")
    assert [kwh for _start, _end, kwh in periods()] == [300, 280]
    assert RegisterRead.objects.get(start=date(2025, 1, 1)).upload == later


def test_a_meter_with_load_profiles_is_due_for_validation_over_the_period():
    send(long_csv(*hours()))
    MeterState.objects.update(unvalidated_from=None, unvalidated_until=None)
    send("meter,date,kwh\nM-1,2026-01-01,310\nM-1,2026-02-01,280\n")
    state = MeterState.objects.get()
    assert (state.revision, str(state.unvalidated_from), str(state.unvalidated_until)) == (
        2,
        "2026-01-01",
        "2026-02-28",
    )


def found(**columns) -> tuple[billing.Periods, Reading]:
    """Three periods as an importer finds them, checked."""
    reading = Reading(Rejects(10), names=["A", "B", "C"])
    january = np.full(3, 20089)
    columns = {
        "meters": np.arange(3), "first_day": january, "last_day": january + 30, "values": np.full(3, 100.0),
        "lines": np.arange(2, 5), **{name: np.array(values) for name, values in columns.items()},
    }  # fmt: skip
    foreign = np.array([False, False, columns.pop("foreign", False)])
    return billing.checked([RegisterPeriods(**columns)], Statement("UTC"), reading, foreign), reading


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"last_day": [20119, 20119, 20000]}, "the period ends before it begins"),
        ({"last_day": [20119, 20119, 20600]}, "longer than 400 days"),
        ({"values": [1, 2, -1.0]}, "negative"),
        ({"values": [1, 2, 1e12]}, "absurd"),
        ({"first_day": [20089, 20089, 1], "last_day": [20119, 20119, 30]}, "years ago"),
        ({"foreign": True}, "not in your zones"),
    ],
)
def test_periods_that_cannot_be_are_rejected_lines(wrong, reason):
    periods, reading = found(**wrong)
    assert periods.meters.tolist() == [0, 1]
    [(line, why, _text)] = reading.rejects.kept
    assert line == 4
    assert reason in why


def test_flags_and_channels_of_periods_are_kept_and_a_repeated_period_counts_once():
    meter = InstallationFactory().meter
    periods, _reading = found(
        meters=[0, 0, 0], values=[1.0, 2.0, 3.0], channels=[1, 2, 1], estimated=[False, False, True]
    )
    upload = send(long_csv(*hours("X")), by=UserFactory(all_zones=True))
    assert billing.store(upload.pk, periods, np.array([meter.pk, 0, 0])) == 2
    kept = set(RegisterRead.objects.values_list("channel", "kwh", "estimated"))
    assert kept == {(Channel.IMPORT, Decimal(3), True), (Channel.EXPORT, Decimal(2), False)}


def test_machines_ask_for_register_reads_of_their_zones(client, ines, north, south):
    for serial, zone in (("A", north), ("B", south)):
        InstallationFactory(meter__serial=serial, consumer__number=f"C-{serial}", consumer__zone=zone)
    upload = send("meter,date,kwh\nA,2025-01-01,100\nA,2025-02-01,40\nB,2025-01-01,7\nB,2025-02-01,8\n")
    client.force_login(ines)

    def asked(**query) -> list[dict]:
        return client.get(reverse("api-register-reads"), query).json()["results"]

    assert asked()[1] == {
        "id": RegisterRead.objects.get(kwh=100).pk, "meter": "A", "consumer": "C-A", "zone": "NORTH",
        "channel": "import", "start": "2025-01-01", "end": "2025-01-31", "kwh": 100.0, "estimated": False,
        "upload": upload.pk,
    }  # fmt: skip
    assert [read["kwh"] for read in asked(meter="A", since="2025-02-01")] == [40]
    assert asked(meter="B") == asked(channel="export") == asked(consumer="C-B") == []
    client.force_login(UserFactory(roles=["Reference systems"], all_zones=True))
    assert client.get(reverse("api-register-reads")).status_code == 403


@pytest.mark.parametrize(
    "names",
    [
        "2025-01;2025-02", "01/2025;02/2025", "202501;202502", "Jan-25;Feb-25", "Januar 2025;Februar 2025",
        "2025-1;2025-2", "ENE 2025 (kWh);FEB 2025 (kWh)",
    ],
)  # fmt: skip
def test_columns_of_months_are_periods_of_their_days(names):
    upload = send(f"Meter;Name;{names}\nA;x;310,5;280\nB;y;;7\nC;z;n.a.;1\n")
    assert (upload.error, upload.format, upload.register_reads) == ("", "csv_months", 4)
    assert periods()[:3] == [
        ("2025-01-01", "2025-01-31", 310.5), ("2025-02-01", "2025-02-28", 280), ("2025-02-01", "2025-02-28", 7),
    ]  # fmt: skip
    assert [(line, why) for line, why, _text in rejected(upload)] == [(4, "not a number")]


def test_columns_of_months_that_never_fall_are_registers_and_refused():
    rows = "".join(f"M-{n},{1000 + n},{1300 + 2 * n},{1500 + 2 * n}\n" for n in range(12))
    upload = send(f"meter,2025-01,2025-02,2025-03\n{rows}")
    assert "look like reads of registers" in upload.error


def test_meters_with_numbers_like_months_are_meters_beside_a_column_of_times():
    upload = send("time,202501,202502\n2025-03-01 00:00,1,2\n2025-03-01 01:00,1,2\n")
    assert (upload.format, upload.meters) == ("csv_wide", 2)


@pytest.mark.parametrize(
    ("rows", "last_days"),
    [
        ("A,2025-01-05,2025-02-04,30\nA,2025-02-05,2025-03-06,28\n", ["2025-02-04", "2025-03-06"]),
        ("A,2025-01-05,2025-02-05,30\nA,2025-02-05,2025-03-06,28\n", ["2025-02-04", "2025-03-05"]),
        ("A,2025-01-05,2025-02-05,30\nB,2025-01-07,2025-02-07,28\n", ["2025-02-04", "2025-02-06"]),
        ("A,2025-01-01,2025-01-31,30\nB,2025-01-01,2025-01-31,28\n", ["2025-01-31", "2025-01-31"]),
    ],
)
def test_a_bill_says_its_days_itself(rows, last_days):
    upload = send(f"meter_id,from_date,to_date,kwh\n{rows}")
    assert (upload.error, upload.format, rejected(upload)) == ("", "csv_bills", [])
    assert [(end, kwh) for _start, end, kwh in periods()] == list(zip(last_days, [30, 28], strict=True))


def test_wrong_bills_are_named_with_their_line():
    rows = [
        "A,2025-01-05,2025-02-05,30,kWh,E", "A,soon,2025-02-05,1,kWh,A", "B,2025-01-05,2024-12-05,1,kWh,A",
        ",2025-01-05,2025-02-05,1,kWh,A", "C,2025-01-05,2025-02-05,x,kWh,A", "D,2025-01-05,2025-02-05,1,m3,A",
    ]  # fmt: skip
    upload = send("\n".join(["meter,start,end,usage,unit,quality", *rows]))
    assert upload.register_reads == 1
    assert RegisterRead.objects.get().estimated
    assert [(line, why[:20]) for line, why, _text in rejected(upload)] == [
        (3, "not a date and time"), (4, "the period ends befo"), (5, "no meter is named, i"), (6, "not a number"),
        (7, "the unit is none of "),
    ]  # fmt: skip


def test_hours_that_name_their_ends_are_no_bills():
    rows = [f"A,2025-03-01 {hour:02}:00,2025-03-01 {hour + 1:02}:00,0.{hour}" for hour in range(23)]
    assert send("\n".join(["meter,start,end,kwh", *rows])).format == "csv_long"
    days = [f"A,2025-03-{day:02},2025-03-{day + 1:02},5" for day in range(1, 9)]
    assert send("\n".join(["meter,start,end,kwh", *days])).format == "csv_long"
