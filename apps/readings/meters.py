"""What is known about the meters that a file names."""

import numpy as np
from django.db import connection
from django.db.models import Q

from apps.accounts.models import User
from apps.grid.models import Installation, Meter, Zone

# By array: a placeholder for each of ten thousand names takes longer than the query.
IDS = "SELECT serial, id FROM grid_meter WHERE serial = ANY(%s)"
INTERVALS = """
SELECT serial, interval_minutes FROM grid_meter JOIN readings_meterstate ON meter_id = grid_meter.id
WHERE serial = ANY(%s)
"""


def ids(names: list[str]) -> dict[str, int]:
    """Meter ids by name, of those that are registered."""
    return _by_name(IDS, names)


def known_intervals(names: list[str]) -> np.ndarray:
    """(names,) minutes between the readings of each meter so far; 0 where there are none."""
    found = _by_name(INTERVALS, names)
    return np.array([found.get(name, 0) for name in names], dtype=int)


def _by_name(statement: str, names: list[str]) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [names])
        return dict(cursor.fetchall())


def foreign(names: list[str], by: User | None) -> np.ndarray:
    """(names,) bool: meters that stand, but not in a zone that this person looks after. New meters are nobody's yet.

    One that was replaced stays whose it was last: its last readings often come late.
    """
    if by is None or by.sees_everything:
        return np.zeros(len(names), dtype=bool)
    zones = Zone.objects.filter(Q(pk__in=Zone.objects.visible_to(by).values("pk")) | Q(code=Zone.UNASSIGNED))
    meters = Meter.objects.filter(serial__in=names)
    installed = Installation.objects.current()
    here = Installation.objects.filter(consumer__zone__in=zones)
    own = meters.filter(
        Q(pk__in=installed.filter(consumer__zone__in=zones).values("meter"))
        | Q(pk__in=here.exclude(meter__in=installed.values("meter")).values("meter"))
        | Q(transformer__feeder__zone__in=zones)
    )
    others = set(meters.values_list("serial", flat=True)) - set(own.values_list("serial", flat=True))
    return np.array([name in others for name in names], dtype=bool)
