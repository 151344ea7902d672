"""JSON: readings as objects, or blocks of them; in one document, or one a line."""

import json

import numpy as np
import pytest

from apps.readings import importers
from apps.readings.importers import json_records
from apps.readings.importers.base import FileFault, Reading, Rejects
from apps.readings.models import Upload
from tests.readings.files import rejected, send, stored

ROWS = [{"meter": "M-1", "timestamp": f"2026-03-01T{hour:02}:00:00Z", "kwh": hour} for hour in range(24)]
BLOCK = {"meter": 'M-"{1', "start": "2026-03-01T00:00:00Z", "interval_minutes": 60, "kwh": list(range(24))}


def lines(objects: list) -> str:
    return "\n".join(map(json.dumps, objects))


def read(tmp_path, content: str) -> tuple[str, list, Reading]:
    path = tmp_path / "a.json"
    path.write_text(content)
    reading = Reading(Rejects(20))
    format_ = importers.recognise(path)
    return format_.name, list(format_.blocks(path, reading)), reading


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "format_"),
    [
        (json.dumps(ROWS), "json_long"),
        (json.dumps(ROWS, indent=2), "json_long"),
        (lines(ROWS), "json_long"),
        (json.dumps({"sent": "now", "readings": ROWS}), "json_long"),
        (json.dumps(BLOCK), "json_blocks"),
        (json.dumps(BLOCK, indent=2), "json_blocks"),
        (json.dumps([BLOCK]), "json_blocks"),
        (json.dumps({"readings": [BLOCK]}, indent=1), "json_blocks"),
        (lines([BLOCK]) + "\n", "json_blocks"),
    ],
)
def test_readings_and_blocks_come_in_documents_and_lines(content, format_):
    upload = send(content)
    assert (upload.status, upload.format, rejected(upload)) == (Upload.Status.IMPORTED, format_, [])
    assert stored(json.loads(lines([ROWS[0], BLOCK]).split("\n")[format_ == "json_blocks"])["meter"], "2026-03-01") == [
        float(hour) for hour in range(24)
    ]


def test_a_block_may_say_channel_quality_and_what_is_missing(tmp_path):
    block = {**BLOCK, "kwh": [1, None, 3], "channel": "export", "quality": ["measured", "measured", "estimated"]}
    _name, [found], _reading = read(tmp_path, lines([block]))
    assert np.isnan(found.values).tolist() == [False, True, False]
    assert (found.channels.tolist(), found.quality.tolist()) == ([2, 2, 2], [0, 0, 1])
    assert np.diff(found.minutes).tolist() == [60, 60]


def test_numbers_may_stand_for_meters_and_times(tmp_path):
    rows = [{"meter_id": 4711, "ts": 1772323200 + 3600 * n, "wh": str(n)} for n in range(3)]
    _name, [found], reading = read(tmp_path, json.dumps(rows))
    assert reading.names == ["4711"]
    assert reading.zoned
    assert (found.values.tolist(), found.minutes[0]) == ([0, 1, 2], 1772323200 // 60)


def test_readings_that_begin_as_whole_numbers_may_go_on_with_decimals(tmp_path):
    rows = [{"meter": "M-1", "timestamp": 1772323200 + 3600 * n, "kwh": 1 if n < 60 else 1.75} for n in range(72)]
    _name, found, _reading = read(tmp_path, json.dumps(rows))
    assert sum(block.values.sum() for block in found) == 60 + 12 * 1.75


def test_a_meter_keeps_its_zeros_behind_others_that_are_numbers(tmp_path):
    rows = [{"meter": 4711 if n < 60 else "0042", "timestamp": 1772323200 + 3600 * n, "kwh": 1} for n in range(62)]
    _name, _found, reading = read(tmp_path, json.dumps(rows))
    assert (reading.names, reading.rejects.kept) == (["4711", "0042"], [])


def test_each_block_says_its_own_unit(tmp_path):
    block = {"meter": "M-1", "start": "2026-03-01T00:00:00Z", "interval_minutes": 60, "values": [500, 250]}
    blocks = [{**block, "unit": unit} for unit in ("Wh", "kWh", "kW", "kvarh")]
    _name, [found], reading = read(tmp_path, lines(blocks))
    assert found.values.tolist() == [0.5, 0.25, 500, 250]
    assert [(line, why) for line, why, _text in reading.rejects.kept] == [
        (3, "the unit is none of Wh, kWh and MWh"),
        (4, "the unit is none of Wh, kWh and MWh"),
    ]


def test_blocks_of_power_are_not_taken_for_energy(tmp_path):
    power = {"meter": "M-1", "start": "2026-03-01T00:00:00Z", "interval_minutes": 15, "kw": [1, 2]}
    _name, found, reading = read(tmp_path, json.dumps(power))
    assert (sum(len(block.values) for block in found), reading.rejects.count) == (0, 1)


@pytest.mark.django_db
def test_a_block_of_reactive_energy_is_rejected_and_stops_no_other():
    upload = send(lines([BLOCK, {**BLOCK, "channel": "reactive"}, {**BLOCK, "channel": "export"}]))
    assert upload.readings == 48
    assert [(line, why) for line, why, _text in rejected(upload)] == [(2, "the channel is no energy taken or given")]


def test_wrong_objects_are_named_with_their_line(tmp_path):
    content = lines(ROWS).split("\n")
    content[4] = '{"meter": "M-1, "kwh": 1}'
    content[6] = "[1, 2]"
    content[8] = '{"meter": "M-1", "timestamp": "soon", "kwh": 1}'
    content[10] = '{"meter": "M-1", "timestamp": "2026-03-01T11:00Z", "kwh": [1]}'
    content[12] = '{"timestamp": "2026-03-01T11:00Z", "kwh": 1}'
    _name, _found, reading = read(tmp_path, "\n".join(content))
    assert sorted(line for line, _why, _text in reading.rejects.kept) == [5, 7, 9, 11, 13]


@pytest.mark.parametrize("change", [{"interval_minutes": 0}, {"interval_minutes": 1e9}, {"kwh": []}, {"start": "x"}])
def test_a_block_that_means_nothing_is_rejected_as_a_whole(tmp_path, change):
    _name, found, reading = read(tmp_path, lines([BLOCK, {**BLOCK, **change}]))
    assert [len(block.values) for block in found] == [24]
    assert [line for line, _why, _text in reading.rejects.kept] == [2]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps(ROWS, indent=2)[:-70], "the JSON is cut off or broken"),
        (json.dumps(ROWS)[:-1], "Line 2: the JSON is cut off or broken"),
        ("[]", "holds no objects"),
        ("[1, 2, 3]", "holds no objects"),
        ("[" * 100_000, "holds no objects"),
        ('{"a": "', "cut off or broken"),
        ("{}", "No key of the first object names the meter"),
        ('{"a": 1}', "its keys are: a"),
    ],
)
def test_what_is_no_json_of_readings_is_refused(tmp_path, content, said):
    with pytest.raises(FileFault, match=said):
        read(tmp_path, content)


def test_a_document_is_cut_into_objects_however_its_parts_fall(tmp_path, monkeypatch):
    content = json.dumps([{**BLOCK, "note": 'a "quoted\\" } ] text'}] * 9, indent=1)
    _name, whole, _reading = read(tmp_path, content)
    monkeypatch.setattr(json_records, "CHUNK_BYTES", 97)
    _name, parts, reading = read(tmp_path, content)
    assert np.concatenate([part.values for part in parts]).tolist() == whole[0].values.tolist()
    assert np.concatenate([part.lines for part in parts]).tolist() == whole[0].lines.tolist()
    assert reading.rejects.count == 0
