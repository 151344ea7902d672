"""One reading a row: meter, stamp, value, in any order of rows and columns."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.utils.translation import gettext as _

from apps.readings.importers import stamping, texts
from apps.readings.importers.base import NAME_LENGTH, Block, Reading
from apps.readings.importers.tables import Batch, Table


def find(table: Table, words: set[str], but: set[int] = frozenset()) -> int | None:
    """The column with one of these names; the earlier spelling in the file wins."""
    names = [texts.word(name) for name in table.columns]
    return next((index for index, name in enumerate(names) if name in words and index not in but), None)


def no_name() -> str:
    return _("no meter is named, or its name is longer than %(limit)d characters") % {"limit": NAME_LENGTH}


class Long:
    def columns(self, table: Table) -> tuple[int | None, int | None, int | None]:
        time = find(table, texts.TIME)
        meter = find(table, texts.METER, {time})
        value = find(table, texts.VALUE, {time, meter})
        if value is None:
            value = next((i for i, name in enumerate(table.columns) if texts.unit_of(name) and i != meter), None)
        return meter, time, value

    def fits(self, table: Table) -> bool:
        return None not in self.columns(table)

    def value_name(self, table: Table) -> str:
        return table.columns[self.columns(table)[2]]

    def blocks(self, table: Table, reading: Reading) -> Iterator[Block]:
        meter, time, value = self.columns(table)
        month_first = texts.is_month_first(table.sample_column(time))
        for batch in table.batches(reading, [meter, time], [value]):
            yield self._block(batch, (meter, time, value), month_first, table.decimal_comma, reading)

    def _block(
        self, batch: Batch, columns: tuple[int, int, int], month_first: bool, comma: bool, reading: Reading
    ) -> Block:
        cells = [batch.columns[index] for index in columns]
        meters = self._meters(cells[0], reading)
        stamps = texts.stamps_of(cells[1], month_first)
        values, not_numbers = texts.numbers_of(cells[2], comma)

        def text(row: int) -> str:
            return ",".join(texts.shown(column[row]) for column in cells)

        empty = (meters < 0) & np.isnan(values) & ~not_numbers & pc.is_null(cells[1]).to_numpy(zero_copy_only=False)
        stampable = np.flatnonzero(~empty)
        good = np.zeros(len(values), dtype=bool)
        good[stampable] = stamping.check(
            stamps.take(stampable), batch.lines[stampable], lambda i: text(stampable[i]), reading
        )
        for wrong, reason in (
            (good & (meters < 0), no_name()),
            (good & (meters >= 0) & not_numbers, _("not a number")),
        ):
            rows = np.flatnonzero(wrong)
            if len(rows):
                reading.rejects.add(batch.lines[rows], reason, lambda i, rows=rows: text(rows[i]))
                good &= ~wrong
        if good.all():
            return Block(meters, stamps.minutes, values, batch.lines)
        return Block(meters[good], stamps.minutes[good], values[good], batch.lines[good])

    def _meters(self, column: pa.Array, reading: Reading) -> np.ndarray:
        if not pa.types.is_dictionary(column.type):
            column = pc.cast(column, pa.string()).dictionary_encode()
        positions = np.append(reading.positions(column.dictionary.to_pylist()), np.int32(-1))
        return positions[pc.fill_null(column.indices, len(positions) - 1).to_numpy(zero_copy_only=False)]
