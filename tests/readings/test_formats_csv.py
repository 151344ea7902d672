"""CSV as it comes from many countries and programs: delimiters, decimals, names of columns, columns beside readings."""

import json

import pytest

from apps.readings import importers
from apps.readings.guessing import guess
from apps.readings.importers import headings
from apps.readings.importers.base import FileFault, Reading, Rejects
from apps.readings.importers.tables import ColumnsUnclear
from apps.readings.statements import Statement


def read(tmp_path, content: str, columns: dict | None = None) -> tuple[list, Reading]:
    """(meter, minutes of its day, value, channel, quality) of each reading."""
    path = tmp_path / "a.csv"
    path.write_text(content)
    reading, found = Reading(Rejects(20)), []
    for block in importers.recognise(path, columns=columns).blocks(path, reading):
        channels = block.channels if block.channels is not None else [1] * len(block.values)
        quality = block.quality if block.quality is not None else [0] * len(block.values)
        names = [reading.names[meter] for meter in block.meters]
        columns_ = (names, (block.minutes % 1440).tolist(), block.values.tolist(), channels, quality)
        found += [(*row[:3], int(row[3]), int(row[4])) for row in zip(*columns_, strict=True)]
    return found, reading


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Zählernummer;Zeitstempel;Verbrauch (kWh)", "M-1;01.03.2026 07:30;0,5"),
        ("Messlokation;Datum;Uhrzeit;Wert", "M-1;01.03.2026;07:30;0,5"),
        ("N° compteur;Horodate;Valeur", "M-1;01/03/2026 07:30;0,5"),
        ("PRM,Date,Heure,Consommation", 'M-1,01/03/2026,7:30,"0.5"'),
        ("CUPS;Fecha;Hora;Consumo_kWh", "M-1;01/03/2026;07:30;0,5"),
        ("Unidade consumidora|Data e hora|Energia (kWh)", "M-1|2026-03-01 07:30|0,5"),
        ("POD\tData\tOra\tEnergia attiva", "M-1\t01/03/2026\t07.30\t0,5".replace("07.30", "0730")),
        ("Meternummer;Datum;Tijd;Verbruik", "M-1;01-03-2026;07:30;0,5"),
        ("Sayaç No;Tarih;Saat;Tüketim (kWh)", "M-1;01.03.2026;07:30;0,5"),
        ("Nr licznika;Data;Godzina;Zużycie", "M-1;01.03.2026;07:30;0,5"),
        ("meter,date,time,usage", "M-1,3/13/2026,7:30 AM,0.5"),
    ],
)
def test_senders_of_many_languages_need_to_change_nothing(tmp_path, header, row):
    found, reading = read(tmp_path, f"{header}\n{row}\n")
    assert (found, reading.rejects.kept) == ([("M-1", 450, 0.5, 1, 0)], [])


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1.234,5", 1234.5), ("1 234,5", 1234.5), ("1'234,5", 1234.5), ("1.234", 1234), ("12.345.678,9", 12345678.9),
        ("-0,25", -0.25), ("0,5", 0.5),
    ],
)  # fmt: skip
def test_thousands_may_be_parted_where_decimals_have_a_comma(tmp_path, cell, value):
    found, reading = read(tmp_path, f"meter;time;kwh\nM-1;2026-03-01 00:00;0,25\nM-1;2026-03-01 01:00;{cell}\n")
    assert ([row[2] for row in found], reading.rejects.count) == ([0.25, value], 0)


@pytest.mark.parametrize(("cell", "value"), [('"1,234.5"', 1234.5), ("1'234.5", 1234.5), ('"12,345,678"', 12345678)])
def test_thousands_may_be_parted_where_decimals_have_a_point(tmp_path, cell, value):
    found, _reading = read(tmp_path, f"meter,time,kwh\nM-1,2026-03-01 00:00,0.125\nM-1,2026-03-01 01:00,{cell}\n")
    assert [row[2] for row in found] == [0.125, value]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (['"0,681"', '"1,250"'], [0.681, 1.25]),
        (['"1,25"', '"2,5"'], [1.25, 2.5]),
        (['"1,250"', '"2,500"'], [1250, 2500]),
        (['"1,250.5"', '"0.681"'], [1250.5, 0.681]),
    ],
)
def test_a_quoted_comma_parts_decimals_where_it_cannot_part_thousands(tmp_path, cells, values):
    rows = [f"M-1,2026-03-01 0{hour}:00,{cell}\n" for hour, cell in enumerate(cells)]
    found, reading = read(tmp_path, "meter,time,kwh\n" + "".join(rows))
    assert ([row[2] for row in found], reading.rejects.kept) == (values, [])


