"""Meters that registered nothing to the very last day. A stopped meter and an empty home have the same curve: the
contract decides, and not a score."""

from datetime import timedelta

from django.db import models
from django.db.models import Case, CharField, Count, Exists, F, OuterRef, QuerySet, Subquery, Value, When
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.cases.models import Case as OpenedCase
from apps.grid.models import Consumer, Supply

ZERO_DAYS = 7


class Contract(models.TextChoices):
    ACTIVE = "active", _("contract runs")
    ENDED = "ended", _("no contract runs")
    UNKNOWN = "unknown", _("no contract on file")


def for_list(user: User) -> QuerySet[Consumer]:
    """Consumers without any use for ZERO_DAYS or more, each with `contract` and `open_case`; who used most leads."""
    supplies = Supply.objects.filter(consumer=OuterRef("pk"))
    runs = supplies.current().filter(status=Supply.Status.ACTIVE)
    open_case = OpenedCase.objects.not_closed().filter(consumer=OuterRef("pk")).values("pk")
    return (
        Consumer.objects.visible_to(user)
        .filter(standing__score__zero_days__gte=ZERO_DAYS)
        .select_related("zone", "standing__score")
        .defer("zone__area")
        .annotate(
            contract=Case(
                When(Exists(runs), then=Value(Contract.ACTIVE)),
                When(Exists(supplies), then=Value(Contract.ENDED)),
                default=Value(Contract.UNKNOWN),
                output_field=CharField(),
            ),
            open_case=Subquery(open_case),
        )
        .order_by(F("standing__score__before_kwh").desc(nulls_last=True), "-standing__score__zero_days", "number")
    )


def counts(found: QuerySet[Consumer]) -> list[tuple[Contract, int]]:
    many = dict(found.order_by().values_list("contract").annotate(Count("pk")))
    return [(contract, many.get(contract, 0)) for contract in Contract]


def since(consumer: Consumer):
    """The first day of nothing."""
    score = consumer.standing.score
    return score.data_until and score.data_until - timedelta(days=score.zero_days - 1)
