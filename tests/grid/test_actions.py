import pytest
from django.core.exceptions import PermissionDenied

from apps.grid import actions
from apps.grid.models import Consumer, Installation, Meter
from tests.factories import ConsumerFactory, MeterFactory, ZoneFactory

pytestmark = pytest.mark.django_db


def test_an_unknown_meter_gets_a_consumer_that_nobody_has_placed_yet():
    known = MeterFactory(serial="M-1")
    ids = actions.register_meters(["M-1", "M-2"])
    consumer = Consumer.objects.get(number="M-2")
    assert ids == {"M-1": known.pk, "M-2": Meter.objects.get(serial="M-2").pk}
    assert consumer.zone.is_unassigned
    assert Installation.objects.current().get(meter_id=ids["M-2"]).consumer == consumer
    assert not Consumer.objects.filter(number="M-1").exists()


def test_registering_twice_changes_nothing():
    assert actions.register_meters(["M-1"]) == actions.register_meters(["M-1"])
    assert Consumer.objects.count() == 1


def test_a_consumer_who_has_the_meters_number_by_chance_keeps_their_own_meter(consumer):
    meter = actions.register_meters([consumer.number])[consumer.number]
    assert Installation.objects.get(meter_id=meter).consumer != consumer


def test_consumers_of_numbers_alike_keep_theirs_too(north):
    serials = ["X", "X (meter)", "L" * 63 + "1", "L" * 63 + "2"]
    for serial in serials:
        ConsumerFactory(number=serial, zone=north)
    ids = actions.register_meters(serials)
    assert len({link.consumer_id for link in Installation.objects.filter(meter__in=ids.values())}) == 4
    assert not Installation.objects.filter(consumer__zone=north).exists()


def test_meters_that_were_added_can_be_taken_back_and_the_others_stay():
    actions.add_meters(["M-1"])
    added = actions.add_meters(["M-1", "M-2", "M-3"])
    assert sorted(added) == ["M-2", "M-3"]
    actions.take_back([added["M-2"]])
    assert sorted(Meter.objects.values_list("serial", flat=True)) == ["M-1", "M-3"]
    assert sorted(Consumer.objects.values_list("number", flat=True)) == ["M-1", "M-3"]


def test_a_supervisor_places_consumers(sam, north):
    actions.register_meters(["M-1"])
    assert actions.assign_zone(consumers=Consumer.objects.all(), zone=north, by=sam) == 1
    assert Consumer.objects.get().zone == north


def test_nobody_places_consumers_in_a_zone_that_they_do_not_look_after(ines, south, consumer):
    with pytest.raises(PermissionDenied):
        actions.assign_zone(consumers=[consumer], zone=south, by=ines)


def test_consumers_of_other_zones_stay_where_they_are(ines, north):
    theirs = ConsumerFactory(zone=ZoneFactory(code="SOUTH"))
    assert actions.assign_zone(consumers=[theirs], zone=north, by=ines) == 0
