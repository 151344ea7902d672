"""Files and frames as tables: their columns, a few of their rows, and all of it a piece at a time."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from ml.tables.notes import Notes
from ml.tables.words import MISSING

SAMPLE_ROWS = 50
HEAD_BYTES, LONGEST_HEADER = 256 * 1024, 64 * 1024**2
BLOCK_BYTES = 16 * 1024**2
CELLS_AT_ONCE = 4 * 1024**2
DELIMITERS = ",;\t|"
STRANGERS = {
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"\x1f\x8b": "a gzip archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"<": "an XML or HTML document",
    b"{": "a JSON document",
    b"[": "a JSON document",
}


class InputError(Exception):
    """What was given cannot be used. The message tells a person what, where, and what to do."""


class Table(Protocol):
    name: str
    columns: list[str]
    decimal: str

    def kind(self, column: int) -> pa.DataType:
        """Its type, as it is stored."""

    def sample(self, column: int) -> pa.Array:
        """Its first rows."""

    def rows(self, columns: list[int], notes: Notes, texts: tuple[int, ...] = ()) -> Iterator[list[pa.Array]]:
        """The columns, some rows at a time; `texts` come as dictionaries of texts."""

    def matrices(self, columns: list[int], notes: Notes) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """The numbers in the columns as (columns, rows) float32 pieces: which of `columns`, which rows, and they."""


class InMemory:
    """An Arrow table, or a frame."""

    decimal = "."

    def __init__(self, table: pa.Table, name: str):
        self.table, self.name, self.columns = table, name, list(table.column_names)

    @classmethod
    def of_frame(cls, frame, name: str) -> "InMemory":
        """Of a pandas frame or series; an index becomes columns unless it merely counts the rows."""
        if frame.ndim == 1:
            frame = frame.to_frame("kwh" if frame.name is None else frame.name)
        if hasattr(frame.index, "to_timestamp"):
            frame = frame.set_axis(frame.index.to_timestamp())
        if frame.index.names != [None] or frame.index.dtype.kind not in "iu":
            frame = frame.reset_index()
        arrays = [_arrow_of(frame.iloc[:, place]) for place in range(frame.shape[1])]
        return cls(pa.Table.from_arrays(arrays, names=[str(name) for name in frame.columns]), name)

    def kind(self, column: int) -> pa.DataType:
        return self.table.schema.types[column]

    def sample(self, column: int) -> pa.Array:
        return _plain(self.table.column(column).slice(0, SAMPLE_ROWS).combine_chunks())

    def rows(self, columns: list[int], notes: Notes, texts: tuple[int, ...] = ()) -> Iterator[list[pa.Array]]:
        for batch in self.table.select(columns).to_batches(max_chunksize=1024**2):
            yield [
                _coded(array) if column in texts else _plain(array)
                for column, array in zip(columns, batch.columns, strict=True)
            ]

    def matrices(self, columns: list[int], notes: Notes) -> Iterator[tuple[slice, slice, np.ndarray]]:
        for part in _parts(columns, self.table.num_rows):
            arrays = [self.table.column(column).combine_chunks() for column in columns[part]]
            yield part, slice(0, self.table.num_rows), np.stack([numbers_of(_plain(array), notes) for array in arrays])


class ParquetTable:
    decimal = "."

    def __init__(self, path: Path):
        self.path, self.name = path, path.stem
        try:
            self.file = parquet.ParquetFile(path)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(f"{path}: not a readable Parquet file ({_short(error)}). Write it again.") from error
        schema = self.file.schema_arrow
        if len(self.file.schema.names) != len(schema.names):
            raise InputError(f"{path}: has nested columns. Write one plain column for each field.")
        self.columns, self.types = list(schema.names), schema.types
        self.num_rows = self.file.metadata.num_rows

    def _read(self, columns: list[int], groups: list[int] | None = None) -> pa.Table:
        """By place, because names may repeat and may hold dots; in the file's order, so it is put right again."""
        reader = self.file.reader
        wanted = sorted(set(columns))
        try:
            if groups is None:
                table = reader.read_all(column_indices=wanted, use_threads=True)
            else:
                table = reader.read_row_groups(groups, column_indices=wanted, use_threads=True)
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{self.path}: is damaged ({_short(error)}). Write it again.") from error
        # What pandas kept as an index comes as it was stored, under its own name.
        return table.select([wanted.index(column) for column in columns])

    def kind(self, column: int) -> pa.DataType:
        return self.types[column]

    def sample(self, column: int) -> pa.Array:
        if not self.num_rows:
            return pa.array([], self.types[column])
        array = self._read([column], [0]).column(0).slice(0, SAMPLE_ROWS).combine_chunks()
        return _plain(array)

    def rows(self, columns: list[int], notes: Notes, texts: tuple[int, ...] = ()) -> Iterator[list[pa.Array]]:
        for group in range(self.file.metadata.num_row_groups):
            for batch in self._read(columns, [group]).to_batches(max_chunksize=1024**2):
                yield [
                    _coded(array) if column in texts else _plain(array)
                    for column, array in zip(columns, batch.columns, strict=True)
                ]

    def matrices(self, columns: list[int], notes: Notes) -> Iterator[tuple[slice, slice, np.ndarray]]:
        for part in _parts(columns, self.num_rows):
            table = self._read(columns[part])
            numbers = np.empty((len(columns[part]), self.num_rows), np.float32)
            for place, column in enumerate(table.columns):
                numbers[place] = numbers_of(_plain(column.combine_chunks()), notes)
            yield part, slice(0, self.num_rows), numbers


