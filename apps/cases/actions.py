"""The verbs of casework. Every change leaves a line in the case's history."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import Count, F, OuterRef, Q, Subquery, Window
from django.db.models.functions import RowNumber, TruncDate
from django.utils import timezone

from apps.accounts.models import User
from apps.cases import workflow
from apps.cases.models import Case, CaseEvent
from apps.detection.models import RiskLevel, RiskScore
from apps.grid.models import Zone
from apps.inspections.models import Inspection, Outcome

Verb = CaseEvent.Verb


@transaction.atomic
def open_pending() -> int:
    """Open cases for the best high and critical scores, as many as each zone's crews can still visit this week."""
    _one_opener_at_a_time()
    left = visits_left(timezone.now())
    candidates = candidates_for_cases().filter(consumer__zone__in=[zone for zone, visits in left.items() if visits > 0])
    ranked = candidates.annotate(
        rank=Window(RowNumber(), partition_by=F("consumer__zone_id"), order_by=[F("score").desc(), F("pk").asc()]),
        price=F("consumer__zone__price_per_kwh"),
        zone=F("consumer__zone_id"),
    ).filter(rank__lte=max(left.values(), default=0))
    cases = Case.objects.bulk_create(case_from(score) for score in ranked if score.rank <= left[score.zone])
    CaseEvent.objects.bulk_create(
        CaseEvent(case=case, verb=Verb.OPENED, detail={"score": round(case.risk, 3), "level": case.level})
        for case in cases
    )
    return len(cases)


def _one_opener_at_a_time() -> None:
    """Until the transaction ends. Two workers counting the same budget at once would spend it twice, and a case that is
    reopened beside one that is just opening would be a second open one of its consumer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('cases.open_pending'))")


def visits_left(now: datetime) -> dict[int, int]:
    """How many cases each zone may still open this week, which begins on Monday in the utility's civil time."""
    today = timezone.localtime(now)
    monday = (today - timedelta(days=today.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    this_week = Case.objects.filter(opened_at__gte=monday)
    opened = dict(this_week.values_list("consumer__zone").annotate(Count("pk")))
    return {zone.pk: zone.visit_budget - opened.get(zone.pk, 0) for zone in Zone.objects.all()}


def candidates_for_cases():
    """Standing high and critical scores without an open case.

    A consumer whose case was closed is a candidate again only for something that began after the closing: the same
    old curve does not send a second crew.
    """
    closed = Case.objects.filter(consumer=OuterRef("consumer"), status=Case.Status.CLOSED).order_by("-closed_at")
    return (
        RiskScore.objects.current()
        .filter(level__in=[RiskLevel.HIGH, RiskLevel.CRITICAL])
        .exclude(consumer__in=Case.objects.not_closed().values("consumer"))
        .annotate(last_closed_on=Subquery(closed.values(day=TruncDate("closed_at"))[:1]))
        .filter(Q(last_closed_on=None) | Q(onset_on__gt=F("last_closed_on")))
    )


def case_from(score: RiskScore) -> Case:
    """`score.price` is the zone's price per kWh."""
    return Case(
        consumer_id=score.consumer_id,
        score=score,
        level=score.level,
        kind=score.kind,
        risk=score.score,
        onset_on=score.onset_on,
        kwh_per_month=score.kwh_missing_per_month,
        money_per_month=round(Decimal(score.kwh_missing_per_month) * score.price, 2),
    )


@transaction.atomic
def assign(*, case: Case, to: User | None, by: User) -> Case:
    """Give the case to somebody, or back to the queue."""
    case = _locked(case)
    if case.assignee == to:
        return case
    status = case.status
    if status in {Case.Status.NEW, Case.Status.ASSIGNED}:
        status = Case.Status.ASSIGNED if to else Case.Status.NEW
    case.assignee, case.status = to, status
    case.save(update_fields=["assignee", "status"])
    case.history.create(by=by, verb=Verb.ASSIGNED, detail={"to": to.username if to else None})
    return case


@transaction.atomic
def move(*, case: Case, to: str, by: User) -> Case:
    case = _locked(case)
    workflow.check(case, to)
    case.history.create(by=by, verb=Verb.MOVED, detail={"from": case.status, "to": to})
    case.status = to
    case.save(update_fields=["status"])
    return case


@transaction.atomic
def note(*, case: Case, text: str, by: User) -> CaseEvent:
    return case.history.create(by=by, verb=Verb.NOTED, text=text)


@transaction.atomic
def close(
    *,
    case: Case,
    outcome: str,
    by: User,
    inspected_on: date | None = None,
    note: str = "",
    recovered_kwh: float | None = None,
) -> Case:
    """Record what the crew found and close the case."""
    case = _locked(case)
    workflow.check(case, Case.Status.CLOSED)
    case.inspection = Inspection.objects.create(
        consumer=case.consumer,
        outcome=Outcome(outcome),
        inspected_on=inspected_on or timezone.localdate(),
        by=by,
        note=note,
        recovered_kwh=recovered_kwh,
    )
    detail = {"outcome": case.inspection.outcome, "was": case.status}
    case.status, case.closed_at, case.closed_by = Case.Status.CLOSED, timezone.now(), by
    case.save(update_fields=["status", "closed_at", "closed_by", "inspection"])
    case.history.create(by=by, verb=Verb.CLOSED, detail=detail, text=note)
    return case


@transaction.atomic
def reopen(*, case: Case, by: User) -> Case:
    """Take a closing back: the case stands where it stood, and its inspection no longer counts."""
    _one_opener_at_a_time()
    case = _locked(case)
    if Case.objects.not_closed().filter(consumer=case.consumer).exists():
        raise workflow.MoveNotAllowed(case, Case.Status.NEW)
    was = case.history.filter(verb=Verb.CLOSED).latest("at", "pk").detail["was"]
    workflow.check(case, was)
    Inspection.objects.filter(pk=case.inspection_id).update(withdrawn_at=timezone.now())
    case.status, case.closed_at, case.closed_by, case.inspection = was, None, None, None
    case.save(update_fields=["status", "closed_at", "closed_by", "inspection"])
    case.history.create(by=by, verb=Verb.REOPENED)
    return case


def _locked(case: Case) -> Case:
    return Case.objects.select_for_update(of=["self"]).select_related("consumer", "assignee").get(pk=case.pk)
