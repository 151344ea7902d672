"""What files of reference data hold: the fields of each kind, and the column names by which senders call them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from apps.grid.models import (
    Connection,
    Consumer,
    Feeder,
    Installation,
    Meter,
    ReferenceImport,
    Supply,
    Transformer,
    Zone,
)
from apps.grid.reference import shapes, values
from apps.grid.reference.spellings import (
    ADDRESS_WORDS,
    CONSUMER_KINDS,
    CONSUMER_WORDS,
    CONTRACT_FROM_WORDS,
    CONTRACT_UNTIL_WORDS,
    CONTRACT_WORDS,
    FEEDER_WORDS,
    FROM_WORDS,
    KIND_WORDS,
    LAT_WORDS,
    LON_WORDS,
    METER_FROM_WORDS,
    METER_KINDS,
    METER_WORDS,
    NAME_WORDS,
    PLACE_WORDS,
    STATUS_WORDS,
    STATUSES,
    TARIFF_WORDS,
    TRANSFORMER_FROM_WORDS,
    TRANSFORMER_WORDS,
    UNTIL_WORDS,
    WEAK,
    ZONE_WORDS,
    word,
    words,
)

CODE_LENGTH, NUMBER_LENGTH = 32, 64
GEOMETRY = "(geometry)"  # the column that a GeoJSON file has without naming it


@dataclass(frozen=True)
class Field:
    name: str
    label: str
    parse: Callable
    sql: str = "text"
    words: frozenset[str] = frozenset()
    required: bool = False
    example: str = ""


@dataclass(frozen=True)
class Link:
    """A link valid in time, between the row's consumer and another thing that the row names."""

    model: type[Model]
    other: str  # the field that names the other, and the relation of the model
    lower: str  # the fields with its first day, and the day after its last
    upper: str
    exclusive: bool  # the other belongs to one consumer at a time
    extras: tuple[tuple[str, str], ...] = ()  # column of the model, field of the row

    @property
    def table(self) -> str:
        return self.model._meta.db_table


@dataclass(frozen=True)
class Kind:
    name: str
    label: str
    fields: tuple[Field, ...]
    model: type[Model] | None = None  # None: the rows are links alone
    key: str = ""
    # Column of the model by the field that fills it, where the names differ.
    columns: dict[str, str] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    shape: str = ""  # the field that takes a geometry

    @property
    def by_name(self) -> dict[str, Field]:
        return {one.name: one for one in self.fields}

    @property
    def required(self) -> list[Field]:
        return [one for one in self.fields if one.required]


consumer_field = Field(
    "number", _("Consumer number"), values.key(NUMBER_LENGTH), words=CONSUMER_WORDS | words("number", "no", "id"),
    required=True, example="C-000123",
)  # fmt: skip
meter_field = Field(
    "meter", _("Meter"), values.key(NUMBER_LENGTH), words=METER_WORDS, example="M-77120045"
)  # fmt: skip
link_consumer = Field(
    "consumer", _("Consumer"), values.key(NUMBER_LENGTH), words=CONSUMER_WORDS, required=True, example="C-000123"
)
link_days = (
    Field("lower", _("From"), values.day, "date", FROM_WORDS, example="2024-03-01"),
    Field("upper", _("Until (first day without it)"), values.day, "date", UNTIL_WORDS),
)
lon_lat = (
    Field("lon", _("Longitude"), values.degrees, "float8", LON_WORDS, example="9.051234"),
    Field("lat", _("Latitude"), values.degrees, "float8", LAT_WORDS, example="50.048101"),
)


def shape_field(name: str, label: str, parse: Callable, example: str = "") -> Field:
    return Field(name, label, lambda value, _writing: parse(value), "geometry", PLACE_WORDS, example=example)


place_field = shape_field("place", _("Place (WKT or GeoJSON)"), shapes.point_of)
code_words = words("code", "id", "name", "no", "number")
register = values.decimal(14, 3)

INSTALLED = Link(
    Installation, "meter", "lower", "upper", True,
    (("first_register_kwh", "first_register_kwh"), ("last_register_kwh", "last_register_kwh")),
)  # fmt: skip
FED = Link(Connection, "transformer", "lower", "upper", False)
SUPPLIED = Link(Supply, "contract", "lower", "upper", True, (("status", "status"),))

KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            ReferenceImport.Kind.ZONES,
            _("Zones"),
            (
                Field(
                    "code", _("Code"), values.key(CODE_LENGTH), words=code_words | ZONE_WORDS, required=True,
                    example="NORTH",
                ),
                Field("name", _("Name"), values.text(100), words=NAME_WORDS | words("zone_name"), example="North"),
                Field(
                    "price_per_kwh", _("Price per kWh"), values.decimal(8, 4), "numeric",
                    words("price", "price_per_kwh", "preis", "preis_kwh", "arbeitspreis", "prix", "prix_kwh", "precio",
                          "precio_kwh", "preco"),
                    example="0.2850",
                ),
                Field(
                    "visits_per_week", _("Visits per week"), values.whole(30000), "int",
                    words("visits", "visits_per_week", "budget", "visit_budget", "besuche", "visites", "visitas"),
                    example="12",
                ),
                shape_field(
                    "area", _("Area (WKT or GeoJSON)"), shapes.area_of,
                    "POLYGON((9.00 50.00,9.10 50.00,9.10 50.10,9.00 50.10,9.00 50.00))",
                ),
            ),
            Zone, "code",
            {"name": "name", "price_per_kwh": "price_per_kwh", "visits_per_week": "visits_per_week", "area": "area"},
            shape="area",
        ),
        Kind(
            ReferenceImport.Kind.FEEDERS,
            _("Feeders"),
            (
                Field(
                    "code", _("Code"), values.key(CODE_LENGTH), words=code_words | FEEDER_WORDS, required=True,
                    example="F-12",
                ),
                Field("zone", _("Zone"), values.key(CODE_LENGTH), words=ZONE_WORDS, example="NORTH"),
                shape_field("path", _("Path (WKT or GeoJSON)"), shapes.lines_of,
                            "LINESTRING(9.01 50.01,9.04 50.03,9.06 50.05)"),
            ),
            Feeder, "code", {"zone": "zone_id", "path": "path"},
            shape="path",
        ),
        Kind(
            ReferenceImport.Kind.TRANSFORMERS,
            _("Transformers"),
            (
                Field(
                    "code", _("Code"), values.key(CODE_LENGTH), words=code_words | TRANSFORMER_WORDS, required=True,
                    example="T-0042",
                ),
                Field("feeder", _("Feeder"), values.key(CODE_LENGTH), words=FEEDER_WORDS, example="F-12"),
                Field(
                    "capacity_kva", _("Capacity in kVA"), values.whole(2_000_000), "int",
                    words("capacity", "capacity_kva", "kva", "rating", "rated_kva", "rating_kva", "power", "leistung",
                          "leistung_kva", "nennleistung", "puissance", "puissance_kva", "potencia", "potencia_kva"),
                    example="400",
                ),
                Field(
                    "meter", _("Sum meter"), values.key(NUMBER_LENGTH),
                    words=METER_WORDS | words("sum_meter", "dt_meter", "dtr_meter", "totaliser", "summenzahler"),
                    example="S-900042",
                ),
                *lon_lat,
                place_field,
            ),
            Transformer, "code",
            {"feeder": "feeder_id", "capacity_kva": "capacity_kva", "meter": "sum_meter_id", "place": "place"},
            shape="place",
        ),
        Kind(
            ReferenceImport.Kind.CONSUMERS,
            _("Consumers, with their meter, transformer and contract"),
            (
                consumer_field,
                Field("name", _("Name"), values.text(200), words=NAME_WORDS, example="Lena Vogel"),
                Field("address", _("Address"), values.text(200), words=ADDRESS_WORDS, example="Mill Lane 4"),
                Field("kind", _("Kind"), values.choice(CONSUMER_KINDS), words=KIND_WORDS, example="household"),
                Field("zone", _("Zone"), values.key(CODE_LENGTH), words=ZONE_WORDS, example="NORTH"),
                meter_field,
                Field(
                    "meter_from", _("Meter since"), values.day, "date", METER_FROM_WORDS, example="2024-03-01",
                ),
                Field(
                    "transformer", _("Transformer"), values.key(CODE_LENGTH), words=TRANSFORMER_WORDS, example="T-0042"
                ),
                Field(
                    "transformer_from", _("Transformer since"), values.day, "date", TRANSFORMER_FROM_WORDS,
                ),
                Field("contract", _("Contract"), values.key(NUMBER_LENGTH), words=CONTRACT_WORDS, example="K-5501"),
                Field("tariff", _("Tariff"), values.text(64), words=TARIFF_WORDS, example="home"),
                Field("status", _("Contract status"), values.choice(STATUSES), words=STATUS_WORDS, example="active"),
                Field(
                    "contract_from", _("Contract since"), values.day, "date", CONTRACT_FROM_WORDS,
                    example="2023-11-01",
                ),
                Field(
                    "contract_until", _("Contract until"), values.day, "date", CONTRACT_UNTIL_WORDS,
                ),
                *lon_lat,
                place_field,
            ),
            Consumer, "number",
            {"name": "name", "address": "address", "kind": "kind", "zone": "zone_id", "place": "place"},
            (
                Link(Installation, "meter", "meter_from", "", True),
                Link(Connection, "transformer", "transformer_from", "", False),
                Link(Supply, "contract", "contract_from", "contract_until", True, (("status", "status"),)),
            ),
            shape="place",
        ),
        Kind(
            ReferenceImport.Kind.METERS,
            _("Meters"),
            (
                Field(
                    "serial", _("Serial number"), values.key(NUMBER_LENGTH),
                    words=METER_WORDS | words("id", "number", "no"), required=True, example="M-77120045",
                ),
                Field("kind", _("Kind"), values.choice(METER_KINDS), words=KIND_WORDS, example="consumer"),
                Field(
                    "closed_on", _("Closed"), values.day, "date",
                    words("closed", "closed_on", "scrapped", "scrapped_on", "decommissioned", "ausser_betrieb",
                          "stillgelegt", "hors_service", "fecha_baja", "baja"),
                ),
            ),
            Meter, "serial", {"kind": "kind", "closed_on": "closed_on"},
        ),
        Kind(
            ReferenceImport.Kind.INSTALLATIONS,
            _("Which meter is where, and replacements"),
            (
                Field(
                    "meter", _("Meter"), values.key(NUMBER_LENGTH), words=METER_WORDS, required=True,
                    example="M-77120045",
                ),
                link_consumer,
                *link_days,
                Field("first_register_kwh", _("First register value in kWh"), register, "numeric",
                      words("first_register", "first_register_kwh", "first_read", "initial_read", "start_read",
                            "anfangsstand", "einbaustand", "index_pose", "lectura_inicial"), example="0"),
                Field("last_register_kwh", _("Final register value in kWh"), register, "numeric",
                      words("last_register", "last_register_kwh", "final_read", "final_register", "end_read",
                            "endstand", "ausbaustand", "index_depose", "lectura_final")),
            ),
            links=(INSTALLED,),
        ),
        Kind(
            ReferenceImport.Kind.CONNECTIONS,
            _("Which transformer feeds whom"),
            (
                Field(
                    "transformer", _("Transformer"), values.key(CODE_LENGTH), words=TRANSFORMER_WORDS, required=True,
                    example="T-0042",
                ),
                link_consumer,
                *link_days,
            ),
            links=(FED,),
        ),
        Kind(
            ReferenceImport.Kind.SUPPLIES,
            _("Contracts of consumers"),
            (
                Field(
                    "contract", _("Contract"), values.key(NUMBER_LENGTH), words=CONTRACT_WORDS, required=True,
                    example="K-5501",
                ),
                link_consumer,
                Field("tariff", _("Tariff"), values.text(64), words=TARIFF_WORDS, example="home"),
                Field("status", _("Status"), values.choice(STATUSES), words=STATUS_WORDS, example="active"),
                *link_days,
            ),
            links=(SUPPLIED,),
        ),
    )
}  # fmt: skip

