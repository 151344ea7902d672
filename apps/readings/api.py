"""Uploads for machines. The answer comes once the file and its row are safe; the import follows by itself."""

from collections.abc import Callable, Iterator

import django_filters as filters
from django.conf import settings
from django.db.models import Count, Sum
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, Throttled
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import BasePermission
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.file_bodies import RawBody, TooLarge, file_of, stated_beside
from apps.readings import actions, files, importers, pushing
from apps.readings.date_order import Order
from apps.readings.models import RejectedLine, Sender, Upload
from apps.readings.statements import Statement

REFUSAL = {"type": "object", "properties": {"detail": {"type": "string"}}, "required": ["detail"]}
MULTIPART_OVERHEAD_BYTES = 64 * 1024


class UploadFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=Upload.Status.choices)
    sender = filters.CharFilter("sender__name", help_text="Exact name of the sender.")
    since = filters.DateFilter("at", "date__gte", help_text="Uploads that came on this day or later.")
    until = filters.DateFilter("at", "date__lte", help_text="Uploads that came on this day or before.")

    class Meta:
        model = Upload
        fields: list[str] = []


class MaySeeUploads(BasePermission):
    def has_permission(self, request, view):
        return request.user.has_perm("readings.view_upload" if request.method == "GET" else "readings.add_upload")


class DiskFull(APIException):
    status_code = status.HTTP_507_INSUFFICIENT_STORAGE
    default_code = "disk_full"


class KeyUsedAlready(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = _(
        "This Idempotency-Key stands for an upload with other content. Send each file under a key of its own, and a"
        " repeated request with the very same bytes."
    )
    default_code = "key_used_already"


class StatementSerializer(serializers.Serializer):
    """What is left out is taken from the sender's last upload, then guessed from the content."""

    sender = serializers.CharField(max_length=100, required=False, help_text="Who sends; default: the API client.")
    timezone = serializers.CharField(
        max_length=64, required=False, help_text="Clock of stamps without a zone: Europe/London, UTC or +10:00."
    )
    stamps = serializers.ChoiceField(Sender.Stamps.choices, required=False, help_text="What of its period one marks.")
    measures = serializers.ChoiceField(Sender.Measures.choices, required=False)
    unit = serializers.ChoiceField(Sender.Unit.choices, required=False)
    multiplier = serializers.FloatField(required=False, help_text="What a value is multiplied by to be in the unit.")
    date_order = serializers.ChoiceField(
        Order.choices,
        required=False,
        error_messages={"invalid_choice": _("“{input}” is neither day_first nor month_first.")},
        help_text="Of dates such as 3/4/2026. Default: as the file's own dates tell, else as in this sender's earlier"
        " files, else as people write where the utility is. A file that contradicts what is stated fails, with the line"
        " that does.",
    )
    format = serializers.ChoiceField(
        [(name, one.label) for name, one in importers.BY_NAME.items()], required=False, help_text="Default: recognised."
    )

    def validate(self, data: dict) -> dict:
        stated = {key: value for key, value in data.items() if key != "sender"}
        faults = Statement(**{"timezone": "UTC", **stated}).faults()
        if faults:
            raise serializers.ValidationError(faults)
        return data


class NewUploadSerializer(StatementSerializer):
    file = serializers.FileField()


class UploadSerializer(serializers.ModelSerializer):
    url = serializers.SerializerMethodField()
    sender = serializers.CharField(source="sender.name")
    progress = serializers.SerializerMethodField(help_text="0 to 1 while it is being imported.")
    held_meters = serializers.SerializerMethodField(help_text="Unknown meters whose readings wait.")
    rejected_url = serializers.SerializerMethodField()
    date_order = serializers.CharField(
        help_text="How dates such as 3/4/2026 are read: day_first or month_first; empty where there are none."
    )
    date_order_why = serializers.CharField(
        help_text="How that is known: stated, seen (in the file), remembered (of the sender), likely (otherwise days"
        " would lie in the future, or hours on one day a month) or guessed (nothing tells)."
    )

    class Meta:
        model = Upload
        fields = [
            "id", "url", "name", "status", "error", "progress", "at", "imported_at", "sender", "size", "sha256",
            "format", "timezone", "stamps", "measures", "unit", "multiplier", "date_order", "date_order_why",
            "readings", "meters", "meters_registered", "held_meters", "days_new", "days_changed", "days_same",
            "register_reads", "events", "duplicates", "rejected", "rejected_url", "first_day", "last_day",
            "withdrawn_at",
        ]  # fmt: skip

    def get_url(self, upload: Upload) -> str:
        return self.context["request"].build_absolute_uri(reverse("api-upload", args=[upload.pk]))

    def get_rejected_url(self, upload: Upload) -> str:
        return self.context["request"].build_absolute_uri(reverse("api-upload-rejected", args=[upload.pk]))

    def get_progress(self, upload: Upload) -> float:
        if upload.status == Upload.Status.IMPORTED:
            return 1.0
        return upload.progress.fraction if hasattr(upload, "progress") else 0.0

    def get_held_meters(self, upload: Upload) -> list[str]:
        return [held.serial for held in upload.held.all()]


class TakenSerializer(UploadSerializer):
    already = serializers.BooleanField(help_text="True: the same content came before, and nothing was changed.")
    note = serializers.CharField(
        help_text="What of the statement had no effect, as the same content was taken before with another; else empty."
    )

    class Meta(UploadSerializer.Meta):
        fields = [*UploadSerializer.Meta.fields, "already", "note"]


class RejectedLineSerializer(serializers.ModelSerializer):
    class Meta:
        model = RejectedLine
        fields = ["line", "reason", "text"]


IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "maxLength": actions.KEY_LENGTH},
    OpenApiParameter.HEADER,
    description="Your name for this request, such as a UUID. Repeated with the same content it is answered with the"
    " same upload; with other content it is refused (409).",
)


