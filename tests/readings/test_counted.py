"""Hours and half-hours by number: 1..24, and 1..23 or 1..25 where clocks are changed. Exact moments, both changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from apps.readings import importers
from apps.readings.guessing import guess
from apps.readings.importers.base import FileFault, Reading, Rejects
from tests.readings.files import rejected, send, stored

LONDON, CHICAGO = "Europe/London", "America/Chicago"


def read(tmp_path, content: str, zone: str = LONDON) -> tuple[list[tuple[str, datetime, float]], Reading, str]:
    """(meter, moment, value) of each reading, in order; moments are naive where the file says no zone."""
    path = tmp_path / "a.csv"
    path.write_text(content)
    format_ = importers.recognise(path)
    reading, found = Reading(Rejects(20), timezone=zone), []
    for block in format_.blocks(path, reading):
        moments = block.minutes.astype("datetime64[m]").astype(datetime)
        names = [reading.names[meter] for meter in block.meters]
        found += zip(names, moments, block.values.tolist(), strict=True)
    if reading.zoned:
        found = [(name, moment.replace(tzinfo=UTC), value) for name, moment, value in found]
    return sorted(row for row in found if not np.isnan(row[2])), reading, format_.name


def midnight(day: str, zone: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def passed(day: str, zone: str, minutes: int, count: int) -> list[datetime]:
    """The first moments of so many intervals one after the other, from civil midnight on."""
    return [midnight(day, zone) + timedelta(minutes=minutes * place) for place in range(count)]


CHANGES = [
    ("2025-03-30", LONDON, 60, 23), ("2025-10-26", LONDON, 60, 25), ("2025-07-01", LONDON, 60, 24),
    ("2025-03-30", LONDON, 30, 46), ("2025-10-26", LONDON, 30, 50), ("2025-07-01", LONDON, 30, 48),
    ("2025-03-09", CHICAGO, 60, 23), ("2025-11-02", CHICAGO, 60, 25), ("2025-11-02", CHICAGO, 15, 100),
    ("2025-03-09", CHICAGO, 15, 92),
    # Midnight itself is skipped, and comes twice.
    ("2025-09-07", "America/Santiago", 60, 23), ("2025-04-05", "America/Santiago", 60, 25),
]  # fmt: skip
NAMES = {60: "hour", 30: "settlement_period", 15: "interval"}


@pytest.mark.parametrize(("day", "zone", "minutes", "count"), CHANGES)
def test_numbers_count_what_has_passed_since_civil_midnight(tmp_path, settings, day, zone, minutes, count):
    settings.UTILITY_TIME_ZONE = zone
    rows = [f"{meter},{day},{number},{number}\n" for meter in ("A", "B") for number in range(1, count + 1)]
    found, reading, name = read(tmp_path, f"meter,date,{NAMES[minutes]},kwh\n" + "".join(rows), zone)
    moments = passed(day, zone, minutes, count)
    assert found == [(meter, moment, place + 1) for meter in ("A", "B") for place, moment in enumerate(moments)]
    assert (name, reading.rejects.kept, moments[-1]) == (
        "csv_counted", [], midnight(str(np.datetime64(day) + 1), zone) - timedelta(minutes=minutes)
    )  # fmt: skip


@pytest.mark.parametrize(("day", "zone", "minutes", "count"), CHANGES)
def test_columns_of_meters_beside_numbers_mean_the_same(tmp_path, settings, day, zone, minutes, count):
    settings.UTILITY_TIME_ZONE = zone
    rows = [f"{day},{number},{number},0\n" for number in range(1, count + 1)]
    found, reading, name = read(tmp_path, f"Date,{NAMES[minutes]},A,B\n" + "".join(rows), zone)
    assert [moment for meter, moment, _value in found if meter == "A"] == passed(day, zone, minutes, count)
    assert (name, reading.rejects.kept, reading.names) == ("csv_wide_counted", [], ["A", "B"])


@pytest.mark.parametrize(("day", "zone", "minutes", "count"), CHANGES)
def test_columns_that_are_numbered_mean_the_same(tmp_path, day, zone, minutes, count):
    more = 1440 // minutes + 60 // minutes
    names = ",".join(f"P{number}" for number in range(1, more + 1))
    values = ",".join(str(number) if number <= count else "" for number in range(1, more + 1))
    found, reading, name = read(tmp_path, f"meter,date,{names}\nA,{day},{values}\n", zone)
    moments = passed(day, zone, minutes, count)
    assert found == [("A", moment, place + 1) for place, moment in enumerate(moments)]
    assert (name, reading.rejects.kept, reading.zoned) == ("csv_hours", [], True)


def test_hours_that_are_named_as_the_clock_shows_them_leave_one_out_in_spring(tmp_path):
    rows = [f"A,2025-03-{day},{hour},{hour}\n" for day in (29, 30) for hour in range(1, 25) if (day, hour) != (30, 2)]
    found, _reading, _name = read(tmp_path, "meter,date,hour ending,kwh\n" + "".join(rows))
    assert [f"{moment:%d %H}" for _meter, moment, _value in found[24:27]] == ["30 00", "30 02", "30 03"]
    assert guess(tmp_path / "a.csv").stamps == "start"


def test_numbered_columns_that_name_hours_as_the_clock_shows_them_leave_one_out(tmp_path):
    names = ",".join(f"HE{hour}" for hour in range(1, 25))
    spring, autumn = ",".join(f"{h}" if h != 2 else "" for h in range(1, 25)), ",".join(str(h) for h in range(1, 25))
    found, reading, _name = read(tmp_path, f"meter,date,{names}\nA,2025-03-30,{spring}\nA,2025-10-26,{autumn}\n")
    assert [f"{moment:%d %H}" for _meter, moment, value in found if value in {1, 3, 24}] == [
        "30 00", "30 01", "30 22", "25 23", "26 02", "26 23",
    ]  # fmt: skip
    assert reading.rejects.kept == []


@pytest.mark.django_db
@pytest.mark.parametrize("zone", [LONDON, "UTC"])
def test_a_year_of_settlement_periods_comes_to_whole_days(settings, zone):
    settings.UTILITY_TIME_ZONE = LONDON
    days = [("2025-10-25", 48), ("2025-10-26", 50), ("2025-10-27", 48)]
    rows = [f"M-1,{day},{number},{number}\n" for day, count in days for number in range(1, count + 1)]
    upload = send("meter,settlement_date,settlement_period,kwh\n" + "".join(rows), timezone=zone)
    if zone == "UTC":
        assert {(line, why) for line, why, _text in rejected(upload)} == {
            (line, "the day has no interval of that number in UTC") for line in (98, 99)
        }
        return
    assert (upload.rejected, upload.readings, upload.format, upload.stamps) == (0, 146, "csv_counted", "start")
    # Days here are of standard time: the 25th begins at 01:00 of summer time, and ends an hour late.
    assert stored("M-1", "2025-10-25")[-2:] == [1, 2]
    assert stored("M-1", "2025-10-26") == [*range(3, 51)]
    assert stored("M-1", "2025-10-27") == [*range(1, 49)]


@pytest.mark.parametrize(
    ("header", "numbers", "format_"),
    [
        ("meter,date,hour,kwh", range(24), "csv_long"),  # as a clock shows them
        ("meter,date,hour,kwh", range(7, 19), "csv_long"),
        ("meter,date,hour,kwh", range(1, 25), "csv_counted"),
        ("meter,date,start time,kwh", range(1, 25), "csv_long"),
        ("meter,settlement_date,SP,kwh", range(1, 20), "csv_counted"),  # the day is not over
        ("meter,date,period,kwh", range(48), "csv_counted"),
        ("meter,date,Stunde,kwh", range(1, 25), "csv_counted"),
    ],
)
def test_numbers_are_counted_only_where_they_can_be_no_time(tmp_path, header, numbers, format_):
    rows = [f"A,2025-07-01,{number},1\n" for number in numbers]
    found, _reading, name = read(tmp_path, f"{header}\n" + "".join(rows))
    assert (name, len(found)) == (format_, len(numbers))


def test_a_column_of_lengths_is_no_number_of_an_interval(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("meter,date,interval,kwh\n" + "".join(f"A,2025-07-0{day},30,1\n" for day in range(1, 9)))
    assert importers.recognise(path).name == "csv_long"


def test_stamps_with_times_go_before_numbers(tmp_path):
    rows = [f"A,2025-07-01,2025-07-01 {number // 2:02}:00,{number + 1},1\n" for number in range(0, 48, 2)]
    _found, _reading, name = read(tmp_path, "meter,date,timestamp,settlement_period,kwh\n" + "".join(rows))
    assert name == "csv_long"


def test_what_stands_in_the_hour_that_is_left_out_is_a_rejected_line_and_the_rest_is_read(tmp_path):
    names, values = (",".join(f"{kind}{hour}" for hour in range(1, 25)) for kind in ("H", ""))
    found, reading, _name = read(tmp_path, f"meter,date,{names}\nA,2025-03-30,{values}\n")
    assert (len(found), reading.rejects.count) == (23, 1)
    assert reading.rejects.kept[0][:2] == (2, "the day has no interval of that number in Europe/London")


def test_a_row_that_counts_to_25_on_another_day_is_rejected(tmp_path):
    names, values = (",".join(f"{kind}{hour}" for hour in range(1, 26)) for kind in ("H", ""))
    found, reading, _name = read(tmp_path, f"meter,date,{names}\nA,2025-10-25,{values}\nA,2025-10-26,{values}\n")
    assert (len(found), [kept[0] for kept in reading.rejects.kept]) == (25, [2])


def test_numbers_of_json_are_counted_too(tmp_path):
    rows = [f'{{"meter": "A", "date": "2025-10-26", "settlement_period": {n}, "kwh": {n}}}\n' for n in range(1, 51)]
    found, _reading, name = read(tmp_path, "".join(rows))
    assert (name, [row[1] for row in found]) == ("json_counted", passed("2025-10-26", LONDON, 30, 50))


def test_a_column_that_a_person_says_to_count_is_counted(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b,c,d\n" + "".join(f"A,2025-10-26,{number},1\n" for number in range(1, 51)))
    chosen = {"meter": "a", "time": "b", "clock": "c", "value": "d"}
    assert importers.recognise(path, "csv_long", chosen).name == "csv_counted"
    with pytest.raises(FileFault):
        importers.recognise(path)
