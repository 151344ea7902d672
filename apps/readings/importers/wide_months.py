"""Rows are meters, columns are months: the energy of each month, as billing systems export it."""

import re
from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc
from django.utils.translation import gettext as _

from apps.readings.importers import headings, texts
from apps.readings.importers.base import Block, FileFault, Reading, RegisterPeriods
from apps.readings.importers.directions import without_unit
from apps.readings.importers.event_tables import nothing
from apps.readings.importers.long import find_meter, no_name
from apps.readings.importers.months import MONTHS
from apps.readings.importers.tables import Table, has_decimal_comma
from apps.readings.importers.wide_times import looks_like_stamps, matrix

SHAPES = (
    r"(?P<year>(?:19|20)\d\d)_(?P<month>\d\d?)",
    r"(?P<month>\d\d?)_(?P<year>(?:19|20)\d\d)",
    r"(?P<year>(?:19|20)\d\d)(?P<month>\d\d)",
    r"(?P<name>[^\W\d]{3,})_?'?(?P<year>(?:19|20)\d\d|\d\d)",
    r"(?P<year>(?:19|20)\d\d)_?(?P<name>[^\W\d]{3,})",
)
LEAST_MONTHS, MOST_COLUMNS = 2, 400
PAIRS_NEEDED = 20


class WideMonths:
    def month_columns(self, table: Table) -> tuple[list[int], np.ndarray]:
        """Positions of the columns that are called by a month, and these months since 1970."""
        months = [month_of(name) for name in table.columns] if len(table.columns) <= MOST_COLUMNS else []
        columns = [place for place, month in enumerate(months) if month is not None]
        return columns, np.array([months[place] for place in columns], dtype=np.int64)

    def meter_column(self, table: Table) -> int | None:
        months = set(self.month_columns(table)[0])
        named = find_meter(table, months)
        return named if named is not None else next((i for i in range(len(table.columns)) if i not in months), None)

    def fits(self, table: Table) -> bool:
        columns, _months = self.month_columns(table)
        if len(columns) < LEAST_MONTHS:
            return False
        if 2 * len(columns) <= len(table.columns) and find_meter(table, set(columns)) is None:
            return False
        meter = self.meter_column(table)
        return meter is not None and not looks_like_stamps(table.sample_column(meter), counted=False)

    def value_name(self, table: Table) -> str:
        return table.columns[self.month_columns(table)[0][0]]

    def month_first(self, table: Table, reading: Reading) -> bool:
        return False

    def blocks(self, table: Table, reading: Reading) -> Iterator[Block]:
        meter = self.meter_column(table)
        columns, months = self.month_columns(table)
        names = [table.columns[index] for index in columns]
        first_days = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int32)
        last_days = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int32) - 1
        comma = has_decimal_comma(table, columns)
        for place, batch in enumerate(table.batches(reading, [meter], columns)):
            values = matrix(batch, columns, names, comma, reading).T  # (R, months)
            if not place:
                refuse_registers(values[:, np.argsort(months)])
            names_ = pc.cast(batch.columns[meter], "string").to_pylist()
            meters = reading.positions([texts.meter_name(name) for name in names_])
            nameless = np.flatnonzero((meters < 0) & ~np.isnan(values).all(axis=1))
            if len(nameless):
                reading.rejects.add(batch.lines[nameless], no_name(), lambda _i: "")
            named = meters >= 0
            reading.registers.append(
                RegisterPeriods(
                    np.repeat(meters[named], len(columns)),
                    np.tile(first_days, int(named.sum())),
                    np.tile(last_days, int(named.sum())),
                    values[named].ravel(),
                    np.repeat(batch.lines[named], len(columns)),
                )
            )
            yield nothing()


def month_of(name: str) -> int | None:
    """The month that a column's name says, since 1970."""
    word = headings.word(without_unit(name))
    found = next((match for shape in SHAPES if (match := re.fullmatch(shape, word))), None)
    if found is None:
        return None
    parts = found.groupdict()
    month = MONTHS.get(parts["name"].strip("_"), 0) if "name" in parts else int(parts["month"])
    year = int(parts["year"])
    return (year + (2000 if year < 100 else 0) - 1970) * 12 + month - 1 if 1 <= month <= 12 else None


def refuse_registers(values: np.ndarray) -> None:
    """(R, months) in order. Raises FileFault where no meter's value ever falls: of whose days a register at "January"
    counts, the name of a month does not say."""
    rises = np.diff(values, axis=1)
    rises = rises[np.isfinite(rises)]
    usual = np.nanmedian(values) if np.isfinite(values).any() else 0
    if len(rises) >= PAIRS_NEEDED and (rises >= 0).mean() > 0.99 and usual > 3 * np.median(rises) > 0:
        raise FileFault(
            _(
                "The columns of months look like reads of registers: no meter's value falls from month to month. Send"
                " the energy of each month, or each read with its day: meter, date, register."
            )
        )
