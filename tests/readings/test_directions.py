"""Energy given to the grid in a column beside that of energy taken: a channel of its own, as in NEM12."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from apps.readings.importers import directions
from apps.readings.models import Channel, LoadProfile
from tests.readings.files import rejected, send
from tests.readings.test_formats_csv import read

TAKEN, GIVEN = Channel.IMPORT, Channel.EXPORT


def both(
    tmp_path, header: str, rows: str = "M-1;2026-03-01 00:00;0,5;0,25\nM-1;2026-03-01 01:00;1,5;\n"
) -> list[tuple]:
    """(minutes, value, channel) of a file with a semicolon between columns."""
    found, reading = read(tmp_path, f"{header}\n{rows}")
    assert reading.names == ["M-1"]
    return sorted((minutes, value, channel) for _meter, minutes, value, channel, _quality in found)


@pytest.mark.parametrize(
    "header",
    [
        "meter;time;import_kwh;export_kwh", "Zähler;Zeit;Bezug (kWh);Einspeisung (kWh)",
        "meter;time;Consumption;Generation", "Meter;Time;Delivered kWh;Received kWh",
        "compteur;horodate;valeur;injection",
        "Teller;Tijdstempel;Levering;Teruglevering", "POD;data;prelievo kWh;immissione kWh",
        "meter;time;1-0:1.8.0 [kWh];1-0:2.8.0 [kWh]", "meter;time;kWh;solar feed-in kWh",
        "Sayaç No;Zaman;Tüketim;Üretim", "CUPS;Fecha;Consumo_kWh;Excedente_kWh",
    ],
)  # fmt: skip
def test_a_second_column_of_energy_given_is_a_channel_of_its_own(tmp_path, header):
    assert both(tmp_path, header) == [(0, 0.25, GIVEN), (0, 0.5, TAKEN), (60, 1.5, TAKEN)]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("meter;time;kwh;export_date", "2026-03-02"),
        ("meter;time;kwh;export_price", "0,3"),
        ("meter;time;kwh;export kvarh", "0,3"),
        ("meter;time;kwh;export", "yes"),
        ("meter;time;kwh;export kW", "1,5"),
        ("meter;time;kwh;export_1_kwh;export_2_kwh", "1,5;1,5"),
    ],
)
def test_what_is_no_energy_given_or_could_be_several_is_left_out(tmp_path, header, row):
    assert both(tmp_path, header, f"M-1;2026-03-01 00:00;0,5;{row}\n") == [(0, 0.5, TAKEN)]


def test_of_generated_and_given_energy_the_given_is_read(tmp_path):
    rows = "M-1;2026-03-01 00:00;0,5;9;0,25\n"
    assert both(tmp_path, "meter;time;kwh;generation_kwh;export_kwh", rows)[0] == (0, 0.25, GIVEN)


@pytest.mark.parametrize("header", ["meter;time;export_kwh", "Zähler;Zeit;Einspeisung", "meter;time;Generation (kWh)"])
def test_energy_that_is_given_alone_is_not_taken_for_energy_taken(tmp_path, header):
    assert both(tmp_path, header, "M-1;2026-03-01 00:00;0,5\n") == [(0, 0.5, GIVEN)]


def test_columns_of_meters_that_all_give_are_all_given(tmp_path):
    found, reading = read(tmp_path, "time,A export,B export\n2026-03-01 00:00,1,2\n2026-03-01 01:00,1,2\n")
    assert (reading.names, {row[3] for row in found}) == (["A", "B"], {GIVEN})


def test_both_columns_come_in_the_unit_of_the_first(tmp_path):
    rows = "M-1;2026-03-01 00:00;0,5;250\n"
    assert both(tmp_path, "meter;time;import_kwh;export_wh", rows) == [(0, 0.25, GIVEN), (0, 0.5, TAKEN)]


def test_a_column_that_says_the_channel_stands_above_another_of_energy_given(tmp_path):
    rows = "M-1;2026-03-01 00:00;import;0,5;0,25\nM-1;2026-03-01 00:00;export;0,75;0,25\n"
    assert both(tmp_path, "meter;time;direction;kwh;export_kwh", rows) == [(0, 0.5, TAKEN), (0, 0.75, GIVEN)]


@pytest.mark.parametrize(
    "names",
    [
        "A import,A export,B", "A Bezug,A Einspeisung,B", "A,A_export,B", "A import (kWh),A export (kWh),B (kWh)",
        "import A,export A,B", "A (import),A (export),B", "A 1-0:1.8.0,A 1-0:2.8.0,B", "A E1,A B1,B", "A a+,A a-,B",
    ],
)  # fmt: skip
def test_columns_of_a_meter_may_be_two(tmp_path, names):
    rows = "".join(f"2026-03-01 0{hour}:00,{hour},{hour + 10},5\n" for hour in range(2))
    found, reading = read(tmp_path, f"time,{names}\n{rows}")
    assert reading.names == ["A", "B"]
    assert sorted((row[0], row[2], row[3]) for row in found) == [
        ("A", 0, TAKEN), ("A", 1, TAKEN), ("A", 10, GIVEN), ("A", 11, GIVEN), ("B", 5, TAKEN), ("B", 5, TAKEN),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "names", ["House 1,House 2", "Block A,Block B", "Block E,Block B", "A export,B", "Solar in,Out"]
)
def test_a_name_that_only_looks_like_a_direction_is_a_meters(tmp_path, names):
    _found, reading = read(tmp_path, f"time,{names}\n2026-03-01 00:00,1,2\n2026-03-01 01:00,1,2\n")
    assert reading.names == names.split(",")


@pytest.mark.parametrize("part", ["a-", "_", "Jan "])
def test_a_name_of_many_parts_takes_no_time(tmp_path, part):
    name = (part * 60_000)[:120_000].strip()
    assert directions.of_names([name])[0] == [name]
    found, _reading = read(tmp_path, f"meter,time,kwh,{name}\nM-1,2026-03-01 00:00,1,2\n")
    assert [row[2] for row in found] == [1]


@pytest.mark.django_db
def test_energy_given_is_stored_beside_what_was_taken_and_nothing_is_netted():
    rows = "".join(f"M-1,2026-03-01 {hour:02}:00,{hour},{24 - hour}\n" for hour in range(24))
    upload = send("meter,time,import_kwh,export_kwh\n" + rows + "M-1,2026-03-02 00:00,1,x\n")
    stored = dict(LoadProfile.objects.filter(day="2026-03-01").values_list("channel", "kwh"))
    assert stored == {TAKEN: list(range(24)), GIVEN: list(range(24, 0, -1))}
    assert (upload.readings, rejected(upload)) == (49, [(26, "not a number", "x")])


@pytest.mark.django_db
def test_a_person_is_told_of_energy_given_and_may_leave_it_out(client, ana):
    client.force_login(ana)
    rows = "".join(f"M-1,2026-03-01 {hour:02}:00,{hour},1\n" for hour in range(24)).encode()
    file = SimpleUploadedFile("a.csv", b"meter,time,import_kwh,export_kwh\n" + rows)
    page = client.post(reverse("upload_new"), {"file": file, "sender": "north"}, follow=True)
    assert [role for _field, _name, role in page.context["columns"].shown] == ["meter", "time", "value", "export"]
    assert "a channel of its own; nothing is netted" in page.content.decode()
    address = reverse("upload_confirm", args=[page.context["upload"].pk])
    said = {"timezone": "UTC", "stamps": "start", "measures": "interval", "unit": "kWh", "multiplier": 1}
    without = client.post(address, {**said, "column-3": "ignored"}, headers={"HX-Request": "true"})
    assert "nothing is netted" not in without.content.decode()
