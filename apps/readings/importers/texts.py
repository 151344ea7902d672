"""Texts to stamps and numbers, whole columns at a time."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps.readings.importers import headings, months

KWH = {"Wh": 0.001, "kWh": 1.0, "MWh": 1000.0}
MISSING = ["", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "-"]
DIGITS = r"^((?:19|20)\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})?$"  # 20260301073000, with seconds or without
SPREADSHEET_1970 = 25569  # days since 1900, as spreadsheets count them
SPREADSHEET_MINUTES = 0.1  # four decimals of a day are 9 seconds


CLOCK = (
    r"(?:[T ]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?)?"
    r"\s*(?P<zone>[Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?$"
)
YEAR_FIRST = r"^\s*(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})" + CLOCK
COMPACT = r"^\s*(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})" + CLOCK
YEAR_LAST = r"(?:[-/.](?P<year>\d{4})|[/.](?P<short>\d{2}))" + CLOCK
DAY_FIRST = r"^\s*(?P<day>\d{1,2})[-/.](?P<month>\d{1,2})" + YEAR_LAST
MONTH_FIRST = r"^\s*(?P<month>\d{1,2})[-/](?P<day>\d{1,2})" + YEAR_LAST


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


def as_texts(column: pa.Array) -> pa.Array:
    return pc.cast(column, pa.string())


def kind_of(cell: str) -> str:
    """What a cell looks like: a stamp, a decimal or an integer, a name, or nothing."""
    cell = cell.strip()
    if re.fullmatch(r"[+-]?\d+", cell):
        return "integer"
    if re.fullmatch(r"[+-]?\d*[.,]\d+(?:[eE][+-]?\d+)?", cell):
        return "decimal"
    if cell and stamps_of(pa.array([cell])).valid[0]:
        return "stamp"
    return "name" if cell else ""


def shown(cell: pa.Scalar) -> str:
    """What stands in a cell, for a person to see."""
    try:
        value = cell.as_py()
    except (ValueError, OverflowError):
        return str(cell.cast(pa.int64()).as_py())  # a moment far from any calendar
    return "" if value is None else str(value)


def stamps_of(column: pa.Array, month_first: bool = False, *, counted: bool = True) -> Stamps:
    """Stamps of a column of timestamps, dates or texts; `counted`: also of numbers that count since a beginning."""
    if pa.types.is_dictionary(column.type):
        indices = pc.fill_null(column.indices, len(column.dictionary)).to_numpy(zero_copy_only=False)
        distinct = pa.concat_arrays([column.dictionary, pa.nulls(1, column.dictionary.type)])
        return stamps_of(distinct, month_first, counted=counted).take(indices)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return _typed_stamps(column)
    column = pc.cast(column, pa.string())
    stamps = _with_named_months(_text_stamps(column, month_first), column)
    return stamps if stamps.valid.all() or not counted else _with_counted(stamps, column)


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


def _with_named_months(stamps: Stamps, texts: pa.Array) -> Stamps:
    left = [] if stamps.valid.all() else np.flatnonzero(~stamps.valid & _rows(texts, months.LETTER + "{3}"))
    if len(left):
        spelled = months.in_numbers(texts.take(pa.array(left)))
        left = left[pc.is_valid(spelled).to_numpy(zero_copy_only=False)]
    if len(left):
        found = _text_stamps(spelled.drop_null(), month_first=False)
        for into, source in zip(vars(stamps).values(), vars(found).values(), strict=True):
            into[left] = source
    return stamps


def _with_counted(stamps: Stamps, texts: pa.Array) -> Stamps:
    """Stamps as programs count them: in seconds since 1970 or fractions of them, which are moments, whatever clock hung
    on the wall; and as spreadsheets do, in days of that clock since 1900."""
    digits = pc.utf8_trim_whitespace(texts)
    seconds = _rows(digits, r"^[12]\d{9}(?:\d{3}){0,3}$") & ~stamps.valid
    if seconds.any():
        counts = pc.cast(pc.filter(digits, pa.array(seconds)), pa.int64()).to_numpy()
        unit = 1000 ** np.searchsorted([10**10, 10**13, 10**16], counts, side="right")
        stamps.minutes[seconds] = counts // unit // 60
        stamps.whole[seconds] = counts % (60 * unit) == 0
        stamps.valid[seconds] = stamps.zoned[seconds] = stamps.timed[seconds] = True
    written = _rows(digits, DIGITS) & ~stamps.valid
    if written.any():
        spelled = pc.replace_substring_regex(pc.filter(digits, pa.array(written)), DIGITS, r"\1-\2-\3 \4:\5:\6")
        found = _text_stamps(pc.replace_substring_regex(spelled, ":$", ""), month_first=False)
        for into, source in zip(vars(stamps).values(), vars(found).values(), strict=True):
            into[written] = source
    days = _rows(digits, r"^[345]\d{4}(?:[.,]\d+)?$") & ~stamps.valid
    if days.any():
        counts = pc.cast(pc.replace_substring(pc.filter(digits, pa.array(days)), ",", "."), pa.float64()).to_numpy()
        minutes = (counts - SPREADSHEET_1970) * 1440
        stamps.minutes[days] = np.rint(minutes)
        stamps.whole[days] = np.abs(minutes - np.rint(minutes)) < SPREADSHEET_MINUTES
        stamps.timed[days] = counts % 1 > 0
        stamps.valid[days] = True
    return stamps


def _rows(texts: pa.Array, pattern: str) -> np.ndarray:
    return pc.fill_null(pc.match_substring_regex(texts, pattern), False).to_numpy(zero_copy_only=False)


def _matching_stamps(parts: pa.StructArray) -> Stamps:
    def number(name: str) -> np.ndarray:
        if parts.type.get_field_index(name) < 0:
            return np.zeros(len(parts), dtype=np.int64)
        digits = pc.fill_null(pc.struct_field(parts, name), "0")
        return pc.cast(pc.if_else(pc.equal(digits, ""), "0", digits), pa.int64()).to_numpy(zero_copy_only=False)

    year, month, day = number("year"), number("month"), number("day")
    hour, minute, second = number("hour"), number("minute"), number("second")
    if parts.type.get_field_index("short") >= 0:
        year = np.where(year, year, 2000 + number("short"))
    months = (np.clip(year, 1, 9999) - 1970) * 12 + np.clip(month, 1, 12) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    length = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - first
    valid = pc.is_valid(parts).to_numpy(zero_copy_only=False)
    valid &= (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= length)
    # 24:00 is the end of the day.
    valid &= (minute < 60) & (second < 60) & ((hour < 24) | ((hour == 24) & (minute == 0)))
    half = pc.utf8_lower(pc.fill_null(pc.struct_field(parts, "half"), ""))
    if (halved := pc.not_equal(half, "").to_numpy(zero_copy_only=False)).any():
        valid &= ~halved | (hour >= 1) & (hour <= 12)
        afternoon = pc.equal(half, "p").to_numpy(zero_copy_only=False)
        hour = np.where(halved, hour % 12 + 12 * afternoon, hour)
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
# Digits in threes, parted by what does not part decimals there.
GROUPED = r"^\s*[+-]?[1-9]\d{0,2}(?:[,'’ \x{a0}\x{202f}]\d{3})+(?:\.\d+)?\s*$"
GROUPED_BEFORE_COMMA = r"^\s*[+-]?[1-9]\d{0,2}(?:[.'’ \x{a0}\x{202f}]\d{3})+(?:,\d+)?\s*$"
COMMA_DECIMALS = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:[.'’ \xa0\u202f]\d{3})+),\d+")
NO_THOUSANDS = re.compile(r"[+-]?(?:0,\d+|\d+,(?:\d{1,2}|\d{4,}))")
POINT_DECIMALS = re.compile(r"[+-]?\d+\.(?:\d{1,2}|\d{4,})")
POINT_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+")
HUNDREDS = re.compile(r"[1-9]\d{2}")


def has_decimal_comma(cells: Iterable[str], pattern: re.Pattern = COMMA_DECIMALS) -> bool:
    """Some number has a decimal comma, and none a decimal point."""
    numbers = [cell.strip() for cell in cells]
    return any(map(pattern.fullmatch, numbers)) and not any(map(POINT_DECIMALS.fullmatch, numbers))


def has_point_thousands(cells: Iterable[str]) -> bool:
    """Beside hundreds that are written without a point, every point stands before three digits: 950, 1.234, 870."""
    numbers = [cell.strip() for cell in cells]
    pointed = [number for number in numbers if "." in number]
    return bool(pointed) and all(map(POINT_THOUSANDS.fullmatch, pointed)) and any(map(HUNDREDS.fullmatch, numbers))


def numbers_of(column: pa.Array, decimal_comma: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(N,) float64 with NaN where nothing is sent, and (N,) bool: something else than a number stands there."""
    if pa.types.is_binary(column.type) or pa.types.is_large_string(column.type):
        column = pc.cast(column, pa.string())
    if not pa.types.is_string(column.type):
        return _typed_numbers(column), np.zeros(len(column), dtype=bool)
    if decimal_comma:
        column = pc.replace_substring(_ungrouped(column, GROUPED_BEFORE_COMMA, "[.'’ \u00a0\u202f]"), ",", ".")
    try:
        return _typed_numbers(pc.cast(column, pa.float64())), np.zeros(len(column), dtype=bool)
    except pa.ArrowInvalid:
        if not decimal_comma:
            column = _ungrouped(column, GROUPED, "[,'’ \u00a0\u202f]")
        good = pc.fill_null(pc.match_substring_regex(column, NUMBER), True)
        numbers = pc.cast(pc.utf8_trim_whitespace(pc.if_else(good, column, None)), pa.float64())
        return _typed_numbers(numbers), ~good.to_numpy(zero_copy_only=False)


