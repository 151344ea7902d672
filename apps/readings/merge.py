"""Whole days into the load profiles: new days are appended, known days merged slot by slot, unchanged ones left alone.

Everything happens in the caller's transaction. The states of the meters are locked first, in meter order: two imports
of the same meters follow each other, and nobody else writes the rows in between. What is stored is therefore compared
in memory and new days go straight into the table; measured, that is quicker than a staging table (docs/decisions).
"""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from django.db import OperationalError, connection

from apps.readings import copying
from apps.readings.models import Channel, ReadingEdit
from apps.readings.profiles import EPOCH, MeterRows, stored_rows
from apps.readings.series import DAY, Days, spans_of

DAY_BITS = 20  # of a key that is a meter and a day

# A row that this upload wrote itself, or that holds no reading but only estimates, is no state to go back to.
KEEP_AS_REVISION = """
WITH replaced AS (
    DELETE FROM readings_loadprofile profile
    USING unnest(%(meters)s::bigint[], %(days)s::int[]) AS gone (meter_id, day)
    WHERE profile.meter_id = gone.meter_id AND profile.channel = %(channel)s
      AND profile.day = %(epoch)s::date + gone.day AND profile.day BETWEEN %(first_day)s AND %(last_day)s
    RETURNING profile.*
)
INSERT INTO readings_loadprofilerevision
    (meter_id, channel, day, kwh, quality, estimated_kwh, upload_id, replaced_by_id)
SELECT meter_id, channel, day, kwh, quality, estimated_kwh, upload_id, %(upload)s FROM replaced
WHERE upload_id <> %(upload)s AND 'NaN' <> ANY (kwh) AND %(keep)s
"""
LOCK_STATES = "SELECT meter_id FROM readings_meterstate WHERE meter_id = ANY(%s) ORDER BY meter_id FOR UPDATE"
LOCK_METERS = "SELECT id FROM grid_meter WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
RAISE_REVISIONS = """
INSERT INTO readings_meterstate AS state (
    meter_id, revision, validated_revision, unvalidated_from, unvalidated_until, first_day, last_day, interval_minutes
)
SELECT meter_id, 1, 0, first_day, last_day, first_day, last_day, %(interval)s
FROM (
    SELECT meter_id, %(epoch)s::date + first AS first_day, %(epoch)s::date + last AS last_day
    FROM unnest(%(meters)s::bigint[], %(first_days)s::int[], %(last_days)s::int[]) AS seen (meter_id, first, last)
) AS seen
ORDER BY meter_id
ON CONFLICT (meter_id) DO UPDATE SET
    revision = state.revision + 1,
    unvalidated_from = least(state.unvalidated_from, excluded.unvalidated_from),
    unvalidated_until = greatest(state.unvalidated_until, excluded.unvalidated_until),
    first_day = least(state.first_day, excluded.first_day),
    last_day = greatest(state.last_day, excluded.last_day),
    -- Days of 10 and of 15 minutes have half an hour in common.
    interval_minutes = lcm(state.interval_minutes::int, excluded.interval_minutes)
"""


@dataclass
class Tally:
    """What a merge did, in days of one meter."""

    new: int = 0
    changed: int = 0
    same: int = 0

    @property
    def days(self) -> int:
        return self.new + self.changed + self.same


@dataclass(frozen=True)
class Stored:
    """Rows of one number of slots that are in the table; R of them."""

    keys: np.ndarray
    uploads: np.ndarray
    kwh: np.ndarray
    quality: np.ndarray | None  # None: all measured


