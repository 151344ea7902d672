"""The words that column headers use, and the units in them."""

import re
import unicodedata

METER = {
    "meter", "meter_id", "meterid", "meter_no", "meter_number", "meter_serial", "meter_name", "serial", "serial_number",
    "serialno", "lclid", "mpan", "mprn", "nmi", "meter_point", "device", "device_id", "id", "cons_no", "customer",
    "customer_id", "consumer", "consumer_id", "consumerid", "household", "household_id", "transformer",
    "transformer_id", "sum_meter", "zähler", "zählernummer", "zaehler", "compteur", "contador", "medidor",
}  # fmt: skip
TRANSFORMER = {
    "transformer", "transformer_id", "transformer_no", "transformer_name", "substation", "station", "feeder", "trafo",
    "group", "segment",
}  # fmt: skip
TIME = {
    "timestamp", "datetime", "date_time", "time", "date", "day", "stamp", "read_at", "reading_time", "interval_start",
    "interval_end", "start", "end", "period_start", "period_end", "tstp", "ts", "utc", "reading_datetime",
    "__index_level_0__", "index", "zeit", "zeitstempel", "datum", "horodate", "fecha", "fecha_hora",
}  # fmt: skip
CLOCK = {"time", "hour", "uhrzeit", "hora", "heure"}
"""Columns that hold the time of day where another holds the date."""
DATE = {"date", "day", "datum", "fecha"}
VALUE = {
    "kwh", "wh", "mwh", "kw", "value", "reading", "readings", "energy", "consumption", "usage", "energy_kwh", "kwh_hh",
    "quantity", "consumption_kwh", "value_kwh", "import_kwh", "general_supply_kwh", "wert", "verbrauch", "valeur",
    "valor", "consumo", "load", "electricity",
}  # fmt: skip
OUTCOME = {"outcome", "result", "found", "label", "finding"}
DAY = {"day", "date", "inspected_on", "inspected", "on"}
MISSING = ["", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "-", "NaT", "<NA>"]

LONGEST_NAME = 500


def word(name: str) -> str:
    """A column name without the differences that carry no meaning: `KWH/hh (per half hour)` is `kwh_hh`."""
    name = re.sub(r"[(\[].*?[)\]]", "", name.strip().strip('"').lstrip("\ufeff").lower())
    return re.sub(r"[\s/.\-]+", "_", name.strip()).strip("_")


def find(columns: list[str], words: set[str], but: tuple[int | None, ...] = ()) -> int | None:
    """Place of the first column with one of these names."""
    return next((place for place, name in enumerate(columns) if word(name) in words and place not in but), None)


def kwh_factor(name: str) -> float | None:
    """What to multiply by for kWh, by the unit that a column name mentions; None for kW, which needs the interval."""
    found = re.search(r"(?<![a-z])(mwh|kwh|wh|kw|mw)(?![a-z])", name.lower().replace("_", " "))
    return {"mwh": 1000.0, "kwh": 1.0, "wh": 0.001, "kw": None}.get(found[1], 1.0) if found else 1.0


def names_a_unit(name: str) -> bool:
    return re.search(r"(?<![a-z])(mwh|kwh|wh|kw)(?![a-z])", name.lower().replace("_", " ")) is not None


def meter_name(text: object) -> str:
    """The name of a meter without what cannot be seen; empty for none. 7.0 is the meter 7: a gap made it a float."""
    if text is None:
        return ""
    text = unicodedata.normalize("NFC", str(text)).replace("\0", "").strip()
    if re.fullmatch(r"\d+\.0", text):
        text = text[:-2]
    return "" if len(text) > LONGEST_NAME or text in MISSING else text
