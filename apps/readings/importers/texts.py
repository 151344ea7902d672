"""Texts to stamps and numbers, whole columns at a time; and the spellings of column names that senders use."""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

METER = {
    "meter", "meter_id", "meterid", "meter_no", "meter_number", "meter_serial", "serial", "serial_number", "serialno",
    "lclid", "mpan", "mprn", "nmi", "meter_point", "device", "device_id", "id", "cons_no", "customer", "household",
    "zähler", "zählernummer", "zaehler", "compteur", "contador", "medidor",
}  # fmt: skip
TIME = {
    "time", "timestamp", "datetime", "date_time", "date", "day", "stamp", "read_at", "reading_time", "interval_start",
    "interval_end", "start", "end", "period_start", "period_end", "tstp", "ts", "utc", "reading_datetime",
    "__index_level_0__", "index", "zeit", "zeitstempel", "datum", "horodate", "fecha", "fecha_hora", "data",
}  # fmt: skip
VALUE = {
    "kwh", "wh", "mwh", "kw", "value", "reading", "energy", "consumption", "usage", "energy_kwh", "kwh_hh", "quantity",
    "consumption_kwh", "value_kwh", "import_kwh", "general_supply_kwh", "register", "wert", "verbrauch", "valeur",
    "valor", "consumo",
}  # fmt: skip
MISSING = ["", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "-"]


def word(name: str) -> str:
    """A column name without the differences that carry no meaning: `KWH/hh (per half hour)` is `kwh_hh`."""
    name = re.sub(r"[(\[].*?[)\]]", "", name.strip().strip('"').lstrip("\ufeff").lower())
    return re.sub(r"[\s/.\-]+", "_", name.strip()).strip("_")


def unit_of(name: str) -> str | None:
    """The unit that a column name mentions."""
    found = re.search(r"(?<![a-z])(mwh|kwh|wh|kw)(?![a-z])", name.lower().replace("_", " "))
    return {"mwh": "MWh", "kwh": "kWh", "wh": "Wh", "kw": "kW"}[found[1]] if found else None


CLOCK = (
    r"(?:[T ]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?)?"
    r"\s*(?P<zone>[Zz]|UTC|[+-]\d{2}(?::?\d{2})?)?$"
)
YEAR_FIRST = r"^\s*(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})" + CLOCK
COMPACT = r"^\s*(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})" + CLOCK
DAY_FIRST = r"^\s*(?P<day>\d{1,2})[-/.](?P<month>\d{1,2})[-/.](?P<year>\d{4})" + CLOCK
MONTH_FIRST = r"^\s*(?P<month>\d{1,2})[-/.](?P<day>\d{1,2})[-/.](?P<year>\d{4})" + CLOCK


@dataclass(frozen=True)
class Stamps:
    minutes: np.ndarray  # (N,) int32 since 1970; UTC where zoned
    valid: np.ndarray  # (N,) bool
    whole: np.ndarray  # (N,) bool: no seconds beside the minutes
    zoned: np.ndarray  # (N,) bool: carries Z or an offset
    timed: np.ndarray  # (N,) bool: carries a time of day

    def take(self, indices: np.ndarray) -> "Stamps":
        return Stamps(
            self.minutes[indices], self.valid[indices], self.whole[indices], self.zoned[indices], self.timed[indices]
        )


def is_month_first(sample: pa.Array) -> bool:
    """Do dates such as 3/14/2026 occur? Where nothing tells, the day comes first."""
    if not pa.types.is_string(sample.type):
        return False
    found = [re.match(r"\s*(\d{1,2})[-/.](\d{1,2})[-/.]\d{4}", text or "") for text in sample.to_pylist()]
    parts = [(int(match[1]), int(match[2])) for match in found if match]
    return any(second > 12 for _, second in parts) and all(first <= 12 for first, _ in parts)


def shown(cell: pa.Scalar) -> str:
    """What stands in a cell, for a person to see."""
    try:
        value = cell.as_py()
    except (ValueError, OverflowError):
        return str(cell.cast(pa.int64()).as_py())  # a moment far from any calendar
    return "" if value is None else str(value)


def stamps_of(column: pa.Array, month_first: bool = False) -> Stamps:
    """Stamps of a column of timestamps, dates or texts."""
    if pa.types.is_dictionary(column.type):
        indices = pc.fill_null(column.indices, len(column.dictionary)).to_numpy(zero_copy_only=False)
        distinct = pa.concat_arrays([column.dictionary, pa.nulls(1, column.dictionary.type)])
        return stamps_of(distinct, month_first).take(indices)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return _typed_stamps(column)
    return _text_stamps(pc.cast(column, pa.string()), month_first)


