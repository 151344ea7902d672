"""Which of a date's numbers is the month, where the year does not come first: asked once for a whole column."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.conf import settings
from django.utils.translation import gettext as _

from apps.readings import times
from apps.readings.date_order import DateOrder, Why, order_of
from apps.readings.importers import headings, texts
from apps.readings.importers.base import FileFault, Reading, Rejects
from apps.readings.importers.tables import Batch, Table, words_of

# Parted by points the day always comes first.
UNCLEAR = r"^\s*(?P<one>\d{1,2})[-/](?P<two>\d{1,2})[-/](?P<year>\d{4}|\d{2})(?:\D|$)"
TIMED = r"\d:\d"
UNITED_STATES = (
    "US/", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Phoenix",
    "America/Detroit", "America/Boise", "America/Anchorage", "America/Indiana/", "America/Kentucky/",
    "America/North_Dakota/", "Pacific/Honolulu",
)  # fmt: skip


def column_of(table: Table) -> int | None:
    """The column that is named like one of stamps. Of several, hours say more than days, and the start of a period is
    asked for before its end."""
    words = words_of(table)
    named = [place for place, word in enumerate(words) if word in headings.TIME]
    if len(named) < 2:
        return named[0] if named else None

    def rank(place: int) -> tuple[bool, bool, bool, int]:
        sample = table.sample_column(place)
        both = [texts.stamps_of(sample, order) for order in (False, True)]
        valid, timed = (any(getattr(stamps, what).any() for stamps in both) for what in ("valid", "timed"))
        return not valid, not timed, words[place] in headings.ENDS, place

    return min(named, key=rank)


@dataclass(frozen=True)
class Evidence:
    """What the dates of a file say about their order."""

    told: bool | None  # does the month come first; None where each date works both ways
    line: int  # of the date that says it, and the date
    text: str
    seen: frozenset[tuple[int, int, int]]
    timed: bool  # they stand beside times of day


def month_first(table: Table, *columns: int, reading: Reading | None = None) -> bool:
    """Do the dates of these columns mean month/day/year? The reading says what is known of it, and is told what was
    taken. Raises FileFault where a date contradicts what was stated, or where the year seems to come first, in two
    digits."""
    return _taken(evidence(table, columns), reading)


def of_names(table: Table, reading: Reading | None = None) -> bool:
    """The same for dates that are names of columns."""
    names = pa.array(table.columns, pa.string())
    seen = _parts(names)
    if not seen:
        return False
    told = _told(seen)
    text = "" if told is None else table.columns[_first_that_tells(names, told)]
    return _taken(Evidence(told, getattr(table, "header_line", 1), text, frozenset(seen), timed=False), reading)


@lru_cache(maxsize=8)
def evidence(table: Table, columns: tuple[int, ...]) -> Evidence | None:
    """The beginning of the file is asked, and the rest only as long as nothing there tells. None where the dates do not
    need it. Raises FileFault."""
    if not any(_parts(_texts(table.sample_column(column))) for column in columns):
        return None
    seen: set[tuple[int, int, int]] = set()
    timed = False
    for batch in table.batches(Reading(Rejects(0)), list(columns), []):
        for column in columns:
            distinct = _texts(batch.columns[column])
            seen |= _parts(distinct)
            timed = timed or bool(pc.any(pc.match_substring_regex(distinct, TIMED)).as_py())
        if (told := _told(seen)) is not None:
            return Evidence(told, *_first_line_that_tells(batch, columns, told), frozenset(seen), timed)
    return Evidence(None, 0, "", frozenset(seen), timed)


def _taken(found: Evidence | None, reading: Reading | None) -> bool:
    """Whether the month comes first. What was stated holds, or the file is refused; else the file's own dates say it,
    then earlier files of the sender, then what is likely."""
    if found is None:
        return False
    said = reading.said_order if reading else None
    if said and said.why == Why.STATED:
        if found.told not in {None, said.is_month_first}:
            raise FileFault(_contradiction(found, said))
        taken = said
    elif found.told is not None:
        taken = DateOrder(order_of(found.told), Why.SEEN)
    else:
        taken = said or guessed(found)
    if reading:
        reading.date_order = reading.date_order or taken
    return taken.is_month_first


def _contradiction(found: Evidence, said: DateOrder) -> str:
    return _(
        "Line %(line)d: %(date)s is no date in the order that was stated (%(stated)s). State the other order, or none:"
        " a file whose own dates tell is believed."
    ) % {"line": found.line, "date": found.text[:40], "stated": said.order.label}


def _texts(column: pa.Array) -> pa.Array:
    """Each of its texts, once or more often."""
    return _as_texts(column.dictionary if pa.types.is_dictionary(column.type) else column)


def _as_texts(column: pa.Array) -> pa.Array:
    """None of what cannot be one: whoever reads it says so."""
    try:
        return texts.as_texts(column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([], pa.string())


def _parts(column: pa.Array) -> set[tuple[int, int, int]]:
    found = pc.drop_null(pc.extract_regex(column, UNCLEAR))
    parts = (pc.cast(pc.struct_field(found, name), pa.int64()).to_pylist() for name in ("one", "two", "year"))
    return set(zip(*parts, strict=True))


def _first_line_that_tells(batch: Batch, columns: tuple[int, ...], told: bool) -> tuple[int, str]:
    """The first date that has a number above 12 where no month can be: its line and its text."""
    found = []
    for column in columns:
        cells = _as_texts(batch.columns[column])
        if (row := _first_that_tells(cells, told)) >= 0:
            found.append((int(batch.lines[row]), cells[row].as_py()))
    return min(found)


def _first_that_tells(column: pa.Array, told: bool) -> int:
    number = pc.struct_field(pc.extract_regex(column, UNCLEAR), "two" if told else "one")
    return pc.index(pc.greater(pc.cast(number, pa.int64()), 12), True).as_py()


def _told(seen: set[tuple[int, int, int]]) -> bool | None:
    """What dates say that only work one way."""
    _refuse_years_first(seen)
    if any(one > 12 for one, _two, _year in seen):
        return False
    return True if any(two > 12 for _one, two, _year in seen) else None


def _refuse_years_first(seen: set[tuple[int, int, int]]) -> None:
    short = [parts for parts in seen if parts[2] < 100]
    this_year = int(np.datetime64(times.today(), "D").astype("datetime64[Y]").astype(int)) - 30
    ones, years = {one for one, _two, _year in short}, {year for _one, _two, year in short}
    if not ones or min(ones) < this_year - settings.READINGS_OLDEST_YEARS or max(ones) > this_year:
        return
    recent = {this_year, this_year - 1}
    if len(years) > len(ones) or (ones <= recent and not years & recent):
        one, two, year = min(short)
        raise FileFault(
            _(
                "Dates such as %(date)s do not say which number is the year. Write it in four digits, such as"
                " 2026-03-01."
            )
            % {"date": f"{one:02}/{two:02}/{year:02}"}
        )


def guessed(found: Evidence) -> DateOrder:
    """Where no date tells, they tell together: no day is still to come, and hours of a day are no hours of one day a
    month. Else as people write where the utility is."""
    days = {order: _days(found.seen, order) for order in (False, True)}
    to_come = {order: bool((some > times.today() + 1).any()) for order, some in days.items()}
    if to_come[False] != to_come[True]:
        return DateOrder(order_of(to_come[False]), Why.LIKELY)
    spans = {order: int(np.ptp(some)) if len(some) else 0 for order, some in days.items()}
    if found.timed and spans[False] != spans[True]:
        return DateOrder(order_of(spans[True] < spans[False]), Why.LIKELY)
    return DateOrder(order_of(settings.UTILITY_TIME_ZONE.startswith(UNITED_STATES)), Why.GUESSED)


def _days(seen: frozenset[tuple[int, int, int]], month_first: bool) -> np.ndarray:
    """Since 1970, all numbers being at most 12."""
    parts = np.array([(*((one, two) if month_first else (two, one)), year) for one, two, year in seen])
    if not len(parts):
        return np.zeros(0, dtype=np.int64)
    months, days, years = np.clip(parts[:, 0], 1, 12), parts[:, 1], parts[:, 2]
    years = np.where(years < 100, years + 2000, years)
    firsts = ((years - 1970) * 12 + months - 1).astype("datetime64[M]").astype("datetime64[D]")
    return firsts.astype(np.int64) + days - 1
