"""Whole days into the load profiles: new days are appended, known days merged slot by slot, unchanged ones left alone.

Everything happens in the caller's transaction. The states of the meters are locked first, in meter order: two imports
of the same meters follow each other, and nobody else writes the rows in between. What is stored is therefore compared
in memory and new days go straight into the table; measured, that is quicker than a staging table (docs/decisions).
"""

from dataclasses import dataclass, field
from datetime import date

import numpy as np
from django.db import connection

from apps.readings import copying
from apps.readings.assembly import DAY, Days
from apps.readings.models import Channel, MeterState
from apps.readings.profiles import EPOCH, stored_rows

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
"""
RAISE_REVISIONS = """
INSERT INTO readings_meterstate AS state (meter_id, revision, validated_revision, first_day, last_day, interval_minutes)
SELECT meter_id, 1, 0, %(epoch)s::date + first_day, %(epoch)s::date + last_day, %(interval)s
FROM unnest(%(meters)s::bigint[], %(first_days)s::int[], %(last_days)s::int[]) AS seen (meter_id, first_day, last_day)
ORDER BY meter_id
ON CONFLICT (meter_id) DO UPDATE SET
    revision = state.revision + 1,
    first_day = least(state.first_day, excluded.first_day),
    last_day = greatest(state.last_day, excluded.last_day),
    interval_minutes = greatest(state.interval_minutes, excluded.interval_minutes)
"""


@dataclass
class Tally:
    """What a merge did, in days of one meter."""

    new: int = 0
    changed: int = 0
    same: int = 0
    meters: set[int] = field(default_factory=set)  # whose readings changed


@dataclass(frozen=True)
class Stored:
    """Rows of one number of slots that are in the table; R of them."""

    keys: np.ndarray
    uploads: np.ndarray
    kwh: np.ndarray


class Merge:
    def __init__(self, upload_id: int, meter_ids: list[int]):
        """Locks the states of these meters until the transaction ends."""
        self.upload_id = upload_id
        self.tally = Tally()
        states = MeterState.objects.select_for_update().filter(meter__in=meter_ids).order_by("meter_id")
        self.known = np.array(states.values_list("meter_id", flat=True), dtype=np.int64)

    def write(self, part: Days, meters: np.ndarray) -> None:
        """`meters` (R,) are the ids of the part's rows."""
        if not len(meters):
            return
        keys = keys_of(meters, part.days)
        kwh, fresh, changed = part.kwh.copy(), np.ones(len(keys), dtype=bool), np.zeros(len(keys), dtype=bool)
        for stored in self.stored(meters, part.days):
            _shared, here, there = np.intersect1d(keys, stored.keys, assume_unique=True, return_indices=True)
            fresh[here] = False
            kwh[here], changed[here] = self.merged(kwh[here], stored, there)
        if changed.any():
            self.keep_as_revision(meters[changed], part.days[changed])
        rows = fresh | changed
        self.tally.new += int(fresh.sum())
        self.tally.changed += int(changed.sum())
        self.tally.same += int((~rows).sum())
        if rows.any():
            copying.load_profiles(meters[rows], part.days[rows], kwh[rows], self.upload_id)
            self.raise_revisions(meters[rows], part.days[rows], DAY // kwh.shape[1])

    def stored(self, meters: np.ndarray, days: np.ndarray) -> list[Stored]:
        known = np.intersect1d(meters, self.known)
        if not len(known):
            return []
        first, last = (date_of(day) for day in (days.min(), days.max()))
        by_slots: dict[int, list] = {}
        for rows in stored_rows(known.tolist(), first, last):
            by_slots.setdefault(rows.kwh.shape[1], []).append(rows)
        return [
            Stored(
                np.concatenate([keys_of(np.full(len(rows.days), rows.meter_id), rows.days) for rows in found]),
                np.concatenate([rows.uploads for rows in found]),
                np.concatenate([rows.kwh for rows in found]),
            )
            for found in by_slots.values()
        ]

    def merged(self, sent: np.ndarray, stored: Stored, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows as they should be, and which of them differ from what is stored. The later upload has the last word."""
        old, later = stored.kwh[there], (stored.uploads[there] > self.upload_id)[:, None]
        if old.shape != sent.shape:
            # Days of another interval cannot be mixed slot by slot: the later upload's day stands as a whole.
            return sent, ~later[:, 0]
        first, second = np.where(later, sent, old), np.where(later, old, sent)
        kwh = np.where(np.isnan(second), first, second)
        return kwh, ~((kwh == old) | (np.isnan(kwh) & np.isnan(old))).all(axis=1)

    def keep_as_revision(self, meters: np.ndarray, days: np.ndarray) -> None:
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
                channel=int(Channel.IMPORT),
                upload=self.upload_id,
            )

    def raise_revisions(self, meters: np.ndarray, days: np.ndarray, interval: int) -> None:
        order = np.argsort(meters, kind="stable")
        ids, starts = np.unique(meters[order], return_index=True)
        _execute(
            RAISE_REVISIONS,
            meters=ids.tolist(),
            first_days=np.minimum.reduceat(days[order], starts).tolist(),
            last_days=np.maximum.reduceat(days[order], starts).tolist(),
            interval=interval,
        )
        self.tally.meters.update(ids.tolist())


def _execute(statement: str, **params: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"epoch": EPOCH, **params})


def keys_of(meters: np.ndarray, days: np.ndarray) -> np.ndarray:
    """(R,) int64, one number for a meter and day."""
    return meters.astype(np.int64) * 2**20 + days.astype(np.int64)


def date_of(day: int) -> date:
    return np.datetime64(int(day), "D").item()