class CsvTable:
    """Delimited text: delimiter, encoding, decimal comma and header line are found out."""

    def __init__(self, path: Path):
        self.path, self.name = path, path.stem
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            # A column for each of 100,000 meters makes a header of a megabyte.
            while head.count(b"\n") < 3 and len(head) < LONGEST_HEADER and (more := file.read(HEAD_BYTES)):
                head += more
        self.encoding = self._encoding(head)
        lines = head.decode(self.encoding, errors="ignore").splitlines()
        if len(head) < path.stat().st_size and len(lines) > 2:
            lines.pop()  # cut off in the middle
        self.header_line = next((at for at, line in enumerate(lines, 1) if line.strip("\ufeff \t\r,;|")), 0)
        if not self.header_line:
            raise InputError(f"{path}: is empty. Export it again.")
        header, body = lines[self.header_line - 1], lines[self.header_line : self.header_line + SAMPLE_ROWS]
        self.delimiter = _delimiter(header, body)
        self.columns = [name.strip().strip("\ufeff") for name in self._cells(header)]
        self.body = [self._cells(line) for line in body if line.strip()]
        # A comma that does not part columns and stands between digits parts decimals.
        self.decimal = "," if self.delimiter != "," and any("," in cell for row in self.body for cell in row) else "."

    def _encoding(self, head: bytes) -> str:
        if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            return "utf-16"
        if b"\0" in head:
            raise InputError(f"{self.path}: is no text. Give CSV or Parquet.")
        is_cut_off = len(head) < self.path.stat().st_size  # perhaps in the middle of a character
        whole = (head[: head.rfind(b"\n") + 1] or head) if is_cut_off else head
        try:
            whole.decode("utf-8-sig")
        except UnicodeDecodeError:
            return "latin-1"
        return "utf-8"

    def _cells(self, line: str) -> list[str]:
        try:
            return next(csv.reader(io.StringIO(line), delimiter=self.delimiter), [])
        except csv.Error as error:
            raise InputError(f"{self.path}: cannot be parted into columns ({error}). Check its quotes.") from error

    def kind(self, column: int) -> pa.DataType:
        return pa.string()

    def sample(self, column: int) -> pa.Array:
        cells = [row[column].strip() if column < len(row) else None for row in self.body]
        return pa.array([None if cell in MISSING else cell for cell in cells], pa.string())

    def rows(self, columns: list[int], notes: Notes, texts: tuple[int, ...] = ()) -> Iterator[list[pa.Array]]:
        types = {column: pa.dictionary(pa.int32(), pa.string()) for column in texts}
        types |= {column: pa.string() for column in columns if column not in texts}
        for batch in self._open(types, columns, notes):
            yield batch.columns

    def matrices(self, columns: list[int], notes: Notes) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Numbers are parsed as such; only a file with other cells among them is read again as text."""
        try:
            found = Notes()
            yield from self._matrices(columns, found, pa.float64())
            notes.counts.update(found.counts)
        except pa.ArrowInvalid:
            yield from self._matrices(columns, notes, pa.string())

    def _matrices(
        self, columns: list[int], notes: Notes, kind: pa.DataType
    ) -> Iterator[tuple[slice, slice, np.ndarray]]:
        start, everything = 0, slice(0, len(columns))
        for batch in self._open(dict.fromkeys(columns, kind), columns, notes):
            numbers = np.empty((len(columns), len(batch)), np.float32)
            for place, column in enumerate(batch.columns):
                numbers[place] = numbers_of(column, notes, self.decimal)
            yield everything, slice(start, start + len(batch)), numbers
            start += len(batch)

    def _open(self, types: dict[int, pa.DataType], columns: list[int], notes: Notes) -> Iterator[pa.RecordBatch]:
        def skip(row: arrow_csv.InvalidRow) -> str:
            notes.add("bad_row")
            return "skip"

        try:
            stream = arrow_csv.open_csv(
                self.path,
                arrow_csv.ReadOptions(
                    block_size=BLOCK_BYTES,
                    skip_rows=self.header_line,
                    column_names=[f"c{place}" for place in range(len(self.columns))],
                    encoding=self.encoding,
                ),
                arrow_csv.ParseOptions(delimiter=self.delimiter, invalid_row_handler=skip),
                arrow_csv.ConvertOptions(
                    column_types={f"c{column}": kind for column, kind in types.items()},
                    include_columns=[f"c{column}" for column in columns],
                    null_values=MISSING,
                    strings_can_be_null=True,
                    decimal_point=self.decimal,
                ),
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                return
            if pa.float64() in types.values():
                raise
            raise InputError(f"{self.path}: cannot be read as delimited text ({_short(error)}).") from error
        while True:
            try:
                batch = stream.read_next_batch()
            except StopIteration:
                return
            except pa.ArrowInvalid as error:
                if pa.float64() in types.values():
                    raise
                raise InputError(f"{self.path}: cannot be read as delimited text ({_short(error)}).") from error
            if len(batch):
                yield batch


def open_table(path: Path | str) -> Table:
    """Parquet or delimited text, told by the content. Raises InputError for anything else."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror}). Check the path.") from error
    if head.startswith(b"PAR1"):
        return ParquetTable(path)
    if not head.strip():
        raise InputError(f"{path}: is empty. Export it again.")
    for magic, what in STRANGERS.items():
        if head.lstrip(b"\xef\xbb\xbf \r\n").startswith(magic):
            raise InputError(f"{path}: is {what}. Give CSV or Parquet.")
    return CsvTable(path)


