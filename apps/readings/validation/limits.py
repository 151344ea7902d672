"""Which limits hold for whom: what is built in, what is set everywhere, what is set for a zone. The nearest wins."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from django.db import connection
from django.db.models import BigIntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.grid.models import Installation, Meter
from apps.readings.models import ValidationRule
from apps.readings.validation.rules import RULES, Limits, Rule

# A meter that was moved belongs to where it stands now.
ZONES_OF_METERS = """
SELECT DISTINCT ON (installation.meter_id) installation.meter_id, consumer.zone_id
FROM grid_installation installation JOIN grid_consumer consumer ON consumer.id = installation.consumer_id
WHERE installation.meter_id = ANY(%(meters)s)
ORDER BY installation.meter_id, installation.valid DESC
"""
ZONES_OF_SUM_METERS = """
SELECT transformer.sum_meter_id, feeder.zone_id
FROM grid_transformer transformer JOIN grid_feeder feeder ON feeder.id = transformer.feeder_id
WHERE transformer.sum_meter_id = ANY(%(meters)s)
"""


@dataclass(frozen=True)
class Setting:
    """How a rule behaves in one place."""

    enabled: bool
    limits: dict[str, float]


def stored() -> list[tuple]:
    """All that is set, so that two moments can be compared."""
    return list(ValidationRule.objects.order_by("pk").values_list("zone_id", "rule", "enabled", "limits"))


def built_in(rule: Rule) -> Setting:
    return Setting(True, {limit.name: float(limit.default) for limit in rule.limits})


def settings_of_zones(zones: Iterable[int | None], rows: Iterable[ValidationRule] | None = None) -> dict:
    """Zone id (None: in no zone) → rule name → Setting. `rows` instead of what is stored, for a dry run."""
    rows = list(ValidationRule.objects.all() if rows is None else rows)
    stored = {(row.zone_id, row.rule): row for row in rows}
    found = {}
    for zone in {None, *zones}:
        found[zone] = {}
        for rule in RULES:
            setting = built_in(rule)
            for row in (stored.get((None, rule.name)), stored.get((zone, rule.name)) if zone else None):
                if row is not None:
                    enabled = setting.enabled if row.enabled is None else row.enabled
                    setting = Setting(enabled, setting.limits | known_limits(rule, row.limits))
            found[zone][rule.name] = setting
    return found


def known_limits(rule: Rule, limits: dict) -> dict[str, float]:
    """Limits that the rule has today; a row may be older than the rule."""
    names = {limit.name for limit in rule.limits}
    return {name: float(value) for name, value in limits.items() if name in names}


@dataclass(frozen=True)
class Arranged:
    """A rule's settings for each of M meters."""

    enabled: np.ndarray  # (M,) bool
    limits: Limits


def arranged(rule: Rule, zones: list[int | None], settings: dict) -> Arranged:
    places = list(dict.fromkeys(zones))
    place = np.array([places.index(zone) for zone in zones], dtype=int)
    of_places = [settings[zone][rule.name] for zone in places]
    return Arranged(
        np.array([one.enabled for one in of_places], dtype=bool)[place],
        {
            limit.name: np.array([one.limits[limit.name] for one in of_places], dtype=float)[place]
            for limit in rule.limits
        },
    )


def zones_of(meter_ids: list[int]) -> list[int | None]:
    """The zone that each meter stands in."""
    found: dict[int, int] = {}
    with connection.cursor() as cursor:
        for query in (ZONES_OF_METERS, ZONES_OF_SUM_METERS):
            cursor.execute(query, {"meters": meter_ids})
            found |= dict(cursor.fetchall())
    return [found.get(meter_id) for meter_id in meter_ids]


def meters_in(zone_id: int) -> QuerySet[Meter]:
    """Meters whose zone this is: those that stand in it, and those that stood there last."""
    last = Installation.objects.filter(meter=OuterRef("pk")).order_by("-valid").values("consumer__zone")[:1]
    zone = Coalesce("transformer__feeder__zone", Subquery(last), output_field=BigIntegerField())
    located = Meter.objects.annotate(zone=zone)
    return located.filter(zone=zone_id)
