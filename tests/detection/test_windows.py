from datetime import date

import numpy as np
import pytest
from django.db.backends.postgresql.psycopg_any import DateRange

from apps.detection import pending, windows
from apps.grid.models import Connection, Installation
from apps.readings.models import LoadProfile
from tests import factories, neighbourhood

pytestmark = pytest.mark.django_db
NAN = float("nan")


@pytest.fixture
def street(north):
    consumers = neighbourhood.store(north, days=30)
    neighbourhood.hang_sum_meters()
    return [consumer.pk for consumer in consumers]


def window_of(consumer_ids):
    (found,) = windows.read(consumer_ids)
    assert found.consumer_ids == sorted(consumer_ids)
    return found.window


def test_sum_meters_stand_beside_the_meters_that_they_deliver_to(street):
    window = window_of(street)
    assert window.sums.shape == (2, window.days, 24)
    np.testing.assert_array_equal(window.sum_row, np.arange(len(street)) % 2)
    for row in range(2):
        used = neighbourhood.curves(stopped=False)[row::2, :30].sum(0)
        np.testing.assert_allclose(window.sums[row][:30], used * 1.04, rtol=1e-5)


def test_a_transformer_with_a_consumer_that_is_not_in_the_window_has_no_balance(street):
    window = window_of(street[2:])
    assert window.sums is None
    factories.ConnectionFactory(
        transformer=Connection.objects.get(consumer=street[0]).transformer, consumer__zone__code="NORTH"
    )
    factories.ConnectionFactory(
        transformer=Connection.objects.get(consumer=street[0]).transformer, consumer__zone__code="NORTH"
    )
    assert set(window_of(street).sum_row[::2]) == {-1}
    assert set(window_of(street).sum_row[1::2]) == {0}


def test_somebody_who_was_moved_between_transformers_makes_both_balances_untrue(street):
    link = Connection.objects.get(consumer=street[0])
    other = Connection.objects.get(consumer=street[1]).transformer
    moved_on = date(2026, 1, 20)
    Connection.objects.filter(pk=link.pk).update(valid=DateRange(None, moved_on))
    factories.ConnectionFactory(
        consumer_id=street[0], consumer=link.consumer, transformer=other, valid=DateRange(moved_on, None)
    )
    assert window_of(street).sums is None


def test_a_sum_meter_that_reports_by_day_is_not_held_against_hours(street):
    transformer = Connection.objects.get(consumer=street[0]).transformer
    transformer.sum_meter.state.interval_minutes = 1440
    transformer.sum_meter.state.save()
    assert len(window_of(street).sums) == 1


def replaced(consumer_id: int, on: date):
    """The consumer's meter ends on a day, and another with the same habits goes on."""
    old = Installation.objects.get(consumer=consumer_id)
    new = factories.MeterFactory()
    factories.store_profiles(new, neighbourhood.FIRST_DAY, neighbourhood.curves(stopped=False)[0])
    Installation.objects.filter(pk=old.pk).update(valid=DateRange(None, on))
    factories.InstallationFactory(consumer=old.consumer, meter=new, valid=DateRange(on, None))
    return old.meter, new


def test_a_replaced_meters_days_and_its_successors_make_one_row(street):
    on = date(2026, 1, 25)
    old, new = replaced(street[0], on)
    before = (on - neighbourhood.FIRST_DAY).days
    LoadProfile.objects.filter(meter=old, day__gte=on).update(kwh=[9.0] * 24)
    LoadProfile.objects.filter(meter=new, day__lt=on).update(kwh=[7.0] * 24)
    (found,) = [found for found in windows.read(street) if street[0] in found.consumer_ids]
    row = found.window.kwh[found.consumer_ids.index(street[0])]
    np.testing.assert_allclose(row[:before], neighbourhood.curves()[0, :before])
    np.testing.assert_allclose(row[before:], neighbourhood.curves(stopped=False)[0, before:])


def test_the_day_of_a_replacement_has_the_hours_of_both_meters(street):
    on = date(2026, 1, 25)
    old, new = replaced(street[0], on)
    LoadProfile.objects.filter(meter=old, day=on).update(kwh=[2.0] * 10 + [NAN] * 14)
    LoadProfile.objects.filter(meter=new, day=on).update(kwh=[NAN] * 10 + [3.0] * 14)
    (found,) = [found for found in windows.read(street) if street[0] in found.consumer_ids]
    row = found.window.kwh[found.consumer_ids.index(street[0])]
    np.testing.assert_array_equal(row[(on - neighbourhood.FIRST_DAY).days], [2.0] * 10 + [3.0] * 14)


def test_whoever_corrects_the_day_of_a_replacement_has_the_consumer_scored_again(street):
    replaced(street[0], date(2026, 1, 25))
    before = pending.revisions(street)[street[0]]
    first, second = Installation.objects.filter(consumer=street[0]).order_by("valid")
    Installation.objects.filter(pk=second.pk).update(valid=DateRange(date(2026, 1, 28), None))
    Installation.objects.filter(pk=first.pk).update(valid=DateRange(None, date(2026, 1, 28)))
    assert pending.revisions(street)[street[0]] != before
