from django.urls import path
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.permissions import BasePermission

from apps.cases.models import Case
from apps.detection import reasons


class MaySeeCases(BasePermission):
    def has_permission(self, request, view):
        return request.user.has_perm("cases.view_case")


class CaseSerializer(serializers.ModelSerializer):
    consumer_id = serializers.CharField(source="consumer.number")
    zone = serializers.CharField(source="consumer.zone.code")
    assignee = serializers.CharField(source="assignee.username", default=None)
    why = serializers.SerializerMethodField(help_text="One sentence: why we suspect.")
    outcome = serializers.CharField(source="inspection.outcome", default=None)

    class Meta:
        model = Case
        fields = [
            *("id", "consumer_id", "zone", "status", "level", "kind", "risk", "why", "onset_on"),
            *("kwh_per_month", "money_per_month", "assignee", "opened_at", "closed_at", "outcome"),
        ]

    def get_why(self, case: Case) -> str:
        return reasons.summary(case.score)


class CaseFilter(filters.FilterSet):
    zone = filters.CharFilter("consumer__zone__code")
    opened_after = filters.IsoDateTimeFilter("opened_at", "gte")
    closed_after = filters.IsoDateTimeFilter("closed_at", "gte")

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
