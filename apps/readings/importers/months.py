"""Months by name, alone and in dates: 05-Jan-2025 13:00, 5 January 2025, Jan 5 2025."""

import unicodedata

import pyarrow as pa
import pyarrow.compute as pc

# English, German, French, Spanish, Portuguese, Italian, Dutch, Turkish, Polish.
MONTHS = {
    name: month
    for month, names in enumerate(
        (
            "january jan januar janvier janv enero ene janeiro gennaio gen januari ocak oca styczen sty stycznia",
            "february feb februar fevrier fevr fev febrero fevereiro febbraio februari subat sub luty lut lutego",
            "march mar marz mrz mars marzo marco maart mrt mart marzec marca",
            "april apr avril avr abril abr aprile nisan nis kwiecien kwi kwietnia",
            "may mai mayo maio maggio mag mei mayis maj maja",
            "june jun juni juin junio junho giugno giu haziran haz czerwiec cze czerwca",
            "july jul juli juillet juil julio julho luglio lug temmuz tem lipiec lip lipca",
            "august aug aout agosto ago augustus agustos agu sierpien sie sierpnia",
            "september sep sept septembre septiembre setembro set settembre eylul eyl wrzesien wrz wrzesnia",
            "october oct oktober okt octobre octubre outubro out ottobre ott ekim eki pazdziernik paz pazdziernika",
            "november nov novembre noviembre novembro kasim kas listopad lis listopada",
            "december dec dezember dez decembre diciembre dic dezembro dicembre aralik ara grudzien gru grudnia",
        ),
        start=1,
    )
    for name in names.split()
}
LETTER = r"[A-Za-z\x{c0}-\x{24f}]"  # of the nine languages; a class of all letters takes long to compile
WEEKDAY = rf"^\s*(?:{LETTER}+\.?,?\s+)?"
NAME = rf"(?P<name>{LETTER}{{3,12}})\.?"
BEHIND = r"(?:[T,:\s]\s*(?P<rest>\d.*))?$"
# Days with and without "th" and its like; "de" as Spanish and Portuguese have it.
SHAPES = (
    WEEKDAY
    + r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|[.ºª])?[-/\s]*(?:de\s+)?"
    + NAME
    + r"[-/,\s]*(?:del?\s+)?(?P<year>\d{4}|\d{2})"
    + BEHIND,
    WEEKDAY + NAME + r"[-/\s]*(?P<day>\d{1,2})(?:st|nd|rd|th)?[-/,\s]+(?P<year>\d{4})" + BEHIND,
    r"^\s*(?P<year>\d{4})[-/\s]?" + NAME + r"[-/\s]?(?P<day>\d{1,2})" + BEHIND,
    WEEKDAY + NAME + r"\s+(?P<day>\d{1,2})\s+(?P<rest>\d{1,2}:\d{2}(?::\d{2})?)\s+(?P<year>\d{4})$",
)


def in_numbers(column: pa.Array) -> pa.Array:
    """Dates with names of months written as 2025-01-05 13:00; null for what is none."""
    found = pa.nulls(len(column), pa.string())
    for shape in SHAPES:
        parts = pc.extract_regex(column, shape)
        names = pc.struct_field(parts, "name").dictionary_encode()
        numbers = pa.array([_number(name) for name in names.dictionary.to_pylist()], pa.string())
        year = pc.struct_field(parts, "year")
        year = pc.if_else(pc.equal(pc.utf8_length(year), 2), pc.binary_join_element_wise("20", year, ""), year)
        date = pc.binary_join_element_wise(year, numbers.take(names.indices), pc.struct_field(parts, "day"), "-")
        rest = pc.struct_field(parts, "rest")
        spelled = pc.if_else(pc.equal(rest, ""), date, pc.binary_join_element_wise(date, rest, " "))
        found = pc.coalesce(found, spelled)
    return found


def _number(name: str) -> str | None:
    letters = unicodedata.normalize("NFKD", name.lower()).replace("ı", "i")
    number = MONTHS.get("".join(letter for letter in letters if not unicodedata.combining(letter)))
    return None if number is None else f"{number:02}"
