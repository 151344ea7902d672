"""Everything that speaks for or against a suspicion, gathered for the pages of a case and of a consumer."""

import json
from dataclasses import dataclass
from datetime import date

import numpy as np
from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import TruncDate
from django.urls import reverse
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.cases.filters import investigators_of
from apps.cases.forms import AssignForm, CloseForm, NoteForm
from apps.cases.models import Case
from apps.detection import charts, reasons, words
from apps.detection.models import EnergyBalance, RiskScore
from apps.grid.models import Connection, Consumer, Installation, Supply
from apps.inspections.models import Inspection
from apps.readings.models import MeterEvent
from apps.readings.profiles import chart_values
from apps.readings.validation import marks
from apps.readings.validation.marks import ReadingsQuality

NEIGHBOURS_SHOWN = 12
EVENTS_SHOWN = 20


@dataclass(frozen=True)
class Reported:
    """An event of the meter, and what the newest score that knows it made of it."""

    event: MeterEvent
    weight: float | None  # 0..1; None: not weighed yet
    note: str


@dataclass(frozen=True)
class Evidence:
    """Facts about a consumer, whoever asks for them."""

    connection: Connection | None
    neighbours: list[Consumer]  # worst first; each with `open_case`, the id of its open case
    curve: charts.Curve | None
    supplies: list[Supply]
    installations: list[Installation]
    reported: list[Reported]
    inspections: list[Inspection]
    quality: ReadingsQuality

    @property
    def neighbours_shown(self) -> list[Consumer]:
        return self.neighbours[:NEIGHBOURS_SHOWN]

    @property
    def neighbours_left_out(self) -> int:
        return len(self.neighbours) - len(self.neighbours_shown)


def evidence(consumer: Consumer, user: User, onset: date | None) -> Evidence:
    connection = Connection.objects.current().filter(consumer=consumer).select_related("transformer__feeder").first()
    neighbours = neighbours_of(connection, user)
    links = list(
        Installation.objects.filter(consumer__in=[consumer.pk, *(neighbour.pk for neighbour in neighbours)])
        .select_related("meter__state")
        .order_by("-valid")
    )
    installations = [link for link in links if link.consumer_id == consumer.pk]
    curve = charts.curve(consumer.pk, links, onset)
    return Evidence(
        connection=connection,
        neighbours=neighbours,
        curve=curve,
        supplies=list(consumer.supplies.select_related("contract").order_by("-valid")),
        installations=installations,
        reported=reported_at(consumer),
        inspections=list(consumer.inspections.standing().select_related("by")),
        quality=marks.of_consumer(installations, curve and curve.first_day, curve and curve.last_day),
    )


def reported_at(consumer: Consumer) -> list[Reported]:
    """The newest events, with what they were worth to the score that stands."""
    standing = getattr(consumer, "standing", None)
    kept = {one["id"]: one for one in standing.score.events} if standing else {}
    found = []
    for event in events_at(consumer)[:EVENTS_SHOWN]:
        one = kept.get(event.pk)
        note = words.event_note(one) if one else _("not weighed: newer than the score, or more than a year old")
        found.append(Reported(event, one and one["weight"], note))
    return found


def events_at(consumer: Consumer) -> QuerySet[MeterEvent]:
    """What meters reported while they measured this consumer, and not what they did elsewhere before or after."""
    here = Installation.objects.filter(consumer=consumer, meter=OuterRef("meter"), valid__contains=OuterRef("day"))
    return MeterEvent.objects.annotate(day=TruncDate("at")).filter(
        Exists(here), meter__in=consumer.installations.values("meter")
    )


def neighbours_of(connection: Connection | None, user: User) -> list[Consumer]:
    if connection is None:
        return []
    fed = Connection.objects.current().filter(transformer=connection.transformer_id)
    open_case = Case.objects.not_closed().filter(consumer=OuterRef("pk")).values("pk")
    return list(
        Consumer.objects.visible_to(user)
        .filter(pk__in=fed.values("consumer"))
        .exclude(pk=connection.consumer_id)
        .select_related("standing__score")
        .annotate(open_case=Subquery(open_case))
        .order_by(F("standing__score__score").desc(nulls_last=True), "number")
    )