def test_a_point_parts_thousands_where_hundreds_have_none(tmp_path):
    rows = [f"M-1;2026-03-01 0{hour}:00;{cell}\n" for hour, cell in enumerate(["950", "1.234", "870", "12.010"])]
    found, _reading = read(tmp_path, "meter;time;wh\n" + "".join(rows))
    assert [row[2] for row in found] == [950, 1234, 870, 12010]
    found, _reading = read(tmp_path, "meter;time;kwh\n" + "".join(rows).replace("870", "0.870"))
    assert [row[2] for row in found] == [950, 1.234, 0.87, 12.01]


def test_texts_in_json_may_have_decimal_commas(tmp_path):
    rows = [{"meter": "M-1", "time": f"2026-03-01T0{hour}:00Z", "kwh": f"0,{hour}25"} for hour in range(3)]
    found, _reading = read(tmp_path, json.dumps(rows))
    assert [row[2] for row in found] == [0.025, 0.125, 0.225]


def test_a_point_stays_a_point_where_a_note_has_a_comma(tmp_path):
    found, _reading = read(tmp_path, "meter;time;kwh;note\nM-1;2026-03-01 00:00;0.125;Main St, 5\n")
    assert [row[2] for row in found] == [0.125]


def test_channel_quality_and_unit_may_stand_in_columns_of_their_own(tmp_path):
    rows = [
        "M-1;2026-03-01 00:00;500;Wh;1-0:1.8.0;W",
        "M-1;2026-03-01 00:00;2;kWh;1-0:2.8.0;Ersatzwert",
        "M-1;2026-03-01 00:00;7;kvarh;1-0:1.8.0;W",
        "M-1;2026-03-01 00:00;7;kWh;1-0:3.8.0;W",
    ]
    found, reading = read(tmp_path, "\n".join(["Zähler;Zeit;Wert;Einheit;OBIS;Status", *rows]))
    assert found == [("M-1", 0, 0.5, 1, 0), ("M-1", 0, 2.0, 2, 1)]
    assert [(line, why) for line, why, _text in reading.rejects.kept] == [
        (5, "the channel is no energy taken or given"),
        (4, "the unit is none of Wh, kWh and MWh"),
    ]


@pytest.mark.parametrize("line", ["M-1;2026-03-01 00:00;0,5", "4711,2026-03-01 00:00,0.5", "2026-03-01 00:00,M-1,0.5"])
def test_a_file_without_a_header_is_read_where_there_is_one_way_to_see_it(tmp_path, line):
    found, reading = read(tmp_path, f"{line}\n{line.replace(' 00:', ' 01:')}\n{line}x\n")
    assert [row[1:3] for row in found] == [(0, 0.5), (60, 0.5)]
    assert [kept[0] for kept in reading.rejects.kept] == [3]


@pytest.mark.parametrize(
    "content", ["1,2,3\n4,5,6\n", "2026-03-01 00:00,1,2\n2026-03-01 01:00,1,2\n", "Was;Wann;Wieviel\na;b;c\n"]
)
def test_what_could_be_seen_in_two_ways_is_asked_for(tmp_path, content):
    with pytest.raises(ColumnsUnclear):
        read(tmp_path, content)


def test_columns_as_a_person_said_stand_above_what_their_names_say(tmp_path):
    content = "meter,time,kwh,kwh_new\nM-1,2026-03-01 00:00,1,2\n"
    found, _reading = read(tmp_path, content, {"meter": "meter", "time": "time", "value": "kwh_new"})
    assert [row[2] for row in found] == [2]
    found, _reading = read(tmp_path, content, {"meter": "serial", "time": "time", "value": "kwh_new"})
    assert [row[2] for row in found] == [1], "of another file of the sender, which has no such column"


def test_a_name_of_brackets_without_end_takes_no_time():
    assert headings.word("(" * 1_000_000) == "(" * headings.NAME_LOOKED_AT
    assert headings.unit_of("k" * 1_000_000) is None


def test_a_cell_of_ten_megabytes_is_said_with_its_place(tmp_path):
    with pytest.raises(FileFault, match=r"after line \d+ is a line of more than 3 MB"):
        read(tmp_path, "meter,time,kwh\n" + "M-1,2026-03-01 00:00,1\n" * 9 + "x" * 10_000_000)


def guess_of(tmp_path, content: str) -> Statement:
    path = tmp_path / "a.csv"
    path.write_text(content)
    return guess(path)


def test_hours_go_before_days_and_the_start_of_a_period_before_its_end(tmp_path):
    header = "meter,date,interval_end,interval_start,kwh\n"
    found, _reading = read(tmp_path, header + "M-1,2026-03-01,2026-03-01 07:15,2026-03-01 07:00,1\n")
    assert [row[1] for row in found] == [420]


