"""Rows are times, columns are meters."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.utils.translation import gettext as _

from apps.readings.importers import counted, dates, directions, headings, stamping, texts
from apps.readings.importers.base import Block, FileFault, Reading
from apps.readings.importers.directions import without_unit
from apps.readings.importers.long import are_parted, find, no_name, numbering, parted_stamps, with_clock
from apps.readings.importers.tables import COLUMNS_LOOKED_AT, Batch, Table, has_decimal_comma, words_of
from apps.readings.models import Channel


@dataclass(frozen=True)
class WideTimes:
    chosen: Mapping[str, str | list[str]] = field(default_factory=dict)  # as a person said

    def time_column(self, table: Table) -> int | None:
        if self.chosen.get("time") in table.columns:
            return table.columns.index(self.chosen["time"])
        named = dates.column_of(table)
        if named is not None:
            return named
        counted = headings.word(table.columns[0]) not in headings.METER  # or is a number rather a meter's?
        return 0 if looks_like_stamps(table.sample_column(0), counted) else None

    def clock_column(self, table: Table, time: int) -> int | None:
        """The column of times of day beside that of days, where they are parted."""
        if self.chosen:
            return table.columns.index(self.chosen["clock"]) if self.chosen.get("clock") in table.columns else None
        clock = find(table, headings.CLOCK_TIME, {time})
        if clock is not None and are_parted(table, time, clock):
            return clock
        return parted_stamps(table).get("clock")

    def numbering(self, table: Table, time: int, reading: Reading | None = None) -> counted.Numbering | None:
        """How the column beside that of dates numbers the intervals of a day, if it does."""
        clock = self.clock_column(table, time)
        return numbering(table, {"time": time} if clock is None else {"time": time, "clock": clock}, reading)

    def fits(self, table: Table) -> bool:
        return self.is_wide(table) and self.numbering(table, self.time_column(table)) is None

    def is_wide(self, table: Table) -> bool:
        time = self.time_column(table)
        names = {words_of(table)[index] for index in self.meter_columns(table, time)}
        # A column called "meter" or "kwh" is half of a long file, and no meter of that name.
        if time is None or table.headless or not names:
            return False
        if not self.chosen and names & (headings.METER | headings.VALUE | headings.TIME):
            return False
        # A stamp where the name of the stamps should be: the header is missing, and readings are no names of meters.
        return not looks_like_stamps(pa.array([table.columns[time]], pa.string()))

    def meter_columns(self, table: Table, time: int | None) -> list[int]:
        ignored = self.chosen.get("ignored", [])
        clock = None if time is None else self.clock_column(table, time)
        words = [""] * len(table.columns) if self.chosen else words_of(table)
        return [
            index
            for index, name in enumerate(table.columns)
            if index not in {time, clock} and name not in ignored and words[index] not in headings.TOTALS
        ]

    def value_name(self, table: Table) -> str:
        """What names the unit, where all columns have the same: their names, or the line below them."""
        time = self.time_column(table)
        meters = self.meter_columns(table, time)
        names = [table.columns[index] for index in meters]
        if len({headings.unit_of(name) for name in names}) > 1 or not headings.unit_of(names[0]):
            names = units_below(table, time, meters[:COLUMNS_LOOKED_AT])
        return names[0] if len({headings.unit_of(name) for name in names}) == 1 else ""

    def month_first(self, table: Table, reading: Reading) -> bool:
        return dates.month_first(table, self.time_column(table), reading=reading)

    def blocks(self, table: Table, reading: Reading) -> Iterator[Block]:
        time = self.time_column(table)
        meters = self.meter_columns(table, time)
        clock = self.clock_column(table, time)
        names, channels = directions.of_names(without_units([table.columns[index] for index in meters]))
        twice = [
            name for (name, _channel), times in Counter(zip(names, channels, strict=True)).items() if times > 1 and name
        ]
        if twice:
            raise FileFault(_("Several columns are named %(name)s. Give each its own name.") % {"name": twice[0]})
        meters, names, channels = (one[: reading.meters_wanted] for one in (meters, names, channels))
        positions = reading.positions(names)
        pairs = zip(table.columns, words_of(table), strict=True)
        totals = [name for name, word in pairs if word in headings.TOTALS and not self.chosen]
        if totals:
            reason = _("a column of sums is no meter")
            reading.rejects.add(np.ones(len(totals), dtype=np.int32), reason, lambda i: totals[i])
        month_first, comma = self.month_first(table, reading), has_decimal_comma(table, meters)
        found = self.numbering(table, time, reading)
        counter = counted.counter(found, reading) if found else None
        for batch in table.batches(reading, [time] if clock is None else [time, clock], meters):
            stamps = texts.stamps_of(batch.columns[time], month_first)
            beyond = np.zeros(len(batch.lines), dtype=bool)
            if counter is not None:
                stamps, beyond = counter.stamps(stamps, batch.columns[clock])
            elif clock is not None:
                stamps = with_clock(stamps, batch.columns[clock])
            yield self._block(batch, stamps, beyond, time, meters, names, positions, channels, comma, reading)

    def _block(
        self,
        batch: Batch,
        stamps: texts.Stamps,
        beyond: np.ndarray,
        time: int,
        meters: list[int],
        names: list[str],
        positions: np.ndarray,
        channels: np.ndarray,
        comma: bool,
        reading: Reading,
    ) -> Block:
        values = matrix(batch, meters, names, comma, reading)  # (M, R)
        empty = pc.is_null(batch.columns[time]).to_numpy(zero_copy_only=False)
        if empty.any():
            empty &= np.isnan(values).all(axis=0)
        stampable = np.flatnonzero(~empty)
        good = np.zeros(len(batch.lines), dtype=bool)
        good[stampable] = stamping.check(
            stamps.take(stampable),
            batch.lines[stampable],
            lambda i: texts.shown(batch.columns[time][stampable[i]]),
            reading,
        )
        if (rows := np.flatnonzero(beyond & good)).size:
            reading.rejects.add(
                batch.lines[rows],
                counted.no_such_interval(reading),
                lambda i: texts.shown(batch.columns[time][rows[i]]),
            )
            good &= ~beyond
        named = positions >= 0
        for column in np.flatnonzero(~named):
            rows = np.flatnonzero(~np.isnan(values[column]))
            reading.rejects.add(batch.lines[rows], no_name(), lambda _i, name=names[column]: name)
        if not good.all() or not named.all():
            values = values[np.ix_(named, good)]
        rows, columns = int(good.sum()), int(named.sum())
        return Block(  # by time, as the lines of the file are
            np.tile(positions[named], rows),
            np.repeat(stamps.minutes[good], columns),
            values.T.ravel(),
            np.repeat(batch.lines[good], columns),
            np.tile(channels[named], rows) if (channels != Channel.IMPORT).any() else None,
        )


@dataclass(frozen=True)
class WideCounted(WideTimes):
    """The same, with a day and the number of its interval instead of a time."""

    def fits(self, table: Table) -> bool:
        return self.is_wide(table) and self.numbering(table, self.time_column(table)) is not None


def without_units(names: list[str]) -> list[str]:
    """Names of meters where all columns are called by meter and unit, such as `4711 (kWh)`."""
    found = [without_unit(name) for name in names]
    return found if all(short and short != name for short, name in zip(found, names, strict=True)) else names


def units_below(table: Table, time: int, meters: list[int]) -> list[str]:
    """What stands below the names of columns where the first line holds their units; nothing where it does not."""
    if (texts.as_texts(table.sample_column(time)).to_pylist() or [""])[0]:
        return []
    first = [(texts.as_texts(table.sample_column(index)).to_pylist() or [""])[0] or "" for index in meters]
    return first if all(headings.unit_of(text) for text in first) else []


def matrix(batch: Batch, columns: list[int], names: list[str], comma: bool, reading: Reading) -> np.ndarray:
    """(columns, rows) float64; text among the numbers is rejected with its line and column."""
    values = np.empty((len(columns), len(batch.lines)))
    for place, index in enumerate(columns):
        cells = batch.columns[index]
        values[place], not_numbers = texts.numbers_of(cells, comma)
        rows = np.flatnonzero(not_numbers)
        if len(rows):
            reading.rejects.add(
                batch.lines[rows],
                _("not a number"),
                lambda i, rows=rows, cells=cells, name=names[place]: f"{name}: {texts.shown(cells[rows[i]])}",
            )
    return values


def looks_like_stamps(column: pa.Array, counted: bool = True) -> bool:
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return True
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return False
    filled = column.drop_null()
    return len(filled) > 0 and bool(texts.stamps_of(filled, counted=counted).valid.mean() > 0.5)
