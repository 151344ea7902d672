"""Stamps of all spellings to minutes of standard time."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

EARLIEST, LATEST = (int(np.datetime64(day, "m").astype(int)) for day in ("1970-01-02", "2200-01-01"))
CLOCK = (
    r"(?:[T ]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?)?"
    r"\s*(?P<zone>[Zz]|UTC|[+-]\d{2}(?::?\d{2})?)?\s*$"
)
YEAR_FIRST = r"^\s*(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})" + CLOCK
COMPACT = r"^\s*(?P<year>[12]\d{3})(?P<month>\d{2})(?P<day>\d{2})" + CLOCK
DAY_FIRST = r"^\s*(?P<day>\d{1,2})[-/.](?P<month>\d{1,2})[-/.](?P<year>\d{4})" + CLOCK
MONTH_FIRST = r"^\s*(?P<month>\d{1,2})[-/.](?P<day>\d{1,2})[-/.](?P<year>\d{4})" + CLOCK
CLOCK_ALONE = r"^\s*(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?(?::\d{2}(?:[.,]\d+)?)?\s*$"
UNREADABLE = np.int64(np.iinfo(np.int64).min)


def standard_offset(timezone: str, near: np.datetime64 | None = None) -> int:
    """Minutes of standard time ahead of UTC: the lesser of a year's two. Raises KeyError for an unknown zone."""
    zone, year = ZoneInfo(timezone), int(str(np.datetime64(near or "2025-01-01", "Y")))
    moments = (datetime(year, month, 1, tzinfo=UTC).astimezone(zone) for month in (1, 7))
    return min(moment.utcoffset() // timedelta(minutes=1) for moment in moments)


def is_month_first(sample: pa.Array) -> bool:
    """Do dates such as 3/14/2026 occur? Where nothing tells, the day comes first."""
    if not pa.types.is_string(sample.type):
        return False
    found = [re.match(r"\s*(\d{1,2})[-/.](\d{1,2})[-/.]\d{4}", text or "") for text in sample.to_pylist()]
    parts = [(int(match[1]), int(match[2])) for match in found if match]
    return any(second > 12 for _, second in parts) and all(first <= 12 for first, _ in parts)


def look_like_stamps(column: pa.Array) -> bool:
    """Of texts and numbers more than half can be read as stamps."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return True
    filled = column.drop_null()
    if not len(filled) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type):
        return False
    return bool((minutes_of(filled, 0)[0] != UNREADABLE).mean() > 0.5)


def minutes_of(column: pa.Array, utc_offset: int, month_first: bool = False) -> tuple[np.ndarray, bool]:
    """((N,) int64 minutes since 1970 of standard time, UNREADABLE where there is no stamp; any carried its own zone).

    A stamp without a zone is standard time already; one with a zone is moved by `utc_offset` minutes from UTC.
    Seconds are rounded to the nearest minute.
    """
    if pa.types.is_dictionary(column.type):
        distinct, zoned = minutes_of(column.dictionary, utc_offset, month_first)
        places = pc.fill_null(column.indices, len(distinct)).to_numpy(zero_copy_only=False)
        return np.append(distinct, UNREADABLE)[places], zoned
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        seconds = pc.fill_null(pc.cast(pc.cast(column, pa.timestamp("s"), safe=False), pa.int64()), UNREADABLE)
        seconds = seconds.to_numpy(zero_copy_only=False)
        is_zoned = pa.types.is_timestamp(column.type) and column.type.tz is not None
        return _within(_minutes(seconds) + (utc_offset if is_zoned else 0), seconds != UNREADABLE), is_zoned
    if pa.types.is_integer(column.type):
        column = pc.cast(column, pa.string())
    return _text_minutes(pc.cast(column, pa.string()), utc_offset, month_first)


def clock_minutes(column: pa.Array) -> np.ndarray:
    """(N,) int64 minutes of the day of texts such as 7:30 or of whole hours; UNREADABLE where there is none."""
    if pa.types.is_time(column.type) or pa.types.is_dictionary(column.type):
        column = pc.cast(column, pa.string())
    parts = pc.extract_regex(pc.cast(column, pa.string()), CLOCK_ALONE)
    minutes = _number(parts, "hour") * 60 + _number(parts, "minute")
    return np.where(_valid(parts) & (minutes <= 1440), minutes, UNREADABLE)


def _minutes(seconds: np.ndarray) -> np.ndarray:
    return (seconds // 30 + 1) // 2


def _within(minutes: np.ndarray, valid: np.ndarray) -> np.ndarray:
    return np.where(valid & (minutes >= EARLIEST) & (minutes < LATEST), minutes, UNREADABLE)


def _text_minutes(texts: pa.Array, utc_offset: int, month_first: bool) -> tuple[np.ndarray, bool]:
    minutes, zoned = np.full(len(texts), UNREADABLE), False
    for pattern in (YEAR_FIRST, MONTH_FIRST if month_first else DAY_FIRST, COMPACT):
        missing = minutes == UNREADABLE
        if not missing.any():
            break
        these, own_zone = _matching(pc.extract_regex(texts, pattern), utc_offset)
        minutes[missing] = these[missing]
        zoned |= bool((own_zone & missing & (these != UNREADABLE)).any())
    missing = np.flatnonzero(minutes == UNREADABLE)
    if len(missing) and len(missing) == len(minutes):
        minutes, zoned = _unix_minutes(texts, utc_offset)
    return minutes, zoned


def _unix_minutes(texts: pa.Array, utc_offset: int) -> tuple[np.ndarray, bool]:
    """Seconds, or thousandths and less of them, since 1970 in UTC."""
    digits = pc.fill_null(pc.match_substring_regex(texts, r"^\s*\d{9,19}\s*$"), False)
    count = pc.cast(pc.utf8_trim_whitespace(pc.if_else(digits, texts, "0")), pa.int64()).to_numpy(zero_copy_only=False)
    scale = 10 ** (3 * np.clip((np.log10(np.maximum(count, 1)).astype(int) - 8) // 3, 0, 3))
    valid = digits.to_numpy(zero_copy_only=False)
    return _within(_minutes(count // scale) + utc_offset, valid), bool(valid.any())


def _matching(parts: pa.StructArray, utc_offset: int) -> tuple[np.ndarray, np.ndarray]:
    year, month, day = _number(parts, "year"), _number(parts, "month"), _number(parts, "day")
    hour, minute, second = _number(parts, "hour"), _number(parts, "minute"), _number(parts, "second")
    months = (np.clip(year, 1, 9999) - 1970) * 12 + np.clip(month, 1, 12) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    length = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - first
    valid = _valid(parts) & (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= length)
    # 24:00 is the end of the day.
    valid &= (minute < 60) & (second < 60) & ((hour < 24) | ((hour == 24) & (minute == 0)))
    zones = pc.fill_null(pc.struct_field(parts, "zone"), "").dictionary_encode()
    offsets = np.array([_zone_minutes(zone) for zone in zones.dictionary.to_pylist()], np.int64)
    names_zone = np.array([zone != "" for zone in zones.dictionary.to_pylist()], bool)
    place = zones.indices.to_numpy(zero_copy_only=False)
    zoned = names_zone[place] if len(names_zone) else np.zeros(len(place), bool)
    moved = np.where(zoned, utc_offset - (offsets[place] if len(offsets) else 0), 0)
    minutes = (first + day - 1) * 1440 + hour * 60 + minute + (second >= 30) + moved
    return _within(minutes, valid), zoned


def _zone_minutes(zone: str) -> int:
    if zone[:1] not in {"+", "-"}:
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return (1 if zone[0] == "+" else -1) * (int(digits[:2]) * 60 + int(digits[2:]))


def _number(parts: pa.StructArray, name: str) -> np.ndarray:
    digits = pc.fill_null(pc.struct_field(parts, name), "0")
    return pc.cast(pc.if_else(pc.equal(digits, ""), "0", digits), pa.int64()).to_numpy(zero_copy_only=False)


def _valid(parts: pa.StructArray) -> np.ndarray:
    return pc.is_valid(parts).to_numpy(zero_copy_only=False)
