"""What files of reference data hold: the fields of each kind, and the column names by which senders call them."""

import re
import unicodedata
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


def words(*names: str) -> frozenset[str]:
    return frozenset(names)


CONSUMER_WORDS = words(
    "consumer", "consumer_no", "consumer_number", "consumer_id", "customer", "customer_no", "customer_number",
    "customer_id", "cons_no", "account", "account_no", "account_number", "account_id", "premise", "premise_id",
    "service_point", "service_point_id", "mpan", "mprn", "nmi", "pod", "cups", "nis", "kunde", "kundennummer",
    "kunden_nr", "kundennr", "verbrauchsstelle", "abnehmer", "anschluss", "client", "numero_client", "no_client",
    "abonne", "numero_abonne", "cliente", "numero_cliente", "codigo_cliente", "suministro", "numero_suministro",
    "uc", "unidade_consumidora", "instalacao", "klant", "klantnummer", "kundnummer",
)  # fmt: skip
METER_WORDS = words(
    "meter", "meter_no", "meter_number", "meter_id", "meter_serial", "meter_serial_number", "serial", "serial_no",
    "serial_number", "serialnumber", "meterno", "meterid", "device", "device_id", "device_no", "equipment", "zahler",
    "zaehler", "zahlernummer", "zaehlernummer", "zahlernr", "zaehlernr", "zahler_nr", "geratenummer", "compteur",
    "numero_compteur", "no_compteur", "matricule", "contador", "numero_contador", "medidor", "numero_medidor",
    "serie_medidor", "meternummer", "matarnummer",
)  # fmt: skip
TRANSFORMER_WORDS = words(
    "transformer", "transformer_id", "transformer_no", "transformer_code", "transformer_number", "dt", "dt_code",
    "dtr", "dtr_code", "substation", "trafo", "trafostation", "ortsnetzstation", "station", "transformateur", "poste",
    "poste_dp", "transformador", "ct", "centro_de_transformacion", "codigo_ct", "nettstasjon",
)  # fmt: skip
FEEDER_WORDS = words(
    "feeder", "feeder_id", "feeder_no", "feeder_code", "feeder_name", "circuit", "circuit_id", "line", "line_id",
    "abgang", "leitung", "strang", "depart", "alimentador", "circuito", "codigo_alimentador", "linea",
)  # fmt: skip
ZONE_WORDS = words(
    "zone", "zone_id", "zone_code", "zone_name", "district", "district_code", "region", "area", "area_code",
    "service_area", "gebiet", "bezirk", "netzgebiet", "zona", "codigo_zona", "distrito", "quartier", "secteur",
    "commune", "bairro", "barrio",
)  # fmt: skip
CONTRACT_WORDS = words(
    "contract", "contract_no", "contract_number", "contract_id", "agreement", "vertrag", "vertragsnummer",
    "vertrags_nr", "contrat", "numero_contrat", "contrato", "numero_contrato",
)  # fmt: skip
PLACE_WORDS = words(
    "geometry", "geom", "the_geom", "wkt", "wkb_geometry", "shape", "location", "position", "geojson", "st_asgeojson",
)  # fmt: skip
LON_WORDS = words(
    "lon", "long", "lng", "longitude", "x", "x_wgs84", "lon_wgs84", "gps_lon", "gps_longitude", "laenge", "lange",
    "langengrad", "laengengrad", "longitud", "point_x",
)  # fmt: skip
LAT_WORDS = words(
    "lat", "latitude", "y", "y_wgs84", "lat_wgs84", "gps_lat", "gps_latitude", "breite", "breitengrad", "latitud",
    "point_y",
)  # fmt: skip
NAME_WORDS = words(
    "name", "customer_name", "consumer_name", "full_name", "holder", "bezeichnung", "kundenname", "nom", "nom_client",
    "nombre", "nome", "nombre_cliente", "naam", "namn", "title", "description",
)  # fmt: skip
ADDRESS_WORDS = words(
    "address", "addr", "street", "street_address", "site_address", "supply_address", "adresse", "anschrift", "strasse",
    "direccion", "endereco", "domicilio", "rue", "adres", "adress",
)  # fmt: skip
KIND_WORDS = words(
    "kind", "type", "category", "class", "customer_type", "customer_class", "consumer_type", "meter_type", "meter_kind",
    "art", "typ", "kundenart", "kategorie", "categorie", "categoria", "tipo", "tipo_cliente", "soort",
)  # fmt: skip
TARIFF_WORDS = words("tariff", "tariff_code", "rate", "rate_code", "tarif", "tarifa", "codigo_tarifa", "tarief")
FROM_WORDS = words(
    "from", "valid_from", "start", "start_date", "since", "begin", "date_from", "installed", "installed_on",
    "install_date", "installation_date", "effective_from", "von", "ab", "gultig_ab", "gueltig_ab", "einbau",
    "einbaudatum", "beginn", "du", "debut", "date_debut", "date_pose", "desde", "fecha_inicio", "fecha_alta",
    "fecha_instalacion", "inicio", "data_inicio",
)  # fmt: skip
UNTIL_WORDS = words(
    "until", "valid_to", "valid_until", "to", "end", "end_date", "date_to", "removed", "removed_on", "removal_date",
    "effective_to", "bis", "gultig_bis", "gueltig_bis", "ausbau", "ausbaudatum", "ende", "au", "fin", "date_fin",
    "date_depose", "hasta", "fecha_fin", "fecha_baja", "fecha_retiro", "fim", "data_fim",
)  # fmt: skip
STATUS_WORDS = words("status", "contract_status", "state", "vertragsstatus", "statut", "estado", "situacao")

