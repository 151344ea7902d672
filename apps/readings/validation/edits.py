"""What a person says of a meter's day: that it is suspect, or that an estimate stands in for it. `kwh` stays.

A substituted day is no longer measured: no score sees it. A suspect one still is, as what makes it odd may be theft.
"""

from datetime import date, timedelta

import numpy as np
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.bell import ring
from apps.grid.models import Meter
from apps.readings import profiles
from apps.readings.merge import raise_revisions
from apps.readings.models import Channel, LoadProfile, MeterState, ReadingEdit
from apps.readings.quality import Quality
from apps.readings.validation import running
from apps.readings.validation.estimation import LEVEL_DAYS, WEEKS_BACK, one_day

Verb = ReadingEdit.Verb


class EditRefused(Exception):
    """Says to a person why this cannot be done to this day."""


@transaction.atomic
def edit(*, meter: Meter, day: date, verb: str, note: str, by: User) -> ReadingEdit:
    """Mark a day's readings as suspect, or have an estimate stand in for them. Raises EditRefused."""
    row = locked_day(meter, day)
    found = ReadingEdit(
        meter=meter,
        day=day,
        verb=verb,
        note=note.strip()[:200],
        by=by,
        upload_id=row.upload_id,
        quality_before=row.quality,
        estimated_kwh_before=row.estimated_kwh,
    )
    if verb == Verb.SUSPECT:
        change(row, quality=suspect(row), estimated_kwh=row.estimated_kwh)
    else:
        change(row, quality=[int(Quality.EDITED)] * len(row.kwh), estimated_kwh=estimate_of(meter, day, len(row.kwh)))
    found.save()
    return found


@transaction.atomic
def undo(*, edit: ReadingEdit, by: User) -> None:
    """Put flags and estimates back as they were. Raises EditRefused where something came after the edit."""
    row = locked_day(edit.meter, edit.day)
    edit = ReadingEdit.objects.select_for_update(no_key=True, of=["self"]).get(pk=edit.pk)
    later = ReadingEdit.objects.filter(meter=edit.meter, day=edit.day, pk__gt=edit.pk, undone_at=None)
    if edit.undone_at or later.exists():
        raise EditRefused(_("Meanwhile it was undone, or the day was edited once more: undo that first."))
    if row.upload_id != edit.upload_id:
        raise EditRefused(_("The day was sent again since; what was edited is gone already."))
    change(row, quality=edit.quality_before, estimated_kwh=edit.estimated_kwh_before)
    edit.undone_at, edit.undone_by = timezone.now(), by
    edit.save(update_fields=["undone_at", "undone_by"])


def locked_day(meter: Meter, day: date) -> LoadProfile:
    """The row, with the meter's state locked first, as merges and validation do."""
    list(MeterState.objects.select_for_update().filter(meter=meter))
    row = LoadProfile.objects.filter(meter=meter, channel=Channel.IMPORT, day=day).first()
    if row is None or np.isnan(row.kwh).all():
        raise EditRefused(_("No reading of this day is here: there is nothing to edit."))
    return row


def suspect(row: LoadProfile) -> list[int]:
    quality = np.zeros(len(row.kwh), int) if row.quality is None else np.array(row.quality)
    measured = ~np.isnan(row.kwh) & (quality == Quality.MEASURED)
    return np.where(measured, int(Quality.SUSPECT), quality).tolist()


def estimate_of(meter: Meter, day: date, slots: int) -> list[float]:
    """A whole day from the same weekdays of three weeks, at the level of the days around. Raises EditRefused."""
    first, last = day - timedelta(days=max(WEEKS_BACK) + LEVEL_DAYS + max(WEEKS_BACK)), day + timedelta(days=LEVEL_DAYS)
    window = profiles.read_window([meter.pk], first, last, slots=slots, measured_only=True)
    kwh = one_day(window.kwh[0], (day - first).days)
    if np.isnan(kwh).any():
        raise EditRefused(_("There is no estimate: none of the three weeks before has readings of this weekday."))
    return kwh.astype(float).round(4).tolist()


def change(row: LoadProfile, **fields) -> None:
    LoadProfile.objects.filter(meter=row.meter_id, channel=row.channel, day=row.day).update(**fields)
    number = (row.day - profiles.EPOCH).days
    raise_revisions(np.array([row.meter_id]), np.array([number]), profiles.MINUTES_PER_DAY // len(row.kwh))
    ring("detection.score_pending")
    ring(running.STEP)
