import numpy as np
import pytest

from ml.change_point import CHANNELS, FEWEST_AFTER, FEWEST_BEFORE, find_change
from ml.day_channels import read_days
from ml.evidence import Neighbourhood
from tests.ml.conftest import SUSPECT, make_street, make_window


def change_of(kwh):
    return find_change(read_days(Neighbourhood(make_window(kwh)).evidence(slice(None))))


@pytest.mark.parametrize("onset", [35, 60, 80, 110])
@pytest.mark.parametrize("theft", ["scaled", "night", "zero", "clipped"])
def test_the_day_of_a_change_is_found_whatever_channel_shows_it(street, onset, theft):
    since = street[SUSPECT, onset:]
    if theft == "scaled":
        since *= 0.4
    elif theft == "night":
        since[:, :8] *= 0.1
    elif theft == "zero":
        since[:] = 0
    else:
        np.minimum(since, 0.3, out=since)
    assert abs(change_of(street).day[SUSPECT] - onset) <= 2


def test_a_change_is_stronger_than_chance_and_names_its_channels(street):
    quiet = change_of(street)
    street[SUSPECT, 60:, 18:22] = 0
    change = change_of(street)
    assert change.strength[SUSPECT] > 3 * quiet.strength.max()
    by_channel = dict(zip(CHANNELS, change.by_channel[SUSPECT], strict=True))
    assert by_channel["block_4"] > 3 * by_channel["block_1"]
    assert change.runner_up[SUSPECT] < quiet.runner_up.min()


def test_gaps_do_not_move_the_day(street):
    street[SUSPECT, 60:] *= 0.4
    street[SUSPECT, 20:31] = np.nan
    street[SUSPECT, 90:95, ::2] = np.nan
    assert abs(change_of(street).day[SUSPECT] - 60) <= 1


def test_a_change_has_a_week_before_it_and_three_days_after_it(street):
    street[0, :3] *= 5
    street[1, -1:] = 0
    day = change_of(street).day
    assert ((day >= FEWEST_BEFORE) & (day <= 120 - FEWEST_AFTER)).all()


def test_where_nothing_can_be_split_the_first_day_stands_in(street):
    street[0] = np.nan
    street[1, 9:] = np.nan
    change = change_of(street)
    assert change.day[:2].tolist() == [0, 0]
    assert (change.strength[:2] == 0).all()
    assert np.isfinite(change.runner_up).all()


def test_the_day_does_not_depend_on_who_else_is_looked_at(street):
    street[SUSPECT, 70:] *= 0.5
    days = Neighbourhood(make_window(street)).evidence(slice(None))
    alone = find_change(read_days(days.take(slice(SUSPECT, SUSPECT + 1))))
    assert alone.day[0] == find_change(read_days(days)).day[SUSPECT]


def test_daily_readings_have_a_day_of_change_too():
    kwh = make_street(slots=1)
    kwh[SUSPECT, 80:] *= 0.4
    assert abs(change_of(kwh).day[SUSPECT] - 80) <= 1