def cases_of(user: User) -> QuerySet[Case]:
    """Cases as their page needs them, each with its neighbours in the queue: `case_before` and `case_after`."""
    queue = Case.objects.visible_to(user).not_closed()
    earlier = Q(risk__gt=OuterRef("risk")) | Q(risk=OuterRef("risk"), pk__lt=OuterRef("pk"))
    later = Q(risk__lt=OuterRef("risk")) | Q(risk=OuterRef("risk"), pk__gt=OuterRef("pk"))
    return (
        Case.objects.visible_to(user)
        .select_related(
            *("consumer__zone", "consumer__standing__score", "score__run"),
            *("assignee", "inspection", "closed_by"),
        )
        .annotate(
            case_before=Subquery(queue.filter(earlier).order_by("risk", "-pk").values("pk")[:1]),
            case_after=Subquery(queue.filter(later).order_by("-risk", "pk").values("pk")[:1]),
        )
    )


def everything_about(case: Case, user: User) -> dict:
    found = evidence(case.consumer, user, case.onset_on)
    may_change = user.has_perm("cases.change_case")
    may_assign = may_change and user.has_perm("cases.assign_case")
    return {
        "case": case,
        "consumer": case.consumer,
        "evidence": found,
        "summary": reasons.summary(case.score),
        "reasons": worded(case.score),
        "newer": newer_score(case),
        "suspicion": suspicion(case.score, found),
        "balance": balance_at(case.consumer, found, user),
        "currency": settings.CURRENCY,
        "tiles": settings.MAP_TILES_URL,
        "history": case.history.select_related("by").order_by("-at", "-pk"),
        "chart": chart(found, case.score),
        "place": place(case.consumer, found),
        "may_change": may_change,
        "assign_form": AssignForm(
            people=investigators_of(case.consumer.zone), initial={"to": case.assignee_id}, auto_id="assign_%s"
        )
        if may_assign
        else None,
        "close_form": CloseForm(auto_id="close_%s"),
        "note_form": NoteForm(),
    }


@dataclass(frozen=True)
class Suspicion:
    """What a score says beside its reasons, in words."""

    before_kwh: float | None  # a day
    after_kwh: float | None
    missing_kwh: float
    days: int | None  # since the onset, as far as data goes
    families: list[tuple[str, float]]
    benign: tuple[str, float] | None
    parts: list[tuple[str, float]]  # weightiest first
    notes: list[str]


def suspicion(score: RiskScore, found: Evidence) -> Suspicion:
    before, after = score.before_kwh, score.after_kwh
    if before is None and found.curve and (usual := found.curve.usual_days(score.onset_on)):
        before, after = usual
    return Suspicion(
        before_kwh=before,
        after_kwh=after,
        missing_kwh=score.missing_kwh,
        days=(score.data_until - score.onset_on).days + 1 if score.onset_on and score.data_until else None,
        families=[(words.word(words.FAMILIES, one["family"]), one["share"]) for one in score.families],
        benign=(words.word(words.KINDS, score.benign["name"]), score.benign["share"]) if score.benign else None,
        parts=sorted(score.parts.items(), key=lambda part: -part[1]),
        notes=words.notes(score.notes, score.reference_days),
    )


@dataclass(frozen=True)
class Balance:
    """The newest energy balance of a transformer, with those who explain it most, as far as the reader may see them."""

    found: EnergyBalance
    quality: str
    explained_by: list[tuple[Consumer, float]]  # weightiest first

    @property
    def explained_share(self) -> float:
        return sum(share for _consumer, share in self.explained_by)


def balance_at(consumer: Consumer, found: Evidence, user: User) -> Balance | None:
    """Of the transformer that feeds this consumer; None where none was drawn, or for somebody who may see none."""
    if found.connection is None or not user.has_perm("detection.view_energybalance"):
        return None
    of_transformer = EnergyBalance.objects.filter(transformer=found.connection.transformer_id)
    newest = of_transformer.defer("by_day").order_by("-run").first()
    return newest and balance_of(newest, [consumer, *found.neighbours])


