"""What stands on the ground, for machines: zones to consumers out, and lists of meters and consumers in."""

import django_filters
from django.contrib.gis.db.models.functions import AsGeoJSON
from django.db.models import Exists, JSONField, OuterRef, Prefetch
from django.db.models.functions import Cast
from django.urls import path
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import BasePermission
from rest_framework.response import Response

from apps.file_bodies import JsonBody
from apps.grid.api_filters import InZone, Text
from apps.grid.models import (
    Connection,
    Consumer,
    Feeder,
    Installation,
    Meter,
    Supply,
    Transformer,
    Zone,
)
from apps.grid.reference import actions, kinds
from apps.grid.reference.api import (
    ERROR_BODY,
    Kind,
    OptionsSerializer,
    ReferenceDetailSerializer,
    json_of,
    options_as_parameters,
    refuse_too_large,
    taken,
)
from apps.grid.reference.api import api_urls as reference_urls
from apps.unknown_names import refuse_unknown

MOST_ROWS_AT_ONCE = 10_000


class MaySeeGrid(BasePermission):
    def has_permission(self, request, view):
        return request.user.has_perm("grid.view_consumer" if request.method == "GET" else "grid.add_referenceimport")


def as_geojson(name: str):
    return Cast(AsGeoJSON(name, precision=6), JSONField())


@extend_schema_field(
    {"type": "object", "nullable": True, "description": "GeoJSON geometry, WGS84.", "additionalProperties": {}}
)
class ShapeField(serializers.JSONField):
    pass


class DaysSerializer(serializers.Serializer):
    since = serializers.DateField(source="valid.lower", allow_null=True)
    until = serializers.DateField(source="valid.upper", allow_null=True, help_text="The first day without it.")


class ZoneSerializer(serializers.ModelSerializer):
    area = ShapeField(source="shape", read_only=True)

    class Meta:
        model = Zone
        fields = ["code", "name", "price_per_kwh", "visits_per_week", "area"]


class FeederSerializer(serializers.ModelSerializer):
    zone = serializers.CharField(source="zone.code")
    path = ShapeField(source="shape", read_only=True)

    class Meta:
        model = Feeder
        fields = ["code", "zone", "path"]


class TransformerSerializer(serializers.ModelSerializer):
    feeder = serializers.CharField(source="feeder.code")
    zone = serializers.CharField(source="feeder.zone.code")
    sum_meter = serializers.CharField(source="sum_meter.serial", allow_null=True, default=None)
    place = ShapeField(source="shape", read_only=True)

    class Meta:
        model = Transformer
        fields = ["code", "feeder", "zone", "capacity_kva", "sum_meter", "place"]


class MeterPlaceSerializer(DaysSerializer):
    consumer = serializers.CharField(source="consumer.number")
    first_register_kwh = serializers.DecimalField(max_digits=14, decimal_places=3, allow_null=True)
    last_register_kwh = serializers.DecimalField(max_digits=14, decimal_places=3, allow_null=True)


class MeterSerializer(serializers.ModelSerializer):
    installations = MeterPlaceSerializer(many=True, help_text="Where it measured, newest first.")

    class Meta:
        model = Meter
        fields = ["serial", "kind", "closed_on", "installations"]


class ConsumerMeterSerializer(DaysSerializer):
    serial = serializers.CharField(source="meter.serial")
    first_register_kwh = serializers.DecimalField(max_digits=14, decimal_places=3, allow_null=True)
    last_register_kwh = serializers.DecimalField(max_digits=14, decimal_places=3, allow_null=True)


class ConsumerTransformerSerializer(DaysSerializer):
    code = serializers.CharField(source="transformer.code")


class ConsumerContractSerializer(DaysSerializer):
    number = serializers.CharField(source="contract.number")
    tariff = serializers.CharField(source="contract.tariff")
    status = serializers.ChoiceField(Supply.Status.choices)


class GridConsumerSerializer(serializers.ModelSerializer):
    zone = serializers.CharField(source="zone.code")
    place = ShapeField(source="shape", read_only=True)
    meters = ConsumerMeterSerializer(source="installations", many=True)
    transformers = ConsumerTransformerSerializer(source="connections", many=True)
    contracts = ConsumerContractSerializer(source="supplies", many=True)

    class Meta:
        model = Consumer
        fields = ["number", "name", "address", "kind", "zone", "place", "meters", "transformers", "contracts"]


