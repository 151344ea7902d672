"""Meter events on their way in: from what an importer found to rows, each event once however often it is sent.

An event is known by its meter, the sender's code and its minute. What the code means may be learned later: then the row
that stands changes its meaning and none is added.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from sys import intern

import numpy as np
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from apps.bell import ring
from apps.readings import times
from apps.readings.event_codes import Code, code_of
from apps.readings.importers.base import EventLine, Reading
from apps.readings.models import EventMeaning, MeaningChange, MeterEvent, MeterState, Upload
from apps.readings.statements import Statement

STEP = "readings.learn_pending"
SOURCE_LENGTH = MeterEvent._meta.get_field("source_code").max_length
DETAIL_LENGTH = MeterEvent._meta.get_field("detail").max_length
ROWS_AT_ONCE = 20_000
DAY = 1440
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SENT = """
WITH sent AS (
    SELECT DISTINCT ON (meter_id, code, source_code, at) *
    FROM unnest(%(meters)s::bigint[], %(codes)s::text[], %(times)s::timestamptz[], %(sources)s::text[],
                %(details)s::text[]) AS line (meter_id, code, at, source_code, detail)
    ORDER BY meter_id, code, source_code, at
),"""
# A code that was not known when the event came first is known by now, or means something else by now: it is the same
# event.
LEARN = f"""{SENT}
learned AS (
    UPDATE readings_meterevent event SET code = sent.code
    FROM sent
    WHERE event.meter_id = sent.meter_id AND event.source_code = sent.source_code AND event.at = sent.at
      AND (event.code = 'other' OR event.detail = sent.detail) AND sent.code NOT IN ('other', event.code)
      AND NOT EXISTS (SELECT 1 FROM readings_meterevent twin
                      WHERE twin.meter_id = sent.meter_id AND twin.code = sent.code
                        AND twin.source_code = sent.source_code AND twin.at = sent.at)
    RETURNING event.meter_id
)
SELECT DISTINCT meter_id FROM learned"""  # noqa: S608 made of our own text alone
ADD = f"""{SENT}
added AS (
    INSERT INTO readings_meterevent (meter_id, code, at, source_code, detail, upload_id)
    SELECT meter_id, code, at, source_code, detail, %(upload)s FROM sent
    WHERE code <> 'other'
       OR NOT EXISTS (SELECT 1 FROM readings_meterevent known
                      WHERE known.meter_id = sent.meter_id AND known.source_code = sent.source_code
                        AND known.at = sent.at)
    ON CONFLICT (meter_id, code, source_code, at) DO NOTHING
    RETURNING meter_id
)
SELECT DISTINCT meter_id FROM added"""  # noqa: S608 made of our own text alone
# What two rows told in different words turns out to be one event: one of them goes.
MEAN = """
WITH meant AS (
    SELECT event.id, known.code,
           row_number() OVER (PARTITION BY event.meter_id, known.code, event.source_code, event.at
                              ORDER BY event.id) > 1
           OR EXISTS (SELECT FROM readings_meterevent twin
                      WHERE twin.meter_id = event.meter_id AND twin.code = known.code
                        AND twin.source_code = event.source_code AND twin.at = event.at) AS stands_already
    FROM readings_meterevent event
    JOIN unnest(%(sources)s::text[], %(details)s::text[], %(codes)s::text[]) AS known (source_code, detail, code)
      ON known.source_code = event.source_code AND known.detail = event.detail AND known.code <> event.code
),
gone AS (
    DELETE FROM readings_meterevent event USING meant
    WHERE event.id = meant.id AND meant.stands_already RETURNING event.meter_id
),
changed AS (
    UPDATE readings_meterevent event SET code = meant.code FROM meant
    WHERE event.id = meant.id AND NOT meant.stands_already RETURNING event.meter_id
)
SELECT meter_id FROM gone UNION ALL SELECT meter_id FROM changed"""
# No reading changed: what was validated stays so.
RAISE_REVISIONS = """
UPDATE readings_meterstate
SET revision = revision + 1,
    validated_revision = CASE WHEN validated_revision = revision THEN revision + 1 ELSE validated_revision END
