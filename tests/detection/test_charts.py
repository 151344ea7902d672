from datetime import date, timedelta

import numpy as np
import pytest
from django.db.backends.postgresql.psycopg_any import DateRange

from apps.detection import charts
from apps.grid.models import Installation
from apps.readings.models import Channel, LoadProfile
from apps.readings.quality import Quality
from tests import factories

WINTER = date(2026, 1, 5)


def measured(kwh: np.ndarray, first_day: date = WINTER, **link):
    """A consumer with these days (D, S) on its meter."""
    installation = factories.InstallationFactory(**link)
    factories.store_profiles(installation.meter, first_day, kwh)
    return installation.consumer


def curve_of(consumer, *neighbours, onset=None) -> charts.Curve | None:
    links = Installation.objects.filter(consumer__in=[consumer, *neighbours]).select_related("meter__state")
    return charts.curve(consumer.pk, list(links), onset)


def test_a_consumer_without_readings_has_no_curve(db):
    assert curve_of(factories.InstallationFactory().consumer) is None


def test_days_are_compared_as_whole_ones_and_not_at_all_where_most_of_one_is_missing(db):
    kwh = np.ones((3, 24))
    kwh[1, :6] = np.nan
    kwh[2, :13] = np.nan
    np.testing.assert_allclose(curve_of(measured(kwh)).daily, [24, 24, np.nan])


def test_a_page_shows_of_each_day_what_came_and_in_how_many_hours(db):
    kwh = np.full((4, 96), 0.25)
    kwh[1, :40] = np.nan
    kwh[2] = np.nan
    kwh[3, 1:] = np.nan
    page = curve_of(measured(kwh)).for_page()
    assert page["daily"] == [24, 14, None, 0.25]
    assert page["incomplete"] == [(1, 14, 24), (3, 0.25, 24)]


@pytest.mark.parametrize(("slots", "places"), [(96, [(24, 0.25), (25, 0.5)]), (24, [(3, 1.0), (4, 1.0), (5, 1.0)])])
def test_a_page_is_told_which_hours_no_meter_said(db, slots, places):
    consumer = measured(np.full((2, slots), 24 / slots))
    LoadProfile.objects.filter(day=WINTER + timedelta(days=slots == 96)).update(
        quality=[Quality.ESTIMATED_BY_SENDER if 3 <= slot < 6 else 0 for slot in range(slots)]
    )
    assert curve_of(consumer).for_page()["made_up"] == places


def test_a_page_is_told_which_days_no_meter_said(db):
    consumer = measured(np.full((2, 1), 7.0))
    LoadProfile.objects.filter(day=WINTER).update(quality=[Quality.EDITED])
    page = curve_of(consumer).for_page()
    assert (page["daily"], page["made_up"]) == ([7, 7], [(0, 7.0)])


def test_a_page_shows_what_was_given_to_the_grid(db):
    consumer = measured(np.ones((3, 24)))
    assert curve_of(consumer).for_page()["exported"] is None
    sunny = LoadProfile.objects.get(day=WINTER + timedelta(days=1))
    LoadProfile.objects.create(
        meter=sunny.meter, channel=Channel.EXPORT, day=sunny.day, kwh=[0.0] * 23 + [2.5], upload=sunny.upload
    )
    page = curve_of(consumer).for_page()
    assert (page["daily"], page["exported"]) == ([24, 24, 24], [None, 2.5, None])


def test_no_hour_is_missing_that_the_clock_skipped(db):
    spring = date(2026, 3, 28)
    page = curve_of(measured(np.ones((3, 24)), first_day=spring)).for_page()
    assert page["daily"][1] == 23
    assert page["incomplete"] == []


def test_the_first_day_of_a_long_curve_has_its_first_hour_in_summer_too(db):
    kwh = np.ones((charts.CHART_DAYS + 30, 24))
    page = curve_of(measured(kwh, first_day=date(2025, 6, 1))).for_page()
    assert page["first_day"] == "2025-07-01"
    assert page["incomplete"] == []


def test_quarters_of_an_hour_are_summed_to_hours(db):
    curve = curve_of(measured(np.full((2, 96), 0.25)))
    np.testing.assert_allclose(curve.hourly, np.ones((2, 24)))


def test_daily_readings_have_no_hours(db):
    curve = curve_of(measured(np.full((5, 1), 7.0)))
    assert curve.hourly is None
    assert curve.for_page()["daily"] == [7.0] * 5


def test_hours_are_those_of_the_clock_on_the_wall(db):
    at_seven_in_winter_time = np.zeros((4, 24))
    at_seven_in_winter_time[:, 7] = 1
    curve = curve_of(measured(at_seven_in_winter_time, first_day=date(2026, 7, 6)))
    assert curve.hourly[1].argmax() == 8


def test_a_replaced_meter_and_its_successor_make_one_curve(db):
    change = WINTER + timedelta(days=3)
    consumer = measured(np.full((3, 24), 1.0), valid=DateRange(None, change))
    measured(np.full((3, 24), 2.0), first_day=change, consumer=consumer, valid=DateRange(change, None))
    np.testing.assert_allclose(curve_of(consumer).daily, [24, 24, 24, 48, 48, 48])


def test_a_meter_that_came_back_shows_both_its_times(db):
    away, back = WINTER + timedelta(days=2), WINTER + timedelta(days=4)
    consumer = measured(np.full((6, 24), 1.0), valid=DateRange(None, away))
    meter = consumer.installations.get().meter
    factories.InstallationFactory(meter=meter, consumer=consumer, valid=DateRange(back, None))
    np.testing.assert_allclose(curve_of(consumer).daily, [24, 24, np.nan, np.nan, 24, 24])


def test_neighbours_of_any_size_and_interval_are_brought_to_the_consumer_s_own(db):
    own = np.ones((20, 24))
    own[10:] = 0.2
    consumer = measured(own)
    neighbours = [measured(np.full((20, slots), 5.0)) for slots in (1, 24, 48)]
    curve = curve_of(consumer, *neighbours, onset=WINTER + timedelta(days=10))
    np.testing.assert_allclose(curve.band, np.full((3, 20), 24.0))
    assert curve.hourly is not None


def test_too_few_neighbours_make_no_band(db):
    consumer, other = measured(np.ones((5, 24))), measured(np.ones((5, 24)))
    assert curve_of(consumer, other).band is None


@pytest.mark.parametrize(("onset", "usual"), [(10, (24.0, 12.0)), (None, None), (0, None), (99, None)])
def test_usual_days_before_and_since(db, onset, usual):
    kwh = np.ones((20, 24))
    kwh[10:] = 0.5
    day = None if onset is None else WINTER + timedelta(days=onset)
    assert curve_of(measured(kwh)).usual_days(day) == usual
