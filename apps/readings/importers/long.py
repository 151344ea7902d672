"""One reading a row: meter, stamp, value, in any order of rows and columns; perhaps channel, quality, unit beside."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.utils.translation import gettext as _

from apps.readings.importers import counted, dates, directions, headings, stamping, texts
from apps.readings.importers.base import NAME_LENGTH, Block, Reading
from apps.readings.importers.stamp_columns import StampColumn
from apps.readings.importers.tables import Batch, Table, has_decimal_comma, words_of
from apps.readings.models import Channel

ClockColumn = Callable[[texts.Stamps, pa.Array], tuple[texts.Stamps, np.ndarray]]
NEEDED = ("meter", "time", "value")
ROWS_COUNTED = 5
OPTIONAL = ("clock", "export", "channel", "quality", "unit")


def find(table: Table, words: set[str], but: set[int] = frozenset()) -> int | None:
    """The column with one of these names; the earlier spelling in the file wins."""
    return next((index for index, name in enumerate(words_of(table)) if name in words and index not in but), None)


def find_meter(table: Table, but: set[int] = frozenset()) -> int | None:
    """The column of meters: what may also be a customer's, or the row's own number, only where no other is there."""
    named = find(table, headings.METER - headings.RATHER_ANOTHER, but)
    if named is None:
        named = find(table, headings.METER, but)
    return None if named is not None and counts_rows(table, named) else named


def counts_rows(table: Table, column: int) -> bool:
    """Is it an "id" of the rows themselves?"""
    if words_of(table)[column] != "id":
        return False
    cells = texts.as_texts(table.sample_column(column)).to_pylist()
    numbers = [int(cell) for cell in cells if cell and re.fullmatch(r"\d{1,15}", cell)]
    return len(numbers) == len(cells) >= ROWS_COUNTED and all(
        following == number + 1 for number, following in pairwise(numbers)
    )


def no_name() -> str:
    return _("no meter is named, its name is longer than %(limit)d characters, or a spreadsheet rounded its number") % {
        "limit": NAME_LENGTH
    }


@dataclass(frozen=True)
class Long:
    chosen: Mapping[str, str | list[str]] = field(default_factory=dict)  # column by what it holds, as a person said

    def columns(self, table: Table) -> dict[str, int]:
        """Places of columns by what they hold. What a person said stands as a whole: the rest is not guessed."""
        roles = said(table, self.chosen)
        return roles if set(NEEDED) <= set(roles) else guessed(table)

    def fits(self, table: Table) -> bool:
        columns = self.columns(table)
        return set(NEEDED) <= set(columns) and numbering(table, columns) is None

    def value_name(self, table: Table) -> str:
        columns = self.columns(table)
        return "kWh" if "unit" in columns else table.columns[columns["value"]]

    def month_first(self, table: Table, reading: Reading) -> bool:
        return dates.month_first(table, self.columns(table)["time"], reading=reading)

    def blocks(self, table: Table, reading: Reading) -> Iterator[Block]:
        columns = self.columns(table)
        stamps = StampColumn(self.month_first(table, reading))
        values = [columns[role] for role in ("value", "export") if role in columns]
        comma, clock = has_decimal_comma(table, values), self._clock(table, columns, reading)
        others = [place for place in columns.values() if place not in values]
        for batch in table.batches(reading, others, values):
            block, good = self._block(batch, columns, stamps, comma, reading, clock)
            if "channel" not in columns and columns["value"] in directions.of_export(table):
                block = replace(block, channels=np.full(len(block.values), Channel.EXPORT, dtype=np.int8))
            if "export" in columns:
                factor = directions.factor(table, *values) or 1.0
                block = directions.given_beside(block, batch, good, columns["export"], comma, factor, reading)
            yield block

    def _clock(self, table: Table, columns: dict[str, int], reading: Reading) -> ClockColumn:
        """What makes stamps of dates and a column beside them, and says which of them are none."""
        return lambda dates, column: (with_clock(dates, column), np.zeros(len(column), dtype=bool))

    def _block(
        self,
        batch: Batch,
        columns: dict[str, int],
        stamps: StampColumn,
        comma: bool,
        reading: Reading,
        clock: ClockColumn,
    ) -> tuple[Block, np.ndarray]:
        """What was taken, and (R,) bool: the rows that can be used."""
        cells = {role: batch.columns[columns[role]] for role in (*NEEDED, *OPTIONAL) if role in columns}
        meters = self._meters(cells["meter"], reading)
        values, not_numbers = texts.numbers_of(cells["value"], comma)

        def text(row: int) -> str:
            return ",".join(texts.shown(column[row]) for column in cells.values())

        beyond = np.zeros(len(values), dtype=bool)
        minutes = None if "clock" in cells else stamps.minutes(cells["time"], batch.lines, reading)
        if minutes is not None:
            good = np.ones(len(values), dtype=bool)
        else:
            found = stamps.each(cells["time"])
            if "clock" in cells:
                found, beyond = clock(found, cells["clock"])
            unsaid = pc.is_null(cells["time"]).to_numpy(zero_copy_only=False)
            stampable = np.flatnonzero(~((meters < 0) & np.isnan(values) & ~not_numbers & unsaid))
            good = np.zeros(len(values), dtype=bool)
            good[stampable] = stamping.check(
                found.take(stampable), batch.lines[stampable], lambda i: text(stampable[i]), reading
            )
            minutes = found.minutes
        channels = texts.channels_of(cells["channel"]) if "channel" in cells else None
        quality = texts.quality_of(cells["quality"]) if "quality" in cells else None
        to_kwh = texts.kwh_of(cells["unit"]) if "unit" in cells else None
        nothing = np.zeros(len(values), dtype=bool)
        for wrong, reason in (
            (beyond, counted.no_such_interval(reading)),
            (meters < 0, no_name()),
            (not_numbers, _("not a number")),
            (nothing if channels is None else channels == 0, _("the channel is no energy taken or given")),
            (nothing if to_kwh is None else to_kwh == 0, _("the unit is none of Wh, kWh and MWh")),
        ):
            if wrong.any():
                rows = np.flatnonzero(wrong & good)
                reading.rejects.add(batch.lines[rows], reason, lambda i, rows=rows: text(rows[i]))
                good &= ~wrong
        if to_kwh is not None:
            values = values * to_kwh
        if channels is not None and (channels == Channel.IMPORT).all():
            channels = None
        if quality is not None and not quality.any():
            quality = None
        if good.all():
            return Block(meters, minutes, values, batch.lines, channels, quality), good
        found = Block(
            *(column[good] for column in (meters, minutes, values, batch.lines)),
            *(None if column is None else column[good] for column in (channels, quality)),
        )
        return found, good

    def _meters(self, column: pa.Array, reading: Reading) -> np.ndarray:
        names, places = texts.dictionary_of(column)
        return reading.positions([texts.meter_name(name) for name in names])[places]


@dataclass(frozen=True)
class Counted(Long):
    """The same, with the number of the day's interval instead of a time of day."""

    def fits(self, table: Table) -> bool:
        columns = self.columns(table)
        return set(NEEDED) <= set(columns) and numbering(table, columns) is not None

    def _clock(self, table: Table, columns: dict[str, int], reading: Reading) -> ClockColumn:
        return counted.counter(numbering(table, columns, reading), reading).stamps