WHERE meter_id = ANY(%s)
"""
# Others that reported the same within the hour: together they may be a crowd, and a storm is no tamper.
NEIGHBOURS = """
WITH fresh AS (
    SELECT DISTINCT event.code, floor(extract(epoch FROM event.at) / 3600) + beside AS hour
    FROM readings_meterevent event, generate_series(-1, 1) AS beside
    WHERE event.upload_id = %(upload)s AND event.meter_id = ANY(%(meters)s)
)
SELECT DISTINCT other.meter_id
FROM readings_meterevent other
JOIN fresh ON fresh.code = other.code AND fresh.hour = floor(extract(epoch FROM other.at) / 3600)
WHERE other.at BETWEEN (SELECT to_timestamp(min(hour) * 3600) FROM fresh)
                   AND (SELECT to_timestamp((max(hour) + 1) * 3600) FROM fresh)
  AND other.meter_id <> ALL(%(meters)s)
"""


@dataclass(frozen=True)
class Events:
    """What can be taken of a file's events; N of them in file order."""

    meters: np.ndarray  # (N,) int32, positions in Reading.names
    minutes: np.ndarray  # (N,) int64 since 1970, UTC
    codes: list[str]
    sources: list[str]
    details: list[str]
    said: dict[str, str]  # code that the utility has said a meaning of, and that meaning, as these were looked at

    def __len__(self) -> int:
        return len(self.codes)

    def outdated(self) -> set[str]:
        """Codes whose meaning was said otherwise while the import went on."""
        now = Meaning().said
        return {source for source in set(self.sources) if self.said.get(source) != now.get(source)}

    def names(self, names: list[str]) -> list[str]:
        """Of the meters that reported them."""
        return [names[position] for position in np.unique(self.meters)]


def check(reading: Reading, statement: Statement, foreign: np.ndarray) -> Events:
    """The events of a file on the one clock. Refused ones are counted among its rejected lines.

    `foreign` (names,) says whose events this sender may not bring.
    """
    lines = reading.events
    meters = np.array([line.meter for line in lines], dtype=np.int32)
    local = np.array([line.minutes for line in lines], dtype=np.int64)
    utc, skipped = on_utc(lines, local, reading, statement)
    today = times.today()
    oldest = today - round(settings.READINGS_OLDEST_YEARS * 365.25)
    good = np.ones(len(lines), dtype=bool)
    for wrong, reason in (
        (foreign[meters], _("this meter's consumer is not in your zones")),
        (
            skipped,
            _("this time does not exist: clocks in %(zone)s were put forward over it") % {"zone": statement.timezone},
        ),
        (
            (utc < oldest * DAY) | (utc >= (today + 2) * DAY),
            _("the day is more than %(years)d years ago or after tomorrow") % {"years": settings.READINGS_OLDEST_YEARS},
        ),
    ):
        refused = np.flatnonzero(wrong & good)
        if len(refused):
            numbers = np.array([lines[place].line for place in refused])
            reading.rejects.add(numbers, reason, describe(lines, refused, local, reading.names))
            good[refused] = False
    taken = [lines[place] for place in np.flatnonzero(good)]
    meaning = Meaning()
    return Events(
        meters=meters[good],
        minutes=utc[good],
        codes=[meaning.of(line.code, line.detail) for line in taken],
        sources=[intern(clean(line.code, SOURCE_LENGTH)) for line in taken],
        details=[intern(clean(line.detail, DETAIL_LENGTH)) for line in taken],
        said=meaning.said,
    )


