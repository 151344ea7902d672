"""Green Button and IEC 61968-9 meter readings, as head-ends and portals write them."""

import numpy as np
import pytest

from apps.readings import importers
from apps.readings.importers import xml_streams
from apps.readings.importers.base import FileFault, Reading, Rejects
from apps.readings.models import Channel, Upload
from apps.readings.quality import Quality
from tests.readings.files import rejected, send, stored

START = 1772323200  # 2026-03-01T00:00Z
ENERGY = "0.0.7.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"
GIVEN = "0.0.7.4.19.1.12.0.0.0.0.0.0.0.0.0.72.0"
COUNTED = "0.0.7.9.1.2.12.0.0.0.0.0.0.0.0.3.72.0"
POWER = "0.2.2.0.1.1.37.0.0.0.0.0.0.0.0.3.38.0"
VOLTS = "0.2.7.6.0.1.158.0.0.0.0.0.0.0.128.0.29.0"


def reading_type(number: int = 1, **said: int) -> str:
    said = {"accumulationBehaviour": 4, "commodity": 1, "flowDirection": 1, "intervalLength": 3600, "uom": 72, **said}
    fields = "".join(f"<{name}>{value}</{name}>" for name, value in said.items())
    return entry(f"/ReadingType/{number}", f'<ReadingType xmlns="http://naesb.org/espi">{fields}</ReadingType>')


def entry(own: str, content: str, up: str = "", related: str = "") -> str:
    links = "".join(
        f'<link rel="{rel}" href="https://u.example/espi/1_1/resource{href}"/>'
        for rel, href in (("self", own), ("up", up), ("related", related))
        if href
    )
    return f"<entry><id>urn:uuid:1</id>{links}<title/><content>{content}</content></entry>\n"


def usage_point(number: int, kind: int = 1) -> str:
    point = f"/RetailCustomer/9/UsagePoint/{number}"
    return entry(point, '<UsagePoint xmlns="http://naesb.org/espi"/>') + entry(
        f"{point}/MeterReading/1", '<MeterReading xmlns="http://naesb.org/espi"/>', f"{point}/MeterReading",
        f"/ReadingType/{kind}",
    )  # fmt: skip


def block(number: int, values, seconds: int = 3600, start: int = START, extra: str = "") -> str:
    readings = "\n".join(
        f"<IntervalReading>{extra}<timePeriod><duration>{seconds}</duration><start>{start + n * seconds}</start>"
        f"</timePeriod><value>{value}</value></IntervalReading>"
        for n, value in enumerate(values)
    )
    up = f"/RetailCustomer/9/UsagePoint/{number}/MeterReading/1"
    period = f"<interval><duration>{len(values) * seconds}</duration><start>{start}</start></interval>"
    return entry(
        f"{up}/IntervalBlock/1", f'<IntervalBlock xmlns="http://naesb.org/espi">{period}{readings}</IntervalBlock>',
        f"{up}/IntervalBlock",
    )  # fmt: skip


def feed(*entries: str) -> str:
    return f'<?xml version="1.0"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n{"".join(entries)}</feed>\n'


def cim(*readings: str) -> str:
    inside = "".join(f"<MeterReading>{one}</MeterReading>\n" for one in readings)
    return (
        '<EventMessage xmlns="http://iec.ch/TC57/2011/schema/message"><Header><Verb>created</Verb></Header><Payload>\n'
        f'<MeterReadings xmlns="http://iec.ch/TC57/2011/MeterReadings#">\n{inside}</MeterReadings></Payload></EventMessage>'
    )


def cim_block(code: str, values, minutes: int = 60, extra: str = "") -> str:
    ends = np.datetime64("2026-03-01T00:00") + (1 + np.arange(len(values))) * np.timedelta64(minutes, "m")
    readings = "".join(
        f"<IntervalReadings>\n<timeStamp>{end}:00.000Z</timeStamp><value>{value}</value>{extra}</IntervalReadings>\n"
        for end, value in zip(ends, values, strict=True)
    )
    return f'<IntervalBlocks>{readings}<ReadingType ref="{code}"/></IntervalBlocks>'


NO_START = "the start of the period is no number of seconds since 1970"
METER = "<Meter><mRID>41e0-guid</mRID><Names><name>M-1</name></Names></Meter>"