def _ungrouped(column: pa.Array, pattern: str, signs: str) -> pa.Array:
    grouped = pc.fill_null(pc.match_substring_regex(column, pattern), False)
    if not pc.any(grouped).as_py():
        return column
    return pc.if_else(grouped, pc.replace_substring_regex(column, signs, ""), column)


def _typed_numbers(column: pa.Array) -> np.ndarray:
    return pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)


CLOCK_TEXT = re.compile(r"(\d{1,2})(?::?(\d{2}))?(?::(\d{2}))?(?:[.,]0+)?(?:\s*([ap])\.?m\.?)?", re.IGNORECASE)


def clock_minutes(text: str | None) -> int:
    """Minutes since midnight of `7`, `7:30`, `0730`, `07:30:00`, `7:30 pm`; -1 for anything else."""
    found = CLOCK_TEXT.fullmatch((text or "").strip())
    if not found or int(found[3] or 0):
        return -1
    hour, minute = int(found[1]), int(found[2] or 0)
    if found[4]:
        hour = hour % 12 + (12 if found[4].lower() == "p" else 0)
    return hour * 60 + minute if hour * 60 + minute <= 1440 and minute < 60 else -1


ROUNDED = re.compile(r"\d(?:[.,]\d+)?E\+\d{1,2}")
AS_DECIMAL = re.compile(r"\d{3,}\.0")


