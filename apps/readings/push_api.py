"""Readings that machines push as JSON: small pushes are stored before the answer comes, large ones become uploads."""

from itertools import chain

from django.conf import settings
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.file_bodies import RawBody, TooLarge, file_of
from apps.readings import files, json_blocks, pushing
from apps.readings.api import (
    IDEMPOTENCY_KEY,
    REFUSAL,
    DiskFull,
    MaySeeUploads,
    StatementSerializer,
    TakenSerializer,
    key_of,
    receive,
    refuse_while_the_queue_is_long,
    sender_of,
)
from apps.readings.importers.base import FileFault
from apps.readings.intervals import INTERVALS
from apps.unknown_names import refuse_unknown


class Busy(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = _("A file with readings of these meters is being imported. Nothing was stored: send them again.")
    default_code = "busy"
    wait = 5  # seconds, in `Retry-After`


class BlockSerializer(serializers.Serializer):
    """Readings of one meter, one interval after another."""

    meter = serializers.CharField(max_length=64, help_text="Serial number of the meter.")
    start = serializers.CharField(
        max_length=40,
        help_text="Where the first interval starts: 2026-03-01T00:00:00Z, or with an offset. Without either it is a"
        " time of the query's `timezone`. Daily readings may name the day alone: 2026-03-01.",
    )
    interval_minutes = serializers.ChoiceField(INTERVALS.tolist())
    kwh = serializers.ListField(
        child=serializers.FloatField(allow_null=True),
        help_text="kWh of each interval, null where nothing was read; or a single number.",
    )
    channel = serializers.ChoiceField(list(json_blocks.CHANNELS), default="import")
    quality = serializers.ListField(
        child=serializers.ChoiceField(list(json_blocks.QUALITIES)),
        required=False,
        help_text="One word for each value, or a single word for all; measured, if it is left out.",
    )


class PushSerializer(serializers.Serializer):
    readings = BlockSerializer(many=True)


class RefusedReadingSerializer(serializers.Serializer):
    index = serializers.IntegerField(help_text="Place of the block in what was sent; the first is 0.")
    reason = serializers.CharField()
    text = serializers.CharField(help_text="What was refused: the block, or meter, time and value.")


class PushedSerializer(serializers.Serializer):
    readings = serializers.IntegerField(help_text="Readings that are stored now.")
    days = serializers.IntegerField(help_text="Days of meters that they belong to.")
    meters_registered = serializers.IntegerField(help_text="Meters that were not known before.")
    held_meters = serializers.ListField(
        child=serializers.CharField(), help_text="Unknown meters whose readings wait until they are registered."
    )
    repeated = serializers.IntegerField(help_text="Readings that this request named twice.")
    refused = serializers.IntegerField(help_text="Blocks and single readings that were not taken.")
    refusals = RefusedReadingSerializer(many=True, help_text="The first of them, each with its reason.")
    upload = serializers.URLField(
        allow_null=True, help_text="The upload that collects the day's pushes of this sender."
    )


class Readings(APIView):
    """Readings that are pushed as JSON."""

    permission_classes = [MaySeeUploads]
    parser_classes = [RawBody]

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        size = int(request.META.get("CONTENT_LENGTH") or 0)
        if size > settings.UPLOAD_MAX_BYTES:
            raise TooLarge(files.too_large())
        if size > settings.PUSH_MOST_BYTES:
            refuse_while_the_queue_is_long()

    @extend_schema(
        tags=["readings"],
        parameters=[
            OpenApiParameter("sender", OpenApiTypes.STR, description="Who sends; default: the API client."),
            OpenApiParameter("timezone", OpenApiTypes.STR, description="Clock of starts that name no zone."),
            IDEMPOTENCY_KEY,
        ],
        request={"application/json": PushSerializer, "application/x-ndjson": BlockSerializer},
        responses={
            200: OpenApiResponse(PushedSerializer, "All of it is stored."),
            207: OpenApiResponse(PushedSerializer, "Some of it is stored; `refusals` says what is not, and why."),
            422: OpenApiResponse(PushedSerializer, "Nothing of it can be taken."),
            202: OpenApiResponse(TakenSerializer, "It was large and became an upload; ask its address how it goes."),
            409: REFUSAL,
            413: REFUSAL,
            429: OpenApiResponse(REFUSAL, "The import queue is long: try again after the seconds of `Retry-After`."),
            503: OpenApiResponse(REFUSAL, "A file holds these meters: try again after the seconds of `Retry-After`."),
            507: REFUSAL,
        },
        examples=[
            OpenApiExample(
                "Two meters",
                {
                    "readings": [
                        {"meter": "M-1", "start": "2026-03-01T00:00:00Z", "interval_minutes": 60, "kwh": [0.41, 0.38]},
                        {"meter": "M-2", "start": "2026-03-01T00:00:00Z", "interval_minutes": 60, "kwh": 0.12},
                    ]
                },
                request_only=True,
            )
        ],
    )
    def post(self, request):
        """Push readings: blocks of a meter, a start, an interval and its kWh, as `{"readings": [...]}`, as a list, as
        one block, or a block on each line. A small push is stored before the answer comes: 200, 207 where some of it
        was refused, 422 where all of it was. A large one becomes an upload (202). Sending the same again changes
        nothing; another value for a time that is known replaces it."""
        stated = {}
        if request.query_params:  # most pushes state nothing, and a serializer takes long beside one
            refuse_unknown(request.query_params, ["sender", "timezone"])
            serializer = StatementSerializer(data=request.query_params)
            serializer.is_valid(raise_exception=True)
            stated = serializer.validated_data
        clock, sender = stated.get("timezone", ""), sender_of(request, stated)
        key = key_of(request)
        chunks = file_of(request)
        body = b""
        for chunk in chunks:
            body += chunk
            if len(body) > settings.PUSH_MOST_BYTES:
                statement = {**pushing.STATEMENT.as_dict(), "timezone": clock or "UTC", "format": ""}
                return receive(request, chain([body], chunks), "pushed.json", sender, statement, key)
        try:
            push = pushing.take(body=body, sender=sender, by=request.user, clock=clock)
        except FileFault as fault:
            raise serializers.ValidationError({"detail": str(fault)}) from None
        except files.DiskFull as error:
            raise DiskFull(str(error)) from None
        except pushing.Busy:
            raise Busy from None
        return Response(pushed(request, push), status_of(push))


def status_of(push: pushing.Push) -> int:
    if push.upload is None:
        return status.HTTP_422_UNPROCESSABLE_ENTITY
    return status.HTTP_207_MULTI_STATUS if push.rejects.count else status.HTTP_200_OK


def pushed(request, push: pushing.Push) -> dict:
    address = push.upload and request.build_absolute_uri(reverse("api-upload", args=[push.upload.pk]))
    return {
        "readings": push.taken,
        "days": push.days,
        "meters_registered": push.registered,
        "held_meters": push.held,
        "repeated": push.duplicates,
        "refused": push.rejects.count,
        "refusals": [{"index": line - 1, "reason": reason, "text": text} for line, reason, text in push.rejects.kept],
        "upload": address,
    }


api_urls = [path("readings", Readings.as_view(), name="api-readings")]
