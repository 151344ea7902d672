"""What senders call the columns of their tables."""

import re
import unicodedata

# English, German, French, Spanish, Portuguese, Italian, Dutch, Turkish, Polish, as senders spell them once `word` has
# taken away case, accents and signs.
METER = {
    "meter", "meter_id", "meterid", "meter_no", "meter_nr", "meter_number", "meternumber", "meter_serial", "serial",
    "serial_number", "serialno", "serial_no", "meter_serial_number", "meter_name", "metering_point", "meter_point",
    "meterpoint", "lclid", "mpan", "mprn", "nmi", "ean", "esi_id", "esiid", "device", "device_id", "deviceid", "id",
    "cons_no", "customer", "customer_id", "household", "usage_point", "usagepoint", "msn",
    "zahler", "zahlernummer", "zaehler", "zaehlernummer", "zahler_nr", "zahlernr", "zahlpunkt",
    "zahlpunktbezeichnung",
    "messlokation", "marktlokation", "melo", "malo", "messstelle", "gerat", "geratenummer",
    "compteur", "numero_compteur", "n_compteur", "numero_de_compteur", "no_compteur", "identifiant_compteur", "prm",
    "pdl", "point",
    "matricule", "contador", "n_contador", "n_medidor", "numero_contador", "numero_de_contador", "num_contador",
    "medidor", "numero_medidor",
    "numero_de_medidor", "no_medidor", "nro_medidor", "suministro", "cups", "instalacion", "instalacao", "cpe", "uc",
    "unidade_consumidora", "contatore", "matricola", "numero_contatore", "pod", "misuratore", "teller",
    "tellernummer",
    "meternummer", "aansluiting", "sayac", "sayac_no", "sayac_numarasi", "sayac_seri_no", "abone", "abone_no",
    "tesisat", "tesisat_no", "licznik", "numer_licznika", "nr_licznika", "ppe",
}  # fmt: skip
# Names that a column of something else may have beside that of meters.
RATHER_ANOTHER = {
    "id", "customer", "customer_id", "household", "device", "device_id", "deviceid", "cons_no", "point", "uc", "abone",
    "abone_no", "instalacion", "instalacao", "suministro", "usage_point", "usagepoint",
}  # fmt: skip
DATE = {
    "register_date",
    "date", "day", "read_date", "reading_date", "settlement_date", "interval_date", "datum", "tag", "ablesedatum",
    "jour", "date_releve", "fecha", "dia", "fecha_lectura", "data", "data_leitura", "giorno", "data_lettura", "dag",
    "tarih", "gun", "okuma_tarihi", "data_odczytu", "dzien",
}  # fmt: skip
CLOCK_TIME = {
    "time", "hour", "clock", "time_of_day", "hhmm", "interval_time", "start_time", "starttime", "end_time", "endtime",
    "hour_ending", "hour_end", "he", "uhrzeit", "zeit", "stunde", "heure", "hora",
    "ora", "tijd", "tijdstip", "uur", "saat", "godzina",
}  # fmt: skip
TIME = DATE | {
    "time", "timestamp", "datetime", "date_time", "datetimestamp", "stamp", "read_at", "reading_time", "read_time",
    "interval_start", "interval_end", "start", "end", "start_time", "end_time", "starttime", "endtime", "from", "to",
    "period_start", "period_end", "interval_start_time", "interval_end_time", "start_date", "tstp", "ts", "utc",
    "reading_datetime", "reading_timestamp", "datetime_utc", "local_time", "time_stamp", "index_level_0", "index",
    "zeit", "zeitstempel", "zeitpunkt", "datum_uhrzeit", "datum_zeit", "datum_von", "von", "ab", "beginn",
    "ablesezeit",
    "horodate", "horodatage", "date_heure", "date_et_heure", "date_de_debut", "debut", "fecha_hora", "fecha_y_hora",
    "fechahora", "marca_de_tiempo", "inicio", "data_hora", "data_e_hora", "datahora", "data_ora", "dataora", "inizio",
    "datum_tijd", "tijdstempel", "begin", "zaman", "tarih_saat", "zaman_damgasi", "data_czas", "data_i_godzina",
}  # fmt: skip
# Of them, those that say which end of the period they mark.
STARTS = {
    "bill_from", "billing_from", "valid_from", "period_begin",
    "interval_start", "start", "start_time", "starttime", "from", "period_start", "interval_start_time", "start_date",
    "date_from", "from_date", "period_from", "read_from", "billing_start", "bill_start", "bill_start_date",
    "cycle_start", "datum_von", "von", "ab", "beginn", "date_de_debut", "debut", "inicio", "inizio", "begin",
}  # fmt: skip
ENDS = {
    "bill_to", "billing_to", "valid_to",
    "interval_end", "end", "end_time", "endtime", "to", "period_end", "interval_end_time", "hour_ending", "hour_end",
    "he", "interval_ending", "end_date", "date_to", "to_date", "period_to", "read_to", "billing_end", "bill_end",
    "bill_end_date", "cycle_end", "bis", "ende", "datum_bis", "fin", "date_de_fin", "fine", "einde", "koniec",
}  # fmt: skip
TIME |= STARTS | ENDS
# Names of columns that hold what a register shows, and no energy of a period.
REGISTER = {
    "register", "register_kwh", "register_reading", "register_value", "cumulative", "cumulative_kwh", "index_kwh",
    "zahlerstand", "zaehlerstand", "stand", "meterstand", "endeks",
}  # fmt: skip
# Names of columns beside those of meters that hold no meter.
TOTALS = {
    "total", "totals", "total_kwh", "sum", "grand_total", "summe", "gesamt", "somme", "suma", "soma", "totale",
    "totaal", "toplam", "razem",
}  # fmt: skip
VALUE = {
    "kwh", "wh", "mwh", "kw", "value", "reading", "reading_value", "energy", "consumption", "usage", "energy_kwh",
    "kwh_hh", "quantity", "consumption_kwh", "value_kwh", "import_kwh", "general_supply_kwh", "register",
    "meter_reading", "register_kwh", "register_reading", "register_value", "cumulative_kwh", "energy_consumption",
    "active_energy", "import", "delivered", "load",
    "wert", "verbrauch", "verbrauch_kwh", "energie", "messwert", "zahlerstand", "zaehlerstand", "stand", "arbeit",
    "wirkarbeit", "bezug", "lastgang", "menge", "valeur", "consommation", "energie_active", "index_kwh", "releve",
    "valor", "consumo", "consumo_kwh", "energia", "energia_activa", "energia_ativa", "lectura", "leitura", "lettura",
    "valore", "consumi", "energia_attiva", "verbruik", "waarde", "meterstand", "levering", "tuketim", "deger",
    "enerji",
    "tuketim_kwh", "endeks", "aktif_enerji", "zuzycie", "wartosc", "pobor",
}  # fmt: skip
CHANNEL = {
    "channel", "direction", "flow", "flow_direction", "obis", "obis_code", "obis_kennzahl", "register_id", "suffix",
    "nmi_suffix", "energy_direction", "richtung", "energierichtung", "kanal", "kennzahl", "canal", "sens", "sentido",
    "direccion", "direcao", "direzione", "richting", "yon", "kierunek", "magnitud",
}  # fmt: skip
QUALITY = {
    "quality", "quality_flag", "quality_code", "reading_quality", "quality_method", "read_type", "reading_type",
    "estimated", "is_estimated", "validity", "qualitat", "qualitaet", "status", "statusflag", "ersatzwert", "qualite",
    "metodo_obtencion", "metodoobtencion",
    "nature", "calidad", "estimado", "qualidade", "qualita", "stimato", "kwaliteit", "kalite", "durum", "jakosc",
}  # fmt: skip
UNIT = {"unit", "uom", "units", "unit_of_measure", "einheit", "unite", "unidad", "unidade", "unita", "eenheid", "birim"}
NAME_LOOKED_AT = 200  # of a column; a longer one is no name, and brackets without end would take long


def word(name: str) -> str:
    """A column name without the differences that carry no meaning: `KWH/hh (per half hour)` is `kwh_hh`."""
    name = re.sub(r"[(\[].*?[)\]]", "", name[:NAME_LOOKED_AT].strip().strip('"').lstrip("\ufeff").lower())
    if not name.isascii():
        name = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    return re.sub(r"[\s/.\-:#°º]+", "_", name.replace("ı", "i").replace("ł", "l").strip()).strip("_")


def unit_of(name: str) -> str | None:
    """The unit that a column name mentions."""
    found = re.search(r"(?<![a-z])(mwh|kwh|wh|kw)(?![a-z])", name[:NAME_LOOKED_AT].lower().replace("_", " "))
    return {"mwh": "MWh", "kwh": "kWh", "wh": "Wh", "kw": "kW"}[found[1]] if found else None


def is_known(name: str) -> bool:
    """Is it a name of some column that is looked for?"""
    return bool(unit_of(name)) or word(name) in METER | TIME | VALUE | CLOCK_TIME
