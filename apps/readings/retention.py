"""What is older than it may be kept: readings by dropping their months, and everything else that tells of those days.

Whole months only, so that a day of a row is never deleted one by one. What stays: that an upload came, by whom and how
much it held.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from django.db import models
from django.db.models import Q

from apps.readings import partitions
from apps.readings.models import (
    Completeness,
    Estimate,
    HeldMeter,
    LoadProfileRevision,
    MeterEvent,
    MeterState,
    ReadingEdit,
    RegisterRead,
    RejectedLine,
    Upload,
    ValidationHit,
)
from apps.readings.validation import counting

CHUNK = 1024


@dataclass(frozen=True)
class Forgotten:
    """One kind of thing that goes."""

    what: str
    count: int
    bytes: int = 0


def beginning_of_kept(today: date, years: int) -> date:
    """The first day that is kept: months that the limit cuts stay whole."""
    return date(today.year - years, today.month, 1)


def forget(before: date, *, dry_run: bool) -> Iterator[Forgotten]:
    """Forget what lies before a day that begins a month, and say what it is; with dry_run only say it."""
    for month in sorted(partitions.existing_months()):
        if month < before:
            yield Forgotten(f"load profiles of {month:%Y-%m}", *partitions.size(month))
            if not dry_run:
                partitions.drop(month)
    uploads = forgotten_uploads(before)
    for what, rows in (
        ("earlier states of load profiles", LoadProfileRevision.objects.filter(day__lt=before)),
        ("register reads", RegisterRead.objects.filter(end__lt=before)),
        ("meter events", MeterEvent.objects.filter(at__date__lt=before)),
        ("validation hits", ValidationHit.objects.filter(last_day__lt=before)),
        ("estimates", Estimate.objects.filter(day__lt=before)),
        ("edits of readings", ReadingEdit.objects.filter(day__lt=before)),
        ("completeness of zones", Completeness.objects.filter(day__lt=before)),
        ("rejected lines", RejectedLine.objects.filter(upload__in=uploads)),
        # Their files go: registering such a meter must not call for an import.
        ("meters held back", HeldMeter.objects.filter(upload__in=uploads)),
    ):
        yield Forgotten(what, rows.count())
        if not dry_run:
            rows.order_by()._raw_delete(rows.db)
    yield _forget_files(uploads, dry_run)
    if not dry_run:
        counting.count_hits()
        MeterState.objects.filter(first_day__lt=before, last_day__gte=before).update(first_day=before)


def forgotten_uploads(before: date) -> models.QuerySet:
    """Those whose last day is forgotten, and those that brought none and are as old."""
    settled = Upload.objects.exclude(status__in=[Upload.Status.DRAFT, Upload.Status.PENDING])
    return settled.filter(Q(last_day__lt=before) | Q(last_day=None, at__date__lt=before))


def _forget_files(uploads: models.QuerySet, dry_run: bool) -> Forgotten:
    """Raw files, of which the same content may stand for several uploads."""
    count = size = 0
    kept = set(Upload.objects.exclude(pk__in=uploads.values("pk")).values_list("sha256", flat=True))
    gone = set()
    for upload in uploads.iterator(CHUNK):
        if upload.sha256 in kept or upload.sha256 in gone or not upload.path.exists():
            continue
        gone.add(upload.sha256)
        count, size = count + 1, size + upload.path.stat().st_size
        if not dry_run:
            upload.path.unlink()
    return Forgotten("raw files", count, size)