class FeederFilter(django_filters.FilterSet):
    code = Text(help_text="Exact code.")
    zone = InZone("zone")

    class Meta:
        model = Feeder
        fields = ["code", "zone"]


class ZoneFilter(django_filters.FilterSet):
    code = Text(help_text="Exact code.")

    class Meta:
        model = Zone
        fields = ["code"]


class TransformerFilter(django_filters.FilterSet):
    code = Text(help_text="Exact code.")
    zone = InZone("feeder__zone")
    feeder = Text(field_name="feeder__code", help_text="Code of the feeder.")

    class Meta:
        model = Transformer
        fields = ["code", "zone", "feeder"]


class MeterFilter(django_filters.FilterSet):
    serial = Text(help_text="Exact serial number.")
    consumer = Text(method="at_consumer", help_text="Number of a consumer that it measured.")
    kind = django_filters.ChoiceFilter(choices=Meter.Kind.choices)

    class Meta:
        model = Meter
        fields = ["serial", "consumer", "kind"]

    def at_consumer(self, meters, name, value):
        """Only of consumers that one sees: a meter may have come from another zone."""
        seen = Consumer.objects.visible_to(self.request.user).filter(number=value)
        return meters.filter(Exists(Installation.objects.filter(meter=OuterRef("pk"), consumer__in=seen)))


class ConsumerListFilter(django_filters.FilterSet):
    number = Text(help_text="Exact number.")
    zone = InZone("zone")
    meter = Text(field_name="installations__meter__serial", distinct=True, help_text="Serial of a meter it has or had.")
    transformer = Text(
        field_name="connections__transformer__code", distinct=True, help_text="Code of one that feeds or fed it."
    )
    contract = Text(field_name="supplies__contract__number", distinct=True, help_text="Number of a contract.")
    kind = django_filters.ChoiceFilter(choices=Consumer.Kind.choices)

    class Meta:
        model = Consumer
        fields = ["number", "zone", "meter", "transformer", "contract", "kind"]


class GridList(ListAPIView):
    permission_classes = [MaySeeGrid]

    def get_queryset(self):
        user = self.request.user
        if not user.is_authenticated:  # the API's description is made without anybody asking
            return self.serializer_class.Meta.model.objects.none()
        return self.visible_to(user)

    @extend_schema(tags=["reference data"])
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class Zones(GridList):
    """Zones that you look after."""

    serializer_class = ZoneSerializer
    filterset_class = ZoneFilter

    def visible_to(self, user):
        return Zone.objects.visible_to(user).defer("area").annotate(shape=as_geojson("area")).order_by("code")


class Feeders(GridList):
    """Feeders of your zones."""

    serializer_class = FeederSerializer
    filterset_class = FeederFilter

    def visible_to(self, user):
        found = Feeder.objects.filter(zone__in=Zone.objects.visible_to(user).values("pk"))
        return (
            found.select_related("zone").defer("path", "zone__area").annotate(shape=as_geojson("path")).order_by("code")
        )


class Transformers(GridList):
    """Transformers of your zones."""

    serializer_class = TransformerSerializer
    filterset_class = TransformerFilter

    def visible_to(self, user):
        found = Transformer.objects.filter(feeder__zone__in=Zone.objects.visible_to(user).values("pk"))
        related = found.select_related("feeder__zone", "sum_meter").defer("feeder__path", "feeder__zone__area")
        return related.annotate(shape=as_geojson("place")).order_by("code")


class UpsertList(GridList):
    """A list that PATCH adds to and changes."""

    kind: str

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        refuse_too_large(request)

    def upsert(self, request) -> Response:
        options = OptionsSerializer(data=request.query_params)
        refuse_unknown(request.query_params, options.fields)
        options.is_valid(raise_exception=True)
        rows = json_of(request)
        if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
            raise serializers.ValidationError({"detail": "Send a list of objects."})
        if len(rows) > MOST_ROWS_AT_ONCE:
            raise serializers.ValidationError(
                {"detail": f"Send at most {MOST_ROWS_AT_ONCE} at once, or a file to /api/v1/reference."}
            )
        names = list(dict.fromkeys(name for row in rows for name in row))
        columns = kinds.mapping_of(kinds.KINDS[self.kind], names)
        refuse_unknown((name for name in names if name not in columns.values()), named(self.kind))
        # Columns of a file are those that its beginning names: here each object may be the first to name one.
        content = actions.json_lines([dict.fromkeys(names) | rows[0], *rows[1:]])
        return taken(request, content, "", {**options.validated_data, "kind": self.kind, "columns": columns})


