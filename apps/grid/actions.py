"""Verbs that change several rows of the grid at once."""

from collections.abc import Iterable

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction

from apps.accounts.models import User
from apps.grid.models import Consumer, Installation, Meter, Zone

# Sorted, so that two imports that meet the same new meters wait for each other instead of deadlocking; the second one
# finds the meters made.
ADD_METERS = """
INSERT INTO grid_meter (serial, kind) SELECT serial, %s FROM unnest(%s::text[]) AS serial ORDER BY serial
ON CONFLICT (serial) DO NOTHING RETURNING serial, id
"""
ADD_CONSUMERS = """
INSERT INTO grid_consumer (number, name, address, kind, zone_id)
SELECT number, '', '', %s, %s FROM unnest(%s::text[]) AS number ORDER BY number
ON CONFLICT (number) DO NOTHING RETURNING number, id
"""
# Since when is not known: the file does not say.
ADD_INSTALLATIONS = """
INSERT INTO grid_installation (meter_id, consumer_id, valid)
SELECT meter, consumer, '(,)' FROM unnest(%s::bigint[], %s::bigint[]) AS pairs (meter, consumer)
"""

NUMBER_LENGTH = Consumer._meta.get_field("number").max_length


@transaction.atomic
def register_meters(serials: Iterable[str]) -> dict[str, int]:
    """Meter ids by serial number. An unknown meter is made, with a consumer in the zone "Unassigned"."""
    serials = sorted(set(serials))
    add_meters(serials)
    return dict(Meter.objects.filter(serial__in=serials).values_list("serial", "id"))


@transaction.atomic
def add_meters(serials: Iterable[str]) -> dict[str, int]:
    """Make those that are unknown; the ids of these alone, by serial number."""
    added = _insert(ADD_METERS, [Meter.Kind.CONSUMER, sorted(set(serials))])
    if added:
        _add_consumers(added)
    return added


def take_back(meters: list[int]) -> None:
    """Undo add_meters of these ids, in the same transaction: nobody else has seen them."""
    if not meters:
        return
    consumers = list(Installation.objects.filter(meter__in=meters).values_list("consumer", flat=True))
    for rows in (
        Installation.objects.filter(meter__in=meters),
        Consumer.objects.filter(pk__in=consumers),
        Meter.objects.filter(pk__in=meters),
    ):
        rows._raw_delete(rows.db)


def _add_consumers(meters: dict[str, int]) -> None:
    zone = Zone.objects.unassigned()
    consumers = _insert(ADD_CONSUMERS, [Consumer.Kind.UNKNOWN, zone.pk, list(meters)])
    # A consumer of that number exists already and has another meter: whose readings these are is for a person to say.
    taken = {_other_number(meters[serial], serial): serial for serial in meters.keys() - consumers.keys()}
    if taken:
        others = _insert(ADD_CONSUMERS, [Consumer.Kind.UNKNOWN, zone.pk, list(taken)])
        consumers |= {taken[number]: pk for number, pk in others.items()}
    with connection.cursor() as cursor:
        cursor.execute(ADD_INSTALLATIONS, [list(meters.values()), [consumers[serial] for serial in meters]])


def _other_number(meter_id: int, serial: str) -> str:
    suffix = f" (meter {meter_id})"  # no two meters share it, however long or alike their serial numbers are
    return serial[: NUMBER_LENGTH - len(suffix)] + suffix


def _insert(statement: str, params: list) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return dict(cursor.fetchall())


@transaction.atomic
def assign_zone(*, consumers: Iterable[Consumer], zone: Zone, by: User) -> int:
    """Place consumers in a zone. Both the consumers and the zone must be the person's to see. Returns how many."""
    seen = Consumer.objects.visible_to(by).filter(pk__in=[consumer.pk for consumer in consumers])
    if not Zone.objects.visible_to(by).filter(pk=zone.pk).exists():
        raise PermissionDenied
    return seen.update(zone=zone)
