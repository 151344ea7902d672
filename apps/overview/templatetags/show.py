"""How values look on every page: risk levels, relative times, energy, money. A value that is not there is a dash."""

from datetime import date, datetime

from django import template
from django.conf import settings
from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _

from apps.cases.models import Case, CaseEvent
from apps.detection import words
from apps.detection.models import Kind, RiskLevel
from apps.grid.models import Zone
from apps.inspections.models import Outcome

register = template.Library()
NOTHING = "–"
ABSENT = (None, "")  # templates turn what does not exist into an empty text
_LEVELS = {"critical": 1, "high": 2, "medium": 3, "low": 4}
_STEPS = [(60, 3600, "min"), (3600, 86400, "h"), (86400, 14 * 86400, "d"), (7 * 86400, 70 * 86400, "w")]


@register.inclusion_tag("_level.html")
def level(value: str):
    """A shape of its own and the word."""
    return {"level": value, "word": RiskLevel(value).label if value in RiskLevel.values else value}


@register.filter
def kind_word(value: str) -> str:
    return Kind(value).label if value in Kind.values else NOTHING


@register.simple_tag
def part_word(name: str) -> str:
    if name not in words.PARTS:
        return words.word(words.PARTS, name)
    word, meaning = words.PARTS[name]
    return format_html('<span title="{}">{}</span>', meaning, word)


@register.filter
def number(value: float | None, decimals: int = 0) -> str:
    if value in ABSENT:
        return NOTHING
    return intcomma(f"{value:.{decimals}f}")


@register.filter
def kwh(value: float | None) -> str:
    return NOTHING if value in ABSENT else format_html("{}&nbsp;kWh", number(value))


@register.filter
def money(value: float | None) -> str:
    return NOTHING if value in ABSENT else format_html("{}&nbsp;{}", number(value), settings.CURRENCY)


@register.simple_tag
def worth(case: Case) -> str:
    """Money a month of a case. Without a price in the zone there is none, which is not the same as 0."""
    price = case.consumer.zone.price_per_kwh
    if not price:
        hint = _("The zone %(zone)s has no price for a kWh yet.") % {"zone": case.consumer.zone}
        return format_html('<span class="dim" title="{}">{}</span>', hint, NOTHING)
    # The zone may have got its price, or the consumer its zone, after the case was opened.
    return money(case.money_per_month or case.kwh_per_month * float(price))


@register.simple_tag
def worth_of(kwh: float | None, zone: Zone) -> str:
    """Money that so many kWh cost a consumer of the zone; empty where it has no price."""
    return money(kwh * float(zone.price_per_kwh)) if kwh and zone.price_per_kwh else ""


@register.filter
def percent(value: float | None) -> str:
    return NOTHING if value in ABSENT else format_html("{}&nbsp;%", number(100 * value))


@register.simple_tag
def per_day(kwh: float, days: int) -> str:
    return number(kwh / days, 1) if days else NOTHING


@register.simple_tag
def per_cent(share: float) -> str:
    """A share as CSS writes it, whatever the reader's language does to numbers."""
    return f"{100 * min(max(share, 0), 1):.1f}%"


@register.filter
def ago(value: datetime | date | None) -> str:
    """How long ago, short, with the exact time as title."""
    if value in ABSENT:
        return NOTHING
    if isinstance(value, datetime):
        exact = formats.date_format(timezone.localtime(value), "j M Y, H:i")
        seconds = (timezone.now() - value).total_seconds()
    else:
        exact = formats.date_format(value, "j M Y")
        seconds = (timezone.localdate() - value).total_seconds()
        if seconds == 0:
            return format_html('<time datetime="{}">{}</time>', value.isoformat(), _("today"))
    return format_html('<time datetime="{}" title="{}">{}</time>', value.isoformat(), exact, _short(seconds))


def _short(seconds: float) -> str:
    if seconds < 60:
        return _("<1 min")
    for size, limit, unit in _STEPS:
        if seconds < limit:
            return _UNITS[unit]() % {"n": seconds // size}
    if seconds < 2 * 365 * 86400:
        return _("%(n)d months") % {"n": seconds // (30.4 * 86400)}
    return _("%(n)d years") % {"n": seconds // (365 * 86400)}


_UNITS = {
    "min": lambda: _("%(n)d min"),
    "h": lambda: _("%(n)d h"),
    "d": lambda: _("%(n)d d"),
    "w": lambda: _("%(n)d weeks"),
}


@register.simple_tag(takes_context=True)
def with_query(context, **changes) -> str:
    """The page's own address with some of its query changed; an empty value takes the key out."""
    query = context["request"].GET.copy()
    for key, value in changes.items():
        if value in (None, ""):
            query.pop(key, None)
        else:
            query[key] = value
    return f"?{query.urlencode()}"


@register.simple_tag
def valid_words(valid) -> str:
    """The days of a link: a range without its end is still running."""
    first, end = (formats.date_format(day, "j M Y") if day else "" for day in (valid.lower, valid.upper))
    if end:
        return _("%(from)s to %(to)s") % {"from": first or "…", "to": end}
    return _("since %(from)s") % {"from": first} if first else ""


@register.simple_tag
def history_line(event: CaseEvent) -> str:
    """What happened, as the end of a sentence that begins with who did it."""
    detail, verb = event.detail, CaseEvent.Verb
    if event.verb == verb.ASSIGNED:
        return _("gave the case to %(to)s") % {"to": detail["to"]} if detail.get("to") else _("gave the case back")
    if event.verb == verb.MOVED:
        return _("moved it to: %(status)s") % {"status": Case.Status(detail["to"]).label}
    if event.verb == verb.CLOSED:
        return _("closed it: %(outcome)s") % {"outcome": Outcome(detail["outcome"]).label}
    return {
        verb.OPENED: _("opened the case"),
        verb.NOTED: _("wrote"),
        verb.REOPENED: _("took the closing back"),
    }[event.verb]
