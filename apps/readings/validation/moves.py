"""Meters whose history was written otherwise since their days were looked at: in another zone, at another consumer, on
other days. No import tells of that, so what stands in the grid is held against what stood there at the last look."""

from django.db import transaction
from django.db.models import Max

from apps.readings.models import MeterState, ValidationShard
from apps.readings.validation.counting import STANDING, hit_days_of
from apps.readings.validation.sql import execute, fetched

# The stays of each meter as one number, where it is not the one that is kept.
CHANGED = f"""
WITH standing AS ({STANDING}),
now AS (
    SELECT state.meter_id, state.stays AS before,
           hashtextextended(concat_ws(' ', meter.closed_on, string_agg(
               concat_ws('/', standing.zone_id, standing.consumer_id, standing.valid), ' ' ORDER BY standing.valid
           )), 0) AS stays
    FROM readings_meterstate state
    JOIN grid_meter meter ON meter.id = state.meter_id
    LEFT JOIN standing ON standing.meter_id = state.meter_id
    GROUP BY state.meter_id, meter.closed_on
)
SELECT meter_id, stays, before IS NOT NULL FROM now WHERE before IS DISTINCT FROM stays ORDER BY meter_id
"""  # noqa: S608 made of our own text alone
KEEP = """
UPDATE readings_meterstate state SET stays = given.stays
FROM unnest(%(meters)s::bigint[], %(stays)s::bigint[]) AS given (meter_id, stays)
WHERE state.meter_id = given.meter_id
"""
# Where a meter was taken away after its last reading, days change on which it was missed: until the last day of all.
WAIT = """
UPDATE readings_meterstate
SET validated_revision = 0, unvalidated_from = least(first_day, unvalidated_from), unvalidated_until = %(newest)s
WHERE meter_id = ANY(%(meters)s)
"""


@transaction.atomic
def note() -> int:
    """Have all days of meters that moved wait for validation once more, and their sums be counted. How many they are.

    Which rules hold for a meter is decided by where it stands now, and what is usual by whom it measured: all of its
    days may be judged otherwise. Of a meter that is new here the stays are noted, and its days wait anyway.
    """
    changed = fetched(CHANGED)
    if not changed:
        return 0
    meters = [meter for meter, _stays, _known in changed]
    # In the order in which a merge locks them.
    list(MeterState.objects.select_for_update(no_key=True).filter(meter__in=meters).order_by("meter_id").values("pk"))
    execute(KEEP, meters=meters, stays=[stays for _meter, stays, _known in changed])
    moved = [meter for meter, _stays, known in changed if known]
    if moved:
        newest = MeterState.objects.aggregate(newest=Max("last_day"))["newest"]
        execute(WAIT, meters=moved, newest=newest)
        first = MeterState.objects.filter(meter__in=moved).order_by("first_day").values_list("first_day", flat=True)[0]
        # What is there already is counted for where it belongs now, before it is looked at again.
        ValidationShard.objects.create(
            meter_ids=[],
            status=ValidationShard.Status.DONE,
            first_day=first,
            last_day=newest,
            hit_days=hit_days_of(moved),
        )
    return len(moved)
