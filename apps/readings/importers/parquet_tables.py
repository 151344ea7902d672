"""Parquet as a table."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from django.utils.translation import gettext as _

from apps.readings.importers.base import FileFault, Reading
from apps.readings.importers.tables import Batch

MAGIC = b"PAR1"
BATCH_VALUES = 400_000
SAMPLE_ROWS = 50
BUFFER_BYTES = 1024**2


class ParquetTable:
    decimal_comma = False
    headless = False

    def __init__(self, path: Path):
        self.path = path
        try:
            with pq.ParquetFile(path) as file:
                schema = file.schema_arrow
                self.rows = file.metadata.num_rows
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise _unreadable(error) from None
        self.columns = list(schema.names)
        self.types = list(schema.types)
        if not self.columns:
            raise FileFault(_("The Parquet file has no columns. Send the export again."))
        twice = {name for name in self.columns if self.columns.count(name) > 1}
        if twice:
            raise FileFault(
                _("Several columns are named %(name)s. Give each its own name.") % {"name": sorted(twice)[0]}
            )

    @staticmethod
    def looks_like(head: bytes) -> bool:
        return head.startswith(MAGIC)

    def sample_column(self, index: int) -> pa.Array:
        for batch in self._read([index], SAMPLE_ROWS):
            return batch.column(0)
        return pa.array([], pa.string())

    def batches(self, reading: Reading, repeated: list[int], others: list[int]) -> Iterator[Batch]:
        """Columns in their own types. `repeated` texts come as dictionaries."""
        wanted = [*repeated, *others]
        rows = 0
        for batch in self._read(wanted, max(BATCH_VALUES // len(wanted), 1), repeated):
            lines = np.arange(rows + 1, rows + len(batch) + 1, dtype=np.int32)
            rows += len(batch)
            reading.fraction = rows / self.rows
            yield Batch({index: batch.column(self.columns[index]) for index in wanted}, lines)
        if not rows:
            raise FileFault(_("The file has columns, but no rows. Send the export again."))

    def _read(self, wanted: list[int], rows: int, repeated: list[int] = ()) -> Iterator[pa.RecordBatch]:
        texts = [self.columns[index] for index in repeated if pa.types.is_string(self.types[index])]
        try:
            # A buffer: a row group of a gigabyte must not come whole. What is read ahead would be kept to the end.
            with pq.ParquetFile(self.path, read_dictionary=texts, buffer_size=BUFFER_BYTES, pre_buffer=False) as file:
                yield from file.iter_batches(rows, columns=[self.columns[index] for index in wanted])
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise _unreadable(error) from None


def _unreadable(error: Exception) -> FileFault:
    return FileFault(
        _("The Parquet file is cut off or damaged: its columns cannot be read (%(error)s). Send it again.")
        % {"error": str(error)[:200]}
    )
