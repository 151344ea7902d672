"""Imports of reference data for machines: files in, what became of them, and taking them back."""

from collections.abc import Iterator
from io import BytesIO

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.exceptions import APIException
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import BasePermission
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.file_bodies import JsonBody, RawBody, TooLarge, chunks_of, file_of, of_unknown_length, stated_beside
from apps.grid.models import Consumer, ReferenceImport
from apps.grid.reference import actions, kinds, replacing
from apps.unknown_names import refuse_unknown

ERROR_BODY = {"type": "object", "properties": {"detail": {"type": "string"}}}
Kind = ReferenceImport.Kind


class MaySeeReference(BasePermission):
    def has_permission(self, request, view):
        return request.user.has_perm(
            "grid.view_referenceimport" if request.method == "GET" else "grid.add_referenceimport"
        )


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class RefusedRowSerializer(serializers.Serializer):
    line = serializers.IntegerField()
    reason = serializers.CharField()
    text = serializers.CharField(allow_blank=True)


class ReferenceSerializer(serializers.ModelSerializer):
    url = serializers.SerializerMethodField()
    by = serializers.CharField(source="by.username")
    progress = serializers.SerializerMethodField(help_text="0 to 1 while it is worked on.")
    columns = serializers.DictField(child=serializers.CharField(), help_text="Column of the file by what it holds.")

    class Meta:
        model = ReferenceImport
        fields = [
            "id", "url", "name", "sender", "by", "at", "status", "error", "progress", "format", "kind", "columns",
            "as_of", "strict", "dry_run", "size", "sha256", "rows", "created", "changed", "same", "refused",
            "applied_at", "undone_at",
        ]  # fmt: skip

    def get_url(self, one: ReferenceImport) -> str:
        return self.context["request"].build_absolute_uri(reverse("api-reference", args=[one.pk]))

    def get_progress(self, one: ReferenceImport) -> float:
        return 1.0 if one.is_settled else one.fraction


class ReferenceDetailSerializer(ReferenceSerializer):
    refused_rows = serializers.SerializerMethodField(help_text="The first hundred.")

    class Meta(ReferenceSerializer.Meta):
        fields = [*ReferenceSerializer.Meta.fields, "refused_rows"]

    @extend_schema_field(RefusedRowSerializer(many=True))
    def get_refused_rows(self, one: ReferenceImport) -> list[dict]:
        return [dict(zip(("line", "reason", "text"), row, strict=True)) for row in one.refused_lines[:100]]


class OptionsSerializer(serializers.Serializer):
    sender = serializers.CharField(max_length=100, required=False, help_text="Who sends; default: the API client.")
    as_of = serializers.DateField(
        required=False, help_text="A link that changes without a day of its own changes on this day; default: today."
    )
    strict = serializers.BooleanField(required=False, default=False, help_text="Take nothing if one row is refused.")
    dry_run = serializers.BooleanField(
        required=False, default=False, help_text="Say what would be, and do nothing; a person may apply it yet."
    )


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class ColumnsField(serializers.JSONField):
    def to_internal_value(self, data):
        try:
            return super().to_internal_value(data)
        except RecursionError:  # a text that nests deeper than can be read
            self.fail("invalid")


class ReferenceOptionsSerializer(OptionsSerializer):
    kind = serializers.ChoiceField(Kind.choices, required=False, help_text="Default: recognised from the columns.")
    columns = ColumnsField(
        required=False,
        help_text="As JSON, beside `kind`: the column of the file by what it holds. Default: by their names.",
    )

    def validate(self, data: dict) -> dict:
        columns = data.get("columns")
        if columns is None:
            return data
        if "kind" not in data:
            raise serializers.ValidationError({"columns": ["State the `kind` too."]})
        known = kinds.KINDS[data["kind"]].by_name
        if not isinstance(columns, dict) or not all(isinstance(one, str) for one in columns.values()):
            raise serializers.ValidationError({"columns": ["Send an object of texts."]})
        if unknown := [name for name in columns if name not in known]:
            raise serializers.ValidationError({"columns": [f"{unknown[0]} is none of {', '.join(known)}."]})
        return data


class NewReferenceSerializer(ReferenceOptionsSerializer):
    file = serializers.FileField()


def options_as_parameters(*left_out: str) -> list[OpenApiParameter]:
    types = {"sender": str, "as_of": OpenApiTypes.DATE, "strict": bool, "dry_run": bool}
    return [
        OpenApiParameter(name, one, description=str(OptionsSerializer().fields[name].help_text))
        for name, one in types.items()
        if name not in left_out
    ]


class References(ListAPIView):
    """Imports of reference data that you may see, newest first; POST takes a file."""

    permission_classes = [MaySeeReference]
    parser_classes = [MultiPartParser, RawBody]
    serializer_class = ReferenceSerializer

    def get_queryset(self):
        return visible_imports(self.request).defer("preview", "refused_lines")

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        refuse_too_large(request)

    @extend_schema(tags=["reference data"])
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        tags=["reference data"],
        parameters=[
            OpenApiParameter("name", str, description="Name of the file, where the body is the file."),
            OpenApiParameter("kind", str, enum=Kind.values, description="Default: recognised from the columns."),
            OpenApiParameter("columns", str, description="JSON; the file's column by what it holds, beside `kind`."),
            *options_as_parameters(),
        ],
        request={"multipart/form-data": NewReferenceSerializer, "application/octet-stream": OpenApiTypes.BINARY},
        responses={200: ReferenceDetailSerializer, 202: ReferenceDetailSerializer, 413: ERROR_BODY, 507: ERROR_BODY},
    )
    def post(self, request):
        """Take a CSV or GeoJSON file, packed or not: as multipart form with the options beside it, or as the body
        itself with them in the query. Words that nobody knows are refused (400). 200: it is done, or has failed with
        its `error`. 202: it is large and a worker's; ask its `url`."""
        file = file_of(request)
        is_form = hasattr(file, "chunks")
        if not file or (not is_form and not isinstance(file, Iterator)):
            raise serializers.ValidationError({"file": ["Send the file in the field `file`, or as the body."]})
        stated = stated_beside(request, ReferenceOptionsSerializer().fields)
        name = stated.get("name") or (file.name if is_form else "")
        options = ReferenceOptionsSerializer(data=stated)
        options.is_valid(raise_exception=True)
        with refusals_answered():
            content = actions.received(file.chunks() if is_form else file)
        return taken(request, content, name, options.validated_data)


