"""By which names senders call their columns, and what they write in them: English, German, French, Spanish and more,
as they are once `word` has taken away case, accents and signs."""

import re
import unicodedata

from apps.grid.models import Consumer


def word(name: str) -> str:
    """A column name without the differences that carry no meaning: `Zähler-Nr.` is `zahler_nr`."""
    name = re.sub(r"[(\[].*?[)\]]", "", name) or name
    letters = unicodedata.normalize("NFKD", name.strip().casefold())
    letters = "".join(one for one in letters if not unicodedata.combining(one))
    return re.sub(r"[^\w]+", "_", letters.replace("ß", "ss")).strip("_")


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
    "poste_dp", "transformador", "ct", "centro_de_transformacion", "codigo_ct", "nettstasjon", "transformator",
    "transformatorstation", "transformator_nr", "trafo_nr", "trafo_id", "umspannstation", "netzstation",
    "poste_de_transformation", "posto_de_transformacao", "trasformatore", "cabina", "trafo_no", "stacja",
    "stacja_transformatorowa",
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
METER_FROM_WORDS = FROM_WORDS | words(
    "meter_from", "meter_since", "zahler_seit", "zaehler_seit", "zahler_ab", "zaehler_ab", "compteur_depuis",
    "contador_desde", "medidor_desde", "contatore_dal", "meter_sinds", "meter_vanaf", "licznik_od",
)  # fmt: skip
TRANSFORMER_FROM_WORDS = words(
    "transformer_from", "transformer_since", "connected_from", "connected_on", "trafo_seit", "trafo_ab",
    "transformator_seit", "transformator_ab", "transformateur_depuis", "transformador_desde", "trasformatore_dal",
    "transformator_sinds", "transformator_vanaf", "transformator_od",
)  # fmt: skip
CONTRACT_FROM_WORDS = words(
    "contract_from", "contract_since", "contract_start", "vertragsbeginn", "vertrag_seit", "vertrag_ab", "move_in",
    "einzug", "contrat_depuis", "contrato_desde", "contratto_dal", "contract_sinds", "contract_vanaf", "umowa_od",
)  # fmt: skip
CONTRACT_UNTIL_WORDS = words(
    "contract_until", "contract_end", "vertragsende", "vertrag_bis", "move_out", "auszug", "contrato_hasta",
    "contrato_ate", "contratto_fino_al", "contract_tot", "umowa_do",
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

# Names that may mean several things: those of its own go before.
WEAK = words(
    "code", "id", "name", "no", "number", "type", "status", "state", "start", "end", "from", "to", "line", "x", "y"
)
