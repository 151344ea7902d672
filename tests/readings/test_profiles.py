from datetime import date

import numpy as np
import pytest

from apps.readings.profiles import chart_values, read_window
from tests.factories import MeterFactory, store_profiles

pytestmark = pytest.mark.django_db
MARCH = date(2026, 3, 1)


def test_a_window_holds_every_stored_reading_and_nan_where_there_is_none():
    first, second, silent = MeterFactory.create_batch(3)
    kwh = np.arange(72, dtype=np.float32).reshape(3, 24)
    kwh[1, 5] = np.nan
    store_profiles(first, MARCH, kwh)
    store_profiles(second, date(2026, 3, 2), kwh[:1])

    window = read_window([second.pk, silent.pk, first.pk], MARCH, date(2026, 3, 4))

    assert window.kwh.shape == (3, 4, 24)
    assert window.interval_minutes == 60
    np.testing.assert_array_equal(window.kwh[2, :3], kwh)
    np.testing.assert_array_equal(window.kwh[0, 1], kwh[0])
    assert np.isnan(window.kwh[1]).all()
    assert np.isnan(window.kwh[2, 3]).all()


def test_mixed_intervals_are_summed_to_the_coarsest_and_a_missing_part_is_missing():
    hourly, half_hourly = MeterFactory.create_batch(2)
    store_profiles(hourly, MARCH, np.ones((1, 24), dtype=np.float32))
    halves = np.ones((1, 48), dtype=np.float32)
    halves[0, 1] = np.nan
    store_profiles(half_hourly, MARCH, halves)

    window = read_window([hourly.pk, half_hourly.pk], MARCH, MARCH)

    assert window.interval_minutes == 60
    assert np.isnan(window.kwh[1, 0, 0])
    assert (window.kwh[1, 0, 1:] == 2).all()


def test_days_of_one_meter_may_have_different_intervals():
    meter = MeterFactory()
    store_profiles(meter, MARCH, np.ones((1, 24), dtype=np.float32))
    store_profiles(meter, date(2026, 3, 2), np.ones((1, 96), dtype=np.float32))
    window = read_window([meter.pk], MARCH, date(2026, 3, 2))
    assert window.kwh[0].sum(axis=1).tolist() == [24, 96]


def test_a_meter_that_is_asked_for_twice_is_there_twice():
    meter = MeterFactory()
    store_profiles(meter, MARCH, np.ones((1, 24), dtype=np.float32))
    assert read_window([meter.pk, meter.pk], MARCH, MARCH).kwh.sum(axis=(1, 2)).tolist() == [24, 24]


def test_a_window_of_no_meters_is_empty():
    assert read_window([], MARCH, MARCH).kwh.shape == (0, 1, 24)


def test_nan_never_leaves_readings():
    assert chart_values(np.array([[0.1, np.nan], [np.inf, 2]], dtype=np.float32)) == [[0.1, None], [None, 2.0]]
