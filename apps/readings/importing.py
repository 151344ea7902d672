"""One upload from its raw file to load profiles: everything of it in one transaction. While the database takes the days
of some meters, those of the next are put together; of files by meter or by day, while their rest is read."""

import gc
import logging
from collections.abc import Iterator
from datetime import date
from itertools import chain

import numpy as np
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.grid.actions import add_meters, take_back
from apps.readings import billing, copying, events, meters, partitions, remerging
from apps.readings.early import NotOver
from apps.readings.merge import Merge, date_of, waited_in_vain
from apps.readings.models import HeldMeter, Upload
from apps.readings.parsing import READING_SHARE, Told
from apps.readings.progress import Progress
from apps.readings.series import Days

log = logging.getLogger(__name__)
PATIENCE = "300ms"  # the server itself looks for those who wait for each other after a second


def run(upload: Upload, progress: Progress) -> bool:
    """Import a claimed upload. Raises FileFault when nothing of it can be taken. False: somebody else was first."""
    doing = _("Reading the file")
    if may_write_early(upload):
        try:
            return read_and_write(upload, progress, doing, early=True)
        except NotOver:
            doing = _("Reading the file again: it comes back to earlier days")
            log.info("Upload %d is read to its end before it is written: it comes back to earlier days", upload.pk)
        except OperationalError as error:
            if not waited_in_vain(error):
                raise
            doing = _("Reading the file again: others change its meters")
            log.info("Upload %d is read to its end before it is written: others change its meters", upload.pk)
        gc.collect()  # an error keeps what it met on its way, here the buffers of the first attempt
    return read_and_write(upload, progress, doing, early=False)


def may_write_early(upload: Upload) -> bool:
    """Whose meters a file names shows at its end, and some may not be the uploader's. What an import in the middle of
    somebody's transaction does to the months would not be seen by it."""
    everybodys = upload.by is None or upload.by.sees_everything
    return everybodys and upload.imported_at is None and not connection.in_atomic_block


def read_and_write(upload: Upload, progress: Progress, doing: str, *, early: bool) -> bool:
    with Told(upload, progress, doing) as told:
        if early:
            portions = told.read_early()
        else:
            told.read()
            portions = iter(())
        first = next(portions, [])  # where none is early, the file was read to its end
        months = partitions.Months()
        months.make(told.stamped_days())
        with transaction.atomic():
            upload = Upload.objects.select_for_update(no_key=True).get(pk=upload.pk)
            if upload.status != Upload.Status.PENDING:
                return False
            Writing(upload, told, progress, months).write(chain([first] if first else [], portions))
    return True


class Writing:
    """Everything that an upload brings, inside the caller's transaction."""

    def __init__(self, upload: Upload, told: Told, progress: Progress, months: partitions.Months):
        self.upload, self.told, self.progress, self.months = upload, told, progress, months
        self.asked: set[str] = set()
        self.ids: dict[str, int] = {}  # of meters that are registered, by name
        self.added: dict[str, int] = {}  # those of them that this upload registered
        # By position in Reading.names:
        self.id_at = np.zeros(0, dtype=np.int64)
        self.readings = np.zeros(0, dtype=np.int64)  # that can be taken
        self.first_day, self.last_day = date.max, date.min

    def write(self, portions: Iterator[list[Days]]) -> None:
        upload, told = self.upload, self.told
        with Merge(upload.pk, [], again=upload.imported_at is not None) as merge:
            for portion in portions:
                self.months.make_beside(np.concatenate([part.days for part in portion]))
                self.lock(np.unique(np.concatenate([part.meters for part in portion])), merge)
                hurry()
                for part in portion:
                    self.write_days(part, merge, comes_once=True)
            self.months.make_beside(told.stamped_days())
            self.lock(np.flatnonzero(told.named()), merge)
            waiting, before = max(len(told), 1), self.readings.sum()
            for part in told.days():
                done = min((self.readings.sum() - before) / waiting, 1)  # a reading can fill several slots
                self.progress.say(READING_SHARE + (1 - READING_SHARE) * done, _("Writing load profiles"))
                self.write_days(part, merge)
        self.write_others(merge)

    def lock(self, positions: np.ndarray, merge: Merge) -> None:
        """Register these meters where they are not known, and keep others from writing their readings."""
        names = self.told.reading.names
        self.id_at, self.readings = (grown(column, len(names)) for column in (self.id_at, self.readings))
        asked = [names[position] for position in positions.tolist() if names[position] not in self.asked]
        self.asked.update(asked)
        ids = meters.ids(asked)
        if len(ids) < len(asked) and settings.REGISTER_UNKNOWN_METERS:
            added = add_meters(set(asked) - ids.keys())
            self.added |= added
            if len(ids) + len(added) < len(asked):  # somebody else made some of them meanwhile
                ids = {name: pk for name, pk in meters.ids(asked).items() if name not in added}
        self.ids |= ids | self.added
        self.id_at[positions] = [self.ids.get(names[position], 0) for position in positions.tolist()]
        merge.lock(sorted(ids.values()))  # nobody else sees the ones that were added

    def write_days(self, part: Days, merge: Merge, *, comes_once: bool = False) -> None:
        count(part, self.readings)
        part = part[self.id_at[part.meters] > 0]
        if len(part):
            merge.write(part, self.id_at[part.meters], comes_once=comes_once)
            self.has_days(part.days, part.days)

    def has_days(self, first_days: np.ndarray, last_days: np.ndarray) -> None:
        self.first_day = min(self.first_day, date_of(first_days.min()))
        self.last_day = max(self.last_day, date_of(last_days.max()))

    def write_others(self, merge: Merge) -> None:
        """What is no day: billing periods, events, meters that wait, and what became of the upload."""
        upload, told, names, ids = self.upload, self.told, self.told.reading.names, self.ids
        periods = told.periods()
        self.readings += np.bincount(periods.meters, minlength=len(names))
        # What waits for a meter that is held back: its readings, and what it reported beside them.
        waiting = self.readings + np.bincount(told.events.meters, minlength=len(names))
        used = {names[at]: int(waiting[at]) for at in np.flatnonzero(waiting)}
        hold(upload, {name: count for name, count in used.items() if name not in ids})
        take_back([pk for name, pk in self.added.items() if name not in used])
        upload.register_reads = billing.store(upload.pk, periods, self.id_at)
        upload.events = events.store(upload, told.events, self.id_at)
        upload.meters_registered += len(self.added.keys() & used.keys())
        upload.readings = int(self.readings[self.id_at > 0].sum()) - upload.register_reads
        upload.meters = len(ids.keys() & used.keys())
        taken = periods[self.id_at[periods.meters] > 0]
        if len(taken):
            self.has_days(taken.first_days, taken.last_days)
        if self.first_day <= self.last_day:
            upload.first_day, upload.last_day = self.first_day, self.last_day
        finish(upload, told, merge)
        remerging.settle(upload, merge.overtaken, self.progress)


def hurry() -> None:
    """Meters are locked in one order, so that imports wait for each other in turn. Who holds some and asks for more
    must not wait: two that do so for each other would wait for ever."""
    with connection.cursor() as cursor:
        # However long the file takes until its next days are over.
        cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'; SET LOCAL idle_in_transaction_session_timeout = 0")


def grown(column: np.ndarray, size: int) -> np.ndarray:
    return np.append(column, np.zeros(size - len(column), dtype=column.dtype))


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
    upload.format = told.format.name  # which a corrected column may have made another one
    upload.status, upload.error, upload.imported_at = Upload.Status.IMPORTED, "", timezone.now()
    upload.save()
