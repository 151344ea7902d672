"""What a consumer's page draws of the quality of its readings."""

from datetime import date, timedelta

import numpy as np
import pytest

from apps.readings.models import LoadProfile
from apps.readings.validation import marks
from tests import factories

pytestmark = pytest.mark.django_db
JULY = date(2026, 7, 1)


@pytest.fixture
def meter(consumer):
    meter = factories.InstallationFactory(consumer=consumer).meter
    factories.store_profiles(meter, JULY, np.ones((3, 48)) / 2)
    return meter


def of(consumer):
    return marks.of_consumer(list(consumer.installations.all()), JULY, JULY + timedelta(days=2))


def put_estimate(day, missing, quality=None):
    kwh, estimated = np.full(48, 0.5), np.full(48, np.nan)
    kwh[missing], estimated[missing] = np.nan, 0.25
    LoadProfile.objects.filter(day=day).update(
        kwh=kwh.tolist(), estimated_kwh=estimated.tolist(), quality=quality and [quality] * 48
    )


def test_a_days_total_counts_what_was_sent_and_what_was_estimated(meter, consumer):
    put_estimate(JULY, slice(40, 44))
    assert of(consumer).estimates.days == [("2026-07-01", 23.0, False)]


def test_hours_are_those_of_the_clock_on_the_wall(meter, consumer):
    put_estimate(JULY, slice(45, 48))  # 22:30 to midnight of winter time
    assert of(consumer).estimates.hours == [("2026-07-01", 23, 0.75), ("2026-07-02", 0, 0.5)]


def test_what_stands_in_for_a_day_is_told_apart(meter, consumer):
    put_estimate(JULY, slice(None), quality=3)
    assert of(consumer).estimates.days == [("2026-07-01", 12.0, True)]


def test_hits_are_the_consumers_only_while_it_had_the_meter(meter, consumer):
    link = consumer.installations.get()
    link.valid = (JULY, JULY + timedelta(days=1))
    link.save()
    mine, _later = (factories.ValidationHitFactory(meter=meter, day=JULY + timedelta(days=n)) for n in (0, 1))
    assert [row.hit for row in of(consumer).hits] == [mine]
    assert of(consumer).for_chart()["hits"] == [
        {"first_day": "2026-07-01", "last_day": "2026-07-01", "text": "consecutive zeros: nothing but zeros for 1 day"}
    ]


def test_estimates_are_the_consumers_only_while_it_had_the_meter(meter, consumer):
    link = consumer.installations.get()
    link.valid = (JULY + timedelta(days=1), None)
    link.save()
    for number in (0, 1):
        put_estimate(JULY + timedelta(days=number), slice(12, 14))
    assert [day for day, *_ in of(consumer).estimates.days] == ["2026-07-02"]
    assert {day for day, *_ in of(consumer).estimates.hours} == {"2026-07-02"}