def on_utc(
    lines: list[EventLine], local: np.ndarray, reading: Reading, statement: Statement
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) minutes of UTC, and (N,) bool: the clock never showed this time. The rules are those of readings."""
    if reading.zoned or not len(local):
        return local, np.zeros(len(local), dtype=bool)
    seen: set[tuple] = set()
    # The second line that says the same is the second time round, in the hour that autumn repeats.
    again = np.array([_seen(seen, (line.meter, line.code, line.minutes)) for line in lines])
    utc, skipped = times.to_utc(local, again, times.zone(statement.timezone))
    return utc.astype(np.int64), skipped if len(skipped) else np.zeros(len(local), dtype=bool)


def _seen(seen: set[tuple], key: tuple) -> bool:
    known = key in seen
    seen.add(key)
    return known


def describe(lines: list[EventLine], places: np.ndarray, local: np.ndarray, names: list[str]) -> Callable[[int], str]:
    def text(i: int) -> str:
        line = lines[places[i]]
        stamp = np.datetime_as_string(np.datetime64(int(local[places[i]]), "m"))
        return f"{names[line.meter]},{stamp},{line.code},{line.detail}"

    return text


def clean(text: str, length: int) -> str:
    """PostgreSQL keeps no NUL in a text."""
    return text.replace("\0", "�").strip()[:length]


class Meaning:
    """What codes mean: what the utility itself has said about a code, else what we know."""

    def __init__(self):
        self.said = dict(EventMeaning.objects.values_list("source_code", "code"))

    def of(self, source: str, text: str) -> str:
        said = self.said.get(clean(source, SOURCE_LENGTH))
        return said or code_of(source[:DETAIL_LENGTH], text[:DETAIL_LENGTH]).value


@dataclass(frozen=True)
class Kind:
    """Events of a file that say the same, for a person who looks at it."""

    meaning: str  # empty: nobody knows it
    source: str  # as the sender spells it
    detail: str  # of one of them
    count: int
    first: datetime
    last: datetime


def kinds_of(found: Events) -> list[Kind]:
    """Most frequent first; those that nobody knows behind the others."""
    places: dict[tuple[str, str], list[int]] = {}
    for place, key in enumerate(zip(found.codes, found.sources, strict=True)):
        places.setdefault(key, []).append(place)
    kinds = [
        Kind(
            meaning="" if code == Code.OTHER else Code(code).label,
            source=source,
            detail=found.details[own[0]],
            count=len(own),
            first=EPOCH + timedelta(minutes=int(found.minutes[own].min())),
            last=EPOCH + timedelta(minutes=int(found.minutes[own].max())),
        )
        for (code, source), own in places.items()
    ]
    return sorted(kinds, key=lambda kind: (not kind.meaning, -kind.count, kind.source))


def store(upload: Upload, found: Events, ids: np.ndarray) -> int:
    """Write the events of meters that are registered, inside the caller's transaction; `ids` (names,), 0 for others.

    Returns how many the file has; those that are known already count, and are not written twice. The caller holds the
    states of these meters.
    """
    of = ids[found.meters]
    changed: set[int] = set()  # ids of meters
    for chunk in chunks(np.flatnonzero(of > 0)):
        params = {
            "meters": of[chunk].tolist(),
            "codes": [found.codes[place] for place in chunk],
            "times": [EPOCH + timedelta(minutes=int(found.minutes[place])) for place in chunk],
            "sources": [found.sources[place] for place in chunk],
            "details": [found.details[place] for place in chunk],
            "upload": upload.pk,
        }
        for statement in (LEARN, ADD):
            changed.update(_first_column(statement, params))
    if changed:
        raise_revisions(sorted(changed))
        # Afterwards, and on their own: they are nobody's that this transaction has locked.
        # What they reported is in, whatever comes of this: their next reading would score them again anyway.
        transaction.on_commit(lambda: tell_neighbours(upload.pk, sorted(changed)), robust=True)
    if found.sources:
        transaction.on_commit(lambda: look_again(found.outdated()), robust=True)
    if (of > 0).any() and upload.first_day is None:
        days = [days_of(int(found.minutes[of > 0].min())), days_of(int(found.minutes[of > 0].max()))]
        upload.first_day, upload.last_day = (EPOCH.date() + timedelta(days=day) for day in days)
    return int((of > 0).sum())


def minutes_of(moment: datetime) -> int:
    return int(moment.timestamp()) // 60


def days_of(minutes: int) -> int:
    """The utility's day, since 1970."""
    return (minutes + times.utility_offset_minutes()) // DAY