def meter_name(text: str | None) -> str | None:
    """A meter's number as it stood before a program took it for a quantity: 4711.0 is 4711, and of 1.23E+11 most is
    lost."""
    if text is None or ROUNDED.fullmatch(text.strip()):
        return None
    return text[:-2] if AS_DECIMAL.fullmatch(text) else text


def dictionary_of(column: pa.Array) -> tuple[list[str | None], np.ndarray]:
    """Distinct texts with None as the last, and (N,) the place of each cell's."""
    if not pa.types.is_dictionary(column.type):
        column = pc.cast(column, pa.string()).dictionary_encode()
    distinct = [None if text is None else str(text) for text in column.dictionary.to_pylist()]
    return [*distinct, None], pc.fill_null(column.indices, len(distinct)).to_numpy(zero_copy_only=False)


def codes_of(column: pa.Array, meaning: Callable[[str], int]) -> np.ndarray:
    """(N,) int8 meaning of each cell; an empty one means what an empty text does."""
    distinct, places = dictionary_of(column)
    return np.array([meaning((text or "").strip()) for text in distinct], dtype=np.int8)[places]


OBIS = re.compile(r"(?:\d+-\d+:)?([12])\.(?:8|9|29)\.0(?:[.*]\d+)?")
IMPORT = {
    "", "1", "import", "imp", "in", "i", "delivered", "consumption", "forward", "e", "a+", "+a", "ai", "bezug",
    "verbrauch", "lieferung", "soutirage", "consommation", "importacion", "consumo", "entrada", "prelievo", "afname",
    "levering", "cekis", "tuketim", "pobor",
}  # fmt: skip
EXPORT = {
    "2", "export", "exp", "out", "received", "generation", "reverse", "b", "a-", "-a", "ae", "einspeisung",
    "ruckspeisung", "injection", "exportacion", "vertido", "inyeccion", "injecao", "immissione", "teruglevering",
    "invoeding", "veris",
    "uretim", "oddanie", "-1",
}  # fmt: skip


def channels_of(column: pa.Array) -> np.ndarray:
    """(N,) int8 models.Channel; 0 for what is no energy taken or given, such as reactive energy or a tariff's part."""
    return codes_of(column, channel_of)


def channel_of(text: str) -> int:
    if found := OBIS.fullmatch(text):
        return int(found[1])
    name = headings.word(text) if not {"+", "-"} & set(text) else text.strip().lower()
    if re.fullmatch(r"[eb]\d", name):  # a suffix of NEM12
        name = name[0]
    return 1 if name in IMPORT else 2 if name in EXPORT else 0


ESTIMATED = {
    "e", "est", "estimated", "estimate", "true", "yes", "y", "1", "s", "substituted", "f", "final_substituted",
    "ersatzwert", "ersatz", "geschatzt", "vorlaufig", "v_ersatz", "estime", "estimee", "estimado", "estimada",
    "stimato", "stimata",
    "geschat", "tahmini", "szacowany", "calculated", "projected", "forecast", "profiled",
}  # fmt: skip
SUSPECT = {"suspect", "questionable", "failed", "invalid", "suspicious", "zweifelhaft", "douteux", "dudoso"}
EDITED = {"edited", "manual", "corrected", "adjusted", "manuell", "korrigiert", "corrige", "corregido", "corrigido"}


def quality_of(column: pa.Array) -> np.ndarray:
    """(N,) int8 readings.quality; what no sender calls estimated is measured."""
    return codes_of(column, _quality)


def _quality(text: str) -> int:
    name = headings.word(text)
    if name in ESTIMATED or re.fullmatch(r"[sef]\d{2}", name):
        return 1
    return 2 if name in SUSPECT else 3 if name in EDITED else 0


def kwh_of(column: pa.Array) -> np.ndarray:
    """(N,) float64, what a value of the unit in each cell is in kWh; 0 for no unit of energy."""
    distinct, places = dictionary_of(column)
    units = {"wh": 0.001, "kwh": 1.0, "mwh": 1000.0, "": 1.0}
    return np.array([units.get((text or "").strip().lower(), 0.0) for text in distinct])[places]
