"""One upload from its raw file to load profiles: parse outside of the transaction, write everything in one."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.grid.actions import register_meters
from apps.grid.models import Meter
from apps.readings import copying, importers, meters, partitions
from apps.readings.assembly import Assembler, Days
from apps.readings.importers.base import Block, FileFault, Reading, Rejects
from apps.readings.merge import Merge, date_of
from apps.readings.models import HeldMeter, Upload
from apps.readings.progress import Progress
from apps.readings.statements import Statement

PARSING_SHARE = 0.5  # of the time that an import takes


@dataclass(frozen=True)
class Parsed:
    reading: Reading
    parts: list[Days]
    duplicates: int


def run(upload: Upload, progress: Progress) -> bool:
    """Import a claimed upload. Raises FileFault when nothing of it can be taken. False: somebody else was first."""
    parsed = parse(upload, progress)
    make_partitions(parsed.parts)
    with transaction.atomic():
        upload = Upload.objects.select_for_update(no_key=True).get(pk=upload.pk)
        if upload.status != Upload.Status.PENDING:
            return False
        write(upload, parsed, progress)
    return True


def parse(upload: Upload, progress: Progress) -> Parsed:
    path, statement = upload.path, Statement.of(upload)
    format_ = importers.recognise(path, statement.format)
    reading = Reading(Rejects(settings.REJECTED_LINES_KEPT))
    assembler = Assembler(statement, reading)

    def blocks() -> Iterator[Block]:
        for block in format_.blocks(path, reading):
            progress.say(reading.fraction * PARSING_SHARE, _("Reading the file"))
            yield block

    columns = assembler.sorted(blocks())
    foreign = meters.foreign(reading.names, upload.by)
    if foreign.any():
        reason = _("this meter's consumer is not in your zones")
        columns = assembler.refuse(columns, foreign[columns.meters], reason)
    parts = list(assembler.days(columns, meters.known_intervals(reading.names)))
    if not parts:
        raise FileFault(nothing_valid(reading.rejects))
    return Parsed(reading, parts, assembler.duplicates)


def nothing_valid(rejects: Rejects) -> str:
    if not rejects.kept:
        return _("The file holds no reading: where values should be, nothing stands. Send the export again.")
    [(reason, _times)] = Counter(reason for _line, reason, _text in rejects.kept).most_common(1)
    line, _reason, text = next(kept for kept in rejects.kept if kept[1] == reason)
    return _(
        "No line holds a reading that can be taken; %(count)d were rejected. Mostly: %(reason)s, such as line %(line)d:"
        " %(text)s. Check what the upload says about time zone, unit and stamps, or send the export again."
    ) % {"count": rejects.count, "reason": reason, "line": line, "text": text}


def make_partitions(parts: list[Days]) -> None:
    months = np.unique(np.concatenate([part.days.astype("datetime64[D]").astype("datetime64[M]") for part in parts]))
    # A stray day of another year must not bring all months between.
    for together in np.split(months, np.flatnonzero(np.diff(months).astype(int) > 1) + 1):
        partitions.ensure(together[0].item(), together[-1].item())


def write(upload: Upload, parsed: Parsed, progress: Progress) -> None:
    """Everything that the upload brings, inside the caller's transaction."""
    names = parsed.reading.names
    readings = np.zeros(len(names), dtype=np.int64)
    for part in parsed.parts:
        filled = np.isfinite(part.kwh).sum(axis=1)
        readings += np.bincount(part.meters, filled, minlength=len(names)).astype(np.int64)
    used = [name for name, count in zip(names, readings, strict=True) if count]
    before = set(Meter.objects.filter(serial__in=used).values_list("serial", flat=True))
    if settings.REGISTER_UNKNOWN_METERS:
        ids = register_meters(used)
    else:
        ids = dict(Meter.objects.filter(serial__in=used).values_list("serial", "id"))
        hold(
            upload, {name: int(count) for name, count in zip(names, readings, strict=True) if count and name not in ids}
        )
    id_at = np.array([ids.get(name, 0) for name in names], dtype=np.int64)
    merge = Merge(upload.pk, sorted(ids.values()))
    for done, part in enumerate(parsed.parts):
        progress.say(PARSING_SHARE + (1 - PARSING_SHARE) * done / len(parsed.parts), _("Writing load profiles"))
        taken = id_at[part.meters] > 0
        merge.write(Days(part.meters[taken], part.days[taken], part.kwh[taken]), id_at[part.meters[taken]])
    upload.meters_registered = len(ids) - len(before)
    upload.readings = int(readings[id_at > 0].sum())
    upload.meters = len(ids)
    finish(upload, parsed, merge, [part.days[id_at[part.meters] > 0] for part in parsed.parts])


def hold(upload: Upload, waiting: dict[str, int]) -> None:
    HeldMeter.objects.filter(upload=upload).delete()
    HeldMeter.objects.bulk_create(
        HeldMeter(upload=upload, serial=name[:64], readings=count) for name, count in waiting.items()
    )


def finish(upload: Upload, parsed: Parsed, merge: Merge, days: list[np.ndarray]) -> None:
    days = np.concatenate(days)
    upload.days_new, upload.days_changed, upload.days_same = merge.tally.new, merge.tally.changed, merge.tally.same
    upload.duplicates, upload.rejected = parsed.duplicates, parsed.reading.rejects.count
    if len(days):
        upload.first_day, upload.last_day = date_of(days.min()), date_of(days.max())
    upload.rejected_lines.all().delete()
    copying.rejected_lines(upload.pk, parsed.reading.rejects.kept)
    upload.status, upload.error, upload.imported_at = Upload.Status.IMPORTED, "", timezone.now()
    upload.save()
