"""What meters reported beside their readings, joined to what detectors found. docs/events.md has the rules in words."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from django.db import connection
from django.db.models import Count, QuerySet

from apps.detection.windows import Drawn
from apps.grid.models import Connection, Consumer, Installation
from apps.inspections.models import Inspection, Outcome
from apps.readings import times
from ml import events as evidence_of
from ml.config import Config
from ml.findings import Finding, Reason

DAYS_BACK = 366
MOST_OF_A_KIND = 10  # newest of each kind and consumer: a switch that chatters says no more for ten thousand times
MOST_KEPT = 20  # with a score, for its page
DAY = evidence_of.DAY
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# What meters reported while they measured these consumers, newest of each kind.
OWN = """
SELECT id, consumer_id, code, at
FROM (
    SELECT event.id, installation.consumer_id, event.code, event.at,
           row_number() OVER (PARTITION BY installation.consumer_id, event.code ORDER BY event.at DESC) AS place
    FROM grid_installation installation
    JOIN readings_meterevent event ON event.meter_id = installation.meter_id
    WHERE installation.consumer_id = ANY(%(consumers)s) AND event.at >= %(since)s
      AND installation.valid @> (event.at AT TIME ZONE %(zone)s)::date
) newest
WHERE place <= %(most)s
ORDER BY at, id
"""
# Who reported the same at about the same time: on the same feeders, and in the zones of consumers whose transformer
# nobody knows.
AROUND = """
SELECT event.meter_id, event.code, event.at, feed.transformer_id, transformer.feeder_id,
       CASE WHEN feed.id IS NULL THEN consumer.zone_id END
FROM unnest(%(codes)s::text[], %(firsts)s::timestamptz[], %(lasts)s::timestamptz[]) AS span (code, first, last)
JOIN readings_meterevent event ON event.code = span.code AND event.at BETWEEN span.first AND span.last
JOIN grid_installation installation
  ON installation.meter_id = event.meter_id AND installation.valid @> (event.at AT TIME ZONE %(zone)s)::date
JOIN grid_consumer consumer ON consumer.id = installation.consumer_id
LEFT JOIN grid_connection feed ON feed.consumer_id = consumer.id AND upper_inf(feed.valid)
LEFT JOIN grid_transformer transformer ON transformer.id = feed.transformer_id
WHERE transformer.feeder_id = ANY(%(feeders)s) OR feed.id IS NULL AND consumer.zone_id = ANY(%(zones)s)
"""


@dataclass(frozen=True)
class Told:
    """A finding with what the meter reported, and those events as a score keeps them, newest first."""

    finding: Finding
    events: list[dict]


@dataclass(frozen=True)
class Groups:
    """Transformer, feeder and zone (only where the transformer is not known) of consumers, and how many share them."""

    of: dict[int, tuple[int, int, int]]
    sizes: tuple[dict[int, int], ...]
    names: tuple[dict[int, str], ...]


def told(found: Drawn, findings: list[Finding], config: Config) -> list[Told]:
    """Each finding of a window with its meter's events taken into account."""
    own = own_events(found.consumer_ids, found.window.first_day + found.window.days)
    if not own:
        return [Told(finding, []) for finding in findings]
    row_of = {consumer_id: row for row, consumer_id in enumerate(found.consumer_ids)}
    ids, consumers, codes, at = zip(*own, strict=True)
    clock = ZoneInfo(settings.UTILITY_TIME_ZONE)
    events = evidence_of.Events(
        meter=np.array([row_of[consumer] for consumer in consumers]),
        kind=np.array(codes),
        minutes=minutes_of(at),
        working_hours=np.array([is_working_hour(moment.astimezone(clock)) for moment in at]),
    )
    groups = groups_of(sorted(set(consumers)))
    weighed = evidence_of.weigh(
        events, ends(findings, events), around(events, consumers, groups), visits(sorted(set(consumers)), row_of)
    )
    tied = tied_to_a_change(found, findings, events, weighed)
    score = np.array([finding.score or 0.0 for finding in findings])
    strength = evidence_of.evidence(len(findings), events, weighed.weight)
    with_change = evidence_of.evidence(len(findings), events, np.where(tied, weighed.fresh, 0))
    lifted = evidence_of.lifted(score, strength, with_change, config.thresholds["high"])
    kept = [kept_event(place, ids, consumers, weighed, tied, groups) for place in range(len(ids))]
    return [
        one_told(finding, float(lifted[row]), np.flatnonzero(events.meter == row), events, weighed, tied, kept, config)
        for row, finding in enumerate(findings)
    ]