def read(tmp_path, content: str) -> tuple[dict, Reading]:
    """Values and quality by meter, channel and minutes since 2026-03-01 UTC."""
    path = tmp_path / "a.xml"
    path.write_text(content)
    reading, found = Reading(Rejects(50)), {}
    for one in importers.recognise(path).blocks(path, reading):
        channels = one.channels if one.channels is not None else np.ones(len(one.values), dtype=int)
        quality = one.quality if one.quality is not None else np.zeros(len(one.values), dtype=int)
        for row in range(len(one.values)):
            key = reading.names[one.meters[row]], int(channels[row]), int(one.minutes[row]) - START // 60
            found[key] = (round(float(one.values[row]), 6), int(quality[row]))
    return found, reading


@pytest.mark.django_db
def test_a_feed_of_two_usage_points_becomes_two_meters():
    content = feed(reading_type(), usage_point(1), usage_point(2), block(1, range(24)), block(2, [500] * 24))
    upload = send(content, timezone="Europe/London", unit="MWh")
    assert (upload.status, upload.readings, rejected(upload)) == (Upload.Status.IMPORTED, 48, [])
    assert (upload.format, upload.unit, upload.timezone) == ("green_button", "kWh", "UTC")
    assert stored("RetailCustomer/9/UsagePoint/2", "2026-03-01") == [0.5] * 24


def test_entries_may_come_in_any_order(tmp_path):
    first, _reading = read(tmp_path, feed(reading_type(), usage_point(1), block(1, range(24))))
    last, _reading = read(tmp_path, feed(usage_point(1), block(1, range(24)), reading_type()))
    assert first == last
    assert len(first) == 24


def test_the_reading_type_says_direction_power_of_ten_and_unit(tmp_path):
    types = [
        reading_type(1, powerOfTenMultiplier=3), reading_type(2, flowDirection=19), reading_type(3, uom=38),
        reading_type(4, flowDirection=4),
    ]  # fmt: skip
    points = [usage_point(n, kind=n) for n in (1, 2, 3, 4)]
    blocks = [block(1, [2]), block(2, [2]), block(3, [2000, 2000], seconds=1800), block(4, [-7, 3])]
    found, _reading = read(tmp_path, feed(*types, *points, *blocks))
    by_point = {(key[0][-1], *key[1:]): value for key, (value, _quality) in found.items()}
    assert by_point["1", Channel.IMPORT, 0] == 2
    assert by_point["2", Channel.EXPORT, 0] == 0.002
    assert [by_point["3", Channel.IMPORT, minute] for minute in (0, 30)] == [1, 1]
    assert (by_point["4", Channel.EXPORT, 0], by_point["4", Channel.IMPORT, 60]) == (0.007, 0.003)


def test_hours_are_read_and_not_their_days_beside_them(tmp_path):
    meter = "/RetailCustomer/9/UsagePoint/1/MeterReading/2"
    days = entry(meter, '<MeterReading xmlns="http://naesb.org/espi"/>', "", "/ReadingType/2") + block(1, [276], 86400)
    days = days.replace("1/MeterReading/1", "1/MeterReading/2")
    types = reading_type() + reading_type(2, intervalLength=86400)
    for parts in ((block(1, range(24)), days), (days, block(1, range(24)))):
        found, reading = read(tmp_path, feed(types, usage_point(1), *parts))
        assert sum(value for value, _quality in found.values()) == pytest.approx(0.276)
        assert [why for _line, why, _text in reading.rejects.kept] == [
            "another MeterReading tells this meter's energy of the same time, and is read"
        ]


def test_days_alone_are_read(tmp_path):
    found, reading = read(tmp_path, feed(reading_type(intervalLength=86400), usage_point(1), block(1, [7, 8], 86400)))
    assert (len(found), reading.rejects.count) == (2, 0)


@pytest.mark.parametrize(
    ("said", "why"),
    [({"dataQualifier": 8, "uom": 38}, "maxima and minima"), ({"tou": 1}, "one tariff's part"), ({"cpp": 1}, "tariff")],
)
def test_maxima_and_parts_of_tariffs_are_no_energy_of_a_meter(tmp_path, said, why):
    found, reading = read(tmp_path, feed(reading_type(**said), usage_point(1), block(1, range(24))))
    assert (found, why in reading.rejects.kept[0][1]) == ({}, True)


