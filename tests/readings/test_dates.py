"""Dates as senders write them: which number is the month, two-digit years, halves of the day, counted days."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from apps.readings import importers
from apps.readings.guessing import guess
from apps.readings.importers import dates, months
from apps.readings.importers.base import FileFault, Reading, Rejects
from tests.readings.files import send


def stamps(tmp_path, content: str) -> tuple[list[str], Reading]:
    """Different stamps of a file in order, to the minute."""
    path = tmp_path / "a.csv"
    path.write_text(content)
    reading = Reading(Rejects(20))
    blocks = list(importers.recognise(path).blocks(path, reading))
    minutes = np.unique(np.concatenate([block.minutes for block in blocks]))
    return minutes.astype("datetime64[m]").astype(str).tolist(), reading


def american(moment: datetime) -> str:
    return f"{moment.month}/{moment.day}/{moment.year} {moment.hour}:{moment.minute:02}"


def hours_from(first: str, days: int) -> list[datetime]:
    return [datetime.fromisoformat(first) + timedelta(hours=hour) for hour in range(24 * days)]


@pytest.mark.parametrize("days", [10, 40])
@pytest.mark.parametrize("header", ["meter,time,kwh\n", "time,A,B\n"])
def test_months_come_first_where_days_beyond_the_beginning_say_so_or_the_hours_do(tmp_path, header, days):
    moments = hours_from("2025-01-01", days)
    row = "M-1,{},1\n" if header.startswith("meter") else "{},1,2\n"
    found, reading = stamps(tmp_path, header + "".join(row.format(american(moment)) for moment in moments))
    assert (found[0], found[-1], len(found)) == ("2025-01-01T00:00", f"{moments[-1]:%Y-%m-%dT%H:%M}", days * 24)
    assert reading.rejects.count == 0


def test_days_come_first_where_a_day_beyond_the_beginning_says_so(tmp_path):
    rows = [f"M-1,{moment:%d/%m/%Y %H:%M},1\n" for moment in hours_from("2025-02-01", 20)]
    found, reading = stamps(tmp_path, "meter,time,kwh\n" + "".join(rows))
    assert (found[-1], len(found), reading.rejects.count) == ("2025-02-20T23:00", 480, 0)


@pytest.mark.parametrize(("zone", "day"), [("Europe/Madrid", "2025-05-01"), ("America/Chicago", "2025-01-05")])
def test_where_nothing_tells_people_write_as_they_do_where_the_utility_is(tmp_path, settings, zone, day):
    settings.UTILITY_TIME_ZONE = zone
    dates.evidence.cache_clear()
    assert stamps(tmp_path, "meter,date,kwh\nM-1,1/5/2025,1\nM-2,1/5/2025,1\n")[0] == [f"{day}T00:00"]


AMBIGUOUS, DAYS, MONTHS = "03/04/2025", "25/04/2025", "04/25/2025"


def order_taken(tmp_path, *days: str, header: str = "meter,date,kwh", **known) -> tuple[str, str]:
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\n" + "".join(f"M-1,{day},1\n" for day in days))
    said = guess(path, known.get("remembered"), known.get("stated"))
    return said.date_order, said.date_order_why


@pytest.mark.parametrize(
    ("days", "known", "taken"),
    [
        (["2025-04-03"], {}, ("", "")),
        (["03.04.2025"], {}, ("", "")),
        ([AMBIGUOUS, DAYS], {}, ("day_first", "seen")),
        ([AMBIGUOUS, MONTHS], {}, ("month_first", "seen")),
        ([AMBIGUOUS], {}, ("day_first", "guessed")),
        (["03/04/2025 00:00", "04/04/2025 00:00"], {}, ("day_first", "likely")),
        ([AMBIGUOUS], {"stated": {"date_order": "month_first"}}, ("month_first", "stated")),
        (["2025-04-03"], {"stated": {"date_order": "month_first"}}, ("", "")),
        ([AMBIGUOUS], {"remembered": "month_first"}, ("month_first", "remembered")),
        (["03/04/2025 00:00", "04/04/2025 00:00"], {"remembered": "month_first"}, ("month_first", "remembered")),
        ([AMBIGUOUS, DAYS], {"remembered": "month_first"}, ("day_first", "seen")),
        ([AMBIGUOUS], {"remembered": "month_first", "stated": {"date_order": "day_first"}}, ("day_first", "stated")),
    ],
)
def test_an_order_of_dates_comes_with_how_it_is_known(tmp_path, settings, days, known, taken):
    settings.UTILITY_TIME_ZONE = "Europe/Madrid"
    if "remembered" in known:
        known = known | {"remembered": {"timezone": "UTC", "format": "csv_long", "date_order": known["remembered"]}}
    assert order_taken(tmp_path, *days, **known) == taken


@pytest.mark.parametrize(
    ("order", "day", "line"), [("month_first", DAYS, 3), ("day_first", MONTHS, 3), ("day_first", f"{MONTHS} 07:00", 3)]
)
def test_a_file_that_contradicts_the_stated_order_is_refused_with_the_line(tmp_path, order, day, line):
    with pytest.raises(FileFault, match=f"Line {line}: {day} is no date in the order that was stated"):
        order_taken(tmp_path, AMBIGUOUS, day, AMBIGUOUS, stated={"date_order": order})


@pytest.mark.parametrize(
    "content",
    [
        "time,A,B\n03/04/2025 00:00,1,2\n25/04/2025 00:00,1,2\n",
        "meter,03/04/2025,25/04/2025\nA,1,2\n",
        "meter,time,event_code\nA,03/04/2025 01:00,1\nA,25/04/2025 01:00,1\n",
        "meter,start,end,kwh\nA,03/04/2025,04/05/2025,1\nA,04/05/2025,25/06/2025,1\n",
        "meter,date,"
        + ",".join(f"H{hour}" for hour in range(1, 25))
        + "".join(f"\nA,{day}" + ",1" * 24 for day in ("03/04/2025", "25/04/2025")),
    ],
)
def test_every_shape_of_table_says_its_order_and_refuses_another(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_text(content)
    assert (guess(path).date_order, guess(path).date_order_why) == ("day_first", "seen")
    with pytest.raises(FileFault, match=r"25/0[46]/2025.* is no date in the order that was stated"):
        guess(path, stated={"date_order": "month_first"})


def test_the_end_of_a_bill_says_how_its_start_is_written(tmp_path, settings):
    settings.UTILITY_TIME_ZONE = "America/Chicago"
    path = tmp_path / "a.csv"
    path.write_text("meter,start,end,kwh\nA,01/05/2025,31/05/2025,1\nB,01/05/2025,31/05/2025,1\n")
    reading = Reading(Rejects(20))
    list(importers.recognise(path).blocks(path, reading))
    assert reading.registers[0].first_day.astype("datetime64[D]").astype(str).tolist() == ["2025-05-01"] * 2


def test_a_day_that_is_still_to_come_is_not_meant(tmp_path, monkeypatch):
    monkeypatch.setattr(dates.times, "today", lambda: int(np.datetime64("2026-03-10", "D").astype(int)))
    assert stamps(tmp_path, "meter,date,kwh\nM-1,3/9/2026,1\nM-2,3/9/2026,1\n")[0] == ["2026-03-09T00:00"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("05.03.25 07:30", "2025-03-05T07:30"),
        ("18/3/25 7:30", "2025-03-18T07:30"),
        ("3/25/2025 12:15 AM", "2025-03-25T00:15"),
        ("03/25/2025 12:15:00 p.m.", "2025-03-25T12:15"),
        ("2025-03-25 1:15 PM", "2025-03-25T13:15"),
        ("202503250015", "2025-03-25T00:15"),
        ("20250325001500", "2025-03-25T00:15"),
        ("2025-03-25 00:15 GMT", "2025-03-25T00:15"),
        ("45741.0104167", "2025-03-25T00:15"),
        ("1742861700000000000", "2025-03-25T00:15"),
        ("1742861700000000", "2025-03-25T00:15"),
        ("25-Mar-2025 13:00", "2025-03-25T13:00"),
        ("25-MAR-25 01:00:00 PM", "2025-03-25T13:00"),
        ("25MAR2025:13:00:00", "2025-03-25T13:00"),
        ("2025-Mar-25 13:00", "2025-03-25T13:00"),
        ("Mar 25 2025", "2025-03-25T00:00"),
        ('"March 25th, 2025 1:00 PM"', "2025-03-25T13:00"),
        ('"Tuesday, 25 March 2025 13:00"', "2025-03-25T13:00"),
        ("Tue Mar 25 13:00:00 2025", "2025-03-25T13:00"),
        ("25-Mar-2025T13:00:00+01:00", "2025-03-25T12:00"),
        ("25. März 2025 13:00", "2025-03-25T13:00"),
        ("1er août 2025", "2025-08-01T00:00"),
        ("25 de marzo de 2025", "2025-03-25T00:00"),
        ("25 Ağu 2025", "2025-08-25T00:00"),
        ("25 października 2025", "2025-10-25T00:00"),
    ],
)
def test_a_stamp_is_understood_as_its_program_writes_it(tmp_path, text, moment):
    found, reading = stamps(tmp_path, f"meter,time,kwh\nM-1,{text},1\n")
    assert (found, reading.rejects.kept) == ([moment], [])


def test_names_of_months_leave_no_question_of_order_and_a_wrong_one_is_a_rejected_line(tmp_path):
    rows = [f"M-1,{day},1\n" for day in ("03-Apr-2025", "03-Foo-2025", "31-Feb-2025", "03-Apr-2025 24:30")]
    found, reading = stamps(tmp_path, "meter,date,kwh\n" + "".join(rows))
    assert (found, reading.date_order) == (["2025-04-03T00:00"], None)
    assert [kept[0] for kept in reading.rejects.kept] == [3, 4, 5]


def test_names_of_months_are_understood_once_for_each_text(tmp_path, monkeypatch):
    asked = []
    understood = months.in_numbers
    monkeypatch.setattr(months, "in_numbers", lambda column: asked.append(len(column)) or understood(column))
    days = [f"{moment:%d-%b-%Y %H:%M}" for moment in hours_from("2025-03-01", 2)]
    found, _reading = stamps(
        tmp_path, "meter,time,kwh\n" + "".join(f"M-{m},{day},1\n" for m in range(500) for day in days)
    )
    assert len(found) == 48
    assert max(asked) <= 100, "the first rows to look at, or each text once"


@pytest.mark.parametrize("names", ["5-Jan-2025,6-Jan-2025,7-Jan-2025", "January 5 2025,January 6 2025,January 7 2025"])
def test_columns_may_be_days_with_names_of_months(tmp_path, names):
    found, reading = stamps(tmp_path, f"meter,{names}\nA,1,2,3\n")
    assert (found[0], len(found), reading.names) == ("2025-01-05T00:00", 3, ["A"])


def test_thirteen_in_the_afternoon_is_no_time(tmp_path):
    _found, reading = stamps(tmp_path, "meter,time,kwh\nM-1,2025-03-25 11:15 PM,1\nM-1,2025-03-25 13:15 PM,1\n")
    assert [(line, why) for line, why, _text in reading.rejects.kept] == [(3, "not a date and time")]


@pytest.mark.parametrize("days", [["25/12/01", "25/12/02", "25/12/03"], ["25/11/24"]])
def test_a_year_of_two_digits_that_comes_first_is_refused(tmp_path, monkeypatch, days):
    monkeypatch.setattr(dates.times, "today", lambda: int(np.datetime64("2026-03-10", "D").astype(int)))
    with pytest.raises(FileFault, match="do not say which number is the year"):
        stamps(tmp_path, "meter,date,kwh\n" + "".join(f"M-1,{day},1\n" for day in days))


def test_a_day_may_come_as_its_midnight_beside_a_column_of_hours(tmp_path):
    rows = [f"M-1,2025-03-01 00:00:00,{hour},1\n" for hour in range(24)]
    assert len(stamps(tmp_path, "meter,date,hour,kwh\n" + "".join(rows))[0]) == 24


@pytest.mark.parametrize("first", [1000000001, 20240101, 45296])
def test_meters_whose_numbers_could_be_dates_are_meters_beside_a_column_of_times(tmp_path, first):
    names = [str(first + place) for place in range(3)]
    rows = [f"2025-03-01 {hour:02}:00,1,2,3\n" for hour in range(24)]
    found, reading = stamps(tmp_path, ",".join(["reading", *names]) + "\n" + "".join(rows))
    assert (reading.names, len(found)) == (names, 24)


@pytest.mark.parametrize(
    ("name", "zone"), [("datetime_utc", "UTC"), ("Time (GMT)", "Europe/London"), ("time", "Europe/London")]
)
def test_a_column_called_utc_is_in_utc(tmp_path, settings, name, zone):
    settings.UTILITY_TIME_ZONE = "Europe/London"
    path = tmp_path / "a.csv"
    path.write_text(f"meter,{name},kwh\n" + "".join(f"M-1,2025-07-01 {hour:02}:00,0.{hour}\n" for hour in range(24)))
    assert guess(path).timezone == zone


@pytest.mark.django_db
@pytest.mark.parametrize("header", ["meter,date,tariff,kwh", "meter,date,number,kwh"])
def test_readings_of_a_day_without_their_times_are_refused(header):
    rows = "".join(f"M-1,2025-03-01,{period},0.{period}\n" for period in range(1, 49))
    assert "Line 2: several readings of a meter come for one day" in send(f"{header}\n{rows}").error