def numbering(table: Table, columns: dict[str, int], reading: Reading | None = None) -> counted.Numbering | None:
    """How the column beside that of dates numbers the intervals of a day, if it does."""
    if "clock" not in columns:
        return None
    month_first = dates.month_first(table, columns["time"], reading=reading)
    return counted.numbering(table, columns["time"], columns["clock"], month_first)


def said(table: Table, chosen: Mapping[str, str | list[str]]) -> dict[str, int]:
    """Places of the columns that a person chose, as far as the table has them."""
    places = {name: place for place, name in reversed(list(enumerate(table.columns)))}
    return {role: places[name] for role, name in chosen.items() if role != "ignored" and name in places}


def guessed(table: Table) -> dict[str, int]:
    """Places of columns by what their names say they hold."""
    found: dict[str, int | None] = parted_stamps(table) or {"time": dates.column_of(table)}
    found["meter"] = find_meter(table, set(found.values()))
    found["value"] = find(table, headings.VALUE, set(found.values()))
    if found["value"] is None:
        taken = set(found.values())
        # Of peak and off-peak, or of three phases, none is the reading.
        energy = energy_columns(table, taken)
        found["value"] = energy[0] if len(energy) == 1 else None
        if not energy:
            found["value"] = directions.export_column(table, None, taken)
    for role, words in (("channel", headings.CHANNEL), ("quality", headings.QUALITY), ("unit", headings.UNIT)):
        found[role] = find(table, words, set(found.values()))
    if found["value"] is not None and found["channel"] is not None and not any(channels_of(table, found["channel"])):
        found["channel"] = None  # named like a channel, and holds something else
    if found["channel"] is not None and is_number_of_register(table, found["channel"]):
        found["channel"] = None
    if found["value"] is not None and found["channel"] is None:
        found["export"] = directions.export_column(table, found["value"], set(found.values()))
    return without_header(table) if table.headless else {role: at for role, at in found.items() if at is not None}


