"""Intervals of a day by number: the first begins at civil midnight. Days of a clock change have fewer, or more."""

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
from django.conf import settings
from django.utils.translation import gettext as _

from apps.readings import times
from apps.readings.importers import headings, texts
from apps.readings.importers.base import Reading, Rejects
from apps.readings.importers.tables import Table, words_of

DAY = 1440
READINGS_A_DAY = (24, 48, 96, 144, 288)
# Names of columns that number the day's intervals, and minutes of one where the name says it.
PERIODS = {
    "settlement_period": 30, "settlementperiod": 30, "sp": 30, "trading_period": 30, "half_hour": 30, "hh": 30,
    "quarter_hour": 15, "viertelstunde": 15, "hour_number": 60, "hour_no": 60, "stundennummer": 60,
    "period": 0, "period_number": 0, "period_no": 0, "interval": 0, "interval_number": 0, "interval_no": 0, "slot": 0,
    "position": 0, "periode": 0, "periodo": 0, "intervall": 0, "intervalle": 0, "intervalo": 0, "intervallo": 0,
    "okres": 0,
}  # fmt: skip
NUMBER = re.compile(r"(\d{1,3})(?:[.,]0+)?")
MOST_NUMBERS = 1000
PAIRS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Numbering:
    """How a file numbers the intervals of its days."""

    first: int  # 0 or 1
    minutes: int  # of an interval
    days: np.ndarray  # (D,) since 1970
    highest: np.ndarray  # (D,) how far each of them counts, from 1

    def follows_the_clock(self, clock: times.Zone) -> bool:
        """Do its numbers name hours as the clock shows them, so that one is left out in spring?"""
        usual, there = DAY // self.minutes, times.day_minutes(self.days, clock) // self.minutes
        short, long = there < usual, there > usual
        shown = (short & (self.highest > there)) | (long & (self.highest == usual))
        counted = (short & (self.highest == there)) | (long & (self.highest > usual))
        return bool(shown.sum() > counted.sum())


@dataclass(frozen=True)
class Counter:
    """Makes stamps of days and numbers."""

    numbering: Numbering
    clock: times.Zone
    by_clock: bool

    def stamps(self, dates: texts.Stamps, column: pa.Array) -> tuple[texts.Stamps, np.ndarray]:
        """Moments at which intervals begin, and (N,) bool: days that have no such interval."""
        numbers, places = texts.dictionary_of(column)
        slots = np.array([number_of(text) for text in numbers], dtype=np.int64)[places] - self.numbering.first
        good = dates.valid & (slots >= 0)
        after, days = np.maximum(slots, 0) * self.numbering.minutes, dates.minutes // DAY
        if self.by_clock:
            starts, length = dates.minutes.astype(np.int64), np.full(len(days), DAY)
        else:
            starts, length = times.day_starts(days, self.clock), times.day_minutes(days, self.clock)
        yes = np.ones(len(days), dtype=bool)
        zoned = yes if not self.by_clock else ~yes
        return texts.Stamps(starts + after, good, dates.whole, zoned, yes), good & (after >= length)


def counter(found: Numbering, reading: Reading) -> Counter:
    clock = times.zone(reading.timezone or settings.UTILITY_TIME_ZONE)
    return Counter(found, clock, found.follows_the_clock(clock))


@dataclass(frozen=True)
class Begins:
    """When the intervals of rows begin that are a day each."""

    minutes: np.ndarray  # (R, W) since 1970
    there: np.ndarray  # (R, W) bool: the day has such an interval
    skipped: (
        np.ndarray
    )  # (R, W) bool: an hour that the clock skips in spring, where numbers name hours as it shows them
    refused: np.ndarray  # (R,) bool: something is said of an interval beyond the day's end


