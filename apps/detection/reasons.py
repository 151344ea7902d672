"""Reasons in sentences, in the reader's language. `ml` keeps codes and English sentences; the wording is ours."""

from datetime import date

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from apps.detection.models import RiskScore
from ml.reasons import SENTENCES


def sentences(reasons: list[dict]) -> list[str]:
    return [sentence(reason["code"], reason["params"]) for reason in reasons]


def sentence(code: str, params: dict) -> str:
    return _(SENTENCES[code]) % {name: worded(value) for name, value in params.items()}


def worded(value):
    """ISO dates become the reader's dates, words the reader's words; other values stay as they are."""
    if isinstance(value, str):
        try:
            return date_format(date.fromisoformat(value), "j M Y")
        except ValueError:
            return _(value) if value else value  # a theft by its words, which ml marks for translation
    return value


def summary(score: RiskScore) -> str:
    """One sentence: why we suspect."""
    return sentences(score.reasons[:1])[0] if score.reasons else _("Nothing in the readings looks suspicious.")
