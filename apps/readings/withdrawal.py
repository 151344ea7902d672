"""Taking back an upload that was wrong: what it said goes, and what the others say of the same days comes back.

Slots of several uploads may have met in a day, so no stored state is what there would be without one of them. The days
that it ever touched are therefore taken out as a whole and merged anew from the raw files of all other uploads, oldest
first, as if this one had never come. Its own raw file stays, and with it the way back: importing it again.
"""

import numpy as np
from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from apps.grid.models import Meter
from apps.readings import billing, events, importing
from apps.readings.assembly import DAY
from apps.readings.importers.base import FileFault
from apps.readings.merge import Merge, date_of, day_number, keys_of, raise_revisions
from apps.readings.models import Channel, HeldMeter, RegisterRead, Upload
from apps.readings.profiles import EPOCH
from apps.readings.progress import Progress
from apps.readings.shelf import Shelf

TOUCHED = """
SELECT channel, meter_id, day - %(epoch)s, cardinality(kwh) FROM readings_loadprofile
WHERE upload_id = %(upload)s AND day BETWEEN %(first_day)s AND %(last_day)s
UNION
SELECT channel, meter_id, day - %(epoch)s, cardinality(kwh) FROM readings_loadprofilerevision
WHERE upload_id = %(upload)s OR replaced_by_id = %(upload)s
"""
# A meter without any reading left keeps the days that it had: its score then says that there is nothing to go by.
BOUND_STATES = """
UPDATE readings_meterstate state SET first_day = left_over.first_day, last_day = left_over.last_day
FROM (SELECT meter_id, min(day) AS first_day, max(day) AS last_day FROM readings_loadprofile
      WHERE meter_id = ANY(%(meters)s) GROUP BY meter_id) AS left_over
WHERE state.meter_id = left_over.meter_id
"""


def run(upload: Upload, progress: Progress) -> bool:
    """Withdraw a claimed upload. Raises FileFault where another upload's raw file is needed and cannot be read. False:
    somebody else was first."""
    with transaction.atomic():
        upload = Upload.objects.select_for_update(no_key=True).get(pk=upload.pk)
        if upload.status != Upload.Status.PENDING or upload.withdrawn_at is None:
            return False
        progress.say(0, _("Taking back what it brought"))
        touched = Touched(upload)
        touched.take_out()
        periods = list(RegisterRead.objects.filter(upload=upload).values_list("meter", "channel", "start", "end"))
        RegisterRead.objects.filter(upload=upload).delete()
        reported = events.withdraw(upload)
        HeldMeter.objects.filter(upload=upload).delete()
        touched.also(periods, reported)
        others = touched.other_uploads()
        for done, other in enumerate(others):
            progress.say((done + 1) / (len(others) + 1), _("Reading other files of the same days"))
            replay(other, touched, progress)
        touched.raise_revisions()
        upload.status, upload.error = Upload.Status.WITHDRAWN, ""
        upload.save(update_fields=["status", "error"])
    return True


class Touched:
    """The days and register periods that an upload has had a part in; nobody else writes their meters meanwhile."""

    def __init__(self, upload: Upload):
        self.upload = upload
        self.rows = self._find()
        self.merge = Merge(upload.pk, np.unique(self.rows[1]).tolist(), keep_replaced=False)
        self.rows = self._find()  # an import may have come between, and holds us up no longer
        channels, meters, days, _slots = self.rows
        self.keys = {channel: keys_of(meters, days)[channels == channel] for channel in np.unique(channels)}
        self.periods = np.zeros((0, 4), dtype=np.int64)
        self.reported = np.zeros((0, 2), dtype=np.int64)

    def _find(self) -> np.ndarray:
        """(4, R): channel, meter id, day since 1970 and slots."""
        params = {
            "upload": self.upload.pk,
            "epoch": EPOCH,
            "first_day": self.upload.first_day or EPOCH,
            "last_day": self.upload.last_day or EPOCH,
        }
        with connection.cursor() as cursor:
            cursor.execute(TOUCHED, params)
            return np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 4).T

    def take_out(self) -> None:
        channels, meters, days, _slots = self.rows
        for channel in np.unique(channels):
            chosen = channels == channel
            self.merge.keep_as_revision(meters[chosen], days[chosen], Channel(channel))

    def also(self, periods: list[tuple], reported: list[tuple[int, int]]) -> None:
        """Register periods: meter id, channel, first and last day of each. Events: meter id and day."""
        self.reported = np.array(reported, dtype=np.int64).reshape(-1, 2)
        numbers = [(meter, channel, day_number(start), day_number(end)) for meter, channel, start, end in periods]
        self.periods = np.array(numbers, dtype=np.int64).reshape(-1, 4)

    def other_uploads(self) -> list[Upload]:
        """Those that may say something of the same days, oldest first."""
        others = Upload.objects.filter(status__in=[Upload.Status.IMPORTED, Upload.Status.FAILED])
        others = others.exclude(pk=self.upload.pk).exclude(imported_at=None).order_by("pk")
        wanted = Q(pk=None)
        for days, some in (
            (np.concatenate([self.rows[2], self.periods[:, 2:].ravel()]), Q()),
            (self.reported[:, 1], Q(events__gt=0)),  # large files of readings alone need not be read for events
        ):
            if len(days):
                wanted |= some & Q(first_day__lte=date_of(days.max()), last_day__gte=date_of(days.min()))
        return list(others.filter(wanted))

    def meters(self) -> set[int]:
        return {*self.rows[1].tolist(), *self.periods[:, 0].tolist(), *self.reported[:, 0].tolist()}

    def raise_revisions(self) -> None:
        _channels, meters, days, slots = self.rows
        for width in np.unique(slots):
            raise_revisions(meters[slots == width], days[slots == width], DAY // int(width))
        meter_ids = np.unique(meters).tolist()
        with connection.cursor() as cursor:
            cursor.execute(BOUND_STATES, {"meters": meter_ids})
        if len(self.periods):
            billing.raise_revisions(self.periods[:, 0], self.periods[:, 2], self.periods[:, 3])


def replay(other: Upload, touched: Touched, progress: Progress) -> None:
    """Merge once more what an upload says of the days that were taken out."""
    with Shelf() as shelf:
        try:
            parsed = importing.parse(other, progress, shelf)
        except (FileFault, OSError) as error:
            raise FileFault(
                _("Upload %(id)d (%(name)s) says something of the same days and can no longer be read (%(error)s).")
                % {"id": other.pk, "name": other.name, "error": error}
            ) from None
        names = parsed.reading.names
        ids = dict(Meter.objects.filter(pk__in=touched.meters(), serial__in=names).values_list("serial", "id"))
        id_at = np.array([ids.get(name, 0) for name in names], dtype=np.int64)
        merge = Merge(other.pk, sorted(ids.values()))
        for part in shelf:
            meters = id_at[part.meters]
            part_keys = touched.keys.get(part.channel, np.zeros(0, np.int64))
            rows = (meters > 0) & np.isin(keys_of(meters, part.days), part_keys)
            if rows.any():
                merge.write(part[rows], meters[rows])
        found = parsed.periods
        keys = np.stack([id_at[found.meters], found.channels, found.first_days, found.last_days], axis=1)
        same = {tuple(period) for period in touched.periods.tolist()}
        billing.store(other.pk, found[np.array([tuple(key) in same for key in keys.tolist()], dtype=bool)], id_at)
        if len(parsed.events):
            events.store(other, parsed.events, id_at)