def one_told(
    finding: Finding,
    lifted: float,
    places: np.ndarray,
    events: evidence_of.Events,
    weighed: evidence_of.Weighed,
    tied: np.ndarray,
    kept: list[dict],
    config: Config,
) -> Told:
    newest_first = places[::-1][:MOST_KEPT].tolist()
    stored = [kept[place] for place in newest_first]
    added = lifted - (finding.score or 0.0)
    if finding.score is None or added <= 0:
        return Told(finding, stored)
    with_change = places[tied[places]]
    worth = weighed.fresh if len(with_change) else weighed.weight
    chosen = with_change if len(with_change) else places
    loudest = int(chosen[worth[chosen].argmax()])
    # Where the detectors name no reason of their own, this is the only one.
    share = added / lifted if any(one.share for one in finding.reasons) else 1.0
    reason = Reason(
        "event_with_change" if len(with_change) else "event_alone",
        round(share, 3),
        {"event": str(events.kind[loudest]), "at": day_of(int(events.minutes[loudest])).isoformat()},
    )
    others = [replace(one, share=round(one.share * (1 - share), 3)) for one in finding.reasons]
    raised = replace(
        finding,
        score=lifted,
        level=config.level_of(lifted),
        parts={**finding.parts, "events": added},
        reasons=sorted([reason, *others], key=lambda one: -one.share),
        notes=[*finding.notes, "chance_without_events"],
    )
    return Told(raised, stored)


def own_events(consumer_ids: list[int], end: np.datetime64) -> list[tuple]:
    """(id, consumer, code, moment) of the year before the end of a window, and of what came since."""
    return rows(
        OWN,
        consumers=consumer_ids,
        since=EPOCH + timedelta(days=int(end.astype("M8[D]").astype(int)) - DAYS_BACK),
        zone=settings.UTILITY_TIME_ZONE,
        most=MOST_OF_A_KIND,
    )


def ends(findings: list[Finding], events: evidence_of.Events) -> np.ndarray:
    """(M,) minutes: until when a meter is known: the end of its readings, or its last event where that is later."""
    until = [one.data_until or date(1970, 1, 1) for one in findings]
    now = np.array([((day - EPOCH.date()).days + 1) * DAY for day in until], dtype=np.int64)
    np.maximum.at(now, events.meter, events.minutes)
    return now


def tied_to_a_change(
    found: Drawn, findings: list[Finding], events: evidence_of.Events, weighed: evidence_of.Weighed
) -> np.ndarray:
    """(E,) bool: events that count, and at which the curve changed."""
    tied = np.zeros(len(events), dtype=bool)
    counts = np.flatnonzero(weighed.fresh > 0)
    onset = [
        (one.onset_day - EPOCH.date()).days if one.onset_day else evidence_of.NO_DAY for one in findings
    ]  # fmt: skip
    tied[counts] = evidence_of.at_change(
        found.window.kwh,
        int(found.window.first_day.astype("M8[D]").astype(int)),
        found.window.peer_group,
        np.array(onset),
        events.meter[counts],
        (events.minutes[counts] + times.utility_offset_minutes()) // DAY,
    )
    return tied


def around(events: evidence_of.Events, consumers: tuple[int, ...], groups: Groups) -> evidence_of.Around:
    """Everybody's events around these."""
    codes, firsts, lasts = spans(events)
    members = [groups.of[consumer] for consumer in consumers]
    others = rows(
        AROUND,
        codes=codes,
        firsts=firsts,
        lasts=lasts,
        zone=settings.UTILITY_TIME_ZONE,
        feeders=sorted({feeder for _transformer, feeder, _zone in members}),
        zones=sorted({zone for _transformer, _feeder, zone in members}),
    )
    meter, code, at, *places = zip(*others, strict=True) if others else ((), (), (), (), (), ())
    nobody = evidence_of.NOBODY
    return evidence_of.Around(
        meter=np.array(meter, dtype=np.int64),
        kind=np.array(code, dtype=str),
        minutes=minutes_of(at),
        groups=np.array([[nobody if one is None else one for one in level] for level in places], dtype=np.int64),
        event_groups=np.array(members, dtype=np.int64).T,
        sizes=np.array(
            [
                [size.get(one, 0) for one in level]
                for size, level in zip(groups.sizes, zip(*members, strict=True), strict=True)
            ]
        ),
    )


