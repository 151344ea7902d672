"""Rows are meters, columns are days: one reading a day, as the public SGCC data comes."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps.readings.importers import dates, stamping, texts
from apps.readings.importers.base import Block, Reading
from apps.readings.importers.long import find_meter, no_name
from apps.readings.importers.tables import Table, has_decimal_comma
from apps.readings.importers.wide_times import looks_like_stamps, matrix


@lru_cache(maxsize=8)
def days_named(table: Table, month_first: bool) -> texts.Stamps:
    """Names of columns as dates. A number of ten digits is rather a meter's than a count of seconds."""
    return texts.stamps_of(pa.array(table.columns, pa.string()), month_first, counted=False)


class WideDays:
    def day_columns(self, table: Table, month_first: bool | None = None) -> tuple[list[int], texts.Stamps]:
        """Positions of the columns whose name is a date, and those dates."""
        stamps = days_named(table, dates.of_names(table) if month_first is None else month_first)
        columns = np.flatnonzero(stamps.valid)
        return columns.tolist(), stamps.take(columns)

    def fits(self, table: Table) -> bool:
        meter = self.meter_column(table)
        if meter is None or len(self.day_columns(table)[0]) <= len(table.columns) / 2:
            return False
        # Meters may have numbers such as 20240105; then a row is a time.
        return not looks_like_stamps(table.sample_column(meter), counted=False)

    def meter_column(self, table: Table) -> int | None:
        days = set(self.day_columns(table)[0])
        named = find_meter(table, days)
        return named if named is not None else next((i for i in range(len(table.columns)) if i not in days), None)

    def value_name(self, table: Table) -> str:
        return ""

    def month_first(self, table: Table, reading: Reading) -> bool:
        return dates.of_names(table, reading)

    def blocks(self, table: Table, reading: Reading) -> Iterator[Block]:
        meter = self.meter_column(table)
        days, stamps = self.day_columns(table, self.month_first(table, reading))
        names = [table.columns[index] for index in days]
        header = np.ones(len(days), dtype=np.int32)
        good = stamping.check(stamps, header, lambda i: names[i], reading)
        comma = has_decimal_comma(table, days)
        for batch in table.batches(reading, [meter], days):
            values = matrix(batch, days, names, comma, reading)[good].T  # (R, days)
            names_ = pc.cast(batch.columns[meter], pa.string()).to_pylist()
            meters = reading.positions([texts.meter_name(name) for name in names_])
            nameless = np.flatnonzero((meters < 0) & ~np.isnan(values).all(axis=1))
            if len(nameless):
                reading.rejects.add(batch.lines[nameless], no_name(), lambda _i: "")
            named = meters >= 0
            yield Block(
                np.repeat(meters[named], int(good.sum())),
                np.tile(stamps.minutes[good], int(named.sum())),
                values[named].ravel(),
                np.repeat(batch.lines[named], int(good.sum())),
            )
