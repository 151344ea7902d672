"""What the page Data quality says: hits by rule and zone, how they go, which meters are worst, how much came."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import django_filters as filters
from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Greatest, Least, TruncWeek
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.accounts.models import User
from apps.grid.models import Installation, Zone
from apps.readings.models import Completeness, HitCount, MeterState, ValidationHit, ValidationShard
from apps.readings.validation.rules import BY_NAME, RULES, Rule

SHOWN_DAYS = 28
TREND_WEEKS = 12
COMPLETENESS_DAYS = 42
WORST_SHOWN = 8
# Shares of what should have come, below which a day is a step darker.
STEPS = (0.999, 0.99, 0.95, 0.8)


def data_until_and_waiting() -> tuple[date | None, int]:
    """The last day with readings, and how many meters wait for validation."""
    pending = Q(revision__gt=F("validated_revision"))
    found = MeterState.objects.aggregate(until=Max("last_day"), waiting=Count("pk", filter=pending))
    return found["until"], found["waiting"]


def parked() -> int:
    """Meters whose validation stopped three times."""
    shards = ValidationShard.objects.filter(status=ValidationShard.Status.FAILED)
    return sum(len(ids) for ids in shards.values_list("meter_ids", flat=True))


@dataclass(frozen=True)
class Cell:
    """Hits of a rule in a zone over the days shown."""

    zone: Zone
    hits: int
    before: int  # in as many days before


@dataclass(frozen=True)
class Line:
    """A rule, zone by zone and over the weeks."""

    rule: Rule
    cells: list[Cell]
    hits: int
    before: int
    trend: list[int]  # hits that began in each week, oldest first

    @property
    def points(self) -> str:
        """Of an SVG polyline in a box of 100 by 20."""
        most, last = max(self.trend) or 1, len(self.trend) - 1
        return " ".join(f"{100 * at / last:.0f},{20 - 20 * hits / most:.1f}" for at, hits in enumerate(self.trend))


def lines(user: User, zones: list[Zone], until: date) -> list[Line]:
    counts = HitCount.objects.visible_to(user).order_by()
    since = until - timedelta(days=SHOWN_DAYS - 1)
    spans = {"now": (since, until), "earlier": (since - timedelta(days=SHOWN_DAYS), since - timedelta(days=1))}
    counted = {
        (rule, zone): numbers
        for rule, zone, *numbers in counts.values_list("rule", "zone").annotate(
            **{name: touching(*span) for name, span in spans.items()}
        )
    }
    monday = until - timedelta(days=until.weekday() + 7 * (TREND_WEEKS - 1))
    begun = counts.filter(day__gte=monday).values_list("rule", TruncWeek("day")).annotate(many=Sum("begun"))
    weeks = {(rule, week): many for rule, week, many in begun}
    mondays = [monday + timedelta(days=7 * number) for number in range(TREND_WEEKS)]
    found = []
    for rule in RULES:
        of_zone = {zone: numbers for (name, zone), numbers in counted.items() if name == rule.name}
        found.append(
            Line(
                rule=rule,
                cells=[Cell(zone, *of_zone.get(zone.pk, (0, 0))) for zone in zones],
                hits=sum(numbers[0] for numbers in of_zone.values()),
                before=sum(numbers[1] for numbers in of_zone.values()),
                trend=[weeks.get((rule.name, day), 0) for day in mondays],
            )
        )
    return found


def touching(first: date, last: date) -> Combinable:
    """How many hits lie in these days at least with one of theirs: those that began by the last and did not end before
    the first."""
    began = Sum("begun", filter=Q(day__lte=last), default=0)
    return began - Sum("ended", filter=Q(day__lt=first), default=0)


@dataclass(frozen=True)
class WorstMeter:
    """With the consumer and zone of its last hit."""

    serial: str
    number: str | None  # of its consumer
    zone: Zone | None
    days: int  # that were hit, each rule by itself
    rules: list[Rule]
    last_day: date


def worst_meters(user: User, zones: list[Zone], until: date) -> list[WorstMeter]:
    """Of the days shown, those with most days that a rule caught."""
    since = until - timedelta(days=SHOWN_DAYS - 1)
    shown = of_user(user).filter(last_day__gte=since, day__lte=until).order_by()
    hit_days = Sum(Least(F("last_day"), until) - Greatest(F("day"), since) + timedelta(days=1))
    days = dict(shown.values_list("meter").annotate(days=hit_days).order_by("-days", "meter")[:WORST_SHOWN])
    told = (
        ValidationHit.objects.visible_to(user)
        .filter(meter__in=days, last_day__gte=since, day__lte=until)
        .order_by("last_day", "day")
        .values_list("meter", "meter__serial", "fitted__consumer__number", "zone", "rule", "last_day")
    )
    by_meter: dict[int, list[tuple]] = {meter: [] for meter in days}
    for meter, *hit in told:
        by_meter[meter].append(hit)
    by_id = {zone.pk: zone for zone in zones}
    found = []
    for meter, hits in by_meter.items():
        serial, number, zone, _rule, last_day = hits[-1]
        names = sorted({rule for *_whose, rule, _last_day in hits} & BY_NAME.keys())
        found.append(
            WorstMeter(serial, number, by_id.get(zone), days[meter].days, [BY_NAME[name] for name in names], last_day)
        )
    return found


def share_in_words(share: float | None) -> str:
    """Rounded down: what is not complete never reads 100 %."""
    return "–" if share is None else _("%(share).1f %%") % {"share": int(1000 * share) / 10}


@dataclass(frozen=True)
class DayOfZone:
    day: date
    share: float | None  # None: nobody should have sent anything
    silent: int
    meters: int
    missing: int

    @property
    def iso(self) -> str:
        return self.day.isoformat()

    @property
    def words(self) -> str:
        return _("%(day)s: %(share)s came, %(missing)d readings missing, %(silent)d of %(meters)d meters silent") % {
            "day": date_format(self.day, "j M"),
            "share": share_in_words(self.share),
            "missing": self.missing,
            "silent": self.silent,
            "meters": self.meters,
        }

    @property
    def step(self) -> str:
        """How dark: 0 all came, 4 little came."""
        return "none" if self.share is None else str(sum(self.share < step for step in STEPS))


@dataclass(frozen=True)
class ZoneDays:
    zone: Zone
    days: list[DayOfZone]
    share: float  # of all days shown

    @property
    def share_words(self) -> str:
        return share_in_words(self.share)


def completeness(zones: list[Zone], until: date) -> list[ZoneDays]:
    first = until - timedelta(days=COMPLETENESS_DAYS - 1)
    stored = {
        (zone, day): numbers
        for zone, day, *numbers in Completeness.objects.filter(zone__in=zones, day__range=(first, until)).values_list(
            "zone", "day", "came", "expected", "silent", "meters"
        )
    }
    found = []
    for zone in zones:
        days = []
        for number in range(COMPLETENESS_DAYS):
            day = first + timedelta(days=number)
            came, expected, silent, meters = stored.get((zone.pk, day), (0, 0, 0, 0))
            days.append(DayOfZone(day, came / expected if expected else None, silent, meters, expected - came))
        came, expected = (sum(stored.get((zone.pk, one.day), (0, 0))[at] for one in days) for at in (0, 1))
        if expected:
            found.append(ZoneDays(zone, days, came / expected))
    return found


class HitFilter(filters.FilterSet):
    q = filters.CharFilter(method="named", label=gettext_lazy("Search"))
    rule = filters.ChoiceFilter(
        choices=[(rule.name, rule.label) for rule in RULES],
        empty_label=gettext_lazy("Any rule"),
        label=gettext_lazy("Rule"),
    )
    zone = filters.ModelChoiceFilter(
        "zone",
        queryset=lambda request: Zone.objects.visible_to(request.user).defer("area"),
        to_field_name="code",
        method="in_zone",
        empty_label=gettext_lazy("Any zone"),
        label=gettext_lazy("Zone"),
    )
    day = filters.DateFilter(method="on_day", label=gettext_lazy("Day"))

    class Meta:
        model = ValidationHit
        fields: list[str] = []

    def named(self, hits, name, value):
        return hits.filter(
            Q(meter__serial__icontains=value)
            | Exists(Installation.objects.filter(meter=OuterRef("meter"), consumer__number__icontains=value))
        )

    def in_zone(self, hits, name, value):
        return (hits if "zone" in hits.query.annotations else hits.located()).filter(zone=value.pk)

    def on_day(self, hits, name, value):
        return hits.filter(day__lte=value, last_day__gte=value)


def of_user(user: User) -> QuerySet[ValidationHit]:
    """Hits of the reader's zones. For who sees all of them nobody looks where each meter was, which takes a while."""
    return ValidationHit.objects.all() if user.sees_everything else ValidationHit.objects.visible_to(user)