def balance_of(found: EnergyBalance, seen: list[Consumer]) -> Balance:
    by_id = {consumer.pk: consumer for consumer in seen}
    explained_by = [(by_id[one["consumer"]], one["share"]) for one in found.explained_by if one["consumer"] in by_id]
    return Balance(found, words.word(words.QUALITIES, found.quality), explained_by)


def worded(score: RiskScore) -> list[dict]:
    """Reasons as sentences, with the share of the suspicion that each explains."""
    sentences = reasons.sentences(score.reasons)
    return [{**reason, "sentence": text} for reason, text in zip(score.reasons, sentences, strict=True)]


def newer_score(case: Case) -> RiskScore | None:
    """What the models think by now, where that is another score than the one that opened the case."""
    standing = getattr(case.consumer, "standing", None)
    return standing.score if standing and standing.score_id != case.score_id else None


def chart(found: Evidence, score: RiskScore | None) -> dict | None:
    """What static/curve.js draws; days are ISO dates."""
    if found.curve is None:
        return None
    marked = [
        {"day": link.valid.lower.isoformat(), "text": str(link.contract), "sort": "contract"}
        for link in found.supplies
        if link.valid.lower and link.valid.lower > found.curve.first_day
    ]
    marked += [
        {"day": link.valid.lower.isoformat(), "text": _("new meter %s") % link.meter, "sort": "meter"}
        for link in found.installations
        if link.valid.lower and link.valid.lower > found.curve.first_day
    ]
    marked += [
        {"day": localtime(one.event.at).date().isoformat(), "text": mark_of(one), "sort": "event"}
        for one in found.reported
    ]
    marked += [
        {"day": visit.inspected_on.isoformat(), "text": visit.get_outcome_display(), "sort": "visit"}
        for visit in found.inspections
    ]
    return {
        **found.curve.for_page(),
        "onset": score.onset_on.isoformat() if score and score.onset_on else None,
        "spans": score.spans if score else [],
        "marks": marked,
        **found.quality.for_chart(),
        **mean_days(found.curve, score and score.onset_on),
        "words": {
            "median": _("neighbours, median"),
            "onset": _("change"),
            "before": _("before"),
            "since": _("since"),
            "estimated": _("estimated"),
            "by_sender": _("estimated by the sender"),
            "exported": _("given to the grid"),
            "sent": _("sent:"),
            "of_hours": _("in {came} of {whole} h"),
        },
    }


def mark_of(one: Reported) -> str:
    """An event as the curve's mark names it: its weight tells whether it counted."""
    if one.weight is None:
        return one.event.words
    return _("%(event)s, weight %(weight).2f") % {"event": one.event.words, "weight": one.weight}


def mean_days(curve: charts.Curve, onset: date | None) -> dict:
    """The mean day before the onset and the one since, by the hours of the clock on the wall."""
    days = curve.mean_days(onset)
    if days is None:
        return {"mean_days": None}
    before, after = (chart_values(np.round(day, 3)) for day in days)
    return {"mean_days": {"before": before, "since": after}}


def place(consumer: Consumer, found: Evidence) -> dict | None:
    """What static/place.js draws, as GeoJSON; None while nobody knows the consumer's place."""
    if consumer.place is None:
        return None
    transformer = found.connection.transformer if found.connection else None
    return {
        "zone": geojson(consumer.zone.area),
        "feeder": geojson(transformer.feeder.path) if transformer else None,
        "transformer": {"name": transformer.code, "at": geojson(transformer.place)} if transformer else None,
        "consumer": {"name": consumer.number, "at": geojson(consumer.place)},
        "at_words": f"{consumer.place.x:.6f},{consumer.place.y:.6f}",
        "neighbours": [
            {
                "name": neighbour.number,
                "at": geojson(neighbour.place),
                "level": level_of(neighbour),
                "url": reverse("consumer", args=[neighbour.number]),
            }
            for neighbour in found.neighbours
            if neighbour.place
        ],
    }


def level_of(consumer: Consumer) -> str:
    standing = getattr(consumer, "standing", None)
    return standing.score.level if standing else "unscored"


def geojson(shape) -> dict | None:
    return json.loads(shape.geojson) if shape else None