def begins_of_rows(days: np.ndarray, filled: np.ndarray, minutes: int, reading: Reading) -> Begins:
    """Numbers count what has passed since civil midnight, unless a row itself shows that they name hours as the clock
    shows them: the last of them is there on a day that is short, or the table has no more columns for one that is
    long. `filled` is (R, W) bool: what is sent."""
    clock = times.zone(reading.timezone or settings.UTILITY_TIME_ZONE)
    usual, numbers = DAY // minutes, np.arange(filled.shape[1])
    lengths = times.day_minutes(days, clock) // minutes
    begins = times.day_starts(days, clock)[:, None] + numbers * minutes
    there = numbers < lengths[:, None]
    skipped = np.zeros(filled.shape, dtype=bool)
    too_many = (filled & ~there).any(axis=1)
    shown = np.flatnonzero((lengths < usual) & too_many | (lengths > usual) & (len(numbers) == usual))
    if len(shown):
        local = (days[shown].astype(np.int64)[:, None] * DAY + numbers * minutes).ravel()
        utc, never = times.to_utc(local, np.zeros(len(local), dtype=bool), clock)
        begins[shown] = utc.reshape(len(shown), -1)
        skipped[shown] = never.reshape(len(shown), -1)
        there[shown] = (numbers < usual) & ~skipped[shown]
        too_many[shown] = (filled[shown] & (numbers >= usual)).any(axis=1)
    return Begins(begins, there, skipped, too_many)


def number_of(text: str | None) -> int:
    """-1 for what is none."""
    found = NUMBER.fullmatch((text or "").strip())
    return int(found[1]) if found else -1


def no_such_interval(reading: Reading) -> str:
    return _("the day has no interval of that number in %(zone)s") % {
        "zone": reading.timezone or settings.UTILITY_TIME_ZONE
    }


@lru_cache(maxsize=8)
def numbering(table: Table, date: int, column: int, month_first: bool) -> Numbering | None:
    """How a column beside that of dates numbers the intervals of days; None where it does not, as far as the whole of
    it tells."""
    if words_of(table)[column] in headings.STARTS or not _are_numbers(table, column):
        return None
    seen = np.zeros(0, dtype=np.int64)  # days and their numbers
    for batch in table.batches(Reading(Rejects(0)), [date, column], []):
        dates, day_places = texts.dictionary_of(batch.columns[date])
        numbers, places = texts.dictionary_of(batch.columns[column])
        stamps = texts.stamps_of(pa.array(dates, pa.string()), month_first)
        numbers = np.array([number_of(text) for text in numbers])
        pairs = day_places.astype(np.int64) * len(numbers) + places
        few = len(dates) * len(numbers) <= PAIRS_AT_ONCE
        pairs = np.flatnonzero(np.bincount(pairs)) if few else np.unique(pairs)
        days, number = stamps.minutes[pairs // len(numbers)] // DAY, numbers[pairs % len(numbers)]
        good = stamps.valid[pairs // len(numbers)] & (number >= 0)
        seen = np.union1d(seen, days[good].astype(np.int64) * MOST_NUMBERS + number[good])
    return _understood(words_of(table)[column], seen // MOST_NUMBERS, seen % MOST_NUMBERS) if len(seen) else None


def _are_numbers(table: Table, column: int) -> bool:
    cells = [cell for cell in texts.as_texts(table.sample_column(column)).to_pylist() if cell]
    return bool(cells) and all(number_of(cell) >= 0 for cell in cells)


def _understood(name: str, days: np.ndarray, numbers: np.ndarray) -> Numbering | None:
    distinct = np.unique(numbers)
    first, last = int(distinct[0]), int(distinct[-1])
    if PERIODS.get(name):  # by its name alone: of half of a day, only the first numbers come
        minutes, first = PERIODS[name], min(first, 1)
    else:
        count = next((n for n in READINGS_A_DAY if last + 1 - first in {n - n // 24, n, n + n // 24}), 0)
        if first > 1 or not count or len(distinct) <= last - first:
            return None
        minutes = DAY // count
    usual = DAY // minutes
    if last + 1 - first > usual + usual // 24:
        return None
    each, places = np.unique(days, return_inverse=True)
    highest = np.full(len(each), 0)
    np.maximum.at(highest, places, numbers + 1 - first)
    if name in headings.CLOCK_TIME:
        # From 0 on they are what a clock shows; and of 1 to 23 the last is missing, unless the day had no more.
        there = times.day_minutes(each, times.utility_zone()) // minutes
        if first == 0 or (last < usual and not (there[highest == last] == last).any()):
            return None
    return Numbering(first, minutes, each, highest)
