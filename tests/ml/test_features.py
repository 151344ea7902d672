import numpy as np
import pytest

from ml.features import FEATURES, measure
from tests.ml.conftest import SUSPECT, make_street, make_window


def feature(kwh, name, **changes):
    return measure(make_window(kwh, **changes)).feature(name)[SUSPECT]


def test_a_meter_that_halves_shows_a_step_of_one_half_from_that_day(street):
    street[SUSPECT, 80:] *= 0.5
    measures = measure(make_window(street))
    assert measures.feature("step")[SUSPECT] == pytest.approx(np.log(0.5), abs=0.12)
    assert abs(measures.onset[SUSPECT] - 80) <= 3


def test_what_all_the_neighbours_do_is_no_change(street):
    street[:, 80:] *= 0.5
    assert abs(feature(street, "level_28")) < 0.1


def test_a_big_consumer_looks_like_a_small_one(street):
    small = measure(make_window(street)).features[SUSPECT]
    street[SUSPECT] *= 20
    assert measure(make_window(street)).features[SUSPECT] == pytest.approx(small, abs=0.15)


def test_the_days_after_the_reference_do_not_move_the_usual(street):
    before = measure(make_window(street)).usual[SUSPECT, 0]
    street[SUSPECT, 60:] *= 0.1
    assert measure(make_window(street)).usual[SUSPECT, 0] == before


def test_the_reference_is_a_third_of_the_days_and_four_weeks_where_there_are_eight():
    lengths = {days: measure(make_window(make_street(days=days))).reference[0].sum() for days in (28, 56, 92, 180)}
    assert lengths == {28: 14, 56: 28, 92: 30, 180: 60}


def test_daily_readings_are_measured_without_hours(street):
    daily = street.sum(2, keepdims=True)
    daily[SUSPECT, 80:] *= 0.5
    assert feature(daily, "step") == pytest.approx(np.log(0.5), abs=0.12)
    assert [feature(daily, name) for name in ("night", "part_min", "shape")] == [0, 0, 0]


@pytest.mark.parametrize("slots", [24, 48, 96])
def test_any_interval_gives_the_same_level(slots):
    street = make_street(slots=slots)
    street[SUSPECT, 80:] *= 0.5
    assert feature(street, "level_28") == pytest.approx(np.log(0.5), abs=0.12)


def test_a_negative_reading_counts_as_missing(street):
    street[SUSPECT, 100, 3] = -50
    measures = measure(make_window(street))
    street[SUSPECT, 100, 3] = np.nan
    assert np.array_equal(measures.features, measure(make_window(street)).features)


def test_blocks_of_meters_do_not_show(street, monkeypatch):
    whole = measure(make_window(street)).features
    monkeypatch.setattr("ml.features.METERS_PER_BLOCK", 3)
    assert np.array_equal(measure(make_window(street)).features, whole)


def test_a_window_is_measured_once(street):
    window = make_window(street)
    assert measure(window) is measure(window)


def test_every_feature_is_finite_for_meters_that_report_nothing(street):
    street[SUSPECT] = np.nan
    street[SUSPECT + 1] = 0
    measures = measure(make_window(street))
    assert measures.features.shape == (20, len(FEATURES))
    assert np.isfinite(measures.features).all()
    assert not measures.scorable[SUSPECT]