def spans(events: evidence_of.Events) -> tuple[list[str], list[datetime], list[datetime]]:
    """When others may have reported the same, kind by kind; spans that meet are one. Kinds that weigh nothing have
    none."""
    found: list[tuple[str, int, int]] = []
    for kind in sorted(set(events.kind.tolist()) & evidence_of.KINDS.keys()):
        width = evidence_of.KINDS[kind].together_minutes
        for minute in np.sort(events.minutes[events.kind == kind]).tolist():
            if found and found[-1][0] == kind and minute - width <= found[-1][2]:
                found[-1] = (kind, found[-1][1], minute + width)
            else:
                found.append((kind, minute - width, minute + width))
    moments = [(EPOCH + timedelta(minutes=first), EPOCH + timedelta(minutes=last)) for _kind, first, last in found]
    return (
        [kind for kind, _first, _last in found],
        [first for first, _last in moments],
        [last for _first, last in moments],
    )


def groups_of(consumer_ids: list[int]) -> Groups:
    nobody = evidence_of.NOBODY
    zones = dict(Consumer.objects.filter(pk__in=consumer_ids).values_list("pk", "zone_id"))
    feeds = Connection.objects.current().filter(consumer__in=consumer_ids)
    of = {pk: (nobody, nobody, zone) for pk, zone in zones.items()}
    names: tuple[dict[int, str], ...] = ({}, {}, {})
    for pk, transformer, feeder, transformer_code, feeder_code in feeds.values_list(
        "consumer_id", "transformer_id", "transformer__feeder_id", "transformer__code", "transformer__feeder__code"
    ):
        of[pk] = (transformer, feeder, nobody)
        names[0][transformer], names[1][feeder] = transformer_code, feeder_code
    lonely = {zone for _transformer, _feeder, zone in of.values()} - {nobody}
    current = Connection.objects.current()
    unfed = Consumer.objects.filter(zone__in=lonely).exclude(pk__in=current.values("consumer"))
    names[2].update(unfed.values_list("zone_id", "zone__name").distinct())
    sizes = (
        counted(current.filter(transformer__in=names[0]), "transformer_id"),
        counted(current.filter(transformer__feeder__in=names[1]), "transformer__feeder_id"),
        counted(unfed, "zone_id"),
    )
    return Groups(of, sizes, names)


def counted(links: QuerySet, group: str) -> dict[int, int]:
    return dict(links.order_by().values_list(group).annotate(Count("pk")))


def visits(consumer_ids: list[int], row_of: dict[int, int]) -> evidence_of.Visits:
    """When our people were there: inspections, and exchanges of meters. The day before and after belong to it: events
    are stamped by the meter's clock, and visits are written down by the day."""
    standing = Inspection.objects.standing().filter(consumer__in=consumer_ids)
    found = [
        (row_of[pk], day, outcome != Outcome.NO_ACCESS)
        for pk, day, outcome in standing.values_list("consumer_id", "inspected_on", "outcome")
    ]
    for pk, valid in Installation.objects.filter(consumer__in=consumer_ids).values_list("consumer_id", "valid"):
        found += [(row_of[pk], day, False) for day in (valid.lower, valid.upper) if day]
    rows_, days, looked = zip(*found, strict=True) if found else ((), (), ())
    midnight = np.array([(day - EPOCH.date()).days * DAY for day in days], dtype=np.int64)
    midnight -= times.utility_offset_minutes()
    return evidence_of.Visits(
        np.array(rows_, dtype=int), midnight - DAY, midnight + 2 * DAY, np.array(looked, dtype=bool)
    )


def kept_event(
    place: int,
    ids: tuple[int, ...],
    consumers: tuple[int, ...],
    weighed: evidence_of.Weighed,
    tied: np.ndarray,
    groups: Groups,
) -> dict:
    """As a score keeps it; `words.event_note` puts it into words."""
    kept = {
        "id": ids[place],
        "weight": round(float(weighed.fresh[place] if tied[place] else weighed.weight[place]), 3),
        "why": "with_change" if tied[place] else evidence_of.WHY[weighed.why[place]],
    }
    level = int(weighed.crowd.level[place])
    if level >= 0:
        kept |= {
            "level": evidence_of.LEVELS[level].name,
            "group": groups.names[level].get(groups.of[consumers[place]][level], ""),
            "reported": int(weighed.crowd.reported[place]),
            "size": int(weighed.crowd.size[place]),
            "minutes": int(weighed.crowd.apart[place]),
        }
    return kept


def is_working_hour(local: datetime) -> bool:
    return local.weekday() < 5 and 7 <= local.hour < 18


def minutes_of(moments: Iterable[datetime]) -> np.ndarray:
    return np.array([int(moment.timestamp()) // 60 for moment in moments], dtype=np.int64)


def day_of(minutes: int) -> date:
    moment = EPOCH + timedelta(minutes=minutes)
    return moment.astimezone(ZoneInfo(settings.UTILITY_TIME_ZONE)).date()


def rows(statement: str, **params: object) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall()
