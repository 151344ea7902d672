"""Pages about energy balances: which transformers lose energy that nobody reports, and who explains it."""

from dataclasses import dataclass

import django_filters as filters
from django.db.models import ExpressionWrapper, F, FloatField, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.cases.casefile import Balance, balance_of
from apps.cases.models import Case
from apps.detection.models import EnergyBalance
from apps.grid.models import Consumer, Transformer, Zone


def for_list(user: User) -> QuerySet[EnergyBalance]:
    """The newest balance of each transformer: the reliable ones first, and of them those that lose most a day."""
    per_day = ExpressionWrapper(F("unexplained_kwh") / F("days"), output_field=FloatField())
    return (
        EnergyBalance.objects.visible_to(user)
        .latest()
        .filter(days__gt=0)
        .select_related("transformer__feeder__zone")
        .defer("by_day", "transformer__feeder__path", "transformer__feeder__zone__area")
        .annotate(lost=per_day, doubtful=~Q(quality__in=EnergyBalance.RELIABLE))
        .order_by("doubtful", "-lost", "pk")
    )


class BalanceFilter(filters.FilterSet):
    zone = filters.ModelChoiceFilter(
        "transformer__feeder__zone",
        queryset=lambda request: Zone.objects.visible_to(request.user).defer("area"),
        to_field_name="code",
        empty_label=_("Any zone"),
        label=_("Zone"),
    )
    q = filters.CharFilter("transformer__code", "icontains", label=_("Search"))
    quality = filters.ChoiceFilter(
        choices=[("reliable", _("Reliable only"))], method="reliable", empty_label=_("Any quality"), label=_("Quality")
    )

    class Meta:
        model = EnergyBalance
        fields: list[str] = []

    def reliable(self, balances, name, value):
        return balances.reliable()


@dataclass(frozen=True)
class Row:
    """A line of the list: the balance, its quality in words, and who explains the gap, as far as the reader may see."""

    balance: Balance
    transformer: Transformer


def rows(user: User, page) -> list[Row]:
    named = {one["consumer"] for balance in page for one in balance.explained_by}
    seen = list(Consumer.objects.visible_to(user).filter(pk__in=named))
    return [Row(balance_of(balance, seen), balance.transformer) for balance in page]


def at_transformer(user: User, transformer: Transformer) -> dict:
    """The transformer's newest balance, its days for the chart, and everybody whom it feeds."""
    newest = transformer.balances.order_by("-run").first()
    open_case = Case.objects.not_closed().filter(consumer=OuterRef("pk")).values("pk")
    fed = (
        Consumer.objects.visible_to(user)
        .filter(connections__transformer=transformer, connections__valid__upper_inf=True)
        .select_related("standing__score")
        .annotate(open_case=Subquery(open_case))
        .order_by(F("standing__score__score").desc(nulls_last=True), "number")
    )
    consumers = list(fed)
    balance = newest and balance_of(newest, consumers)
    share_of = {consumer.pk: share for consumer, share in balance.explained_by} if balance else {}
    consumers.sort(key=lambda consumer: -share_of.get(consumer.pk, 0))  # the others stay as they are
    return {
        "transformer": transformer,
        "balance": balance,
        "consumers": [(consumer, share_of.get(consumer.pk)) for consumer in consumers],
        "days": newest
        and newest.by_day
        | {
            "words": {
                "delivered": str(_("delivered")),
                "reported": str(_("reported by meters")),
                "loss": str(_("technical loss expected")),
                "unexplained": str(_("unexplained")),
            }
        },
    }