def test_a_day_has_its_times_in_a_column_of_starts(tmp_path):
    header = "METER,DATE,START TIME,END TIME,USAGE,UNITS,COST\n"
    found, _reading = read(tmp_path, header + "M-1,2026-03-01,07:15,07:29,250,Wh,$0.10\n")
    assert [row[1:3] for row in found] == [(435, 0.25)]


@pytest.mark.parametrize(
    ("name", "stamps"), [("interval_end", "end"), ("Bis", "end"), ("hour ending", "end"), ("interval_start", "start")]
)
def test_the_name_of_a_column_says_which_end_its_stamps_mark(tmp_path, name, stamps):
    rows = [f"M-1,2026-03-01 {hour:02}:00,0.{hour}\n" for hour in range(5, 20)]
    assert guess_of(tmp_path, f"meter,{name},kwh\n" + "".join(rows)).stamps == stamps


def test_a_column_called_register_is_one_also_where_few_reads_show_it(tmp_path):
    rows = [f"M-1,2026-0{month}-05,{1000 + 100 * month}\n" for month in range(1, 6)]
    assert guess_of(tmp_path, "meter,read_date,register\n" + "".join(rows)).measures == "register"
    rows = [f"M-1,2026-0{month}-05,{100 + (month * 7) % 5}\n" for month in range(1, 9)]
    assert guess_of(tmp_path, "meter,read_date,register\n" + "".join(rows)).measures == "interval"


@pytest.mark.parametrize("header", ["time,A,B\n,Wh,Wh\n", "time,A (Wh),B (Wh)\n", "time,A_wh,B_wh\n"])
def test_the_unit_of_columns_of_meters_stands_in_their_names_or_below(tmp_path, header):
    content = header + "".join(f"2026-03-01 {hour:02}:00,{hour % 5},{hour % 3}\n" for hour in range(24))
    _found, reading = read(tmp_path, content)
    assert (guess_of(tmp_path, content).unit, reading.names) == ("Wh", ["A", "B"])


@pytest.mark.parametrize(
    "above",
    [
        "Meter readings of March\n",
        "Report;Meter readings\nFrom;01.03.2026\nTo;31.03.2026\n\n",
        "\nCustomer: A. B.\nStreet 1, Town\n;;;\n",
    ],
)
def test_a_title_above_the_names_of_columns_is_left_out(tmp_path, above):
    content = above + "Meter;Time;Note;kWh\nM-1;01.03.2026 07:00;;0,5\nM-1;01.03.2026 08:00;;x\n"
    found, reading = read(tmp_path, content)
    assert [row[:3] for row in found] == [("M-1", 420, 0.5)]
    assert [kept[0] for kept in reading.rejects.kept] == [content.count("\n")]


def test_a_column_of_sums_is_no_meter(tmp_path):
    found, reading = read(tmp_path, "Zeit;A;B;Summe\n01.03.2026 00:00;0,5;0,25;0,75\n")
    assert {row[0]: row[2] for row in found} == {"A": 0.5, "B": 0.25}
    assert reading.rejects.kept == [(1, "a column of sums is no meter", "Summe")]


def test_energy_given_is_not_taken_for_energy_taken(tmp_path):
    found, _reading = read(tmp_path, "meter,time,export_kwh,kwh_taken\nM-1,2026-03-01 00:00,9,0.5\n")
    assert [row[2:4] for row in found] == [(0.5, 1), (9, 2)]


@pytest.mark.parametrize(
    ("names", "rows"),
    [("Meter;Time;kWh", "M-1;01.03.2026 07:00;0,5;"), ("Meter;Time;kWh;;", "M-1;01.03.2026 07:00;0,5")],
)
def test_a_delimiter_behind_the_last_cell_is_no_column(tmp_path, names, rows):
    found, reading = read(tmp_path, f"{names}\n{rows}\n{rows.replace('07:', '08:')}\n")
    assert ([row[1:3] for row in found], reading.rejects.kept) == ([(420, 0.5), (480, 0.5)], [])


def test_rows_of_other_columns_than_the_names_are_said_to_be_so(tmp_path):
    with pytest.raises(FileFault, match="Line 1 names 3 columns, and no line below has as many"):
        read(tmp_path, "meter,time,kwh\nM-1,2026-03-01 00:00,1,2\nM-1,2026-03-01 01:00,1,2\n")


@pytest.mark.parametrize("names", ["Datum;Uhrzeit;A (kWh);B (kWh)", "date;time;A;B"])
def test_a_row_of_meters_may_begin_with_day_and_time_apart(tmp_path, names):
    found, reading = read(tmp_path, f"{names}\n01.03.2026;07:15;0,5;0,25\n01.03.2026;07:30;0,5;0,25\n")
    assert sorted(found) == [
        ("A", 435, 0.5, 1, 0),
        ("A", 450, 0.5, 1, 0),
        ("B", 435, 0.25, 1, 0),
        ("B", 450, 0.25, 1, 0),
    ]
    assert reading.names == ["A", "B"]