KNOWN = frozenset().union(*(one.words for kind in KINDS.values() for one in kind.fields))
SHAPES_OF = {
    "area": {"Polygon", "MultiPolygon"},
    "path": {"LineString", "MultiLineString"},
    "place": {"Point", "MultiPoint"},
}


def is_known(name: str) -> bool:
    """Is it what some kind of file calls a column?"""
    return word(name) in KNOWN


def mapping_of(kind: Kind, columns: list[str], shape_type: str = "") -> dict[str, str]:
    """Field → column, as the names suggest. A column serves one field; a name of its own goes before a vague one."""
    found: dict[str, str] = {}
    free = {name: word(name) for name in columns if name != GEOMETRY}
    for vague in (False, True):
        for one in kind.fields:
            if one.name in found:
                continue
            names = (one.words & WEAK) if vague else (one.words - WEAK) | {one.name}
            column = next((name for name, spelled in free.items() if spelled in names), None)
            if column is not None:
                found[one.name] = column
                del free[column]
    if GEOMETRY in columns and kind.shape and (not shape_type or shape_type in SHAPES_OF[kind.shape]):
        found[kind.shape] = GEOMETRY
        found.pop("lon", None)
        found.pop("lat", None)
    if "place" in found and {"lon", "lat"} & found.keys():
        del found["place"]
    return found


def fit(kind: Kind, mapping: dict[str, str], shape_type: str = "") -> float:
    """How well a file's columns fit a kind; 0 where it cannot be of that kind."""
    if any(one.name not in mapping for one in kind.required):
        return 0
    if shape_type and (not kind.shape or shape_type not in SHAPES_OF[kind.shape]):
        return 0
    points = float(len(mapping))
    for one in kind.required:
        points += 0.0 if word(mapping[one.name]) in WEAK else 1.0
    return points


def guess(columns: list[str], shape_type: str = "") -> tuple[str, dict[str, str]]:
    """Kind and mapping that fit best; ("", {}) where none does."""
    mappings = {name: mapping_of(kind, columns, shape_type) for name, kind in KINDS.items()}
    best = max(KINDS, key=lambda name: fit(KINDS[name], mappings[name], shape_type))
    if not fit(KINDS[best], mappings[best], shape_type):
        return "", {}
    return best, mappings[best]


HEADINGS = {"number": "consumer", "lower": "from", "upper": "until", "place": "wkt", "area": "wkt", "path": "wkt"}


def heading(one: Field) -> str:
    """A column name that is taken for the field."""
    return HEADINGS.get(one.name, one.name)
