"""The map's layers as GeoJSON, written by PostGIS: one query a layer. A map asks for a box, and not for a country."""

import json
from dataclasses import dataclass
from datetime import date

from django.contrib.gis.db.models import Extent
from django.contrib.gis.db.models.functions import AsGeoJSON
from django.contrib.gis.geos import Polygon
from django.contrib.postgres.aggregates import JSONBAgg
from django.db.models import Count, F, JSONField, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce, JSONObject
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.detection.models import RiskLevel
from apps.grid.models import Consumer, Feeder, Transformer, Zone

WIDEST_BOX_DEGREES = 0.3  # about 30 km: a town, for single consumers
WIDEST_TRANSFORMER_BOX_DEGREES = 3
MOST_FEATURES = 4000
GEOJSON_DECIMALS = 6


class BadQuestion(ValueError):
    """The message says what is wrong, for a person."""


@dataclass(frozen=True)
class Question:
    box: tuple[float, float, float, float] | None  # west, south, east, north
    levels: list[str]  # empty: all
    since: date | None

    @property
    def area(self) -> Polygon | None:
        if self.box is None:
            return None
        area = Polygon.from_bbox(self.box)
        area.srid = 4326
        return area

    def scores(self, prefix: str) -> Q:
        """Standing scores that fit, seen over the relation `prefix`."""
        fits = Q()
        if self.levels:
            fits &= Q(**{f"{prefix}level__in": self.levels})
        if self.since:
            fits &= Q(**{f"{prefix}onset_on__gte": self.since})
        return fits


def question(query, widest: float | None) -> Question:
    """Raises BadQuestion when the box is missing where one is needed, is no box, or is larger than `widest` degrees."""
    levels = [level for level in query.getlist("level") if level]
    if not set(levels) <= set(RiskLevel.values):
        raise BadQuestion(_("That level does not exist."))
    since = _day(query.get("since", ""))
    box = read_box(query["box"]) if query.get("box") else None
    if widest is not None:
        if box is None:
            raise BadQuestion(_("Say which part of the map: box=west,south,east,north in degrees."))
        if box[2] - box[0] > widest or box[3] - box[1] > widest:
            raise BadQuestion(_("That part of the map is too large: zoom in."))
    return Question(box, levels, since)


def read_box(text: str) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as error:
        raise BadQuestion(_("A box is four numbers: west,south,east,north in degrees.")) from error
    # Written so that NaN fails too.
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise BadQuestion(_("A box is four numbers: west,south,east,north in degrees."))
    return west, south, east, north


def _day(text: str) -> date | None:
    try:
        day = parse_date(text) if text else None
    except ValueError:
        day = None
    if text and day is None:
        raise BadQuestion(_("A day is written like 2026-03-31."))
    return day


def shape(field: str) -> Cast:
    return Cast(AsGeoJSON(field, precision=GEOJSON_DECIMALS), JSONField())


def feature(geometry: str, **properties) -> JSONObject:
    return JSONObject(type=Value("Feature"), geometry=shape(geometry), properties=JSONObject(**properties))


def collection(rows: QuerySet, feature: JSONObject) -> str:
    """A GeoJSON FeatureCollection, as text: nothing here needs the points as Python objects."""
    features = rows.order_by().aggregate(
        features=Coalesce(Cast(JSONBAgg(feature), TextField()), Value("[]"), output_field=TextField())
    )["features"]
    return f'{{"type": "FeatureCollection", "features": {features}}}'


def zones(user: User, asked: Question) -> str:
    counted = (
        Zone.objects.filter(pk__in=Zone.objects.visible_to(user).values("pk"), area__isnull=False)
        .annotate(
            consumers_here=Count("consumers"),
            fitting=Count("consumers", filter=asked.scores("consumers__standing__score__") & SCORED),
            hot=Count("consumers", filter=HOT),
        )
        .annotate(
            feature=feature(
                "area",
                code=F("code"),
                name=F("name"),
                consumers=F("consumers_here"),
                fitting=F("fitting"),
                hot=F("hot"),
            )
        )
    )
    return as_collection(counted.values_list("feature", flat=True))


SCORED = Q(consumers__standing__isnull=False)
HOT = Q(consumers__standing__score__level__in=[RiskLevel.HIGH, RiskLevel.CRITICAL])


def feeders(user: User, asked: Question) -> str:
    seen = Feeder.objects.filter(zone__in=Zone.objects.visible_to(user), path__isnull=False)
    return collection(seen, feature("path", code=F("code")))


def transformers(user: User, asked: Question) -> str:
    score = "connections__consumer__standing__score__"
    here = Q(connections__valid__upper_inf=True, connections__consumer__in=Consumer.objects.visible_to(user))
    hot = Q(**{f"{score}level__in": [RiskLevel.HIGH, RiskLevel.CRITICAL]})
    scored = Q(connections__consumer__standing__isnull=False)
    counted = (
        Transformer.objects.filter(feeder__zone__in=Zone.objects.visible_to(user), place__bboverlaps=asked.area)
        .annotate(
            consumers_here=Count("connections", filter=here),
            fitting=Count("connections", filter=here & scored & asked.scores(score)),
            hot=Count("connections", filter=here & hot),
        )
        .annotate(
            feature=feature(
                "place", pk=F("pk"), code=F("code"), consumers=F("consumers_here"), fitting=F("fitting"), hot=F("hot")
            )
        )
    )
    return as_collection(counted.values_list("feature", flat=True)[:MOST_FEATURES])


def consumers(user: User, asked: Question) -> str:
    seen = (
        Consumer.objects.visible_to(user)
        .filter(asked.scores("standing__score__"), place__bboverlaps=asked.area)
        .order_by(F("standing__score__score").desc(nulls_last=True), "pk")
    )
    worst = Consumer.objects.filter(pk__in=seen.values("pk")[:MOST_FEATURES])
    return collection(
        worst,
        feature(
            "place",
            number=F("number"),
            name=F("name"),
            address=F("address"),
            level=Coalesce(F("standing__score__level"), Value(RiskLevel.UNSCORED)),
            score=F("standing__score__score"),
            kind=F("standing__score__kind"),
            since=F("standing__score__onset_on"),
        ),
    )


def as_collection(features) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


LAYERS = {
    # name → what writes it, and the widest box that it is written for
    "zones": (zones, None),
    "feeders": (feeders, None),
    "transformers": (transformers, WIDEST_TRANSFORMER_BOX_DEGREES),
    "consumers": (consumers, WIDEST_BOX_DEGREES),
}


def extent(user: User) -> str:
    """The box that holds everybody with a place, as west,south,east,north; empty without anybody."""
    box = Consumer.objects.visible_to(user).order_by().aggregate(box=Extent("place"))["box"]
    return ",".join(f"{degrees:.6f}" for degrees in box) if box else ""


def words() -> dict[str, str]:
    """What static/map.js says."""
    return {
        "zones": _("Zones"),
        "transformers": _("Transformers"),
        "consumers": _("Consumers on the map"),
        "hottest": _("Hottest transformers"),
        "of": _("of"),
        "shown": _("consumers shown"),
        "most": _("only the most suspicious are shown: zoom in"),
        "none": _("Nobody here fits. Move the map, zoom out or show more levels."),
        "balance": _("energy balance"),
        "failed": _("The map could not be loaded. Try again."),
        "open": _("Open"),
        "score": _("score"),
        "since": _("since"),
        **{level.value: str(level.label) for level in RiskLevel},
    }


def without_place(user: User) -> int:
    return Consumer.objects.visible_to(user).filter(place=None).count()
