import numpy as np
import pyarrow as pa
import pytest

from ml.tables.stamps import UNREADABLE, clock_minutes, is_month_first, minutes_of, standard_offset

NOON = int(np.datetime64("2026-03-29T12:00", "m").astype(int))


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-29 12:00", "2026-03-29T12:00:00", "2026/3/29 12:00", "29.03.2026 12:00", "29/3/2026 12:00:00.000",
        "20260329 12:00", "2026-03-29 11:59:31", " 2026-03-29 12:00 ",
    ],
)  # fmt: skip
def test_a_stamp_is_read_however_it_is_spelled(text):
    assert minutes_of(pa.array([text]), 60)[0].tolist() == [NOON]


@pytest.mark.parametrize("text", ["2026-03-29T11:00Z", "2026-03-29 13:00+02:00", "2026-03-29 05:30:00-0530"])
def test_a_stamp_with_its_own_zone_becomes_standard_time(text):
    minutes, zoned = minutes_of(pa.array([text]), 60)
    assert minutes.tolist() == [NOON]
    assert zoned


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-02-30", "2026-01-01 25:00", None, "9999-01-01"])
def test_what_is_no_time_is_unreadable(text):
    assert minutes_of(pa.array([text, "2026-01-01"], pa.string()), 0)[0][0] == UNREADABLE


def test_midnight_may_be_written_as_the_end_of_the_day():
    assert np.diff(minutes_of(pa.array(["2026-01-01 24:00", "2026-01-02 00:00"]), 0)[0]).tolist() == [0]


def test_an_american_date_is_told_by_its_days_beyond_twelve():
    texts = pa.array(["1/2/2026 00:00", "1/13/2026 00:00"])
    assert is_month_first(texts)
    assert np.diff(minutes_of(texts, 0, month_first=True)[0]).tolist() == [11 * 1440]


@pytest.mark.parametrize("scale", [1, 1000, 10**6, 10**9])
def test_seconds_since_1970_are_read_in_any_precision(scale):
    assert minutes_of(pa.array([NOON * 60 * scale]), 60)[0].tolist() == [NOON + 60]


def test_typed_stamps_keep_their_minute():
    naive = pa.array([np.datetime64("2026-03-29T12:00", "us")])
    zoned = pa.array([np.datetime64("2026-03-29T11:00", "ns")]).cast(pa.timestamp("ns", "UTC"))
    assert minutes_of(naive, 60) == (np.array([NOON]), False)
    assert minutes_of(zoned, 60) == (np.array([NOON]), True)


def test_a_time_of_day_stands_alone():
    assert clock_minutes(pa.array(["7:30", "07:30:00", "24:00", "noon"])).tolist() == [450, 450, 1440, UNREADABLE]


def test_standard_time_is_that_of_the_winter_on_either_half_of_the_earth():
    zones = ["Europe/London", "Australia/Sydney", "Asia/Kolkata", "Europe/Dublin"]
    assert [standard_offset(zone) for zone in zones] == [0, 600, 330, 0]
