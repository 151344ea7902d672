"""Which of a date's numbers is the month, where the year does not come first: asked once for a whole column."""

from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.conf import settings
from django.utils.translation import gettext as _

from apps.readings import times
from apps.readings.importers import texts
from apps.readings.importers.base import FileFault, Reading, Rejects
from apps.readings.importers.tables import Table, words_of

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
    named = [place for place, word in enumerate(words) if word in texts.TIME]
    if len(named) < 2:
        return named[0] if named else None

    def rank(place: int) -> tuple[bool, bool, bool, int]:
        sample = table.sample_column(place)
        both = [texts.stamps_of(sample, order) for order in (False, True)]
        valid, timed = (any(getattr(stamps, what).any() for stamps in both) for what in ("valid", "timed"))
        return not valid, not timed, words[place] in texts.ENDS, place

    return min(named, key=rank)


@lru_cache(maxsize=8)
def month_first(table: Table, column: int) -> bool:
    """Do the dates of this column mean month/day/year? The beginning of the file is asked, and the rest only as long as
    nothing there tells. Raises FileFault where the year seems to come first, in two digits."""
    if not _parts(texts.as_texts(_plain(table.sample_column(column)))):
        return False
    seen: set[tuple[int, int, int]] = set()
    timed = False
    for batch in table.batches(Reading(Rejects(0)), [column], []):
        distinct = texts.as_texts(_plain(batch.columns[column]))
        seen |= _parts(distinct)
        timed = timed or bool(pc.any(pc.match_substring_regex(distinct, TIMED)).as_py())
        if (said := _told(seen)) is not None:
            return said
    return guessed(seen, timed)


def of_names(names: list[str]) -> bool:
    """The same for dates that are names of columns."""
    seen = _parts(pa.array(names, pa.string()))
    said = _told(seen)
    return guessed(seen, timed=False) if said is None else said


def _plain(column: pa.Array) -> pa.Array:
    """Each of its texts, once or more often."""
    return column.dictionary if pa.types.is_dictionary(column.type) else column


def _parts(column: pa.Array) -> set[tuple[int, int, int]]:
    found = pc.drop_null(pc.extract_regex(column, UNCLEAR))
    parts = (pc.cast(pc.struct_field(found, name), pa.int64()).to_pylist() for name in ("one", "two", "year"))
    return set(zip(*parts, strict=True))


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


def guessed(seen: set[tuple[int, int, int]], timed: bool) -> bool:
    """Where no date tells, they tell together: no day is still to come, and hours of a day are no hours of one day a
    month. Else as people write where the utility is."""
    days = {order: _days(seen, order) for order in (False, True)}
    to_come = {order: bool((found > times.today() + 1).any()) for order, found in days.items()}
    if to_come[False] != to_come[True]:
        return to_come[False]
    spans = {order: int(np.ptp(found)) if len(found) else 0 for order, found in days.items()}
    if timed and spans[False] != spans[True]:
        return spans[True] < spans[False]
    return settings.UTILITY_TIME_ZONE.startswith(UNITED_STATES)


def _days(seen: set[tuple[int, int, int]], month_first: bool) -> np.ndarray:
    """Since 1970, all numbers being at most 12."""
    parts = np.array([(*((one, two) if month_first else (two, one)), year) for one, two, year in seen])
    if not len(parts):
        return np.zeros(0, dtype=np.int64)
    months, days, years = np.clip(parts[:, 0], 1, 12), parts[:, 1], parts[:, 2]
    years = np.where(years < 100, years + 2000, years)
    firsts = ((years - 1970) * 12 + months - 1).astype("datetime64[M]").astype("datetime64[D]")
    return firsts.astype(np.int64) + days - 1