class Merge:
    """To be used by `with`: as it ends, the states of the meters say which of their days changed."""

    def __init__(self, upload_id: int, meter_ids: list[int], *, keep_replaced: bool = True, again: bool = False):
        """`again`: the file was imported before."""
        self.upload_id, self.keep_replaced, self.again = upload_id, keep_replaced, again
        self.tally = Tally()
        self.overtaken: list[tuple[Channel, np.ndarray, np.ndarray]] = []  # channel, meters and days of later uploads
        self.written: dict[int, list[np.ndarray]] = {}  # by interval: (3, M) meters, their first and last day written
        self.known = np.zeros(0, dtype=np.int64)  # ids of meters that may have days in the table
        self.lock(meter_ids)

    def __enter__(self):
        return self

    def __exit__(self, failed, *_exception):
        if failed is None:
            for interval, spans in self.written.items():
                store_spans(*spans_of(*np.concatenate(spans, axis=1)), interval)

    def lock(self, meter_ids: list[int]) -> None:
        """Lock the states of these meters until the transaction ends, so that nobody else writes their days; of those
        that have none yet, the meters. They cannot be written before."""
        with connection.cursor() as cursor:
            cursor.execute(LOCK_STATES, [meter_ids])
            found = [meter for (meter,) in cursor.fetchall()]
            if missing := sorted(set(meter_ids) - set(found)):
                cursor.execute(LOCK_METERS, [missing])
                cursor.execute(LOCK_STATES, [missing])  # which whoever held the meters may have made
                found += [meter for (meter,) in cursor.fetchall()]
            self.known = np.union1d(self.known, np.array(found, dtype=np.int64))

    def write(self, part: Days, meters: np.ndarray, *, comes_once: bool = False) -> None:
        """`meters` (R,) are the ids of the part's rows. `comes_once`: nothing else of the upload is of these days."""
        if not len(meters):
            return
        keys, fresh = keys_of(meters, part.days), np.ones(len(part), dtype=bool)
        changed, uploads = np.zeros(len(part), dtype=bool), self.upload_id
        found = self.stored(meters, part)
        if found:
            uploads = np.full(len(part), uploads)
            part = with_own_arrays(part, any(stored.quality is not None for stored in found))
        for stored in found:
            _shared, here, there = np.intersect1d(keys, stored.keys, assume_unique=True, return_indices=True)
            said = ~np.isnan(stored.kwh[there]).all(axis=1)  # a day of estimates alone was never sent
            fresh[here] = ~said
            changed[here] = self.merge(part, here, stored, there)
            # What took part of a day from a later upload stays as late as that one.
            uploads[here] = np.maximum(self.upload_id, stored.uploads[there])
            later = here[stored.uploads[there] > self.upload_id]
            if len(later):
                self.overtaken.append((part.channel, meters[later], part.days[later]))
        if changed.any():
            self.keep_as_revision(meters[changed], part.days[changed], part.channel)
        rows = fresh | changed
        self.tally.new += int(fresh.sum())
        self.tally.changed += int((changed & ~fresh).sum())
        self.tally.same += int((~rows).sum())
        if rows.any():
            part = part[rows]
            copying.load_profiles(part, meters[rows], uploads if np.isscalar(uploads) else uploads[rows])
            written = np.stack(spans_of(meters[rows], part.days, part.days))
            self.written.setdefault(DAY // part.kwh.shape[1], []).append(written)
            if not comes_once:
                self.known = np.union1d(self.known, meters[rows])  # a day may come twice, also at another interval

    def stored(self, meters: np.ndarray, part: Days) -> list[Stored]:
        known = np.intersect1d(meters, self.known)
        if not len(known):
            return []
        first, last = (date_of(day) for day in (part.days.min(), part.days.max()))
        by_slots: dict[int, list[MeterRows]] = {}
        for rows in stored_rows(known.tolist(), first, last, part.channel):
            by_slots.setdefault(rows.kwh.shape[1], []).append(rows)
        return [
            Stored(
                np.concatenate([keys_of(np.full(len(rows.days), rows.meter_id), rows.days) for rows in found]),
                np.concatenate([rows.uploads for rows in found]),
                np.concatenate([rows.kwh for rows in found]),
                joined_quality(found),
            )
            for found in by_slots.values()
        ]

    def merge(self, part: Days, here: np.ndarray, stored: Stored, there: np.ndarray) -> np.ndarray:
        """Bring the rows `here` of the part to what they should be, and return which of them differ from what is
        stored. The later upload has the last word, slot by slot, with its flag."""
        old, later = stored.kwh[there], (stored.uploads[there] > self.upload_id)[:, None]
        if old.shape[1] != part.kwh.shape[1]:
            # Days of another interval cannot be mixed slot by slot: the later upload's day stands as a whole.
            return ~later[:, 0] | np.isnan(old).all(axis=1)
        sent = part.kwh[here]
        # Where the later one said nothing, the other one's reading stays.
        from_stored = np.where(later, ~np.isnan(old), np.isnan(sent))
        part.kwh[here] = kwh = np.where(from_stored, old, sent)
        differs = ~((kwh == old) | (np.isnan(kwh) & np.isnan(old)))
        if part.quality is not None:
            flags = np.zeros(old.shape, np.int8) if stored.quality is None else stored.quality[there]
            quality = np.where(from_stored, flags, part.quality[here])
            if self.again:
                # What this file said stands; a flag that differs by now is a person's edit.
                own = (stored.uploads[there] == self.upload_id)[:, None]
                quality = np.where(own & ~differs, flags, quality)
            # Who sends the same values again says nothing against what a person said of them.
            doubtful = ~differs.any(axis=1) & (quality != flags).any(axis=1)
            if doubtful.any():
                kept = doubtful & self.edited(part.channel, stored.keys[there], stored.uploads[there], doubtful)
                quality = np.where(kept[:, None], flags, quality)
            part.quality[here] = quality
            differs |= quality != flags
        return differs.any(axis=1)

    def edited(self, channel: Channel, keys: np.ndarray, uploads: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(R,) bool: of these `rows` (R,), those that stand as a person edited them."""
        meters, days = keys[rows] >> DAY_BITS, keys[rows] & (1 << DAY_BITS) - 1
        edits = ReadingEdit.objects.filter(
            meter__in=np.unique(meters).tolist(),
            channel=channel,
            day__range=(date_of(days.min()), date_of(days.max())),
            undone_at=None,
        )
        found = {
            (keys_of(np.array(meter), np.array(day_number(day))).item(), upload)
            for meter, day, upload in edits.values_list("meter_id", "day", "upload_id")
        }
        return np.array([row in found for row in zip(keys.tolist(), uploads.tolist(), strict=True)], dtype=bool)

    def keep_as_revision(self, meters: np.ndarray, days: np.ndarray, channel: Channel = Channel.IMPORT) -> None:
        """Take these days out of the table."""
        months = days.astype("datetime64[D]").astype("datetime64[M]")
        # Month by month, so that the server looks into one partition only.
        for month in np.unique(months):
            chosen = months == month
            _execute(
                KEEP_AS_REVISION,
                meters=meters[chosen].tolist(),
                days=days[chosen].tolist(),
                first_day=month.astype("datetime64[D]").item(),
                last_day=((month + 1).astype("datetime64[D]") - 1).item(),
                channel=int(channel),
                upload=self.upload_id,
                keep=self.keep_replaced,
            )


def waited_in_vain(error: OperationalError) -> bool:
    """Does somebody else hold what was asked for, longer than it is waited for?"""
    return getattr(error.__cause__, "sqlstate", None) in {"55P03", "40P01"}  # lock not available, deadlock


def raise_revisions(meters: np.ndarray, days: np.ndarray, interval: int) -> None:
    """Say that days of these meters changed: (R,) ids and days since 1970."""
    store_spans(*spans_of(meters, days, days), interval)


def store_spans(meters: np.ndarray, first_days: np.ndarray, last_days: np.ndarray, interval: int) -> None:
    _execute(
        RAISE_REVISIONS,
        meters=meters.tolist(),
        first_days=first_days.tolist(),
        last_days=last_days.tolist(),
        interval=interval,
    )


def with_own_arrays(part: Days, with_quality: bool) -> Days:
    """A copy to merge into, with flags where one of both sides has some."""
    quality = None if part.quality is None else part.quality.copy()
    if quality is None and with_quality:
        quality = np.zeros(part.kwh.shape, dtype=np.int8)
    return replace(part, kwh=part.kwh.copy(), quality=quality)


def joined_quality(found: list[MeterRows]) -> np.ndarray | None:
    if all(rows.quality is None for rows in found):
        return None
    return np.concatenate(
        [np.zeros(rows.kwh.shape, np.int8) if rows.quality is None else rows.quality for rows in found]
    )


def _execute(statement: str, **params: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"epoch": EPOCH, **params})


def keys_of(meters: np.ndarray, days: np.ndarray) -> np.ndarray:
    """(R,) int64, one number for a meter and day."""
    return (meters.astype(np.int64) << DAY_BITS) + days.astype(np.int64)


def date_of(day: int) -> date:
    return np.datetime64(int(day), "D").item()


def day_number(day: date) -> int:
    return (day - EPOCH).days
