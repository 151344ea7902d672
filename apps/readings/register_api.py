"""What registers counted between two reads, such as the months of a bill, for machines."""

import django_filters as filters
from django.db.models import F
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView

from apps.readings.models import Channel, RegisterRead
from apps.readings.validation_api import ZONE_CODE, MaySeeHits, OfMeters

CHANNELS = {Channel.IMPORT: "import", Channel.EXPORT: "export"}


class RegisterReadSerializer(serializers.ModelSerializer):
    meter = serializers.CharField(source="meter.serial")
    consumer = serializers.CharField(
        source="consumer_number", allow_null=True, help_text="Whom the meter measured on the first day."
    )
    zone = serializers.CharField(source="zone_code", allow_null=True)
    channel = serializers.SerializerMethodField()
    kwh = serializers.FloatField()

    class Meta:
        model = RegisterRead
        fields = ["id", "meter", "consumer", "zone", "channel", "start", "end", "kwh", "estimated", "upload"]
        extra_kwargs = {
            "start": {"help_text": "The first day of the period."},
            "end": {"help_text": "The last day that counts."},
            "estimated": {"help_text": "Its sender estimated one of the two reads."},
            "upload": {"help_text": "Which upload brought it, see /api/v1/uploads/{id}."},
        }

    def get_channel(self, read: RegisterRead) -> str:
        return CHANNELS[read.channel]


class RegisterReadFilter(OfMeters):
    channel = filters.TypedChoiceFilter(
        "channel",
        choices=[(name, name) for name in CHANNELS.values()],
        coerce={name: value for value, name in CHANNELS.items()}.get,
    )
    since = filters.DateFilter("end", "gte", help_text="Periods that last until this day or later.")
    until = filters.DateFilter("start", "lte", help_text="Periods that begin on this day or before.")

    class Meta:
        model = RegisterRead
        fields: list[str] = []


class RegisterReads(ListAPIView):
    """What registers of the meters in your zones counted between two reads, latest first: months, billing cycles."""

    permission_classes = [MaySeeHits]  # who may see what was found in readings may see these
    serializer_class = RegisterReadSerializer
    filterset_class = RegisterReadFilter

    def get_queryset(self):
        if not self.request.user.is_authenticated:  # the API's description is made without anybody asking
            return RegisterRead.objects.none()
        return (
            RegisterRead.objects.visible_to(self.request.user)
            .select_related("meter")
            .annotate(consumer_number=F("fitted__consumer__number"), zone_code=ZONE_CODE)
            .order_by("-end", "-start", "meter__serial", "channel")
        )

    @extend_schema(tags=["readings"])
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


api_urls = [path("register-reads", RegisterReads.as_view(), name="api-register-reads")]
