"""One upload from its raw file to load profiles: parse outside of the transaction, write everything in one."""

from datetime import date

import numpy as np
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.grid.actions import register_meters
from apps.readings import billing, copying, events, meters, partitions, remerging
from apps.readings.merge import Merge, date_of
from apps.readings.models import HeldMeter, Upload
from apps.readings.parsing import PARSING_SHARE, Parsed, parse
from apps.readings.progress import Progress
from apps.readings.shelf import Shelf


def run(upload: Upload, progress: Progress) -> bool:
    """Import a claimed upload. Raises FileFault when nothing of it can be taken. False: somebody else was first."""
    with Shelf() as shelf:
        parsed = parse(upload, progress, shelf)
        make_partitions(shelf.months)
        with transaction.atomic():
            upload = Upload.objects.select_for_update(no_key=True).get(pk=upload.pk)
            if upload.status != Upload.Status.PENDING:
                return False
            write(upload, parsed, progress)
    return True


def make_partitions(months: set[int]) -> None:
    if not months:
        return
    months = np.array(sorted(months)).astype("datetime64[M]")
    # A stray day of another year must not bring all months between.
    for together in np.split(months, np.flatnonzero(np.diff(months).astype(int) > 1) + 1):
        partitions.ensure(together[0].item(), together[-1].item())


def write(upload: Upload, parsed: Parsed, progress: Progress) -> None:
    """Everything that the upload brings, inside the caller's transaction."""
    names = parsed.reading.names
    readings = parsed.shelf.readings(len(names)) + np.bincount(parsed.periods.meters, minlength=len(names))
    # What waits for a meter that is held back: its readings, and what it reported beside them.
    waiting = readings + np.bincount(parsed.events.meters, minlength=len(names))
    used = [names[position] for position in np.flatnonzero(waiting)]
    known = meters.ids(used)
    unknown = [name for name in used if name not in known]
    ids = known | register_meters(unknown) if unknown and settings.REGISTER_UNKNOWN_METERS else known
    hold(upload, {names[at]: int(waiting[at]) for at in np.flatnonzero(waiting) if names[at] not in ids})
    id_at = np.array([ids.get(name, 0) for name in names], dtype=np.int64)
    merge = Merge(upload.pk, sorted(ids.values()), again=upload.imported_at is not None)
    first_day, last_day = date.max, date.min
    for done, part in enumerate(parsed.shelf):
        progress.say(PARSING_SHARE + (1 - PARSING_SHARE) * done / len(parsed.shelf), _("Writing load profiles"))
        part = part[id_at[part.meters] > 0]
        if len(part):
            merge.write(part, id_at[part.meters])
            first_day, last_day = min(first_day, date_of(part.days.min())), max(last_day, date_of(part.days.max()))
    upload.register_reads = billing.store(upload.pk, parsed.periods, id_at)
    upload.events = events.store(upload, parsed.events, id_at)
    upload.meters_registered += len(ids) - len(known)
    upload.readings = int(readings[id_at > 0].sum()) - upload.register_reads
    upload.meters = len(ids)
    taken = parsed.periods[id_at[parsed.periods.meters] > 0]
    if len(taken):
        first_day, last_day = (
            min(first_day, date_of(taken.first_days.min())), max(last_day, date_of(taken.last_days.max()))
        )  # fmt: skip
    if first_day <= last_day:
        upload.first_day, upload.last_day = first_day, last_day
    finish(upload, parsed, merge)
    remerging.settle(upload, merge.overtaken, progress)


def hold(upload: Upload, waiting: dict[str, int]) -> None:
    HeldMeter.objects.filter(upload=upload).delete()
    HeldMeter.objects.bulk_create(
        HeldMeter(upload=upload, serial=name[:64], readings=count) for name, count in waiting.items()
    )


def finish(upload: Upload, parsed: Parsed, merge: Merge) -> None:
    again = upload.imported_at is not None  # held readings were let in: the days of the first time are here already
    written = upload.days_new + upload.days_changed if again else 0
    upload.days_new = merge.tally.new + (upload.days_new if again else 0)
    upload.days_changed = merge.tally.changed + (upload.days_changed if again else 0)
    upload.days_same = max(merge.tally.same - written, 0)
    upload.duplicates, upload.rejected = parsed.duplicates, parsed.reading.rejects.count
    upload.rejected_lines.all().delete()
    copying.rejected_lines(upload.pk, parsed.reading.rejects.kept)
    upload.status, upload.error, upload.imported_at = Upload.Status.IMPORTED, "", timezone.now()
    upload.save()