def test_two_columns_of_one_name_are_not_one_meter(tmp_path):
    with pytest.raises(FileFault, match="Several columns are named A"):
        read(tmp_path, "time,A,A\n2026-03-01 00:00,1,2\n")


def test_meters_numbers_that_a_program_took_for_quantities_are_mended_or_refused(tmp_path):
    rows = [f"{name},2026-03-01 00:00,1\n" for name in ("4711.0", "1.23457E+11")]
    found, reading = read(tmp_path, "meter,time,kwh\n" + "".join(rows))
    assert ([row[0] for row in found], [kept[0] for kept in reading.rejects.kept]) == (["4711"], [3])


def clocks(step: int, first: int = 0) -> list[str]:
    return [f"{minute // 60}:{minute % 60:02}" for minute in range(first, 1440 + first, step)]


@pytest.mark.parametrize(
    "names",
    [
        clocks(60), clocks(60, 60), [*clocks(60, 60)[:-1], "0:00"], [f"H{hour}" for hour in range(1, 25)],
        [str(hour) for hour in range(24)], [f"HE{hour:02} (kWh)" for hour in range(1, 25)],
        [f"{hour:02}00" for hour in range(24)],
    ],
)  # fmt: skip
def test_a_row_may_be_a_day_of_a_meter(tmp_path, names):
    rows = [f"{meter},01/03/2026,x,{','.join(map(str, range(24)))}\n" for meter in ("M-1", "M-2")]
    found, reading = read(tmp_path, f"Meter,Date,Tariff,{','.join(names)}\n" + "".join(rows))
    assert found == [(meter, 60 * hour, hour, 1, 0) for meter in ("M-1", "M-2") for hour in range(24)]
    assert (reading.rejects.kept, reading.dates_only) == ([], False)


def test_a_row_of_a_day_has_channel_and_unit_and_may_be_wrong(tmp_path):
    names = ",".join(clocks(15))
    rows = [
        f"{start},{','.join(['500'] * 96)}\n"
        for start in ("M-1,2026-03-01,B,Wh", "M-1,soon,E,kWh", ",2026-03-01,E,kWh")
    ]
    found, reading = read(tmp_path, f"meter,date,direction,unit,{names}\n" + "".join(rows))
    assert (len(found), {row[2:4] for row in found}) == (96, {(0.5, 2)})
    assert sorted(line for line, _why, _text in reading.rejects.kept) == [3, 4]


def test_of_25_columns_of_times_none_says_which_came_twice(tmp_path):
    names = ",".join([*clocks(60), "3:00"])
    rows = f"M-1,2025-10-25,{'1,' * 24}\nM-1,2025-10-26,{'1,' * 24}1\n"
    found, reading = read(tmp_path, f"meter,date,{names}\n{rows}")
    assert len(found) == 24
    assert [(line, why[:19]) for line, why, _text in reading.rejects.kept] == [(3, "a day of 25 hours d")]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("id,meter_serial,time,kwh", "{n},M-1,2026-03-01 {n:02}:00,1"),
        ("customer_id,meter_id,time,kwh", "C-{n},M-1,2026-03-01 {n:02}:00,1"),
        ("id,time,kwh", "M-1,2026-03-01 {n:02}:00,1"),
    ],
)
def test_a_meter_is_not_its_customer_and_not_the_number_of_the_row(tmp_path, header, row):
    rows = "".join(row.format(n=n) + "\n" for n in range(10))
    assert {row[0] for row in read(tmp_path, f"{header}\n{rows}")[0]} == {"M-1"}


def test_rows_that_are_only_numbered_name_no_meter(tmp_path):
    rows = "".join(f"{n + 100},2026-03-01 {n:02}:00,1\n" for n in range(10))
    with pytest.raises(ColumnsUnclear, match="No column names the meter"):
        read(tmp_path, f"id,time,kwh\n{rows}")


@pytest.mark.parametrize("names", ["kwh_peak,kwh_offpeak", "L1 kWh,L2 kWh"])
def test_of_parts_of_the_energy_none_is_taken_for_the_whole(tmp_path, names):
    with pytest.raises(ColumnsUnclear, match="Several columns hold energy: "):
        read(tmp_path, f"meter,time,{names}\nM-1,2026-03-01 00:00,1,2\n")


def test_registers_one_and_two_are_no_directions(tmp_path):
    found, _reading = read(tmp_path, "meter,register_id,time,kwh\nM-1,2,2026-03-01 00:00,1\n")
    assert [row[3] for row in found] == [1]