def energy_columns(table: Table, but: set[int] = frozenset()) -> list[int]:
    """Columns whose names mention a unit of energy that is taken; of power, where none does."""
    given = directions.of_export(table)
    units = {
        place: unit
        for place, name in enumerate(table.columns)
        if place not in but and (unit := headings.unit_of(name)) and place not in given
    }
    return [place for place, unit in units.items() if unit != "kW"] or list(units)


def is_number_of_register(table: Table, column: int) -> bool:
    """Registers 1 and 2 are no directions of energy."""
    cells = texts.as_texts(table.sample_column(column)).to_pylist()
    return words_of(table)[column] == "register_id" and all((cell or "").strip().isdigit() for cell in cells)


def channels_of(table: Table, index: int) -> list[int]:
    return texts.channels_of(texts.as_texts(table.sample_column(index))).tolist()


def parted_stamps(table: Table) -> dict[str, int]:
    """The columns of days and, beside it, of times of day or of numbers that count the day's intervals; nothing where
    they are not parted."""
    clock = find(table, headings.CLOCK_TIME)
    date = find(table, headings.DATE, {clock})
    if clock is not None and date is not None and are_parted(table, date, clock):
        return {"time": date, "clock": clock}
    date, number = dates.column_of(table), find(table, set(counted.PERIODS))
    if number is None or date is None or not are_days(table, date):
        return {}
    found = {"time": date, "clock": number}
    return found if numbering(table, found) else {}


def are_days(table: Table, date: int) -> bool:
    """Does the column hold days? One may come as its midnight."""
    found = texts.stamps_of(table.sample_column(date), dates.month_first(table, date))
    return bool(found.valid.any()) and not (found.minutes[found.valid & found.timed] % 1440).any()


def are_parted(table: Table, date: int, clock: int) -> bool:
    """Is there a day in the one column, and a time of day in the other?"""
    clocks = texts.as_texts(table.sample_column(clock)).to_pylist()
    return are_days(table, date) and any(texts.clock_minutes(text) >= 0 for text in clocks)


def with_clock(dates: texts.Stamps, column: pa.Array) -> texts.Stamps:
    """Stamps of a column of dates and one of times of day."""
    clocks, places = texts.dictionary_of(column)
    minutes = np.array([texts.clock_minutes(text) for text in clocks], dtype=np.int32)[places]
    timed = np.ones(len(minutes), dtype=bool)
    good = dates.valid & (minutes >= 0)
    return texts.Stamps(dates.minutes + np.maximum(minutes, 0), good, dates.whole, dates.zoned, timed)


def without_header(table: Table) -> dict[str, int]:
    """Places by what stands in the columns, where there is only one way to see it: one column of stamps, one of numbers
    with decimals, one of names."""
    columns = [texts.as_texts(table.sample_column(index)) for index in range(len(table.columns))]
    stamps = [i for i, column in enumerate(columns) if texts.stamps_of(column, counted=False).valid.mean() > 0.5]
    others = [i for i in range(len(columns)) if i not in stamps]
    numbers = [i for i in others if texts.numbers_of(columns[i], table.decimal_comma)[1].mean() < 0.5]
    decimals = [i for i in numbers if any(set(",.") & set(text or "") for text in columns[i].to_pylist())]
    others = [i for i in range(len(columns)) if i not in stamps and i not in decimals]
    if len(stamps) == 1 and len(decimals) == 1 and len(others) == 1 and not columns[others[0]].null_count:
        return {"meter": others[0], "time": stamps[0], "value": decimals[0]}
    return {}