class refusals_answered:
    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, actions.NotKept):
            raise TooLarge(str(error)) from None


def refuse_too_large(request) -> None:
    # Before a byte of the body is read.
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.REFERENCE_MAX_BYTES + 64 * 1024:
        raise TooLarge(actions.too_large())


def json_of(request):
    """What the body says; one of unknown length is read here, up to what is taken."""
    stream = of_unknown_length(request)
    if stream is None:
        return request.data
    with refusals_answered():
        content = actions.received(chunks_of(stream))
    return JsonBody().parse(BytesIO(content))


def taken(request, content: bytes, name: str, options: dict) -> Response:
    sender = options.get("sender") or (request.auth.name if request.auth else request.user.get_username())
    with refusals_answered():
        found = actions.receive(
            content=content,
            name=name,
            sender=sender,
            by=request.user,
            kind=options.get("kind", ""),
            columns=options.get("columns"),
            as_of=options.get("as_of"),
            strict=options["strict"],
            confirm=not options["dry_run"],
            dry_run=options["dry_run"],
        )
    answer = ReferenceDetailSerializer(found, context={"request": request}).data
    return Response(answer, status.HTTP_200_OK if found.is_settled else status.HTTP_202_ACCEPTED)


class ReferenceDetail(RetrieveAPIView):
    """State, counts and refused rows of an import."""

    permission_classes = [MaySeeReference]
    serializer_class = ReferenceDetailSerializer

    def get_queryset(self):
        return visible_imports(self.request)

    @extend_schema(tags=["reference data"])
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class ReferenceUndo(APIView):
    permission_classes = [MaySeeReference]

    @extend_schema(
        tags=["reference data"],
        request=None,
        responses={200: ReferenceDetailSerializer, 202: ReferenceDetailSerializer, 409: ERROR_BODY},
    )
    def post(self, request, pk: int):
        """Make everything as it was before the import. 409: it was not applied, or what it wrote has changed since."""
        found = get_object_or_404(visible_imports(request), pk=pk)
        try:
            found = actions.undo(reference=found, by=request.user)
        except actions.MoveNotAllowed:
            raise Conflict("Only an import that is applied can be taken back.") from None
        if found.status == ReferenceImport.Status.APPLIED:
            raise Conflict(found.error)
        answer = ReferenceDetailSerializer(found, context={"request": request}).data
        return Response(answer, status.HTTP_200_OK if found.is_settled else status.HTTP_202_ACCEPTED)


def visible_imports(request):
    if not request.user.is_authenticated:  # the API's description is made without anybody asking
        return ReferenceImport.objects.none()
    return ReferenceImport.objects.visible_to(request.user).select_related("by")


class MeterReplacementSerializer(serializers.Serializer):
    consumer = serializers.CharField(max_length=64)
    serial = serializers.CharField(max_length=64, help_text="Of the new meter.")
    on = serializers.DateField(help_text="From this day on, the readings of the new meter count.")
    last_register_kwh = serializers.DecimalField(14, 3, required=False, allow_null=True, min_value=0)
    first_register_kwh = serializers.DecimalField(14, 3, required=False, allow_null=True, min_value=0)


class MeterReplacements(APIView):
    permission_classes = [MaySeeReference]
    parser_classes = [JsonBody]

    @extend_schema(
        tags=["reference data"],
        request=MeterReplacementSerializer,
        responses={
            200: ReferenceDetailSerializer,
            202: ReferenceDetailSerializer,
            400: {"type": "object", "additionalProperties": {}},
        },
    )
    def post(self, request):
        """A consumer's meter ends on a day and another begins; the consumer keeps one history across both. The answer
        is the import that did it, or `failed` with the `error`; it can be taken back like any other."""
        sent = json_of(request)
        stated = MeterReplacementSerializer(data=sent)
        if isinstance(sent, dict):
            refuse_unknown(sent, stated.fields)
        stated.is_valid(raise_exception=True)
        data = dict(stated.validated_data)
        number = data.pop("consumer")
        consumer = Consumer.objects.visible_to(request.user).filter(number=number).first()
        if consumer is None:
            raise serializers.ValidationError(
                {"consumer": ["There is none of this number, or it is not yours to see."]}
            )
        if faults := replacing.replacement_faults(consumer=consumer, serial=data["serial"], on=data["on"]):
            raise serializers.ValidationError({name: [reason] for name, reason in faults.items()})
        found = replacing.replace_meter(consumer=consumer, by=request.user, **data)
        answer = ReferenceDetailSerializer(found, context={"request": request}).data
        return Response(answer, status.HTTP_200_OK if found.is_settled else status.HTTP_202_ACCEPTED)


api_urls = [
    path("reference", References.as_view(), name="api-references"),
    path("reference/<int:pk>", ReferenceDetail.as_view(), name="api-reference"),
    path("reference/<int:pk>/undo", ReferenceUndo.as_view(), name="api-reference-undo"),
    path("grid/meter-replacements", MeterReplacements.as_view(), name="api-meter-replacements"),
]