def named(kind: str) -> list[str]:
    """What members of an object of this kind are called."""
    return [kinds.heading(one) for one in kinds.KINDS[kind].fields]


def upsert_schema(kind: str):
    """Describes an upsert by the fields of its kind."""
    types = {
        "date": {"type": "string", "format": "date"},
        "geometry": {"type": "object", "description": "GeoJSON geometry", "additionalProperties": {}},
        "float8": {"type": "number"},
        "numeric": {"type": "number"},
        "int": {"type": "number"},
    }
    fields = kinds.KINDS[kind].fields
    properties = {
        kinds.heading(one): {"description": str(one.label)} | types.get(one.sql, {"type": "string"}) for one in fields
    }
    required = [kinds.heading(one) for one in fields if one.required]
    rows = {
        "type": "array",
        "items": {"type": "object", "properties": properties, "required": required},
        "maxItems": MOST_ROWS_AT_ONCE,
    }
    return extend_schema(
        tags=["reference data"],
        filters=False,
        parameters=options_as_parameters(),
        request={"application/json": rows},
        responses={
            200: ReferenceDetailSerializer,
            202: ReferenceDetailSerializer,
            400: {"type": "object", "additionalProperties": {}},
            413: ERROR_BODY,
        },
    )


def newest_first(model):
    return model.objects.order_by("-valid")


class Meters(UpsertList):
    """Meters of your zones, and where they measured; PATCH adds and changes."""

    serializer_class = MeterSerializer
    filterset_class = MeterFilter
    parser_classes = [JsonBody]
    kind = Kind.METERS

    def visible_to(self, user):
        consumers = Consumer.objects.visible_to(user)
        places = Prefetch(
            "installations", newest_first(Installation).filter(consumer__in=consumers).select_related("consumer")
        )
        found = Meter.objects.order_by("serial").prefetch_related(places)
        if user.sees_everything:
            return found
        zones = Zone.objects.visible_to(user).values("pk")
        own = Meter.objects.filter(installations__consumer__in=consumers).values("pk")
        sums = Meter.objects.filter(transformer__feeder__zone__in=zones).values("pk")
        return found.filter(pk__in=own.union(sums))

    @upsert_schema(Kind.METERS)
    def patch(self, request):
        """Add meters, or change those that are known by their serial number; what is left out stays as it is."""
        return self.upsert(request)


class Consumers(UpsertList):
    """Consumers of your zones, with their meters, transformers and contracts; PATCH adds and changes."""

    serializer_class = GridConsumerSerializer
    filterset_class = ConsumerListFilter
    parser_classes = [JsonBody]
    kind = Kind.CONSUMERS

    def visible_to(self, user):
        found = Consumer.objects.visible_to(user).select_related("zone").defer("place", "zone__area")
        return (
            found.annotate(shape=as_geojson("place"))
            .prefetch_related(
                Prefetch("installations", newest_first(Installation).select_related("meter")),
                Prefetch("connections", newest_first(Connection).select_related("transformer")),
                Prefetch("supplies", newest_first(Supply).select_related("contract")),
            )
            .order_by("number")
        )

    @upsert_schema(Kind.CONSUMERS)
    def patch(self, request):
        """Add consumers, or change those that are known by their number; what is left out stays as it is. Their meter,
        transformer and contract are links valid in time: another one ends the one before."""
        return self.upsert(request)


api_urls = [
    *reference_urls,
    path("grid/zones", Zones.as_view(), name="api-zones"),
    path("grid/feeders", Feeders.as_view(), name="api-feeders"),
    path("grid/transformers", Transformers.as_view(), name="api-transformers"),
    path("grid/meters", Meters.as_view(), name="api-meters"),
    path("grid/consumers", Consumers.as_view(), name="api-grid-consumers"),
]