def numbers_of(column: pa.Array, notes: Notes, decimal: str = ".") -> np.ndarray:
    """(N,) float32, NaN where there is no number; texts that are none are counted. Infinite stays so."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        column = pc.utf8_trim_whitespace(column)
        column = pc.if_else(pc.is_in(column, pa.array(MISSING, kind)), None, column)
        if decimal == ",":
            column = pc.replace_substring(column, ",", ".")
        try:
            column = pc.cast(column, pa.float64())
        except pa.ArrowInvalid:
            good = pc.match_substring_regex(column, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
            notes.add("not_a_number", pc.sum(pc.invert(good)).as_py() or 0)
            column = pc.cast(pc.if_else(pc.fill_null(good, False), column, None), pa.float64())
    elif not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
        notes.add("not_a_number", len(column) - column.null_count)
        return np.full(len(column), np.nan, np.float32)
    elif pa.types.is_decimal(kind):
        column = pc.cast(column, pa.float64())
    with np.errstate(over="ignore"):
        return column.to_numpy(zero_copy_only=False).astype(np.float32, copy=False)


def could_be_numbers(column: pa.Array, decimal: str = ".") -> bool:
    """Of a few rows: there is a number among them, or nothing at all."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type) or pa.types.is_boolean(column.type):
        return False
    numbers = numbers_of(column, Notes(), decimal)
    return column.null_count == len(column) or bool(np.isfinite(numbers).any() or np.isinf(numbers).any())


def _parts(columns: list[int], rows: int) -> Iterator[slice]:
    """So many columns at a time that a piece stays small."""
    step = max(1, CELLS_AT_ONCE // max(rows, 1))
    for start in range(0, len(columns), step):
        yield slice(start, min(start + step, len(columns)))


def _arrow_of(series) -> pa.Array:
    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError):
        array = pa.array([None if value is None else str(value) for value in series], pa.string())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _plain(array: pa.Array) -> pa.Array:
    """Without dictionaries, and with texts of one type."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
        array = pc.cast(array, pa.string(), safe=False)
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        array = pc.cast(array, pa.string())
    if pa.types.is_null(array.type):
        array = pc.cast(array, pa.float64())
    return array


def _coded(array: pa.Array) -> pa.Array:
    """As a dictionary of texts."""
    if pa.types.is_dictionary(array.type):
        return array
    array = _plain(array)
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        return array.dictionary_encode()
    return pc.cast(array, pa.string()).dictionary_encode()


def _delimiter(header: str, body: list[str]) -> str:
    """The one that parts the header into most columns and the lines below into as many."""

    def agreement(delimiter: str) -> tuple[int, int]:
        columns = header.count(delimiter)
        return (Counter(line.count(delimiter) for line in body)[columns] if columns else 0, columns)

    return max(DELIMITERS, key=agreement)


def _short(error: Exception) -> str:
    if "UTF8" in str(error):
        return "not UTF-8 throughout: save it as UTF-8"
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