def key_of(request) -> str:
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > actions.KEY_LENGTH or not key.isprintable() or key.startswith(pushing.COLLECTING):
        raise serializers.ValidationError(
            {
                "Idempotency-Key": [
                    _("At most %(most)d printable characters that do not begin with “%(ours)s”.")
                    % {"most": actions.KEY_LENGTH, "ours": pushing.COLLECTING}
                ]
            }
        )
    return key


def refuse_while_the_queue_is_long() -> None:
    """Back-pressure, asked before a byte of the body is read: what waits for import is as much as may wait."""
    count, size = Upload.objects.pending().aggregate(count=Count("pk"), size=Sum("size", default=0)).values()
    if count >= settings.UPLOADS_WAITING_MOST or size >= settings.UPLOADS_WAITING_MOST_BYTES:
        raise Throttled(
            settings.UPLOADS_RETRY_AFTER_SECONDS,
            _("%(count)d uploads wait for import, which is as many as may wait.") % {"count": count},
        )


class FormatOfTheFile(DefaultContentNegotiation):
    """Answers are JSON, and `format` in the query is what the file is in."""

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


class Uploads(ListAPIView):
    """Uploads that you may see, newest first; POST takes a file."""

    permission_classes = [MaySeeUploads]
    content_negotiation_class = FormatOfTheFile
    parser_classes = [MultiPartParser, RawBody]
    serializer_class = UploadSerializer
    filterset_class = UploadFilter

    def get_queryset(self):
        return visible_uploads(self.request)

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        # Before a byte of the body is read.
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.UPLOAD_MAX_BYTES + MULTIPART_OVERHEAD_BYTES:
            raise TooLarge(files.too_large())
        if request.method == "POST":
            refuse_while_the_queue_is_long()

    @extend_schema(tags=["uploads"])
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        tags=["uploads"],
        parameters=[
            OpenApiParameter("name", OpenApiTypes.STR, description="Name of the file, where the body is the file."),
            StatementSerializer,
            IDEMPOTENCY_KEY,
        ],
        filters=False,
        request={"multipart/form-data": NewUploadSerializer, "application/octet-stream": OpenApiTypes.BINARY},
        responses={
            202: TakenSerializer,
            200: TakenSerializer,
            409: REFUSAL,
            413: REFUSAL,
            429: OpenApiResponse(REFUSAL, "The import queue is long: try again after the seconds of `Retry-After`."),
            507: REFUSAL,
        },
    )
    def post(self, request):
        """Take a file: as multipart form with the statement's fields beside it, or as the body itself with the
        statement in the query, which may also stand beside a form. Words that nobody knows are refused (400). 202: the
        file is safe, and is imported in a moment; ask its `url` (also in `Location`). A file that cannot be read at all
        comes back with the status `failed` and its `error`. 200: the same content came before, and `note` says what of
        this statement had no effect."""
        key = key_of(request)
        file = file_of(request)
        is_form = hasattr(file, "chunks")
        if not file or (not is_form and not isinstance(file, Iterator)):
            raise serializers.ValidationError({"file": ["Send the file in the field `file`, or as the body."]})
        stated = stated_beside(request, StatementSerializer().fields)
        name = stated.get("name") or (file.name if is_form else "upload")
        serializer = StatementSerializer(data=stated)
        serializer.is_valid(raise_exception=True)
        statement = dict(serializer.validated_data)
        sender = sender_of(request, statement)
        return receive(request, file, name, sender, statement, key)


