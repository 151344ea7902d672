"""The page Analytics: what a model is worth on simulated cases, and what crews found where it sent them."""

from dataclasses import dataclass
from datetime import date

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncMonth
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.cases.models import Case
from apps.detection import evaluation
from apps.detection.models import Evaluation, ModelVersion
from apps.inspections.models import FINDS, Outcome
from apps.overview.home import HitRate, wilson

VERSIONS_OFFERED = 50


@dataclass(frozen=True)
class Source:
    """Where the figures of the page come from."""

    summary: dict
    version: ModelVersion | None
    evaluation: Evaluation | None


def chosen(model: str, report: str) -> Source:
    """By what the address asks for; by itself the active model, or the last report where that has no figures."""
    if report.isdecimal() and (found := Evaluation.objects.filter(pk=report[:18]).first()):
        return Source(found.report, found.model_version, found)
    versions = ModelVersion.objects.all()
    if model.isdecimal() and (version := versions.filter(pk=model[:18]).first()):
        return Source(version.held_out, version, None)
    active = versions.filter(status=ModelVersion.Status.ACTIVE).first()
    last = Evaluation.objects.first()
    if active and (active.held_out or last is None):
        return Source(active.held_out, active, None)
    return Source(last.report, last.model_version, last) if last else Source({}, None, None)


def everything(user: User, source: Source) -> dict:
    summary = source.summary
    return {
        "source": source,
        "summary": summary,
        "data": described(source),
        "figures": evaluation.compared(summary, summary.get("plain_rule")),
        "attacks": evaluation.named(summary.get("by_attack"), "detected", highest_first=False),
        "look_alikes": evaluation.named(summary.get("by_look_alike"), "false_alarms", highest_first=True),
        "importance": evaluation.weighed(summary.get("importance")),
        "audit": evaluation.audit(summary),
        "models": evaluation.models(summary),
        "confusion": summary.get("confusion"),
        "budget": summary.get("budget") or [],
        "curves": curves(summary),
        "field": field_results(user, source.version),
        "versions": ModelVersion.objects.defer("held_out").order_by("-pk")[:VERSIONS_OFFERED],
        "evaluations": Evaluation.objects.defer("report")[:VERSIONS_OFFERED],
    }


def described(source: Source) -> str:
    """On what data the figures are."""
    if source.evaluation or not source.summary:
        return source.summary.get("data") or "–"
    return _(
        "simulated theft and honest changes on meters of this utility that taught nothing; those that really steal"
        " count as honest, so this understates"
    )


def curves(summary: dict) -> dict:
    """What static/analytics.js draws, each a list of points; a table beside each picture says the same."""
    calibration = summary.get("calibration") or {}
    return {
        "roc": summary.get("roc") or [],
        "precision_recall": summary.get("precision_recall") or [],
        "calibration": [[point["predicted"], point["observed"]] for point in calibration.get("points", [])],
        "prevalence": summary.get("prevalence"),
        "words": {"chance": _("chance"), "own": _("this model"), "perfect": _("as stated")},
    }


@dataclass(frozen=True)
class Month:
    first_day: date
    hits: HitRate
    recovered_kwh: float


@dataclass(frozen=True)
class FieldResults:
    """What crews found at consumers whose case this model opened; visits that reached the meter count."""

    whole: HitRate | None
    months: list[Month]  # oldest first
    outcomes: list[tuple[str, int]]  # most frequent first


def field_results(user: User, version: ModelVersion | None) -> FieldResults:
    closed = Case.objects.visible_to(user).filter(status=Case.Status.CLOSED)
    if version:
        closed = closed.filter(score__run__model_version=version)
    reached = closed.exclude(inspection__outcome=Outcome.NO_ACCESS).order_by()
    by_month = (
        reached.annotate(month=TruncMonth("inspection__inspected_on"))
        .values_list("month")
        .annotate(
            visits=Count("pk"),
            finds=Count("pk", filter=Q(inspection__outcome__in=FINDS)),
            recovered=Sum("inspection__recovered_kwh"),
        )
        .order_by("month")
    )
    months = [Month(day, wilson(finds, visits), kwh or 0) for day, visits, finds, kwh in by_month]
    counted = closed.order_by().values_list("inspection__outcome").annotate(many=Count("pk")).order_by("-many")
    return FieldResults(
        whole=wilson(sum(m.hits.finds for m in months), sum(m.hits.visits for m in months)),
        months=months,
        outcomes=[(Outcome(outcome).label, many) for outcome, many in counted],
    )
