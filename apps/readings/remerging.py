"""Days as they would be without an upload, or had all uploads been imported in the order in which they came.

Slots of several uploads may meet in a day, and no stored state says whose each of them is. Such days are taken out as a
whole and merged anew from the raw files of the uploads that say something of them, oldest first.
"""

from datetime import date

import numpy as np
from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext as _

from apps.readings import billing, events, meters
from apps.readings.importers.base import FileFault
from apps.readings.merge import Merge, date_of, day_number, keys_of
from apps.readings.models import Channel, Upload
from apps.readings.parsing import Told
from apps.readings.profiles import EPOCH
from apps.readings.progress import Progress

# Days that were changed before are made of several uploads.
COMPOSED = """
SELECT DISTINCT meter_id, day - %(epoch)s FROM readings_loadprofilerevision
WHERE channel = %(channel)s AND (meter_id, day) IN (
    SELECT meter_id, %(epoch)s::date + day FROM unnest(%(meters)s::bigint[], %(days)s::int[]) AS asked (meter_id, day)
) AND replaced_by_id <> %(upload)s
"""


class Days:
    """Days and register periods that are taken out and merged anew. Their meters' states are locked by the caller."""

    def __init__(self, channels: np.ndarray, meters: np.ndarray, days: np.ndarray):
        """Arrays (R,): channel, meter id and day since 1970."""
        self.channels, self.meters, self.days = channels, meters, days
        self.keys = {Channel(one): keys_of(meters, days)[channels == one] for one in np.unique(channels)}
        self.periods: set[tuple[int, int, int, int]] = set()  # meter id, channel, first and last day since 1970
        self.reported: list[tuple[int, int]] = []  # meter id and day of events

    def beside(self, periods: list[tuple[int, int, date, date]], reported: list[tuple[int, int]]) -> "Days":
        """What else is taken out: register reads (meter id, channel, first and last day), events (meter id, day)."""
        self.periods = {(meter, channel, day_number(start), day_number(end)) for meter, channel, start, end in periods}
        self.reported = reported
        return self

    def take_out(self, merge: Merge) -> None:
        for channel in self.keys:
            chosen = self.channels == channel
            merge.keep_as_revision(self.meters[chosen], self.days[chosen], channel)

    def uploads(self) -> list[Upload]:
        """Those that may say something of them, oldest first."""
        imported = Q(status__in=[Upload.Status.IMPORTED, Upload.Status.FAILED], imported_at__isnull=False)
        wanted = Q(pk=None)
        for days, some in (
            ([*self.days.tolist(), *(day for period in self.periods for day in period[2:])], Q()),
            ([day for _meter, day in self.reported], Q(events__gt=0)),  # others need not be read for events
        ):
            if days:
                wanted |= some & Q(first_day__lte=date_of(max(days)), last_day__gte=date_of(min(days)))
        return list(Upload.objects.filter(imported, wanted).order_by("pk"))

    def merge_anew(self, uploads: list[Upload], progress: Progress) -> None:
        for done, upload in enumerate(uploads):
            progress.say((done + 1) / (len(uploads) + 1), _("Reading other files of the same days"))
            self._merge(upload, progress)

    def _merge(self, upload: Upload, progress: Progress) -> None:
        try:
            with Told(upload, progress) as told:
                told.read()
                self._write(upload, told)
        except (FileFault, OSError) as error:
            raise FileFault(
                _("Upload %(id)d (%(name)s) says something of the same days and can no longer be read (%(error)s).")
                % {"id": upload.pk, "name": upload.name, "error": error}
            ) from None

    def _write(self, upload: Upload, told: Told) -> None:
        names = told.reading.names
        wanted = {*self.meters.tolist(), *(meter for meter, *_when in [*self.periods, *self.reported])}
        ids = {name: pk for name, pk in meters.ids(names).items() if pk in wanted}
        id_at = np.array([ids.get(name, 0) for name in names], dtype=np.int64)
        with Merge(upload.pk, sorted(ids.values())) as merge:
            for part in told.days():
                meter_ids = id_at[part.meters]
                rows = (meter_ids > 0) & np.isin(keys_of(meter_ids, part.days), self.keys.get(part.channel, []))
                if rows.any():
                    merge.write(part[rows], meter_ids[rows])
        periods = told.periods()
        if self.periods:
            self._store_periods(upload, periods, id_at)
        if len(told.events):
            events.store(upload, told.events, id_at)

    def _store_periods(self, upload: Upload, found: billing.Periods, id_at: np.ndarray) -> None:
        keys = np.stack([id_at[found.meters], found.channels, found.first_days, found.last_days], axis=1).tolist()
        billing.store(upload.pk, found[np.array([tuple(key) in self.periods for key in keys], dtype=bool)], id_at)


def settle(upload: Upload, overtaken: list[tuple[Channel, np.ndarray, np.ndarray]], progress: Progress) -> None:
    """Put right the days of an upload that was imported after later ones, where those had met earlier ones already: of
    such a day nobody can say which slots this upload may change. Inside the import's transaction."""
    found = [
        (int(channel), *key) for channel, meters, days in overtaken for key in composed(upload, channel, meters, days)
    ]
    if not found:
        return
    days = Days(*np.array(found, dtype=np.int64).T)
    days.take_out(Merge(upload.pk, np.unique(days.meters).tolist(), keep_replaced=False))
    days.merge_anew(days.uploads(), progress)


def composed(upload: Upload, channel: Channel, meters: np.ndarray, days: np.ndarray) -> list[tuple[int, int]]:
    with connection.cursor() as cursor:
        params = {"epoch": EPOCH, "channel": int(channel), "meters": meters.tolist(), "days": days.tolist()}
        cursor.execute(COMPOSED, {**params, "upload": upload.pk})
        return cursor.fetchall()
