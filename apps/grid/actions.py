"""Verbs that change several rows of the grid at once."""

from collections.abc import Iterable

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction

from apps.accounts.models import User
from apps.grid.models import Consumer, Installation, Meter, Zone

# In one order, so that two imports that meet the same new meters wait for each other instead of deadlocking; the second
# one finds the meters made. Since when a meter stands there is not known: the file does not say.
ADD_METERS = """
WITH meters AS (
    INSERT INTO grid_meter (serial, kind) SELECT serial, %(kind)s FROM unnest(%(serials)s::text[]) AS serial
    ORDER BY serial ON CONFLICT (serial) DO NOTHING RETURNING serial, id
), consumers AS (
    INSERT INTO grid_consumer (number, name, address, kind, zone_id)
    SELECT serial, '', '', %(unknown)s, %(zone)s FROM meters ORDER BY serial
    ON CONFLICT (number) DO NOTHING RETURNING number, id
), installations AS (
    INSERT INTO grid_installation (meter_id, consumer_id, valid)
    SELECT meters.id, consumers.id, '(,)' FROM meters JOIN consumers ON number = serial
)
SELECT serial, meters.id, consumers.id FROM meters LEFT JOIN consumers ON number = serial
"""
ADD_CONSUMERS = """
WITH consumers AS (
    INSERT INTO grid_consumer (number, name, address, kind, zone_id)
    SELECT number, '', '', %(unknown)s, %(zone)s FROM unnest(%(numbers)s::text[]) AS number ORDER BY number
    RETURNING number, id
)
INSERT INTO grid_installation (meter_id, consumer_id, valid)
SELECT meter, consumers.id, '(,)'
FROM unnest(%(meters)s::bigint[], %(numbers)s::text[]) AS asked (meter, number) JOIN consumers USING (number)
"""

NUMBER_LENGTH = Consumer._meta.get_field("number").max_length


@transaction.atomic
def register_meters(serials: Iterable[str]) -> dict[str, int]:
    """Meter ids by serial number. An unknown meter is made, with a consumer in the zone "Unassigned"."""
    serials = sorted(set(serials))
    add_meters(serials)
    return dict(Meter.objects.filter(serial__in=serials).values_list("serial", "id"))


@transaction.atomic(savepoint=False)
def add_meters(serials: Iterable[str]) -> dict[str, int]:
    """Make those that are unknown; the ids of these alone, by serial number."""
    common = {"unknown": Consumer.Kind.UNKNOWN, "zone": Zone.objects.unassigned().pk}
    with connection.cursor() as cursor:
        cursor.execute(ADD_METERS, {**common, "kind": Meter.Kind.CONSUMER, "serials": sorted(set(serials))})
        added = cursor.fetchall()
        # A consumer of that number exists already and has another meter: whose readings these are is for a person to
        # say.
        taken = {meter: _other_number(meter, serial) for serial, meter, consumer in added if consumer is None}
        if taken:
            cursor.execute(ADD_CONSUMERS, {**common, "meters": list(taken), "numbers": list(taken.values())})
    return {serial: meter for serial, meter, _consumer in added}


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


def _other_number(meter_id: int, serial: str) -> str:
    suffix = f" (meter {meter_id})"  # no two meters share it, however long or alike their serial numbers are
    return serial[: NUMBER_LENGTH - len(suffix)] + suffix


@transaction.atomic
def assign_zone(*, consumers: Iterable[Consumer], zone: Zone, by: User) -> int:
    """Place consumers in a zone. Both the consumers and the zone must be the person's to see. Returns how many."""
    seen = Consumer.objects.visible_to(by).filter(pk__in=[consumer.pk for consumer in consumers])
    if not Zone.objects.visible_to(by).filter(pk=zone.pk).exists():
        raise PermissionDenied
    return seen.update(zone=zone)
