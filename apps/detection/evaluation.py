"""What a model is worth, as its page and the page Analytics tell it.

A summary is the dict of `ml.evaluation.held_out`: how a model did on cases that its training held back. A report of
`python -m ml evaluate` has the same keys and some more. Whatever a summary lacks is left out of the page.
"""

from dataclasses import dataclass

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.detection import feature_words, words
from apps.detection.models import Evaluation, ModelVersion

# Figure → what it is called, and what it means.
FIGURES = {
    "auc": (_("AUC"), _("How often a theft scores above an honest meter; chance is 0.50")),
    "average_precision": (
        _("average precision"),
        _("Precision averaged over all thefts from the top of the list down"),
    ),
    "precision_top5": (_("right, top 5 %"), _("Of the 5 % most suspicious meters, how many steal")),
    "recall_top10": (_("found, top 10 %"), _("Of all thefts, how many are among the 10 % most suspicious meters")),
    "detected_fpr1": (_("found at 1 % false alarms"), _("Of all thefts, when 1 % of the honest meters alarm")),
    "detected_fpr5": (_("found at 5 % false alarms"), _("Of all thefts, when 5 % of the honest meters alarm")),
}


@dataclass(frozen=True)
class Interval:
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Figure:
    word: str
    meaning: str
    own: Interval | None
    other: Interval | None  # of the plain rule, or of another model


def compared(summary: dict, other: dict | None) -> list[Figure]:
    """Headline figures of a summary beside another headline: {figure: {value, low, high}}."""
    headline = summary.get("headline") or {}
    return [
        Figure(word, meaning, interval(headline.get(name)), interval((other or {}).get(name)))
        for name, (word, meaning) in FIGURES.items()
        if name in headline or name in (other or {})
    ]


def interval(found: dict | None) -> Interval | None:
    return Interval(found["value"], found["low"], found["high"]) if found else None


def against_active(version: ModelVersion) -> tuple[ModelVersion | None, list[Figure]]:
    """The active version, and its figures beside those of this one."""
    active = ModelVersion.objects.filter(status=ModelVersion.Status.ACTIVE).exclude(pk=version.pk).first()
    return active, compared(version.held_out, active and active.held_out.get("headline"))


@dataclass(frozen=True)
class Bar:
    word: str
    group: str
    cases: int | None
    value: float
    plain: float | None  # the plain rule on the same cases
    length: float | None = None  # of the bar, where it is another than the value


def named(rows: list[dict] | None, value: str, *, highest_first: bool) -> list[Bar]:
    """Rows of a table by kind of change, as bars; those that deserve a look come first."""
    bars = [
        Bar(
            word=words.word(words.KINDS, row["kind"]),
            group=words.word(words.FAMILIES, row["family"]) if row.get("family") else "",
            cases=row.get("cases"),
            value=row[value],
            plain=row.get("plain_rule"),
        )
        for row in rows or []
        if row.get(value) is not None
    ]
    return sorted(bars, key=lambda bar: -bar.value if highest_first else bar.value)


def models(summary: dict) -> list[tuple[str, list[Figure]]]:
    """The detectors of a report side by side, each with its figures."""
    return [(gettext(row.get("title") or row["name"]), compared(row, None)) for row in summary.get("models") or []]


def weighed(rows: list[dict] | None) -> list[Bar]:
    """Features by their weight; the first is drawn at full length."""
    most = max((row["share"] for row in rows or []), default=0) or 1
    return [
        Bar(feature_words.word(row["name"]), "", None, row["share"], None, row["share"] / most) for row in rows or []
    ]


@dataclass(frozen=True)
class Audited:
    word: str
    value: str
    passed: bool | None


def audit(summary: dict) -> list[Audited]:
    """The leakage audit of a report: probes that would find a detector which reads something other than theft."""
    return [
        Audited(str(row["name"]).replace("_", " "), str(row.get("value", "")), row.get("passed"))
        for row in summary.get("audit") or []
    ]


def load(report: dict, *, name: str, version: ModelVersion | None) -> Evaluation:
    """Keep a report for the page: a summary as it is, a whole evaluation by its summary.

    Raises ValueError for what is neither.
    """
    if isinstance(report, dict) and "headline" not in report:
        from ml.evaluation.summary import summary  # noqa: PLC0415 only where a file is loaded

        try:
            report = summary(report)
        except (KeyError, TypeError, StopIteration) as error:
            raise ValueError(f"is no report of `python -m ml evaluate`: {error!r} is missing") from error
    if not isinstance(report, dict) or not isinstance(report.get("headline"), dict):
        raise ValueError("is no report of `python -m ml evaluate`")
    return Evaluation.objects.create(name=name, model_version=version, report=report)
