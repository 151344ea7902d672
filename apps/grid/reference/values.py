"""Texts of a file to values: one function for each sort of field. What cannot be taken raises Wrong with the reason."""

import math
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation

from django.utils.translation import gettext as _

from apps.faults import UNPRINTABLE

MISSING = {"", "na", "n/a", "#n/a", "nan", "null", "none", "-", "--", "<null>"}
SHORTENED = re.compile(r"\d(?:[.,]\d+)?E\+\d+")  # 1.23457E+11: a spreadsheet shortened a long number
THOUSANDS = {",": re.compile(r"[-+]?\d{1,3}(?:,\d{3})+"), ".": re.compile(r"[-+]?\d{1,3}(?:\.\d{3})+")}
PLAIN_NUMBER = re.compile(r"[-+]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][-+]?\d{1,3})?")
YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ].{0,40})?")
COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4})(?:[T ].{0,40})?")


class Wrong(ValueError):
    """Why a row cannot be taken, as the end of a sentence that begins with the line."""


class Writing:
    """How a file writes numbers and dates, found out from its cells."""

    def __init__(self, decimal_comma: bool = False, month_first: bool = False):
        self.decimal_comma = decimal_comma
        self.month_first = month_first

    @classmethod
    def of(cls, cells: list[str], delimiter: str) -> "Writing":
        parts = [(int(m[1]), int(m[3])) for cell in cells if (m := YEAR_LAST.fullmatch(cell)) and m[2] == "/"]
        month_first = any(second > 12 for _first, second in parts) and all(first <= 12 for first, _second in parts)
        return cls(delimiter != ",", month_first)


def missing(value) -> bool:
    return value is None or (isinstance(value, str) and value.strip().lower() in MISSING)


def plain(value) -> str:
    """A cell as one line of text. JSON brings numbers where a text is meant."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Wrong(_("%(value)s is no text") % {"value": value})
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, int):
        if value.bit_length() > 200:
            raise Wrong(_("a number of so many digits is no text"))
        return str(value)
    if not isinstance(value, str):
        raise Wrong(_("a list or an object is no text"))
    text = " ".join(value.split())
    if UNPRINTABLE.search(text):
        raise Wrong(_("it holds a character that cannot be printed"))
    return text


def text(longest: int) -> Callable:
    def parse(value, writing: Writing) -> str:
        found = plain(value)
        if len(found) > longest:
            raise Wrong(
                _("%(length)d characters are more than the %(longest)d that are kept")
                % {"length": len(found), "longest": longest}
            )
        return found

    return parse


def key(longest: int) -> Callable:
    """A number that names something: a spreadsheet that shortened it named something else."""
    as_text = text(longest)

    def parse(value, writing: Writing) -> str:
        found = as_text(value, writing)
        if SHORTENED.fullmatch(found):
            raise Wrong(
                _("%(value)s was shortened by a spreadsheet: export the column as text") % {"value": shown(found)}
            )
        return found

    return parse


def decimal(digits: int, places: int, least: float = 0) -> Callable:
    def parse(value, writing: Writing) -> Decimal:
        number = as_number(value, writing)
        if number < Decimal(str(least)) or abs(number) >= Decimal(10) ** (digits - places):
            raise Wrong(_("%(value)s is out of range") % {"value": shown(value)})
        return round(number, places)

    return parse


def whole(most: int) -> Callable:
    def parse(value, writing: Writing) -> int:
        number = as_number(value, writing, is_whole=True)
        if number != number.to_integral_value() or not 0 <= number <= most:
            raise Wrong(_("%(value)s is no whole number from 0 to %(most)d") % {"value": shown(value), "most": most})
        return int(number)

    return parse


def as_number(value, writing: Writing, is_whole: bool = False) -> Decimal:
    if isinstance(value, bool):
        raise Wrong(_("%(value)s is no number") % {"value": shown(value)})
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise Wrong(_("%(value)s is no number") % {"value": shown(value)})
        value = str(value) if isinstance(value, float) or value.bit_length() < 200 else ""
    if not isinstance(value, str):
        raise Wrong(_("%(value)s is no number") % {"value": shown(value)})
    digits = re.sub(r"[\s'’\u00a0\u202f]", "", value)
    if "," in digits and "." in digits:
        thousands = "." if digits.rfind(",") > digits.rfind(".") else ","
        digits = digits.replace(thousands, "").replace(",", ".")
    elif "," in digits:
        grouped = THOUSANDS[","].fullmatch(digits) and not writing.decimal_comma
        digits = digits.replace(",", "" if grouped else ".")
    elif is_whole and writing.decimal_comma and THOUSANDS["."].fullmatch(digits):
        digits = digits.replace(".", "")
    if not PLAIN_NUMBER.fullmatch(digits):
        raise Wrong(_("%(value)s is no number") % {"value": shown(value)})
    try:
        return Decimal(digits)
    except InvalidOperation:
        raise Wrong(_("%(value)s is no number") % {"value": shown(value)}) from None


def degrees(value, writing: Writing) -> float:
    return float(as_number(value, writing))


def day(value, writing: Writing) -> date:
    text = plain(value)
    if match := YEAR_FIRST.fullmatch(text) or COMPACT.fullmatch(text):
        parts = match[1], match[2], match[3]
    elif match := YEAR_LAST.fullmatch(text):
        first, second = match[1], match[3]
        if writing.month_first and match[2] == "/":
            first, second = second, first
        parts = match[4], second, first
    else:
        raise Wrong(_("%(value)s is no date such as 2026-03-31") % {"value": shown(value)})
    try:
        found = date(*map(int, parts))
    except ValueError:
        raise Wrong(_("%(value)s is a day that no calendar has") % {"value": shown(value)}) from None
    if not 1900 <= found.year <= 2200:
        raise Wrong(_("%(value)s is out of range") % {"value": shown(value)})
    return found


def choice(words: dict[str, str]) -> Callable:
    """`words` maps what files say, in small letters, to what is kept."""

    def parse(value, writing: Writing) -> str:
        found = words.get(plain(value).lower())
        if found is None:
            raise Wrong(
                _("%(value)s is none of: %(known)s")
                % {"value": shown(value), "known": ", ".join(dict.fromkeys(words.values()))}
            )
        return found

    return parse


def shown(value) -> str:
    """A cell as it may be quoted in a reason."""
    return UNPRINTABLE.sub("�", str(value)[:40] if not isinstance(value, int) or value.bit_length() < 200 else "…")