def _typed_stamps(column: pa.Array) -> Stamps:
    valid = pc.is_valid(column).to_numpy(zero_copy_only=False)
    moments = column.to_numpy(zero_copy_only=False)
    minutes = moments.astype("datetime64[m]")
    timed = np.full(len(column), pa.types.is_timestamp(column.type))
    zoned = np.full(len(column), pa.types.is_timestamp(column.type) and column.type.tz is not None)
    return Stamps(_as_int32(minutes.astype(np.int64)), valid, minutes == moments, zoned, timed)


def _text_stamps(texts: pa.Array, month_first: bool) -> Stamps:
    stamps = None
    for pattern in (YEAR_FIRST, MONTH_FIRST if month_first else DAY_FIRST, COMPACT):
        these = _matching_stamps(pc.extract_regex(texts, pattern))
        if stamps is None:
            stamps = these
        else:
            better = ~stamps.valid & these.valid
            for into, source in zip(vars(stamps).values(), vars(these).values(), strict=True):
                into[better] = source[better]
        if stamps.valid.all():
            break
    return stamps


def _matching_stamps(parts: pa.StructArray) -> Stamps:
    def number(name: str) -> np.ndarray:
        digits = pc.fill_null(pc.struct_field(parts, name), "0")
        return pc.cast(pc.if_else(pc.equal(digits, ""), "0", digits), pa.int64()).to_numpy(zero_copy_only=False)

    year, month, day = number("year"), number("month"), number("day")
    hour, minute, second = number("hour"), number("minute"), number("second")
    months = (np.clip(year, 1, 9999) - 1970) * 12 + np.clip(month, 1, 12) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    length = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - first
    valid = pc.is_valid(parts).to_numpy(zero_copy_only=False)
    valid &= (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= length)
    # 24:00 is the end of the day.
    valid &= (minute < 60) & (second < 60) & ((hour < 24) | ((hour == 24) & (minute == 0)))
    zones = pc.fill_null(pc.struct_field(parts, "zone"), "")
    offset = _offset_minutes(zones)
    minutes = (first + day - 1) * 1440 + hour * 60 + minute - offset
    timed = pc.fill_null(pc.not_equal(pc.struct_field(parts, "hour"), ""), False).to_numpy(zero_copy_only=False)
    zoned = pc.not_equal(zones, "").to_numpy(zero_copy_only=False)
    return Stamps(_as_int32(minutes), valid.copy(), second == 0, zoned.copy(), timed.copy())


def _offset_minutes(zones: pa.Array) -> np.ndarray:
    distinct = zones.dictionary_encode()
    offsets = np.array([_offset(text) for text in distinct.dictionary.to_pylist()], dtype=np.int64)
    return offsets[distinct.indices.to_numpy(zero_copy_only=False)]


def _offset(text: str) -> int:
    if text[:1] not in {"+", "-"} or not text[1:]:
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    return (1 if text[0] == "+" else -1) * (int(digits[:2]) * 60 + int(digits[2:]))


def _as_int32(minutes: np.ndarray) -> np.ndarray:
    limits = np.iinfo(np.int32)
    return np.clip(minutes, limits.min, limits.max).astype(np.int32)  # year 6053 is rejected by its day in any case


NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"


def numbers_of(column: pa.Array, decimal_comma: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(N,) float64 with NaN where nothing is sent, and (N,) bool: something else than a number stands there."""
    if pa.types.is_binary(column.type) or pa.types.is_large_string(column.type):
        column = pc.cast(column, pa.string())
    if not pa.types.is_string(column.type):
        return _typed_numbers(column), np.zeros(len(column), dtype=bool)
    if decimal_comma:
        column = pc.replace_substring(column, ",", ".")
    try:
        return _typed_numbers(pc.cast(column, pa.float64())), np.zeros(len(column), dtype=bool)
    except pa.ArrowInvalid:
        good = pc.fill_null(pc.match_substring_regex(column, NUMBER), True)
        numbers = pc.cast(pc.utf8_trim_whitespace(pc.if_else(good, column, None)), pa.float64())
        return _typed_numbers(numbers), ~good.to_numpy(zero_copy_only=False)


def _typed_numbers(column: pa.Array) -> np.ndarray:
    return pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
