"""One upload from its raw file to load profiles: read outside of the transaction, write everything in one. While the
database takes the days of some meters, those of the next are put together."""

from datetime import date

import numpy as np
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.grid.actions import add_meters, take_back
from apps.readings import billing, copying, events, meters, partitions, remerging
from apps.readings.merge import Merge, date_of
from apps.readings.models import HeldMeter, Upload
from apps.readings.parsing import READING_SHARE, Told
from apps.readings.progress import Progress
from apps.readings.series import Days


def run(upload: Upload, progress: Progress) -> bool:
    """Import a claimed upload. Raises FileFault when nothing of it can be taken. False: somebody else was first."""
    with Told(upload, progress) as told:
        make_partitions(told.months())
        with transaction.atomic():
            upload = Upload.objects.select_for_update(no_key=True).get(pk=upload.pk)
            if upload.status != Upload.Status.PENDING:
                return False
            write(upload, told, progress)
    return True


def make_partitions(months: set[int]) -> None:
    if not months:
        return
    months = np.array(sorted(months)).astype("datetime64[M]")
    # A stray day of another year must not bring all months between.
    for together in np.split(months, np.flatnonzero(np.diff(months).astype(int) > 1) + 1):
        partitions.ensure(together[0].item(), together[-1].item())


def write(upload: Upload, told: Told, progress: Progress) -> None:
    """Everything that the upload brings, inside the caller's transaction."""
    names = told.reading.names
    asked = [names[position] for position in np.flatnonzero(told.named())]
    ids, added = meters.ids(asked), {}
    if len(ids) < len(asked) and settings.REGISTER_UNKNOWN_METERS:
        added = add_meters(set(asked) - ids.keys())
        ids = meters.ids(asked)  # somebody else may have made some of them meanwhile
    id_at = np.array([ids.get(name, 0) for name in names], dtype=np.int64)
    first_day, last_day = date.max, date.min
    readings = np.zeros(len(names), dtype=np.int64)  # of each meter that can be taken
    with Merge(upload.pk, sorted(ids.values()), again=upload.imported_at is not None) as merge:
        for part in told.days():
            done = min(readings.sum() / len(told), 1)  # a reading can fill several slots
            progress.say(READING_SHARE + (1 - READING_SHARE) * done, _("Writing load profiles"))
            count(part, readings)
            part = part[id_at[part.meters] > 0]
            if len(part):
                merge.write(part, id_at[part.meters])
                first_day, last_day = min(first_day, date_of(part.days.min())), max(last_day, date_of(part.days.max()))
    periods = told.periods()
    readings += np.bincount(periods.meters, minlength=len(names))
    # What waits for a meter that is held back: its readings, and what it reported beside them.
    waiting = readings + np.bincount(told.events.meters, minlength=len(names))
    used = {names[at]: int(waiting[at]) for at in np.flatnonzero(waiting)}
    hold(upload, {name: count for name, count in used.items() if name not in ids})
    take_back([pk for name, pk in added.items() if name not in used])
    upload.register_reads = billing.store(upload.pk, periods, id_at)
    upload.events = events.store(upload, told.events, id_at)
    upload.meters_registered += len(added.keys() & used.keys())
    upload.readings = int(readings[id_at > 0].sum()) - upload.register_reads
    upload.meters = len(ids.keys() & used.keys())
    taken = periods[id_at[periods.meters] > 0]
    if len(taken):
        first_day, last_day = (
            min(first_day, date_of(taken.first_days.min())), max(last_day, date_of(taken.last_days.max()))
        )  # fmt: skip
    if first_day <= last_day:
        upload.first_day, upload.last_day = first_day, last_day
    finish(upload, told, merge)
    remerging.settle(upload, merge.overtaken, progress)


def count(part: Days, readings: np.ndarray) -> None:
    """Add the readings of these days to those of each meter."""
    missing = np.isnan(part.kwh)
    sent = part.kwh.shape[1] - (missing.sum(axis=1) if missing.any() else np.zeros(len(part), dtype=np.int64))
    first = part.meters.min()
    found = np.bincount(part.meters - first, sent).astype(np.int64)
    readings[first : first + len(found)] += found


def hold(upload: Upload, waiting: dict[str, int]) -> None:
    HeldMeter.objects.filter(upload=upload).delete()
    HeldMeter.objects.bulk_create(
        HeldMeter(upload=upload, serial=name[:64], readings=count) for name, count in waiting.items()
    )


def finish(upload: Upload, told: Told, merge: Merge) -> None:
    again = upload.imported_at is not None  # held readings were let in: the days of the first time are here already
    written = upload.days_new + upload.days_changed if again else 0
    upload.days_new = merge.tally.new + (upload.days_new if again else 0)
    upload.days_changed = merge.tally.changed + (upload.days_changed if again else 0)
    upload.days_same = max(merge.tally.same - written, 0)
    upload.duplicates, upload.rejected = told.assembler.duplicates, told.reading.rejects.count
    upload.rejected_lines.all().delete()
    copying.rejected_lines(upload.pk, told.reading.rejects.kept)
    upload.status, upload.error, upload.imported_at = Upload.Status.IMPORTED, "", timezone.now()
    upload.save()
