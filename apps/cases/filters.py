"""What the queue can be narrowed to. Everything lives in the address, so a view can be shared and kept."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

import django_filters as filters
from django import forms
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.cases.models import Case
from apps.detection.models import Kind, RiskLevel
from apps.grid.models import Installation, Zone

LATE_AFTER = timedelta(days=14)
STATUSES = [("late", _("Open too long")), *((value, label) for value, label in Case.Status.choices), ("all", _("All"))]


def chosen_only(request) -> str:
    """The page's address with what was chosen and nothing else, for the address bar."""
    chosen = urlencode([(key, value) for key, value in request.GET.items() if value])
    return f"{request.path}?{chosen}" if chosen else request.path


def late(cases: QuerySet[Case]) -> QuerySet[Case]:
    """Open for longer than LATE_AFTER, and no visit is planned."""
    return cases.filter(status__in=[Case.Status.NEW, Case.Status.ASSIGNED], opened_at__lt=timezone.now() - LATE_AFTER)


class StableOrdering(filters.OrderingFilter):
    """Unknown values last in both directions, and one order for every page of a list."""

    def filter(self, qs, value):
        columns = [self.get_ordering_value(param) for param in value or [] if param]
        if not columns:
            return qs
        ordered = [
            F(column[1:]).desc(nulls_last=True) if column.startswith("-") else F(column).asc(nulls_last=True)
            for column in columns
        ]
        return qs.order_by(*ordered, "pk")


@dataclass(frozen=True)
class Column:
    heading: str
    css: str
    sort: str  # what the address says when the heading is clicked
    order: str  # "ascending", "descending", or empty while something else is sorted by


def columns(sorted_by: str) -> list[Column]:
    return [
        Column(
            heading,
            css,
            sort=("" if first.startswith("-") else "-") + first.lstrip("-") if sorted_by == first else first,
            order=""
            if sorted_by.lstrip("-") != first.lstrip("-")
            else "descending"
            if sorted_by.startswith("-")
            else "ascending",
        )
        for first, heading, css in COLUMNS
    ]


# What the first click sorts by: the worst, the dearest, the oldest.
COLUMNS = [
    ("-score", _("Level"), "what"),
    ("kind", _("Kind"), "kind"),
    ("consumer", _("Consumer"), "who-where"),
    ("zone", _("Place"), "place"),
    ("since", _("Since"), "num since"),
    ("-kwh", _("kWh / month"), "num kwh"),
    ("-money", _("Money / month"), "num money"),
    ("opened", _("Age"), "num age"),
    ("who", _("Who"), "who"),
]


class CaseFilter(filters.FilterSet):
    q = filters.CharFilter(method="search", label=_("Search"))
    level = filters.ChoiceFilter(choices=RiskLevel.choices, empty_label=_("Any level"), label=_("Level"))
    kind = filters.ChoiceFilter(choices=Kind.choices, empty_label=_("Any kind"), label=_("Kind"))
    zone = filters.ModelChoiceFilter(
        "consumer__zone",
        queryset=lambda request: Zone.objects.visible_to(request.user),
        label=_("Zone"),
        empty_label=_("Any zone"),
        to_field_name="code",
    )
    who = filters.ChoiceFilter(method="assigned", label=_("Assigned to"), empty_label=_("Anybody"))
    status = filters.ChoiceFilter(method="in_status", choices=STATUSES, empty_label=_("Open"), label=_("Status"))
    sort = StableOrdering(
        fields=[
            ("risk", "score"),
            ("kind", "kind"),
            ("consumer__number", "consumer"),
            ("consumer__zone__name", "zone"),
            ("onset_on", "since"),
            ("kwh_per_month", "kwh"),
            ("money_per_month", "money"),
            ("opened_at", "opened"),
            ("assignee__username", "who"),
        ],
        widget=forms.HiddenInput,
    )

    class Meta:
        model = Case
        fields: list[str] = []

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        people = [(str(person.pk), person.get_full_name() or person.username) for person in investigators()]
        self.filters["who"].extra["choices"] = [("me", _("Me")), ("nobody", _("Nobody")), *people]

    def filter_queryset(self, queryset):
        # Open cases are what a queue is for; the closed ones come when asked for.
        if not self.form.cleaned_data.get("status"):
            queryset = queryset.not_closed()
        return super().filter_queryset(queryset)

    def search(self, cases, name, value):
        return cases.filter(
            Q(consumer__number__icontains=value)
            | Q(consumer__name__icontains=value)
            | Q(consumer__address__icontains=value)
            | Q(consumer__in=Installation.objects.filter(meter__serial__icontains=value).values("consumer"))
        )

    def assigned(self, cases, name, value):
        if value == "nobody":
            return cases.filter(assignee=None)
        return cases.filter(assignee=self.request.user.pk if value == "me" else value)

    def in_status(self, cases, name, value):
        if value == "late":
            return late(cases)
        return cases if value == "all" else cases.filter(status=value)


def investigators() -> QuerySet[User]:
    """People who can be given a case."""
    may = Q(groups__permissions__codename="change_case") | Q(user_permissions__codename="change_case")
    return User.objects.filter(may, is_active=True).distinct().order_by("username")


def investigators_of(zone: Zone) -> QuerySet[User]:
    """A case is given to nobody who could not open it."""
    seen = Q(all_zones=True) | Q(is_superuser=True) | Q(zone_assignments__zone=zone)
    return investigators().filter(seen)


def counts_by_level(cases: QuerySet[Case]) -> dict[str, int]:
    """Level → number of cases, worst first, levels without any included."""
    found = dict(cases.order_by().values_list("level").annotate(Count("pk")))
    return {
        level: found.get(level, 0) for level in [RiskLevel.CRITICAL, RiskLevel.HIGH, RiskLevel.MEDIUM, RiskLevel.LOW]
    }