@pytest.mark.parametrize(
    "other",
    [ENERGY.replace(".1.1.12.", ".4.1.12."), "11.0.0" + ENERGY[5:]],
    ids=["net beside forward", "days beside hours"],
)
def test_of_two_reading_types_that_tell_the_same_one_is_read(tmp_path, other):
    blocks = [cim_block(other, range(100, 124)), cim_block(ENERGY, range(24))]
    for content in (cim(METER + "".join(blocks)), cim(*(METER + one for one in reversed(blocks)))):
        found, reading = read(tmp_path, content)
        assert [value for value, _quality in found.values()] == list(range(24))
        assert [text for _line, _why, text in reading.rejects.kept] == [other]


def test_a_meter_may_be_set_to_another_interval(tmp_path):
    quarters = ENERGY.replace("0.0.7.", "0.0.2.")
    later = cim_block(quarters, range(96), 15).replace("2026-03-01", "2026-03-03").replace("2026-03-02", "2026-03-04")
    found, reading = read(tmp_path, cim(METER + cim_block(ENERGY, range(24)) + later))
    assert (len(found), reading.rejects.count) == (120, 0)


def test_single_phases_and_maxima_are_not_taken_for_the_whole(tmp_path):
    phases = [ENERGY.replace("0.0.3.72.0", f"0.{phase}.3.72.0") for phase in (128, 64, 32)]
    found, reading = read(tmp_path, cim(METER + "".join(cim_block(code, range(24)) for code in phases)))
    assert (found, reading.rejects.count) == ({}, 3)
    found, _reading = read(tmp_path, cim(METER + cim_block(phases[0], range(24))))
    assert len(found) == 24
    assert read(tmp_path, cim(METER + cim_block(POWER.replace("0.2.2.", "0.8.2."), range(24))))[0] == {}


def test_green_button_quality_and_bills(tmp_path):
    estimated = "<ReadingQuality><quality>8</quality></ReadingQuality>"
    content = feed(
        reading_type(), usage_point(1), block(1, [1], extra=estimated),
        block(1, [90_000, 80_000], seconds=30 * 86400, start=START),
    )  # fmt: skip
    found, reading = read(tmp_path, content)
    assert [quality for _value, quality in found.values()] == [Quality.ESTIMATED_BY_SENDER]
    [periods] = reading.registers
    assert np.array(periods.values) == pytest.approx([90, 80])
    assert (periods.last_day - periods.first_day).tolist() == [29, 29]


def test_readings_of_gas_or_of_nothing_known_are_named_and_not_read(tmp_path):
    _found, reading = read(tmp_path, feed(reading_type(1, commodity=7), usage_point(1), block(1, [1])))
    assert "no energy taken or given" in reading.rejects.kept[0][1]
    _found, reading = read(tmp_path, feed(usage_point(1), block(1, [1])))
    assert reading.rejects.kept[0][1] == "no ReadingType says what these readings are"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("<value>5</value>", "<value>five</value>"), "not a number"),
        (("<start>1772341200</start>", "<start>soon</start>"), NO_START),
        (("<start>1772341200</start>", "<start>1772341230</start>"), "a stamp with seconds is on no interval"),
        (("<start>1772341200</start>", ""), NO_START),
    ],
)  # fmt: skip
def test_a_wrong_reading_is_named_with_its_line(tmp_path, change, reason):
    content = feed(reading_type(), usage_point(1), block(1, range(24))).replace(*change)
    found, reading = read(tmp_path, content)
    line = 1 + content[: content.index("<value>5</value>" if "<value>5<" in content else "five")].count("\n")
    assert [kept[:2] for kept in reading.rejects.kept] == [(line, reason)]
    assert len(found) == 23


@pytest.mark.django_db
def test_cim_interval_blocks_are_stamped_at_their_ends():
    upload = send(cim(METER + cim_block(ENERGY, range(24)) + cim_block(GIVEN, [500] * 24)), stamps="start")
    assert (upload.status, rejected(upload)) == (Upload.Status.IMPORTED, [])
    assert (upload.format, upload.stamps) == ("cim_readings", "end")
    assert stored("M-1", "2026-03-01") == [float(hour) for hour in range(24)]


