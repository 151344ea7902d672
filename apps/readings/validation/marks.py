"""The quality of one consumer's readings, for its page and its curve: hits, estimates, edits."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from django.db.models import Q

from apps.grid.models import Installation
from apps.readings.models import Channel, LoadProfile, ReadingEdit, ValidationHit
from apps.readings.profiles import EPOCH, chart_values
from apps.readings.quality import Quality
from apps.readings.validation.checking import hours_ahead
from apps.readings.validation.reports import Row, in_words
from apps.readings.validation.rules import BY_NAME

HITS_DRAWN = 400
HITS_SHOWN = 8


@dataclass(frozen=True)
class Estimates:
    """Of days that hold some: kWh of the day with them, and of each hour that is not measured alone."""

    days: list[tuple[str, float, bool]]  # ISO day, kWh, whether it stands in for what was sent
    hours: list[tuple[str, int, float]]  # ISO day and hour by the clock on the wall, kWh


@dataclass(frozen=True)
class ReadingsQuality:
    hits: list[Row]  # newest first
    edits: list[ReadingEdit]  # newest first
    estimates: Estimates

    @property
    def shown(self) -> list[Row]:
        return self.hits[:HITS_SHOWN]

    @property
    def left_out(self) -> int:
        return len(self.hits) - len(self.shown)

    def for_chart(self) -> dict:
        """What static/curve.js draws under and over the curve."""
        return {
            "hits": [
                {
                    "first_day": row.hit.day.isoformat(),
                    "last_day": row.hit.last_day.isoformat(),
                    "text": f"{row.rule.label}: {row.words}" if row.rule else row.words,
                }
                for row in self.hits
            ],
            "estimated_days": self.estimates.days,
            "estimated_hours": self.estimates.hours,
        }


def of_consumer(links: list[Installation], first_day: date | None, last_day: date | None) -> ReadingsQuality:
    """Of the meters that `links` fitted at a consumer, while each was; estimates of [first_day, last_day]."""
    here = Q(pk__in=[])
    for link in links:
        days = Q(meter=link.meter_id)
        if link.valid.lower:
            days &= Q(day__gte=link.valid.lower)
        if link.valid.upper:
            days &= Q(day__lt=link.valid.upper)
        here |= days
    meters = [link.meter_id for link in links]
    hits = ValidationHit.objects.filter(here).select_related("meter__state").order_by("-last_day", "-day")
    return ReadingsQuality(
        hits=[Row(hit, BY_NAME.get(hit.rule), None, in_words(hit)) for hit in hits[:HITS_DRAWN]],
        edits=list(ReadingEdit.objects.filter(here).select_related("by", "undone_by").order_by("-at")),
        estimates=estimates_of(meters, first_day, last_day) if first_day else Estimates([], []),
    )


def estimates_of(meters: list[int], first_day: date, last_day: date) -> Estimates:
    rows = LoadProfile.objects.filter(
        meter__in=meters, channel=Channel.IMPORT, day__range=(first_day, last_day), estimated_kwh__isnull=False
    ).order_by("day")
    days, hours = [], []
    for day, kwh, estimated, quality in rows.values_list("day", "kwh", "estimated_kwh", "quality"):
        kwh, estimated = np.array(kwh, float), np.array(estimated, float)
        made_up = np.isfinite(estimated)
        whole = np.where(made_up, estimated, kwh)
        if np.isfinite(whole).all():
            days.append((day.isoformat(), round(float(whole.sum()), 2), Quality.EDITED in (quality or [])))
        if len(whole) >= 24:
            hours += by_hour(day, whole, made_up)
    return Estimates(days, hours)


def by_hour(day: date, kwh: np.ndarray, made_up: np.ndarray) -> list[tuple[str, int, float]]:
    ahead = int(hours_ahead(np.array([(day - EPOCH).days]))[0])
    found = []
    sums = chart_values(np.round(kwh.reshape(24, -1).sum(1), 3))
    for hour in np.flatnonzero(made_up.reshape(24, -1).any(1)):
        later, hour_of_day = divmod(int(hour) + ahead, 24)
        if sums[hour] is not None:
            found.append(((day + timedelta(days=later)).isoformat(), hour_of_day, sums[hour]))
    return found
