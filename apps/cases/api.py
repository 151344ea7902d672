from datetime import UTC, datetime

from django.core.validators import MaxValueValidator, MinValueValidator
from django.urls import path
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.permissions import BasePermission

from apps.cases.models import Case
from apps.detection import reasons
from apps.grid.api_filters import InZone


class MaySeeCases(BasePermission):
    def has_permission(self, request, view):
        return request.user.has_perm("cases.view_case")


class CaseSerializer(serializers.ModelSerializer):
    consumer_id = serializers.CharField(source="consumer.number")
    zone = serializers.CharField(source="consumer.zone.code")
    assignee = serializers.CharField(source="assignee.username", default=None, allow_null=True)
    why = serializers.SerializerMethodField(help_text="One sentence: why we suspect.")
    outcome = serializers.CharField(source="inspection.outcome", default=None, allow_null=True)

    class Meta:
        model = Case
        fields = [
            *("id", "consumer_id", "zone", "status", "level", "kind", "risk", "why", "onset_on"),
            *("kwh_per_month", "money_per_month", "assignee", "opened_at", "closed_at", "outcome"),
        ]

    def get_why(self, case: Case) -> str:
        return reasons.summary(case.score)


class AfterFilter(filters.IsoDateTimeFilter):
    """In UTC: the database refuses offsets that the standard allows. The years leave room for any offset."""

    def __init__(self, field_name: str):
        reach = [
            MinValueValidator(datetime(1900, 1, 1, tzinfo=UTC)),
            MaxValueValidator(datetime(2999, 1, 1, tzinfo=UTC)),
        ]
        super().__init__(field_name, "gte", validators=reach)

    def filter(self, queryset, value: datetime | None):
        return super().filter(queryset, value and value.astimezone(UTC))


class CaseFilter(filters.FilterSet):
    zone = InZone("consumer__zone")
    opened_after = AfterFilter("opened_at")
    closed_after = AfterFilter("closed_at")

    class Meta:
        model = Case
        fields = ["status", "level", "kind"]


class Visible:
    permission_classes = [MaySeeCases]
    serializer_class = CaseSerializer

    def get_queryset(self):
        if getattr(self, "swagger_fake_view", False):  # the API's description is made without anybody asking
            return Case.objects.none()
        return Case.objects.visible_to(self.request.user).for_queue().select_related("score", "inspection")


@extend_schema(tags=["cases"])
class CaseList(Visible, generics.ListAPIView):
    """Cases, most suspicious first."""

    filterset_class = CaseFilter


@extend_schema(tags=["cases"])
class CaseDetail(Visible, generics.RetrieveAPIView):
    """One case."""


api_urls = [
    path("cases", CaseList.as_view(), name="api-cases"),
    path("cases/<int:pk>", CaseDetail.as_view(), name="api-case"),
]
