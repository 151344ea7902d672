"""Reasons in sentences, in the reader's language. `ml` keeps codes and English sentences; the wording is ours."""

from datetime import date

from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.detection.models import RiskScore
from apps.readings.models import MeterEvent
from ml import reasons as of_curves

SENTENCES = {
    **of_curves.SENTENCES,
    # The page shows more days than count: those that the sender estimated, and those of which too little came.
    "too_little_data": _("Too little data to score: %(days)s measured days, %(needed)s are needed."),
    "event_with_change": _("On %(at)s the meter reported: %(event)s. Its curve changed at the same time."),
    "event_alone": _(
        "On %(at)s the meter reported: %(event)s. Nothing changed in its curve then, and alone such reports are often"
        " false."
    ),
}
EVENTS = dict(MeterEvent.Code.choices)


def sentences(reasons: list[dict]) -> list[str]:
    return [sentence(reason["code"], reason["params"]) for reason in reasons]


def sentence(code: str, params: dict) -> str:
    return gettext(SENTENCES[code]) % {name: worded(value) for name, value in params.items()}


def worded(value):
    """ISO dates become the reader's dates, words and kinds of events the reader's words; others stay as they are."""
    if isinstance(value, str):
        if value in EVENTS:
            return EVENTS[value]
        try:
            return date_format(date.fromisoformat(value), "j M Y")
        except ValueError:
            return gettext(value) if value else value  # a theft by its words, which ml marks for translation
    return value


def summary(score: RiskScore) -> str:
    """One sentence: why we suspect."""
    return sentences(score.reasons[:1])[0] if score.reasons else gettext("Nothing in the readings looks suspicious.")
