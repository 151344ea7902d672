"""Flags and channels that senders give: kept per slot, through assembly, merge and reading back."""

import json
from datetime import date

import pytest

from apps.grid.models import Meter
from apps.readings.models import Channel, LoadProfile, LoadProfileRevision, Upload
from apps.readings.profiles import chart_values, read_window
from apps.readings.quality import Quality
from tests.readings.files import send

pytestmark = pytest.mark.django_db
MARCH = date(2026, 3, 1)
EST, SUS, EDI = Quality.ESTIMATED_BY_SENDER, Quality.SUSPECT, Quality.EDITED
WORDS = {0: "measured", EST: "estimated", SUS: "suspect", EDI: "edited"}


def send_blocks(*blocks: tuple, **statement) -> Upload:
    """Hours of one meter from an hour on: kWh, and their flags and channel where they have some."""
    written = [
        {
            "meter": "M-1",
            "start": f"2026-03-01T{hour:02}:00:00Z",
            "interval_minutes": 60,
            "kwh": kwh,
            "quality": [WORDS[flag] for flag in flags or [0] * len(kwh)],
            "channel": channel,
        }
        for hour, kwh, flags, channel in (block + (None, "import")[len(block) - 2 :] for block in blocks)
    ]
    return send(json.dumps(written), **statement)


def window(channel: Channel = Channel.IMPORT, **asked) -> list:
    return chart_values(read_window([Meter.objects.get().pk], MARCH, MARCH, channel, **asked).kwh[0, 0])


def flags() -> list[int] | None:
    return LoadProfile.objects.get(channel=Channel.IMPORT).quality


def test_a_day_that_is_measured_throughout_has_no_flags():
    send_blocks((0, [1.0] * 24, [0] * 24))
    assert flags() is None


def test_a_flag_stands_at_its_slot_and_an_estimate_is_no_measurement():
    send_blocks((0, [1.0] * 24, [0, EST, SUS, EDI] + [0] * 20))
    assert flags() == [0, EST, SUS, EDI] + [0] * 20
    assert window() == [1] * 24
    assert window(measured_only=True) == [1, None, 1, None] + [1] * 20, "a suspect reading was said by the meter"
    assert window(measured_only=True, slots=12)[:3] == [None, None, 2]


def test_the_later_value_of_a_slot_comes_with_its_flag():
    send_blocks((0, [1.0] * 12, [EST] * 12))
    send_blocks((6, [2.0] * 12))
    assert flags() == [EST] * 6 + [0] * 18
    send_blocks((0, [3.0] * 2))
    assert flags()[:3] == [0, 0, EST]
    assert window()[:7] == [3, 3, 1, 1, 1, 1, 2]
    assert LoadProfileRevision.objects.first().quality == [EST] * 12 + [0] * 12


def test_the_same_values_with_other_flags_are_a_change_and_with_the_same_flags_none():
    send_blocks((0, [1.0] * 24, [EST] * 24))
    assert send_blocks((0, [1.0] * 23, [EST] * 23)).days_same == 1
    assert send_blocks((0, [1.0] * 24)).days_changed == 1
    assert flags() is None


def test_import_and_export_are_rows_of_their_own():
    upload = send_blocks((0, [1.0] * 24), (0, [9.0] * 12, None, "export"))
    assert (window(), window(Channel.EXPORT)) == ([1] * 24, [9] * 12 + [None] * 12)
    assert (upload.readings, upload.days_new, upload.meters) == (36, 2, 1)
    send_blocks((12, [8.0] * 12, [EST] * 12, "export"))
    assert window(Channel.EXPORT) == [9] * 12 + [8] * 12
    assert window() == [1] * 24


def test_flags_of_few_readings_stay_at_their_readings():
    send_blocks((0, [1.0, 2.0, 3.0], [0, EST, 0]), (5, [4.0], [SUS]))
    assert flags()[:7] == [0, EST, 0, 0, 0, SUS, 0]