def newest_first(hits: QuerySet[ValidationHit]) -> QuerySet[ValidationHit]:
    return hits.order_by("-last_day", "-day", "pk")


def for_list(hits: QuerySet[ValidationHit]) -> QuerySet[ValidationHit]:
    """Of located hits, what the list says of each."""
    return newest_first(
        hits.select_related("meter__state").annotate(
            consumer_number=F("fitted__consumer__number"), consumer_name=F("fitted__consumer__name")
        )
    )


def in_words(hit: ValidationHit) -> str:
    """What was found, short; `hit.meter.state` is at hand."""
    value, limit = hit.value or 0, hit.limit
    days = (hit.last_day - hit.day).days + 1
    time = "" if hit.first_slot is None else clock(hit.first_slot * hit.meter.state.interval_minutes)
    span = ngettext("%(n)d day", "%(n)d days", days) % {"n": days}
    amounts = {"value": value, "limit": limit or 0, "span": span, "time": time}
    if hit.rule in {"spike", "negative"} and time:
        return _("%(value).2f kWh at %(time)s, limit %(limit).2f") % amounts
    texts = {
        "gap": _("%(value).4g h missing") if days == 1 else _("up to %(value).4g h missing a day"),
        "zeros": _("nothing but zeros for %(span)s"),
        "stuck": _("the same value for %(span)s"),
        "high_usage": _("%(value).1f kWh a day, limit %(limit).1f"),
        "low_usage": _("%(value).1f kWh a day, limit %(limit).1f"),
        "time_shift": _("%(value)+.0f h"),
        "duplicate": ngettext("as the day before", "as %(value).0f days before", round(value)),
        "same_curve": _("%(value).0f meters alike"),
        "register": _("%(value).1f kWh apart, limit %(limit).1f"),
        "negative": _("%(value).2f kWh"),
    }
    return texts.get(hit.rule, "%(value)g") % amounts


def clock(minutes: int) -> str:
    """Of the utility's standard time."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


@dataclass(frozen=True)
class Row:
    """A line of the list."""

    hit: ValidationHit
    rule: Rule | None
    zone: Zone | None
    words: str


def rows(user: User, ids: Iterable[int], zones: list[Zone]) -> list[Row]:
    by_id = {zone.pk: zone for zone in zones}
    return [
        Row(hit, BY_NAME.get(hit.rule), by_id.get(hit.zone), in_words(hit))
        for hit in for_list(ValidationHit.objects.visible_to(user).filter(pk__in=list(ids)))
    ]
