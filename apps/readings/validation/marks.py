"""The quality of one consumer's readings, for its page and its curve: hits, estimates, edits."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import JSONObject

from apps.accounts.models import User
from apps.grid.models import Installation, Meter
from apps.readings.models import Channel, LoadProfile, ReadingEdit, ValidationHit
from apps.readings.profiles import EPOCH, chart_values
from apps.readings.quality import Quality
from apps.readings.validation.checking import hours_ahead
from apps.readings.validation.reports import Row, in_words
from apps.readings.validation.rules import BY_NAME

HITS_DRAWN = 400
HITS_SHOWN = 8
KWH = ("kwh", "estimated_kwh")
HIT_FIELDS = ("pk", "rule", "day", "last_day", "first_slot", "slots", "value", "limit")
PERSON = ("username", "first_name", "last_name")
EDIT_FIELDS = (
    *("pk", "day", "verb", "note", "at", "undone_at"),
    *(f"{who}__{name}" for who in ("by", "undone_by") for name in PERSON),
)


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
    """Of the meters that `links` fitted at a consumer (each with `meter.state` at hand), while each was there;
    estimates of [first_day, last_day]. One question for all, as the page that asks has many."""
    meters = {link.pk: link.meter for link in links}
    told = Installation.objects.filter(pk__in=meters).annotate(
        hits=ArraySubquery(
            that_day(ValidationHit)
            .order_by("-last_day", "-day")
            .values(json=JSONObject(**as_fields(*HIT_FIELDS)))[:HITS_DRAWN]
        ),
        edits=ArraySubquery(that_day(ReadingEdit).order_by("-at").values(json=JSONObject(**as_fields(*EDIT_FIELDS)))),
        estimates=ArraySubquery(
            that_day(LoadProfile)
            .filter(channel=Channel.IMPORT, estimated_kwh__isnull=False)
            .filter(day__range=(first_day or date.max, last_day or date.max))
            .order_by("day")
            .values(json=JSONObject(**as_fields("day", "kwh", "estimated_kwh", "quality")))
        ),
    )
    rows = list(told.values_list("pk", "hits", "edits", "estimates"))
    hits = [hit_of(said, meters[pk]) for pk, hits, _edits, _estimates in rows for said in hits]
    edits = [edit_of(said) for _pk, _hits, edits, _estimates in rows for said in edits]
    return ReadingsQuality(
        hits=[Row(hit, BY_NAME.get(hit.rule), None, in_words(hit)) for hit in sorted(hits, key=last_day_of)[::-1]],
        edits=sorted(edits, key=lambda edit: edit.at, reverse=True),
        estimates=estimates_of(said for _pk, _hits, _edits, estimates in rows for said in estimates),
    )


def as_fields(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def that_day(model) -> QuerySet:
    """Rows of the meter that lie in the days of the installation."""
    return model.objects.filter(meter=OuterRef("meter")).filter(
        Exists(Installation.objects.filter(pk=OuterRef(OuterRef("pk")), valid__contains=OuterRef("day")))
    )


def last_day_of(hit: ValidationHit) -> tuple[date, date]:
    return hit.last_day, hit.day


def hit_of(said: dict, meter: Meter) -> ValidationHit:
    days = {name: date.fromisoformat(said[name]) for name in ("day", "last_day")}
    return ValidationHit(**{**said, **days}, meter=meter)


def edit_of(said: dict) -> ReadingEdit:
    by, undone_by = (User(**{name: said.pop(f"{who}__{name}") or "" for name in PERSON}) for who in ("by", "undone_by"))
    times = {name: said[name] and datetime.fromisoformat(said[name]) for name in ("at", "undone_at")}
    return ReadingEdit(
        **{**said, **times, "day": date.fromisoformat(said["day"])},
        by=by,
        undone_by=undone_by if times["undone_at"] else None,
    )


def estimates_of(rows: Iterable[dict]) -> Estimates:
    days, hours = [], []
    for said in rows:
        # JSON has no NaN: it comes as a text, which numpy reads.
        day, kwh, estimated = date.fromisoformat(said["day"]), *(np.array(said[of], float) for of in KWH)
        made_up = np.isfinite(estimated)
        whole = np.where(made_up, estimated, kwh)
        if np.isfinite(whole).all():
            days.append((said["day"], round(float(whole.sum()), 2), Quality.EDITED in (said["quality"] or [])))
        if len(whole) % 24 == 0:
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
