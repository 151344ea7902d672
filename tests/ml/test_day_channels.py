import numpy as np
import pytest

from ml.day_channels import CHANNELS, read_days
from ml.evidence import Neighbourhood
from tests.ml.conftest import SUSPECT, make_street, make_window


def days_of(kwh, **changes):
    return read_days(Neighbourhood(make_window(kwh, **changes)).evidence(slice(None)))


def test_half_the_energy_is_half_in_the_level_and_in_every_block_of_the_day(street):
    before = days_of(street).channels
    street[SUSPECT, 60:] *= 0.5
    after = days_of(street).channels
    for name in ("level", "peak", *(f"block_{block}" for block in range(6))):
        fall = (after[name] - before[name])[SUSPECT, 60:].mean()
        assert fall == pytest.approx(np.log(0.5), abs=0.2), name


def test_what_all_neighbours_feel_is_no_change_of_one(street):
    before = days_of(street).channels["level"]
    street[:, 60:] *= 0.6
    assert np.abs(days_of(street).channels["level"] - before).mean() < 0.02


def test_a_sunday_is_compared_with_sundays():
    kwh = np.ones((1, 84, 24), np.float32)
    kwh[0, np.arange(84) % 7 >= 5] = 3
    assert np.abs(days_of(kwh).channels["level"]).max() < 0.01


def test_zeros_are_counted_only_where_there_are_readings():
    kwh = make_street(homes=1)
    kwh[0, 70, :6] = 0
    kwh[0, 70, 18:] = np.nan
    assert days_of(kwh).channels["zero"][0, 70] == pytest.approx(6 / 18)


def test_a_day_without_enough_readings_says_nothing(street):
    street[SUSPECT, 70, :13] = np.nan
    days = days_of(street)
    assert not days.seen[SUSPECT, 70]
    assert all(np.isnan(channel[SUSPECT, 70]) for channel in days.channels.values())
    assert days.seen.sum() == days.seen.size - 1


def test_daily_readings_tell_of_level_and_zeros_alone():
    channels = days_of(make_street(slots=1)).channels
    assert {name for name, values in channels.items() if not np.isnan(values).all()} == {"level", "zero"}


def test_a_repeated_reading_and_a_flat_day_are_seen(street):
    street[SUSPECT, 60:] = street[SUSPECT].mean()
    channels = days_of(street).channels
    assert channels["equal"][SUSPECT, 60:].min() == 1
    assert channels["flat"][SUSPECT, 60:].max() < channels["flat"][SUSPECT, :60].min()
    assert channels["likeness"][SUSPECT, 60:].max() == 0


@pytest.mark.parametrize("slots", [1, 24, 48, 96])
@pytest.mark.parametrize("value", [0, 1e-30, 0.5, 9e5, -1, np.nan])
def test_no_constant_breaks_a_channel(value, slots):
    kwh = make_street(homes=8, days=40, slots=slots)
    kwh[0] = value
    kwh[1, 20:] = value
    channels = days_of(kwh).channels
    assert tuple(channels) == CHANNELS
    assert not any(np.isinf(values).any() for values in channels.values())
