from datetime import date

import numpy as np
from django.conf import settings
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers, status
from rest_framework.exceptions import APIException
from rest_framework.permissions import BasePermission
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.detection import curves, reasons, words
from apps.detection.models import EnergyBalance, Kind, ModelVersion, RiskLevel, RiskScore
from apps.grid import converters  # noqa: F401 makes <number:...> known
from apps.grid.models import Consumer
from apps.readings.models import MeterEvent

MOST_DAYS = 366  # rules compare days with each other: a lifetime of them would hold up a web process for minutes


class MayPredict(BasePermission):
    def has_permission(self, request, view):
        return request.user.has_perm("detection.predict")


class MaySeeScores(BasePermission):
    def has_permission(self, request, view):
        return request.user.has_perm("detection.view_riskscore")


class NoModelYet(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = _("No model is active yet. Import readings of 30 meters over 28 days, or activate a model.")
    default_code = "no_model"


class ReasonSerializer(serializers.Serializer):
    code = serializers.CharField()
    share = serializers.FloatField(help_text="How much of the suspicion this explains, 0 to 1.")
    sentence = serializers.CharField()


class FamilySerializer(serializers.Serializer):
    family = serializers.CharField(help_text="A way to steal, by its name.")
    share = serializers.FloatField(help_text="How well it fits among all of them, 0 to 1.")
    words = serializers.CharField()


class BenignSerializer(serializers.Serializer):
    name = serializers.CharField(help_text="An honest change that looks alike, by its name.")
    share = serializers.FloatField(help_text="How well it fits among all of them, 0 to 1.")
    words = serializers.CharField()


class NoteSerializer(serializers.Serializer):
    code = serializers.CharField()
    sentence = serializers.CharField()


class EventSerializer(serializers.Serializer):
    event = serializers.CharField(help_text="What the meter reported, in our vocabulary.")
    code = serializers.CharField(help_text="As the sender spelled it.")
    at = serializers.DateTimeField()
    weight = serializers.FloatField(help_text="What it is worth as evidence, 0 to 1.")
    why = serializers.CharField(help_text="Why it counts so, as a code.")
    sentence = serializers.CharField()


class RiskSerializer(serializers.Serializer):
    score = serializers.FloatField(
        allow_null=True, help_text="0 to 1, higher is more suspicious; it ranks, it is no probability."
    )
    probability = serializers.FloatField(
        allow_null=True,
        help_text="Calibrated chance that a visit finds a loss, 0 to 1; null where nothing calibrates it. On what "
        "it was calibrated stands with the model.",
    )
    risk_level = serializers.ChoiceField(RiskLevel.choices)
    anomaly_type = serializers.ChoiceField(Kind.choices, allow_null=True)
    parts = serializers.DictField(child=serializers.FloatField(), help_text="Contributions; they add up to the score.")
    reasons = ReasonSerializer(many=True)
    since = serializers.DateField(allow_null=True)
    kwh_missing_per_month = serializers.FloatField()
    missing_kwh = serializers.FloatField(help_text="Estimated kWh that were not registered since the onset.")
    before_kwh = serializers.FloatField(allow_null=True, help_text="kWh a day before the onset.")
    after_kwh = serializers.FloatField(allow_null=True, help_text="kWh a day since the onset.")
    families = FamilySerializer(many=True, help_text="The ways to steal that fit best, at most two.")
    benign_alternative = BenignSerializer(allow_null=True, help_text="The honest change that fits best.")
    reference_days = serializers.IntegerField(help_text="Days that count as the consumer's usual past.")
    notes = NoteSerializer(many=True, help_text="What the score could not rest on.")
    events = EventSerializer(many=True, help_text="What the meter reported beside its readings, newest first.")
    data_from = serializers.DateField(allow_null=True)
    data_until = serializers.DateField(allow_null=True)


class RiskProfileSerializer(serializers.Serializer):
    consumer_id = serializers.CharField()
    zone = serializers.CharField()
    scored_at = serializers.DateTimeField(allow_null=True)
    risk = RiskSerializer(allow_null=True, help_text="Null while no score stands.")


class CurveSerializer(serializers.Serializer):
    consumer_id = serializers.CharField(max_length=64, default="curve")
    start = serializers.DateField(help_text="Day of the first reading, in the utility's standard time.")
    interval_minutes = serializers.ChoiceField([15, 30, 60, 1440])
    consumption_data = serializers.ListField(
        child=serializers.FloatField(allow_null=True, min_value=0, max_value=settings.READING_MAX_KWH),
        min_length=1,
        max_length=MOST_DAYS * 96,
        help_text="kWh of each interval in order of time; null where a reading is missing.",
    )

    def validate_start(self, start: date) -> date:
        if not 1990 <= start.year <= date.today().year + 1:
            raise serializers.ValidationError(_("The first day must lie between 1990 and next year."))
        return start

    def validate(self, data: dict) -> dict:
        if len(data["consumption_data"]) * data["interval_minutes"] > MOST_DAYS * 1440:
            raise serializers.ValidationError(
                {"consumption_data": [_("At most %(days)d days can be scored at once.") % {"days": MOST_DAYS}]}
            )
        return data


def risk_of(score: RiskScore) -> dict:
    """A risk score as the API shows it."""
    return {
        "score": score.score,
        "probability": score.probability,
        "risk_level": score.level,
        "anomaly_type": score.kind or None,
        "parts": score.parts,
        "reasons": [
            {"code": reason["code"], "share": reason["share"], "sentence": sentence}
            for reason, sentence in zip(score.reasons, reasons.sentences(score.reasons), strict=True)
        ],
        "since": score.onset_on,
        "kwh_missing_per_month": score.kwh_missing_per_month,
        "missing_kwh": score.missing_kwh,
        "before_kwh": score.before_kwh,
        "after_kwh": score.after_kwh,
        "families": [{**one, "words": words.word(words.FAMILIES, one["family"])} for one in score.families],
        "benign_alternative": score.benign and {**score.benign, "words": words.word(words.KINDS, score.benign["name"])},
        "reference_days": score.reference_days,
        "notes": [
            {"code": code, "sentence": sentence}
            for code, sentence in zip(score.notes, words.notes(score.notes, score.reference_days), strict=True)
        ],
        "events": events_of(score),
        "data_from": score.data_from,
        "data_until": score.data_until,
    }


def events_of(score: RiskScore) -> list[dict]:
    """Events that a score took into account, as far as they still stand."""
    standing = MeterEvent.objects.in_bulk([kept["id"] for kept in score.events])
    return [
        {
            "event": event.code,
            "code": event.source_code,
            "at": event.at,
            "weight": kept["weight"],
            "why": kept["why"],
            "sentence": words.event_note(kept),
        }
        for kept in score.events
        if (event := standing.get(kept["id"]))
    ]


class ConsumerRisk(APIView):
    """The risk profile of a consumer: the score that stands, and why."""

    permission_classes = [MaySeeScores]

    @extend_schema(responses=RiskProfileSerializer, tags=["consumers"])
    def get(self, request, number: str):
        consumer = get_object_or_404(
            Consumer.objects.visible_to(request.user).select_related("zone", "standing__score__run"), number=number
        )
        score = consumer.standing.score if hasattr(consumer, "standing") else None
        profile = {
            "consumer_id": consumer.number,
            "zone": consumer.zone.code,
            "scored_at": score and score.run.started_at,
            "risk": score and risk_of(score),
        }
        return Response(RiskProfileSerializer(profile).data)


class MaySeeBalances(BasePermission):
    def has_permission(self, request, view):
        return request.user.has_perm("detection.view_energybalance")


class ExplainedSerializer(serializers.Serializer):
    consumer_id = serializers.CharField()
    share = serializers.FloatField(help_text="Of the unexplained energy, 0 to 1.")


class BalanceSerializer(serializers.ModelSerializer):
    transformer = serializers.CharField(source="transformer.code")
    zone = serializers.CharField(source="transformer.feeder.zone.code")
    unexplained_share = serializers.FloatField(
        source="share", allow_null=True, help_text="Of what was delivered; null where nothing was."
    )
    reliable = serializers.BooleanField(source="is_reliable", help_text="Whether it takes part in scores.")
    explained_by = serializers.SerializerMethodField(help_text="Whose missing energy moves with the gap, best first.")

    class Meta:
        model = EnergyBalance
        fields = [
            *("transformer", "zone", "meters", "days", "data_until", "delivered_kwh", "reported_kwh"),
            *("expected_loss_kwh", "unexplained_kwh", "unexplained_share", "since", "reliable", "quality"),
            "explained_by",
        ]

    @extend_schema_field(ExplainedSerializer(many=True))
    def get_explained_by(self, balance: EnergyBalance) -> list[dict]:
        numbers = self.context["numbers"]
        return [
            {"consumer_id": numbers[one["consumer"]], "share": one["share"]}
            for one in balance.explained_by
            if one["consumer"] in numbers
        ]


@extend_schema(tags=["balances"])
class BalanceList(generics.ListAPIView):
    """The newest energy balance of every transformer that has a sum meter: sums over its last days."""

    permission_classes = [MaySeeBalances]
    serializer_class = BalanceSerializer

    def get_queryset(self):
        if getattr(self, "swagger_fake_view", False):  # the API's description is made without anybody asking
            return EnergyBalance.objects.none()
        visible = EnergyBalance.objects.visible_to(self.request.user).latest().defer("by_day")
        return visible.select_related("transformer__feeder__zone").order_by("-unexplained_kwh", "pk")

    def get_serializer(self, balances=None, *args, **kwargs):
        if balances is None:  # what the API's description asks for: the fields alone
            return super().get_serializer(*args, **kwargs)
        named = {one["consumer"] for balance in balances for one in balance.explained_by}
        seen = Consumer.objects.visible_to(self.request.user).filter(pk__in=named)
        kwargs["context"] = self.get_serializer_context() | {"numbers": dict(seen.values_list("pk", "number"))}
        return self.get_serializer_class()(balances, *args, **kwargs)


class Predict(APIView):
    """The score of a curve that is not stored. It is compared with its own past only: nobody knows its neighbours."""

    permission_classes = [MayPredict]

    @extend_schema(
        request=CurveSerializer,
        responses={200: RiskSerializer, 503: {"type": "object", "properties": {"detail": {"type": "string"}}}},
        tags=["predict"],
    )
    def post(self, request):
        curve = CurveSerializer(data=request.data)
        curve.is_valid(raise_exception=True)
        version = ModelVersion.objects.filter(status=ModelVersion.Status.ACTIVE).first()
        if version is None:
            raise NoModelYet
        score = curves.score(
            version,
            name=curve.validated_data["consumer_id"],
            first_day=curve.validated_data["start"],
            interval_minutes=curve.validated_data["interval_minutes"],
            kwh=np.array(curve.validated_data["consumption_data"], dtype=np.float32),
        )
        return Response(RiskSerializer(risk_of(score)).data)


api_urls = [
    path("consumers/<number:number>", ConsumerRisk.as_view(), name="api-consumer"),
    path("balances", BalanceList.as_view(), name="api-balances"),
    path("predict", Predict.as_view(), name="api-predict"),
]
