"""One consumer over time: what was measured, thought, visited and decided."""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.cases.casefile import Evidence
from apps.cases.models import Case
from apps.detection.models import RiskScore
from apps.grid.models import Consumer, Installation, Meter
from apps.readings.models import Channel, RegisterRead

SCORES_SHOWN = 60
PERIODS_SHOWN = 36
DATES_APART = 3  # parts of the axis of billing cycles: more dates have no room on a phone


@dataclass(frozen=True)
class Line:
    day: date
    what: str  # score, case, visit, event, edit, contract or meter
    text: str
    level: str = ""
    case_id: int | None = None


def scores_of(consumer: Consumer) -> list[RiskScore]:
    """The last scores, oldest first."""
    latest = consumer.risk_scores.select_related("run").order_by("-run_id")[:SCORES_SHOWN]
    return list(latest)[::-1]


def timeline(scores: list[RiskScore], cases: list[Case], found: Evidence) -> list[Line]:
    """Newest first. A score is a line only where the level changed."""
    lines = [
        Line(local_day(score.run.started_at), "score", kind_in_words(score), score.level)
        for before, score in zip([None, *scores], scores, strict=False)
        if before is None or before.level != score.level
    ]
    for case in cases:
        lines.append(Line(local_day(case.opened_at), "case", _("Case opened"), case.level, case.pk))
        if case.closed_at:
            outcome = case.inspection.get_outcome_display()
            lines.append(Line(local_day(case.closed_at), "case", _("Case closed: %s") % outcome, case_id=case.pk))
    lines += [Line(visit.inspected_on, "visit", visit.get_outcome_display()) for visit in found.inspections]
    lines += [Line(local_day(one.event.at), "event", one.event.words) for one in found.reported]
    for edit in found.quality.edits:
        named = {"day": date_format(edit.day, "j M Y"), "what": edit.get_verb_display(), "by": edit.by}
        lines.append(Line(local_day(edit.at), "edit", _("%(day)s %(what)s by %(by)s") % named))
        if edit.undone_at:
            named["by"] = edit.undone_by
            lines.append(Line(local_day(edit.undone_at), "edit", _("%(day)s no longer %(what)s: %(by)s") % named))
    lines += [
        Line(link.valid.lower, "contract", _("Contract %s begins") % link.contract)
        for link in found.supplies
        if link.valid.lower
    ]
    lines += [
        Line(link.valid.upper, "contract", _("Contract %s ends") % link.contract)
        for link in found.supplies
        if link.valid.upper
    ]
    lines += meter_lines(found.installations)
    return sorted(lines, key=lambda line: line.day, reverse=True)


def taken_by(consumer: Consumer, user: User) -> Consumer | None:
    """To whom the meter went that this consumer was made for, as far as the reader may see them."""
    visible = Consumer.objects.visible_to(user)
    links = Installation.objects.filter(meter__serial=consumer.number, consumer__in=visible)
    last = links.select_related("consumer").order_by("valid").last()
    return last and last.consumer


def kind_in_words(score: RiskScore) -> str:
    """What it looks like; of a consumer that could not be scored, why not, without the numbers of that day."""
    if score.score is None:
        return _("too little data")
    return score.get_kind_display() or _("no kind recognised")


def meter_lines(links: list[Installation]) -> list[Line]:
    """A meter that came on the day on which another went replaced it; with what the registers showed, where known."""
    went = {link.valid.upper: link for link in links if link.valid.upper}
    came = {link.valid.lower for link in links}
    lines = []
    for link in links:
        if link.valid.lower in went:
            old = went[link.valid.lower]
            named = {
                "old": at_register(old.meter, old.last_register_kwh),
                "new": at_register(link.meter, link.first_register_kwh),
            }
            lines.append(Line(link.valid.lower, "meter", _("Meter %(old)s replaced by %(new)s") % named))
        elif link.valid.lower:
            text = _("Meter %s installed") % at_register(link.meter, link.first_register_kwh)
            lines.append(Line(link.valid.lower, "meter", text))
        if link.valid.upper and link.valid.upper not in came:
            text = _("Meter %s removed") % at_register(link.meter, link.last_register_kwh)
            lines.append(Line(link.valid.upper, "meter", text))
    return lines


def at_register(meter: Meter, kwh: Decimal | None) -> str:
    if kwh is None:
        return str(meter)
    return _("%(meter)s (register %(kwh)s kWh)") % {"meter": meter, "kwh": intcomma(f"{kwh.normalize():f}")}


def local_day(moment) -> date:
    return timezone.localtime(moment).date()


def sparkline(scores: list[RiskScore]) -> str:
    """Points of an SVG polyline in a box of 100 by 20; empty for fewer than two scores."""
    known = [score.score for score in scores if score.score is not None]
    if len(known) < 2:
        return ""
    return " ".join(f"{100 * index / (len(known) - 1):.1f},{20 - 20 * value:.1f}" for index, value in enumerate(known))


@dataclass(frozen=True)
class Period:
    """A billing cycle of a consumer, as its meter's register was read."""

    read: RegisterRead

    @property
    def days(self) -> int:
        return (self.read.end - self.read.start).days + 1

    @property
    def kwh_per_day(self) -> float:
        return float(self.read.kwh) / self.days


def billing_periods(found: Evidence) -> list[Period]:
    """The last cycles in which the meter was this consumer's, oldest first."""
    reads = RegisterRead.objects.filter(
        meter__in=[link.meter_id for link in found.installations], channel=Channel.IMPORT
    ).order_by("-end", "-start")
    own = [
        read
        for read in reads[: 2 * PERIODS_SHOWN]
        if any(
            link.meter_id == read.meter_id
            and (link.valid.lower is None or link.valid.lower <= read.start)
            and (link.valid.upper is None or read.end < link.valid.upper)
            for link in found.installations
        )
    ]
    return [Period(read) for read in own[:PERIODS_SHOWN]][::-1]


@dataclass(frozen=True)
class Steps:
    """Mean kWh a day over each cycle, and what the axes say."""

    path: str  # SVG, in a box of 600 by 100; a gap where a time was not read
    top: float  # kWh a day at the upper edge
    dates: list[date]  # equally far apart, the last one after the last cycle

    @property
    def half(self) -> float:
        return self.top / 2


def steps(periods: list[Period]) -> Steps | None:
    if not periods:
        return None
    first, last = periods[0].read.start, max(next_begin(period) for period in periods)
    top = round_above(max(period.kwh_per_day for period in periods))
    drawn, end = [], None
    for period in periods:
        left, right = (
            600 * (day - first).days / (last - first).days for day in (period.read.start, next_begin(period))
        )
        height = 100 - 100 * period.kwh_per_day / top
        drawn.append(f"{'L' if end == period.read.start else 'M'}{left:.1f},{height:.1f}H{right:.1f}")
        end = next_begin(period)
    return Steps("".join(drawn), top, [first + part * (last - first) / DATES_APART for part in range(DATES_APART + 1)])


def round_above(kwh: float) -> float:
    """1, 2 or 5 times a power of ten."""
    if kwh <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(kwh))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= kwh)


def next_begin(period: Period) -> date:
    """The day on which the next cycle begins."""
    return period.read.end + timedelta(days=1)
