"""What is to be scored: consumers whose readings changed since their score, in whole neighbourhoods.

Pending is a counter, never a time: each import raises its meters' revision, a score keeps the revision that it saw. A
slow import that commits late is therefore seen like any other.
"""

from django.conf import settings
from django.db import connection

# A consumer's revision is the sum over all meters it ever had, and the sum meter that it is fed through. It grows with
# every import, and shrinks where somebody corrects which meter was whose: what differs from the revision that was
# scored is pending, not only what is larger. The day on which a meter was replaced counts too: whoever corrects it
# moves readings from one meter's days to the other's, and no import tells.
REVISIONS = """
    SELECT installation.consumer_id,
           (sum(state.revision) + coalesce(max(sums.revision), 0)
            + coalesce(sum(upper(installation.valid) - DATE '2000-01-01'), 0))::bigint AS revision
    FROM grid_installation installation
    JOIN readings_meterstate state ON state.meter_id = installation.meter_id
    LEFT JOIN grid_connection feed ON feed.consumer_id = installation.consumer_id AND upper_inf(feed.valid)
    LEFT JOIN grid_transformer transformer ON transformer.id = feed.transformer_id
    LEFT JOIN readings_meterstate sums ON sums.meter_id = transformer.sum_meter_id
    {where}
    GROUP BY installation.consumer_id
"""

# Neighbours are compared, so a neighbourhood is scored as a whole: everybody on one transformer, or, where nobody knows
# the transformer, a fixed part of the zone. Parked shards stay parked until somebody asks for another try, or until
# another model is active, which may not stumble over them.
NEIGHBOURHOODS = f"""
    WITH revision AS ({REVISIONS.format(where="")}),
    member AS (
        SELECT revision.consumer_id, revision.revision,
               coalesce('t' || connection.transformer_id,
                        'z' || consumer.zone_id || '/' || consumer.id / %(bucket)s) AS neighbourhood
        FROM revision
        JOIN grid_consumer consumer ON consumer.id = revision.consumer_id
        LEFT JOIN grid_connection connection
               ON connection.consumer_id = revision.consumer_id AND upper_inf(connection.valid)
    ),
    parked AS (
        SELECT unnest(shard.consumer_ids) AS consumer_id
        FROM detection_scoringshard shard
        JOIN detection_scoringrun run ON run.id = shard.run_id
        WHERE shard.status = 'failed' AND run.model_version_id = %(model)s
    ),
    waiting AS (
        SELECT DISTINCT member.neighbourhood
        FROM member
        LEFT JOIN detection_standing standing ON standing.consumer_id = member.consumer_id
        LEFT JOIN detection_riskscore score ON score.id = standing.score_id
        LEFT JOIN detection_scoringrun run ON run.id = score.run_id
        WHERE (member.revision <> coalesce(standing.scored_revision, 0) OR run.model_version_id <> %(model)s)
          AND member.consumer_id NOT IN (SELECT consumer_id FROM parked)
    )
    SELECT member.neighbourhood, array_agg(member.consumer_id ORDER BY member.consumer_id)
    FROM member JOIN waiting USING (neighbourhood)
    GROUP BY member.neighbourhood
    ORDER BY min(member.consumer_id)
"""  # noqa: S608 made of our own text alone


def neighbourhoods(model_version_id: int) -> list[list[int]]:
    """Consumer ids of every neighbourhood in which something is pending for this model."""
    with connection.cursor() as cursor:
        cursor.execute(NEIGHBOURHOODS, {"bucket": settings.SCORING_SHARD_CONSUMERS, "model": model_version_id})
        return [consumer_ids for _neighbourhood, consumer_ids in cursor.fetchall()]


def shards(model_version_id: int) -> list[list[int]]:
    """Neighbourhoods packed into lists of about SCORING_SHARD_CONSUMERS consumers; none is cut in two."""
    packed: list[list[int]] = []
    for consumer_ids in neighbourhoods(model_version_id):
        if packed and len(packed[-1]) + len(consumer_ids) <= settings.SCORING_SHARD_CONSUMERS:
            packed[-1] += consumer_ids
        else:
            packed.append(consumer_ids)
    return packed


def revisions(consumer_ids: list[int]) -> dict[int, int]:
    """Consumer id → revision of its readings now."""
    with connection.cursor() as cursor:
        cursor.execute(REVISIONS.format(where="WHERE installation.consumer_id = ANY(%s)"), [consumer_ids])
        return dict(cursor.fetchall())