def chunks(places: np.ndarray) -> Iterator[list[int]]:
    left = iter(places.tolist())
    while chunk := list(islice(left, ROWS_AT_ONCE)):
        yield chunk


def raise_revisions(meter_ids: list[int]) -> None:
    """What was scored without these events is pending now."""
    held = hold(meter_ids)
    with connection.cursor() as cursor:
        cursor.execute(RAISE_REVISIONS, [held])


def hold(meters: Iterable[int] | QuerySet) -> list[int]:
    """Lock the states of these meters, in meter order as imports do. Those that have one."""
    states = MeterState.objects.select_for_update().filter(meter__in=meters).order_by("meter_id")
    return list(states.values_list("meter_id", flat=True))


def tell_neighbours(upload_id: int, meter_ids: list[int]) -> None:
    """Meters that reported the same within the hour are scored again: what they said may now be explained."""
    with transaction.atomic():
        others = _first_column(NEIGHBOURS, {"upload": upload_id, "meters": meter_ids})
        raise_revisions(sorted(others))


def withdraw(upload: Upload) -> list[tuple[int, int]]:
    """Take back the events that an upload was the first to bring, inside the caller's transaction: meter and day (since
    1970) of each. Other files of these days may have said the same, and then bring them now."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM readings_meterevent WHERE upload_id = %s RETURNING meter_id, at", [upload.pk])
        gone = [(meter_id, days_of(minutes_of(at))) for meter_id, at in cursor.fetchall()]
    raise_revisions(sorted({meter_id for meter_id, _day in gone}))
    return gone


def look_again(sources: set[str]) -> None:
    """After the meaning of these codes was said otherwise, or taken back: a worker looks at the events that came."""
    if not sources:
        return
    MeaningChange.objects.bulk_create(MeaningChange(source_code=source) for source in sorted(sources))
    ring(STEP)


@transaction.atomic
def learn_pending() -> int:
    """Give the events whose code's meaning was said otherwise that meaning. How many have another one by now."""
    # Each change is a row of its own: one that is told meanwhile has its own, and is not taken for done with these.
    changes = dict(MeaningChange.objects.select_for_update(skip_locked=True).values_list("pk", "source_code"))
    if not changes:
        return 0
    learned = _learn(MeterEvent.objects.filter(source_code__in=set(changes.values())), Meaning())
    MeaningChange.objects.filter(pk__in=changes).delete()
    return learned


@transaction.atomic
def learn() -> int:
    """Look again at events whose code nobody knew, or of whose code this utility has said what it means. How many
    have another meaning by now."""
    meaning = Meaning()
    return _learn(MeterEvent.objects.filter(Q(code=Code.OTHER) | Q(source_code__in=meaning.said)), meaning)


def _learn(doubtful: QuerySet[MeterEvent], meaning: Meaning) -> int:
    told = doubtful.order_by().values_list("source_code", "detail", "code").distinct()
    known = [(source, detail, now) for source, detail, code in told if (now := meaning.of(source, detail)) != code]
    if not known:
        return 0
    sources, details, codes = zip(*dict.fromkeys(known), strict=True)
    # An import holds its meters and then writes their events: in the same order nobody waits in a circle.
    hold(doubtful.order_by().values("meter"))
    changed = _first_column(MEAN, {"sources": list(sources), "details": list(details), "codes": list(codes)})
    raise_revisions(sorted(set(changed)))
    ring("detection.score_pending")
    return len(changed)


def _first_column(statement: str, params: dict) -> list:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return [row[0] for row in cursor.fetchall()]
