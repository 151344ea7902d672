"""Formats that are a table: a container (delimited text, Parquet) and a shape (long, rows of times, rows of meters)."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import pyarrow as pa
from django.utils.translation import gettext as _

from apps.readings.importers import headings, texts
from apps.readings.importers.base import Block, FileFault, Reading

COLUMNS_LOOKED_AT = 10


@dataclass(frozen=True)
class Batch:
    """Some rows of a table."""

    columns: dict[int, pa.Array]  # by position in the table; each (R,)
    lines: np.ndarray  # (R,) int32


class Table(Protocol):
    columns: list[str]
    decimal_comma: bool
    headless: bool  # the columns have no names but their numbers

    @staticmethod
    def looks_like(head: bytes) -> bool:
        """Could a file that begins so be such a table?"""

    def sample_column(self, index: int) -> pa.Array:
        """The first few values."""

    def batches(self, reading: Reading, repeated: list[int], others: list[int]) -> Iterator[Batch]: ...


class ColumnsUnclear(FileFault):
    """A table of which nobody has said yet what its columns hold."""

    format = ""  # what it would be read as


class Shape(Protocol):
    def fits(self, table: Table) -> bool: ...

    def month_first(self, table: Table, reading: Reading) -> bool:
        """Does the month come first in its dates? Tells the reading what was taken; raises FileFault."""

    def blocks(self, table: Table, reading: Reading) -> Iterator[Block]: ...


@dataclass(frozen=True)
class TableFormat:
    name: str
    label: str
    open: type
    shape: Shape
    fixed: dict[str, str | float] = field(default_factory=dict)

    def recognises(self, path: Path, head: bytes) -> bool:
        return self.open.looks_like(head) and self.shape.fits(self.table(path))

    @property
    def is_long(self) -> bool:
        return self.name.endswith("_long")

    def with_columns(self, columns: dict) -> Self:
        """The same, with columns as a person chose them."""
        return replace(self, shape=replace(self.shape, chosen=columns)) if hasattr(self.shape, "chosen") else self

    def blocks(self, path: Path, reading: Reading) -> Iterator[Block]:
        try:
            yield from self.shape.blocks(self.table(path), reading)
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise FileFault(
                _(
                    "A column holds something else than it should (%(error)s). Send meters as text, times as text or"
                    " timestamps, and readings as numbers."
                )
                % {"error": str(error)[:200]}
            ) from None

    def table(self, path: Path) -> Table:
        state = path.stat()
        return _opened(self.open, path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def words_of(table: Table) -> tuple[str, ...]:
    """Names of its columns without the differences that carry no meaning. A file is asked for them several times."""
    return tuple(headings.word(name) for name in table.columns)


def has_decimal_comma(table: Table, values: list[int]) -> bool:
    """Do these columns write decimals with a comma, or thousands with a point? Where commas part columns, and in JSON
    or Parquet, it takes a number such as 0,125 to tell: 1,125 may be thousands."""
    if table.decimal_comma:
        return True
    kinds = getattr(table, "types", None)
    asked = values if kinds is None else [place for place in values if is_text(kinds[place])]
    texts_only = [column for column in map(table.sample_column, asked[:COLUMNS_LOOKED_AT]) if is_text(column.type)]
    cells = [text for column in texts_only for text in column.to_pylist() if text]
    if getattr(table, "delimiter", ",") != "," and texts.has_point_thousands(cells):
        return True
    return texts.has_decimal_comma(cells, texts.NO_THOUSANDS)


def is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


@lru_cache(maxsize=4)
def _opened(open_: type, path: Path, _modified: int, _size: int) -> Table:
    """Columns and a sample. One file is asked several questions in a row; with hundreds of columns opening it takes
    longer than each of them."""
    return open_(path)
