"""Meters whose history is corrected in the grid: their days are validated once more, and counted where they belong."""

from datetime import date, timedelta

import numpy as np
import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateRange
from django.test.utils import CaptureQueriesContext

from apps.grid import actions
from apps.grid.models import Consumer, Installation, Meter
from apps.readings.models import Channel, Completeness, HitCount, LoadProfile, MeterState, ValidationHit, ValidationRule
from apps.readings.tasks import validate_pending
from apps.readings.validation import counting, moves
from tests import factories
from tests.readings.test_validation_rules import ordinary

pytestmark = pytest.mark.django_db
JANUARY = date(2026, 1, 5)
DAYS = 42


def day(number):
    return JANUARY + timedelta(days=number)


@pytest.fixture
def meters(north):
    """Two meters in the north, validated; the first has nothing but zeros for three days."""
    meters = [factories.InstallationFactory(consumer__zone=north).meter for _ in range(2)]
    kwh = ordinary(days=DAYS)
    kwh[0, 20:23] = 0
    for meter, curve in zip(meters, kwh, strict=True):
        factories.store_profiles(meter, JANUARY, curve)
    assert validate_pending() == 2
    return meters


def zeros():
    return list(ValidationHit.objects.filter(rule="zeros").values_list("meter", "day", "last_day"))


def counted():
    return sorted(HitCount.objects.values_list("zone__code", "rule", "day", "begun", "ended"), key=str)


def expected_of(zone):
    return dict(Completeness.objects.filter(zone=zone).values_list("day", "meters"))


def test_where_nothing_moved_nothing_is_validated_again(meters):
    assert validate_pending() == 0
    assert validate_pending() == 0


def test_a_meter_in_another_zone_is_held_against_the_rules_there(meters, north, south, sam):
    ValidationRule.objects.create(zone=south, rule="zeros", limits={"days": 4})
    assert zeros() == [(meters[0].pk, day(20), day(22))]
    moved = Consumer.objects.filter(installations__meter=meters[0])
    actions.assign_zone(consumers=moved, zone=south, by=sam)
    assert validate_pending() == 1
    assert zeros() == []
    actions.assign_zone(consumers=moved, zone=north, by=sam)
    assert validate_pending() == 1
    assert zeros() == [(meters[0].pk, day(20), day(22))]


def test_hits_and_completeness_are_counted_in_the_zone_that_the_meter_came_to(meters, north, south):
    Consumer.objects.filter(installations__meter=meters[0]).update(zone=south)
    validate_pending()
    assert ("SOUTH", "zeros", day(20), 1, 0) in counted()
    assert ("SOUTH", "zeros", day(22), 0, 1) in counted()
    assert not HitCount.objects.filter(zone=north, rule="zeros").exists()
    assert expected_of(north) == expected_of(south) == {day(number): 1 for number in range(DAYS)}


def test_days_between_two_consumers_that_are_written_down_later_are_no_gap_any_more(meters, north):
    LoadProfile.objects.filter(meter=meters[0], day__range=(day(30), day(33))).delete()
    MeterState.objects.filter(meter=meters[0]).update(validated_revision=0)
    validate_pending()
    gap = ValidationHit.objects.filter(rule="gap", meter=meters[0])
    assert list(gap.values_list("day", "last_day")) == [(day(30), day(33))]
    Installation.objects.filter(meter=meters[0]).update(valid=DateRange(None, day(30)))
    factories.InstallationFactory(consumer__zone=north, meter=meters[0], valid=DateRange(day(34), None))
    assert validate_pending() == 1
    assert not gap.exists()
    assert expected_of(north)[day(31)] == 1


def test_a_meter_that_was_taken_away_after_its_last_reading_is_not_missed_since(meters, north):
    factories.store_profiles(meters[1], day(DAYS), ordinary(1, 5)[0])
    MeterState.objects.filter(meter=meters[1]).update(first_day=JANUARY, validated_revision=0)
    validate_pending()
    assert expected_of(north)[day(DAYS + 2)] == 2
    Installation.objects.filter(meter=meters[0]).update(valid=DateRange(None, day(DAYS)))
    assert validate_pending() == 1
    assert expected_of(north)[day(DAYS + 2)] == 1
    Meter.objects.filter(pk=meters[1].pk).update(closed_on=day(DAYS + 2))
    assert validate_pending() == 1
    assert day(DAYS + 2) not in expected_of(north)


def test_of_a_meter_that_is_looked_at_for_the_first_time_only_what_is_new_is_validated(meters):
    """As after an upgrade: that nobody noted where meters stood is no reason to validate years of all of them."""
    MeterState.objects.update(stays=None)
    assert validate_pending() == 0
    assert not MeterState.objects.filter(stays=None).exists()


def test_a_thousand_moves_take_no_more_questions_than_one(meters, south):
    more = [factories.InstallationFactory(consumer__zone=south).meter for _ in range(10)]
    for meter in more:
        factories.store_profiles(meter, JANUARY, ordinary(1, 10)[0])
    moves.note()

    def questions(moved, zone):
        Consumer.objects.filter(installations__meter__in=moved).update(zone=zone)
        with CaptureQueriesContext(connection) as asked:
            assert moves.note() == len(moved)
        return len(asked)

    assert questions(meters[:1], south) == questions(more, factories.ZoneFactory(code="WEST"))


def test_hits_that_grow_and_go_are_counted_as_if_all_were_counted_anew(meters, north):
    kwh = ordinary(days=DAYS)
    kwh[1] = kwh[0]  # the same curve twice
    kwh[0, 23:27] = 0
    for n, meter in enumerate(meters):
        LoadProfile.objects.filter(meter=meter).delete()
        factories.store_profiles(meter, JANUARY, kwh[n])
    MeterState.objects.update(validated_revision=0, unvalidated_from=day(15), unvalidated_until=day(DAYS - 1))
    validate_pending()
    one_by_one = counted()
    counting.count_hits()
    assert one_by_one == counted()
    assert {rule for _zone, rule, *_ends in one_by_one} >= {"zeros", "same_curve"}


def test_a_meter_that_only_ever_gives_energy_is_not_missed(meters, north):
    solar = factories.InstallationFactory(consumer__zone=north).meter
    factories.store_profiles(solar, JANUARY, np.ones((DAYS, 24)))
    LoadProfile.objects.filter(meter=solar).update(channel=Channel.EXPORT)
    validate_pending()
    last = Completeness.objects.get(zone=north, day=day(DAYS - 1))
    assert (last.meters, last.silent, last.came, last.expected) == (2, 0, 48, 48)