CONSUMER_KINDS = {
    word: kind
    for kind, spelled in {
        Consumer.Kind.HOUSEHOLD: "household residential domestic home haushalt privat menage residentiel residencial "
        "domestico particulier hushall r",
        Consumer.Kind.SHOP: "shop commercial business retail gewerbe geschaft commerce commercial professionnel "
        "comercial comercio zakelijk c",
        Consumer.Kind.INDUSTRY: "industry industrial factory industrie industriel industrial industria i",
        Consumer.Kind.UNKNOWN: "unknown other unbekannt inconnu desconocido otro autre andere",
    }.items()
    for word in spelled.split()
}
METER_KINDS = {
    "consumer": "consumer", "customer": "consumer", "consumer meter": "consumer", "residential": "consumer",
    "kunde": "consumer", "client": "consumer", "cliente": "consumer", "sum": "sum", "transformer": "sum",
    "sum meter": "sum", "dt": "sum", "dt meter": "sum", "totaliser": "sum", "totalizer": "sum", "check": "sum",
    "summenzahler": "sum", "totalizador": "sum",
}  # fmt: skip
STATUSES = {
    "active": "active", "live": "active", "open": "active", "running": "active", "aktiv": "active", "actif": "active",
    "activo": "active", "ativo": "active", "vigente": "active", "suspended": "suspended", "blocked": "suspended",
    "disconnected": "suspended", "gesperrt": "suspended", "suspendu": "suspended", "suspendido": "suspended",
    "cortado": "suspended", "ended": "ended", "closed": "ended", "terminated": "ended", "inactive": "ended",
    "beendet": "ended", "gekundigt": "ended", "resilie": "ended", "baja": "ended", "terminado": "ended",
}  # fmt: skip

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
                    "meter_from", _("Meter since"), values.day, "date", FROM_WORDS | words("meter_from", "meter_since"),
                    example="2024-03-01",
                ),
                Field(
                    "transformer", _("Transformer"), values.key(CODE_LENGTH), words=TRANSFORMER_WORDS, example="T-0042"
                ),
                Field(
                    "transformer_from", _("Transformer since"), values.day, "date",
                    words("transformer_from", "transformer_since", "connected_from", "connected_on"),
                ),
                Field("contract", _("Contract"), values.key(NUMBER_LENGTH), words=CONTRACT_WORDS, example="K-5501"),
                Field("tariff", _("Tariff"), values.text(64), words=TARIFF_WORDS, example="home"),
                Field("status", _("Contract status"), values.choice(STATUSES), words=STATUS_WORDS, example="active"),
                Field(
                    "contract_from", _("Contract since"), values.day, "date",
                    words("contract_from", "contract_since", "contract_start", "vertragsbeginn", "move_in", "einzug"),
                    example="2023-11-01",
                ),
                Field(
                    "contract_until", _("Contract until"), values.day, "date",
                    words("contract_until", "contract_end", "vertragsende", "move_out", "auszug"),
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

WEAK = words(
    "code", "id", "name", "no", "number", "type", "status", "state", "start", "end", "from", "to", "line", "x", "y"
)
KNOWN = frozenset().union(*(one.words for kind in KINDS.values() for one in kind.fields))
SHAPES_OF = {
    "area": {"Polygon", "MultiPolygon"},
    "path": {"LineString", "MultiLineString"},
    "place": {"Point", "MultiPoint"},
}


def is_known(name: str) -> bool:
    """Is it what some kind of file calls a column?"""
    return word(name) in KNOWN


def word(name: str) -> str:
    """A column name without the differences that carry no meaning: `Zähler-Nr.` is `zahler_nr`."""
    name = re.sub(r"[(\[].*?[)\]]", "", name) or name
    letters = unicodedata.normalize("NFKD", name.strip().casefold())
    letters = "".join(one for one in letters if not unicodedata.combining(one))
    return re.sub(r"[^\w]+", "_", letters.replace("ß", "ss")).strip("_")


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
