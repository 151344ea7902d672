"""NEM12 and NEM13 as meter data providers of the Australian market send it; nemreader says what the files mean."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from nemreader.nem_reader import NEMFile
from nemwriter import NEM12

from apps.readings import importers
from apps.readings.importers import nem12
from apps.readings.importers.base import FileFault, Reading, Rejects
from apps.readings.models import Channel, RegisterRead, Sender, Upload
from apps.readings.quality import Quality
from tests.readings.files import rejected, send

MIDNIGHT = datetime(2026, 3, 1)
KWH = {"Wh": 0.001, "kWh": 1.0, "MWh": 1000.0}


def intervals(minutes: int = 30, days: int = 2, seed: int = 1) -> list[list]:
    values = np.random.default_rng(seed).random(days * 1440 // minutes).round(3).tolist()
    return [[MIDNIGHT + timedelta(minutes=minutes * (n + 1)), value, "A"] for n, value in enumerate(values)]


def written(tmp_path, *streams: tuple) -> bytes:
    """A file of (NMI, suffix, unit, readings)."""
    file = NEM12(to_participant="RETAIL", from_participant="MDP")
    for point, suffix, unit, readings in streams:
        file.add_readings(nmi=point, nmi_configuration="E1B1", nmi_suffix=suffix, uom=unit, readings=readings)
    path = tmp_path / "a.csv"
    file.output_csv(str(path))
    return path.read_bytes()


def read(tmp_path, content: bytes) -> tuple[dict, Reading]:
    """kWh and quality by meter, channel and minute."""
    path = tmp_path / "b.csv"
    path.write_bytes(content)
    reading, found = Reading(Rejects(50)), {}
    format_ = importers.recognise(path)
    assert format_.name == "nem12"
    for block in format_.blocks(path, reading):
        ones = np.ones(len(block.values), dtype=int)
        channels = block.channels if block.channels is not None else ones
        quality = block.quality if block.quality is not None else 0 * ones
        keys = zip(block.meters.tolist(), channels.tolist(), block.minutes.tolist(), strict=True)
        for (meter, channel, minute), value, flag in zip(keys, block.values, quality, strict=True):
            found[reading.names[meter], channel, minute] = (value, flag)
    return found, reading


def oracle(content: bytes) -> dict:
    found = {}
    for point, streams in NEMFile("a.csv").parse_nem_file(content.decode().splitlines()).readings.items():
        for suffix, readings in streams.items():
            channel = Channel.IMPORT if suffix[0] == "E" else Channel.EXPORT
            for one in readings:
                key = (point, channel, int((one.t_start - datetime(1970, 1, 1)).total_seconds()) // 60)
                found[key] = found.get(key, 0) + one.read_value * KWH[one.uom]
    return found


def test_values_times_and_channels_are_those_that_nemreader_finds(tmp_path):
    content = written(
        tmp_path,
        ("6001234567", "E1", "kWh", intervals(30)),
        ("6001234567", "B1", "Wh", intervals(30, seed=2)),
        ("6001234568", "E1", "MWh", intervals(5, seed=3)),
        ("6001234569", "E1", "kWh", intervals(15, days=3, seed=4)),
        ("6001234569", "E2", "kWh", intervals(15, days=1, seed=5)),
    )
    ours, reading = read(tmp_path, content)
    theirs = oracle(content)
    assert ours.keys() == theirs.keys()
    assert all(ours[key][0] == pytest.approx(value) for key, value in theirs.items())
    assert reading.rejects.count == 0


def test_a_v_record_takes_quality_and_events_from_its_400_records(tmp_path):
    values = intervals(30, days=1)
    values[4] = [values[4][0], 2.5, "S14", 60, "Illegal connection"]
    values[9] = [values[9][0], 2.5, "E52", 12, "Locked premises"]
    ours, reading = read(tmp_path, written(tmp_path, ("6001234567", "E1", "kWh", values)))
    made_up = [key[2] % 1440 for key, (_value, flag) in ours.items() if flag == Quality.ESTIMATED_BY_SENDER]
    assert made_up == [120, 270]
    [event] = reading.events
    assert (reading.names[event.meter], event.code, event.minutes % 1440, event.line) == (
        "6001234567",
        "NEM12:60",
        120,
        5,
    )


def test_null_values_are_not_sent_and_not_zero(tmp_path):
    values = [one for one in intervals(30, days=1) if one[0].hour != 5]
    ours, _reading = read(tmp_path, written(tmp_path, ("6001234567", "E1", "kWh", values)))
    assert sum(np.isnan(value) for value, _flag in ours.values()) == 2


@pytest.mark.parametrize(
    ("change", "line", "reason"),
    [
        ((b",0.95,", b",lots,"), 3, "not a number"),
        ((b"300,20260301,", b"300,20260231,"), 3, "the second field is no date such as 20260301"),
        ((b"300,20260301,", b"300,20260301,7,"), 3, "48 values of a day and their quality expected"),
        ((b",A,,,,\n300", b",X,,,,\n300"), 3, "after the 48 values of a day comes their quality: A, S, F, E, V or N"),
        ((b",kWh,30", b",kWh,7"), 2, "the ninth field is no interval length in minutes that divides the day"),
        ((b",kWh,30", b",kVArh,30"), 2, "a stream that is no energy taken (E) or given (B) is not read"),
        ((b"\n900", b"\n999,1"), 5, "neither a 200, 300, 400, 500 nor a 900 record"),
        ((b"\n900\n", b"\n"), 4, "the file ends without a 900 record: its end may be missing"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, change, line, reason):
    content = written(tmp_path, ("6001234567", "E1", "kWh", intervals())).replace(b"\r\n", b"\n")
    assert change[0] in content
    _ours, reading = read(tmp_path, content.replace(*change, 1))
    assert (line, reason) in [kept[:2] for kept in reading.rejects.kept]


def test_streams_of_a_connection_point_are_added_wherever_they_stand(tmp_path, monkeypatch):
    streams = [(point, suffix) for suffix in ("E1", "E2") for point in ("NEM1000001", "NEM1000002", "NEM1000003")]
    parts = [written(tmp_path, (*stream, "kWh", intervals(seed=n))) for n, stream in enumerate(streams)]
    content = b"".join(part[part.index(b"200,") : part.rindex(b"900")] for part in parts)
    content = parts[0][: parts[0].index(b"200,")] + content + b"900\n"
    monkeypatch.setattr(nem12, "PART_BYTES", 2_000)
    found, _reading = read(tmp_path, content)
    assert {key: round(value, 6) for key, (value, _flag) in found.items()} == {
        key: round(value, 6) for key, value in oracle(content).items()
    }
    monkeypatch.setattr(nem12, "POINT_BYTES", 1_000)
    with pytest.raises(FileFault, match="Streams of NMI NEM1000001 stand in several places"):
        read(tmp_path, content)


def test_days_that_follow_one_after_the_other_are_no_scattered_streams(tmp_path, monkeypatch):
    days = [written(tmp_path, *(("NEM1000001", suffix, "kWh", intervals(days=1)) for suffix in ("E1", "E2")))] * 3
    content = b"".join(day.replace(b"20260301", b"2026030%d" % n) for n, day in enumerate(days, 1))
    monkeypatch.setattr(nem12, "POINT_BYTES", 1_000)
    path = tmp_path / "c.csv"
    path.write_bytes(content)
    assert nem12.scattered(path) == ""


def test_a_large_file_is_read_in_parts_that_part_no_connection_point(tmp_path, monkeypatch):
    streams = [(f"600123456{n}", suffix, "kWh", intervals(30, seed=n)) for n in range(4) for suffix in ("E1", "E2")]
    content = written(tmp_path, *streams)
    whole, _reading = read(tmp_path, content)
    monkeypatch.setattr("apps.readings.importers.nem12.PART_BYTES", 700)
    parted, reading = read(tmp_path, content)
    assert parted == whole
    assert reading.rejects.count == 0


@pytest.mark.django_db
def test_its_clock_and_unit_are_not_the_senders_to_say(tmp_path):
    upload = send(written(tmp_path, ("6001234567", "E1", "Wh", intervals())), timezone="Europe/London", unit="MWh")
    assert (upload.status, rejected(upload)) == (Upload.Status.IMPORTED, [])
    assert (upload.format, upload.timezone, upload.unit) == ("nem12", "+10:00", Sender.Unit.KWH)
    assert (upload.readings, upload.stamps) == (96, Sender.Stamps.START)


def counted(nmi: str = "6001234567", register: str = "11", **changed: str) -> str:
    """A 250 record of NEM13."""
    fields = {
        "config": "1112", "register": register, "suffix": register, "stream": "11", "serial": "SER1", "direction": "E",
        "before": "001000", "from": "20251001000000", "quality_before": "A", "reason_before": "", "words_before": "",
        "now": "001500", "until": "20260101000000", "quality": "A", "reason": "", "words": "", "quantity": "500.5",
        "unit": "kWh", "next": "20260401", "updated": "20260102120000", "loaded": "20260102130000",
    }  # fmt: skip
    return ",".join(["250", nmi, *(fields | changed).values()])


def send_nem13(*records: str) -> Upload:
    return send("\r\n".join(["100,NEM13,202601030000,MDP1,RETAIL", *records, "900", ""]))


def periods() -> list[tuple]:
    return list(RegisterRead.objects.order_by("pk").values_list("channel", "start", "end", "kwh", "estimated"))


@pytest.mark.django_db
def test_accumulation_meters_of_nem13_become_register_reads():
    upload = send_nem13(counted(), "550,N,,A,", counted("6001234568", direction="I", quantity="1.25", unit="MWh"))
    assert (upload.error, upload.format, upload.register_reads, rejected(upload)) == ("", "nem13", 2, [])
    days = date(2025, 10, 1), date(2025, 12, 31)
    assert periods() == [(1, *days, Decimal("500.5"), False), (2, *days, Decimal("1250"), False)]


@pytest.mark.django_db
def test_registers_of_nem13_that_count_between_the_same_days_are_added():
    send_nem13(counted(), counted(register="12", quantity="100", quality="E52"), counted(quantity="400"))
    assert [row[3:] for row in periods()] == [(Decimal(500), True)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"direction": "X"}, "no direction"),
        ({"unit": "kVArh"}, "no energy"),
        ({"until": "20261301000000"}, "no moments"),
        ({"quantity": "12O"}, "not a number"),
        ({"until": "20250901000000"}, "ends before it begins"),
        ({"nmi": ""}, "NMI is missing"),
    ],
)
def test_what_is_wrong_in_nem13_is_named_with_its_line(changed, reason):
    upload = send_nem13(counted("6001234568"), counted(**changed), counted("6001234569", quality="N", quantity=""))
    [(line, why, _text)] = rejected(upload)
    assert (line, reason in why, upload.register_reads) == (3, True, 1)