def sender_of(request, stated: dict) -> str:
    """Takes the sender out of what the request states."""
    return stated.pop("sender", None) or (request.auth.name if request.auth else request.user.get_username()[:100])


def receive(request, file, name: str, sender: str, statement: dict, key: str) -> Response:
    try:
        upload, is_new = actions.receive(
            file=file, name=name, sender=sender, statement=statement, by=request.user, confirm=True, key=key
        )
    except files.TooLarge as error:
        raise TooLarge(str(error)) from None
    except files.DiskFull as error:
        raise DiskFull(str(error)) from None
    except actions.KeyUsedAlready:
        raise KeyUsedAlready from None
    upload.already, upload.note = not is_new, "" if is_new else unused(upload, statement)
    answer = TakenSerializer(upload, context={"request": request}).data
    status_code = status.HTTP_202_ACCEPTED if is_new else status.HTTP_200_OK
    return Response(answer, status_code, headers={"Location": answer["url"]})


def unused(upload: Upload, statement: dict) -> str:
    """Says what of a statement had no effect, as the content was taken before with another."""
    asked = [name for name in StatementSerializer().fields if name != "sender" and statement.get(name)]
    others = {name: getattr(upload, name) for name in asked if getattr(upload, name) != statement[name]}
    if not others:
        return ""
    return _(
        "This content came before and was not read again. What is stated otherwise now had no effect; it was taken with"
        " %(taken)s. To have it read otherwise, withdraw that upload and send the file again."
    ) % {"taken": ", ".join(f"{name} {value or '–'}" for name, value in others.items())}


class UploadDetail(RetrieveAPIView):
    """Status, progress and counts of an upload."""

    permission_classes = [MaySeeUploads]
    serializer_class = UploadSerializer

    def get_queryset(self):
        return visible_uploads(self.request)

    @extend_schema(tags=["uploads"])
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class NotNow(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = _("The upload is not in a state in which this can be done to it. Ask its status.")
    default_code = "not_now"


class UploadVerb(APIView):
    """Something that is done to an upload, by a worker in a moment: ask its status."""

    permission_classes = [MaySeeUploads]
    verb: Callable[..., Upload]

    def post(self, request, pk: int):
        upload = get_object_or_404(visible_uploads(request), pk=pk)
        try:
            type(self).verb(upload=upload, by=request.user)
        except actions.MoveNotAllowed:
            raise NotNow from None
        upload = visible_uploads(request).get(pk=pk)
        return Response(UploadSerializer(upload, context={"request": request}).data, status.HTTP_202_ACCEPTED)


described = extend_schema(tags=["uploads"], request=None, responses={202: UploadSerializer, 409: REFUSAL})


class Withdraw(UploadVerb):
    """Take back what a wrong upload brought: what it replaced stands again."""

    verb = actions.withdraw

    @described
    def post(self, request, pk: int):
        return super().post(request, pk)


class Restore(UploadVerb):
    """Undo a withdrawal: the file is imported again."""

    verb = actions.restore

    @described
    def post(self, request, pk: int):
        return super().post(request, pk)


class RejectedLines(ListAPIView):
    """Lines of an upload that were not taken, each with its reason."""

    permission_classes = [MaySeeUploads]
    serializer_class = RejectedLineSerializer

    def get_queryset(self):
        if getattr(self, "swagger_fake_view", False):  # the API's description is made without anybody asking
            return RejectedLine.objects.none()
        upload = get_object_or_404(Upload.objects.visible_to(self.request.user), pk=self.kwargs["pk"])
        return upload.rejected_lines.order_by("line", "pk")

    @extend_schema(tags=["uploads"])
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


def visible_uploads(request):
    if not request.user.is_authenticated:  # the API's description is made without anybody asking
        return Upload.objects.none()
    return Upload.objects.visible_to(request.user).with_progress().prefetch_related("held")


api_urls = [
    path("uploads", Uploads.as_view(), name="api-uploads"),
    path("uploads/<int:pk>", UploadDetail.as_view(), name="api-upload"),
    path("uploads/<int:pk>/withdraw", Withdraw.as_view(), name="api-upload-withdraw"),
    path("uploads/<int:pk>/restore", Restore.as_view(), name="api-upload-restore"),
    path("uploads/<int:pk>/rejected", RejectedLines.as_view(), name="api-upload-rejected"),
]
