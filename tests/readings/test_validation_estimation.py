"""How gaps are filled; no database."""

import numpy as np

from apps.readings.validation.estimation import HISTORY, LINEAR, NONE, estimate, one_day
from tests.readings.test_validation_rules import ordinary


def with_gap(start, end, day=40, slots=24):
    """One meter whose slots [start, end) of a day are missing, and what was there."""
    kwh = ordinary(meters=1, slots=slots)
    whole = kwh.copy()
    kwh[0, day, start:end] = np.nan
    return kwh, whole


def test_an_hour_is_bridged_by_a_straight_line():
    kwh, _whole = with_gap(8, 12, slots=96)
    kwh[0, 40, 7], kwh[0, 40, 12] = 1.0, 2.0
    found = estimate(kwh)
    np.testing.assert_allclose(found.kwh[0, 40, 8:12], [1.2, 1.4, 1.6, 1.8], rtol=1e-6)
    assert (found.method[0, 40, 8:12] == LINEAR).all()


def test_a_longer_gap_takes_the_same_weekday_of_three_weeks():
    kwh, _whole = with_gap(8, 12)
    kwh[0, [19, 26, 33], 8:12] = np.array([[0.5], [0.7], [0.9]])
    kwh[0, :, 12:] = kwh[0, 0, 12:]  # all at one level but for the noise of the mornings
    found = estimate(kwh)
    np.testing.assert_allclose(found.kwh[0, 40, 8:12], np.full(4, 0.7), rtol=0.1)
    assert (found.method[0, 40, 8:12] == HISTORY).all()


def test_history_is_brought_to_the_level_of_the_days_around():
    kwh, whole = with_gap(0, 24)
    kwh[0, 30:] *= 2  # a new load since ten days before
    estimated = estimate(kwh).kwh[0, 40].sum()
    assert 1.6 < estimated / whole[0, 40].sum() < 2.2


def test_measured_readings_are_left_alone():
    kwh, whole = with_gap(8, 12)
    found = estimate(kwh)
    np.testing.assert_array_equal(np.isnan(found.kwh), ~np.isnan(kwh))
    np.testing.assert_array_equal(kwh[~np.isnan(kwh)], whole[~np.isnan(kwh)])
    assert (found.method[~np.isnan(kwh)] == NONE).all()


def test_eight_days_are_too_long_to_make_up():
    kwh = ordinary()
    kwh[0, 40:47] = np.nan
    kwh[1, 40:47] = kwh[1, 47, 0] = np.nan
    filled = np.isfinite(estimate(kwh).kwh).any((1, 2))
    assert filled.tolist() == [True, False]


def test_what_did_not_come_yet_and_what_was_before_the_meter_is_no_gap():
    kwh = ordinary()
    kwh[:, 0, :5] = kwh[:, -1, 20:] = np.nan
    assert np.isnan(estimate(kwh).kwh).all()


def test_without_three_weeks_of_history_a_gap_stays_open():
    kwh = ordinary(days=6)
    kwh[:, 4, 3:9] = np.nan
    assert np.isnan(estimate(kwh).kwh).all()


def test_an_estimate_never_rests_on_another():
    kwh, _whole = with_gap(0, 24)
    kwh[0, [19, 26, 33]] = np.nan
    found = estimate(kwh)
    assert np.isfinite(found.kwh[0, 33]).all()
    assert np.isnan(found.kwh[0, 40]).all()


def test_daily_readings_are_estimated_by_their_weekday():
    kwh = ordinary(meters=1, slots=1)
    kwh[0, ::7] *= 3  # every Monday
    whole = kwh[0, 42, 0]
    kwh[0, 42] = np.nan
    np.testing.assert_allclose(estimate(kwh).kwh[0, 42, 0], whole, rtol=0.2)


def test_a_whole_day_can_be_put_as_if_nothing_of_it_were_known():
    kwh = ordinary(meters=1)[0]
    usual = kwh[40].copy()
    kwh[40] = 90
    np.testing.assert_allclose(one_day(kwh, 40), usual, rtol=0.45)


def test_a_window_in_which_nothing_came_has_no_estimates():
    assert np.isnan(estimate(np.full((2, 3, 24), np.nan, np.float32)).kwh).all()
