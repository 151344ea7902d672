"""What the rules caught, for machines."""

import django_filters as filters
from django.db.models.functions import Coalesce
from django.urls import path, reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import BasePermission

from apps.grid.api_filters import InZone
from apps.readings.models import ValidationHit
from apps.readings.validation import reports
from apps.readings.validation.rules import RULES


class MaySeeHits(BasePermission):
    def has_permission(self, request, view):
        return request.user.has_perm("readings.view_validationhit")


class ValidationHitSerializer(serializers.ModelSerializer):
    meter = serializers.CharField(source="meter.serial")
    consumer = serializers.CharField(
        source="consumer_number", allow_null=True, help_text="Whom the meter measured on the first day."
    )
    zone = serializers.CharField(source="zone_code", allow_null=True)
    url = serializers.SerializerMethodField(help_text="The consumer's page at the first day.")
    words = serializers.SerializerMethodField(help_text="What was found, for people.")

    class Meta:
        model = ValidationHit
        fields = [
            "id", "rule", "meter", "consumer", "zone", "channel", "day", "last_day", "first_slot", "slots", "value",
            "limit", "words", "url",
        ]  # fmt: skip
        extra_kwargs = {
            "rule": {"help_text": "Its name, see docs/validation.md."},
            "day": {"help_text": "The first day of the run."},
            "first_slot": {"help_text": "Of the first day, from 0; null: the day as a whole."},
            "slots": {"help_text": "So many readings of the first day."},
            "value": {"help_text": "What was measured, the worst of its days."},
        }

    def get_words(self, hit: ValidationHit) -> str:
        return reports.in_words(hit)

    def get_url(self, hit: ValidationHit) -> str | None:
        if hit.consumer_number is None:
            return None
        page = reverse("consumer", args=[hit.consumer_number])
        return self.context["request"].build_absolute_uri(f"{page}?day={hit.day.isoformat()}")


ZONE_CODE = Coalesce("fitted__consumer__zone__code", "meter__transformer__feeder__zone__code")


class OfMeters(filters.FilterSet):
    """What is told of meters, by whose they are; the rows carry `consumer_number` and `zone`."""

    zone = InZone("zone")
    meter = filters.CharFilter("meter__serial")
    consumer = filters.CharFilter("consumer_number")


class ApiHitFilter(OfMeters):
    rule = filters.ChoiceFilter(choices=[(rule.name, rule.label) for rule in RULES])
    since = filters.DateFilter("last_day", "gte", help_text="Hits that last until this day or later.")
    until = filters.DateFilter("day", "lte", help_text="Hits that begin on this day or before.")

    class Meta:
        model = ValidationHit
        fields: list[str] = []


class ValidationHits(ListAPIView):
    """What the rules caught in the readings of your zones, newest first. Days in a row are one hit."""

    permission_classes = [MaySeeHits]
    serializer_class = ValidationHitSerializer
    filterset_class = ApiHitFilter

    def get_queryset(self):
        if not self.request.user.is_authenticated:  # the API's description is made without anybody asking
            return ValidationHit.objects.none()
        hits = ValidationHit.objects.visible_to(self.request.user)
        return reports.for_list(hits).annotate(zone_code=ZONE_CODE)

    @extend_schema(tags=["readings"])
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


api_urls = [path("validation-hits", ValidationHits.as_view(), name="api-validation-hits")]
