"""Rows are meters, columns are days: one reading a day, as the public SGCC data comes."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from apps.readings.importers import stamping, texts
from apps.readings.importers.base import Block, Reading
from apps.readings.importers.long import find, no_name
from apps.readings.importers.tables import Table
from apps.readings.importers.wide_times import matrix


class WideDays:
    def day_columns(self, table: Table) -> tuple[list[int], texts.Stamps]:
        """Positions of the columns whose name is a date, and those dates."""
        stamps = texts.stamps_of(
            pa.array(table.columns, pa.string()), texts.is_month_first(pa.array(table.columns, pa.string()))
        )
        columns = np.flatnonzero(stamps.valid)
        return columns.tolist(), stamps.take(columns)

    def fits(self, table: Table) -> bool:
        return len(self.day_columns(table)[0]) > len(table.columns) / 2 and self.meter_column(table) is not None

    def meter_column(self, table: Table) -> int | None:
        days = set(self.day_columns(table)[0])
        named = find(table, texts.METER, days)
        return named if named is not None else next((i for i in range(len(table.columns)) if i not in days), None)

    def value_name(self, table: Table) -> str:
        return ""

    def blocks(self, table: Table, reading: Reading) -> Iterator[Block]:
        meter = self.meter_column(table)
        days, stamps = self.day_columns(table)
        names = [table.columns[index] for index in days]
        header = np.ones(len(days), dtype=np.int32)
        good = stamping.check(stamps, header, lambda i: names[i], reading)
        for batch in table.batches(reading, [meter], days):
            values = matrix(batch, days, names, table.decimal_comma, reading)[good].T  # (R, days)
            meters = reading.positions(pc.cast(batch.columns[meter], pa.string()).to_pylist())
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
