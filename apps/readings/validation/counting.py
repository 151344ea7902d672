"""Sums that the page Data quality shows, kept by zone and day, so that it need not look at every hit and reading."""

from collections.abc import Iterable
from datetime import date

from django.db.models import Max

from apps.readings.models import MeterState
from apps.readings.validation.sql import execute, fetched

# Which meter stood where, whom it measured and when; a sum meter stands at its transformer.
STANDING = """
    SELECT installation.meter_id, consumer.zone_id, installation.consumer_id, installation.valid
    FROM grid_installation installation JOIN grid_consumer consumer ON consumer.id = installation.consumer_id
    UNION ALL
    SELECT transformer.sum_meter_id, feeder.zone_id, NULL, '(,)'::daterange
    FROM grid_transformer transformer JOIN grid_feeder feeder ON feeder.id = transformer.feeder_id
    WHERE transformer.sum_meter_id IS NOT NULL
"""

# Before a count: days of zones from which nobody should have sent anything any more, such as after a withdrawal.
FORGET_DAYS = "DELETE FROM readings_completeness WHERE day BETWEEN %(first)s AND %(last)s"
# The sums for a zone and day, from what is stored. A meter counts from its first reading on, wherever it
# was installed that day, until it is closed; one that fell silent counts on. One that never said what was taken from
# the grid, and only what was given to it, owes nothing.
COUNT = f"""
WITH standing AS ({STANDING}),
owing AS MATERIALIZED (
    SELECT state.meter_id, state.first_day, state.interval_minutes FROM readings_meterstate state
    WHERE EXISTS (SELECT FROM readings_loadprofile own WHERE own.meter_id = state.meter_id
                  AND own.channel = %(channel)s AND own.day BETWEEN state.first_day AND state.last_day)
),
expected AS (
    SELECT standing.zone_id, day::date AS day, count(*) AS meters, sum(1440 / owing.interval_minutes) AS expected
    FROM generate_series(%(first)s::date, %(last)s::date, interval '1 day') AS day
    JOIN owing ON owing.first_day <= day
    JOIN grid_meter meter ON meter.id = owing.meter_id AND (meter.closed_on IS NULL OR meter.closed_on > day)
    JOIN standing ON standing.meter_id = owing.meter_id AND standing.valid @> day::date
    GROUP BY 1, 2
),
heard AS (
    SELECT meter_id, day, (cardinality(kwh) - coalesce(cardinality(array_positions(kwh, 'NaN'::real)), 0))
           / cardinality(kwh)::float AS share
    FROM readings_loadprofile WHERE channel = %(channel)s AND day BETWEEN %(first)s AND %(last)s
),
came AS (
    SELECT standing.zone_id, heard.day, count(*) FILTER (WHERE share > 0) AS meters,
           sum(share * (1440 / state.interval_minutes)) AS came
    FROM heard JOIN readings_meterstate state ON state.meter_id = heard.meter_id
    JOIN standing ON standing.meter_id = heard.meter_id AND standing.valid @> heard.day
    GROUP BY 1, 2
)
INSERT INTO readings_completeness (zone_id, day, meters, silent, expected, came)
SELECT zone_id, day, expected.meters, greatest(expected.meters - coalesce(came.meters, 0), 0), expected.expected,
       least(round(coalesce(came.came, 0)), expected.expected)
FROM expected LEFT JOIN came USING (zone_id, day)
"""  # noqa: S608 made of our own text alone

FORGET_HITS = "DELETE FROM readings_hitcount WHERE %(days)s::date[] IS NULL OR day = ANY(%(days)s)"
# Both ends of a hit belong to the zone that its meter was in on the first day.
COUNT_HITS = f"""
INSERT INTO readings_hitcount (zone_id, rule, day, begun, ended)
SELECT standing.zone_id, told.rule, told.day, sum(told.begun), sum(told.ended)
FROM (
    SELECT meter_id, rule, day AS at, day, 1 AS begun, 0 AS ended FROM readings_validationhit
    WHERE %(days)s::date[] IS NULL OR day = ANY(%(days)s)
    UNION ALL
    SELECT meter_id, rule, day AS at, last_day, 0, 1 FROM readings_validationhit
    WHERE %(days)s::date[] IS NULL OR last_day = ANY(%(days)s)
) AS told
LEFT JOIN ({STANDING}) AS standing ON standing.meter_id = told.meter_id AND standing.valid @> told.at
GROUP BY 1, 2, 3
"""  # noqa: S608 made of our own text alone


def count_days(first: date, last: date) -> None:
    """Count the completeness of these days anew, zone by zone. After the last reading of all nothing is to be told."""
    newest = MeterState.objects.aggregate(Max("last_day"))["last_day__max"]
    execute(FORGET_DAYS, first=first, last=last)
    execute(COUNT, first=first, last=min(last, newest))


def count_hits(days: Iterable[date] | None = None) -> None:
    """Count the hits that begin or end on these days anew, zone by zone and rule by rule; without days, all hits."""
    chosen = None if days is None else sorted(set(days))
    if chosen != []:
        execute(FORGET_HITS, days=chosen)
        execute(COUNT_HITS, days=chosen)


def hit_days_of(meters: list[int]) -> list[date]:
    """The days on which hits of these meters begin or end."""
    return [
        day
        for (day,) in fetched(
            "SELECT DISTINCT unnest(ARRAY[day, last_day]) FROM readings_validationhit WHERE meter_id = ANY(%(meters)s)",
            meters=meters,
        )
    ]