def test_a_reading_type_code_says_channel_unit_and_power(tmp_path):
    content = cim(METER + cim_block(GIVEN, [500]) + cim_block(POWER, [4], minutes=15) + cim_block(VOLTS, [230]))
    found, reading = read(tmp_path, content)
    assert found == {("M-1", Channel.EXPORT, 60): (0.5, 0), ("M-1", Channel.IMPORT, 15): (1.0, 0)}
    assert [text for _line, _reason, text in reading.rejects.kept] == [VOLTS]


@pytest.mark.django_db
def test_a_file_of_register_reads_alone_becomes_the_energy_between_them():
    upload = send(cim(cim_block(COUNTED, [100 + hour for hour in range(25)]) + METER))
    assert (upload.format, upload.measures, upload.readings) == ("cim_registers", "register", 24)
    assert stored("M-1", "2026-03-01")[1:] == [1.0] * 23


def test_register_reads_beside_energy_of_intervals_become_periods(tmp_path):
    daily = "".join(
        f"<Readings><timeStamp>2026-03-0{day}T00:00:00Z</timeStamp><value>{day * 7}</value>"
        f'<ReadingType ref="{COUNTED}"/></Readings>'
        for day in (1, 2, 3)
    )
    found, reading = read(tmp_path, cim(METER + daily + cim_block(ENERGY, [1])))
    assert len(found) == 1
    assert reading.registers[0].values.tolist() == [7, 7]
    assert (reading.registers[0].last_day == reading.registers[0].first_day).all()


def test_of_hourly_register_reads_those_of_whole_days_become_periods(tmp_path):
    hourly = cim_block(COUNTED, [100 + hour for hour in range(60)])  # from 01:00 on the first day
    _found, reading = read(tmp_path, cim(METER + hourly + cim_block(ENERGY, [1])))
    [periods] = reading.registers
    assert periods.values.tolist() == [24]
    assert (periods.first_day - START // 86400, periods.last_day - START // 86400) == (1, 1)


def test_registers_of_green_button_become_periods(tmp_path):
    counts = reading_type(accumulationBehaviour=3, intervalLength=86400, powerOfTenMultiplier=3)
    days = block(1, [100, 107, 111], seconds=86400)
    _found, reading = read(tmp_path, feed(counts, usage_point(1), days))
    [periods] = reading.registers
    assert (periods.values.tolist(), reading.rejects.kept) == ([7, 4], [])
    assert (periods.first_day - START // 86400).tolist() == [1, 2]
    assert (periods.last_day == periods.first_day).all()


def test_cim_quality_is_that_of_the_worst_code(tmp_path):
    quality = (
        '<ReadingQualities><timeStamp>2026-03-01T00:00:00Z</timeStamp><ReadingQualityType ref="{}"/></ReadingQualities>'
    )
    good, estimated, suspect = (quality.format(code) for code in ("1.0.0", "2.8.0", "2.5.256"))
    blocks = [cim_block(ENERGY, [1, 2], extra=extra) for extra in (good, estimated + good)]
    flags = [[flag for _v, flag in read(tmp_path, cim(METER + one))[0].values()] for one in [*blocks]]
    assert flags == [[0, 0], [Quality.ESTIMATED_BY_SENDER] * 2]
    assert read(tmp_path, cim(METER + cim_block(ENERGY, [1], extra=suspect)))[0].popitem()[1][1] == Quality.SUSPECT


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>\n<feed>&b;</feed>', "declares a document type"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><feed/>', "declares a document type"),
        (feed(reading_type(), usage_point(1), block(1, [1]))[:-30], "the XML is broken or cut off"),
        ("<feed><entry></feed>", "Line 1: the XML is broken or cut off"),
        ("<rss><channel/></rss>", "This is XML, but neither Green Button nor IEC 61968-9"),
    ],
)  # fmt: skip
def test_xml_that_is_broken_or_dangerous_is_refused_with_its_line(tmp_path, content, said):
    with pytest.raises(FileFault, match=said):
        read(tmp_path, content)


def test_an_element_that_never_ends_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(xml_streams, "TAGS_AT_ONCE", 1000)
    with pytest.raises(FileFault, match="larger than this server reads at once"):
        read(tmp_path, cim(METER + cim_block(ENERGY, range(50_000))))
