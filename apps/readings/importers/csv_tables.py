"""Delimited text as a table: delimiter, encoding and header are found out, the rest streams through Arrow."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from django.utils.translation import gettext as _
from pyarrow import csv as arrow_csv

from apps.delimited import SAMPLE_LINES, delimiter_of, lines_above_names
from apps.readings.importers import headings, texts
from apps.readings.importers.base import FileFault, Reading
from apps.readings.importers.tables import Batch

BLOCK_BYTES = 3 * 1024**2  # Arrow reads some of them ahead
HEAD_BYTES = 256 * 1024
HEADER_BYTES = 16 * 1024**2  # a longer first line is no header
LINES_NEEDED = 2
LONGEST_CELL = 131_072  # of those that are looked at first


class CsvTable:
    """A CSV file: its columns, a few of its rows, and all of it in batches."""

    def __init__(self, path: Path):
        self.path = path
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            # A column for each of 30,000 meters makes a header of several of these.
            while head.count(b"\n") < LINES_NEEDED and len(head) < HEADER_BYTES and (more := file.read(HEAD_BYTES)):
                head += more
        self.encoding = encoding_of(head)
        lines = head.decode(self.encoding, errors="ignore").splitlines()
        if len(head) < path.stat().st_size and len(lines) > 1:
            lines.pop()  # cut off in the middle
        self.header_line = next((number for number, line in enumerate(lines, 1) if line.strip(" \t\r,;|")), 0)
        if not self.header_line:
            raise FileFault(_("The file has no line with text in it. Send the export again."))
        self.header_line += lines_above_names(lines[self.header_line - 1 :], headings.is_known)
        body = lines[self.header_line : self.header_line + SAMPLE_LINES]
        header = lines[self.header_line - 1]
        self.delimiter = delimiter_of(header, body)
        self.columns = [name.strip().lstrip("\ufeff") for name in self._cells(header)]
        self.sample = [self._cells(line) for line in body if line.strip()]
        self.columns = as_wide_as(self.columns, self.sample)
        # A comma that does not part columns parts decimals, or thousands.
        self.decimal_comma = self.delimiter != "," and texts.has_decimal_comma(
            cell for row in self.sample for cell in row
        )
        self.headless = self._begins_with_readings()
        if self.headless:
            self.sample.insert(0, self.columns)
            self.columns = [str(number) for number in range(1, len(self.columns) + 1)]
            self.header_line -= 1

    def _begins_with_readings(self) -> bool:
        """One stamp, and beside it only what numbers and names of meters look like, alike in the line below."""
        first, below = self.columns, (self.sample or [[]])[0]
        if len(first) != 3 or len(below) != 3 or any(headings.is_known(name) for name in first):
            return False
        return [texts.kind_of(cell) for cell in first] == [texts.kind_of(cell) for cell in below] and sorted(
            texts.kind_of(cell) for cell in first
        ) in (["decimal", "name", "stamp"], ["decimal", "integer", "stamp"])

    @staticmethod
    def looks_like(head: bytes) -> bool:
        begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        return not begin.startswith((b"PAR1", b"<", b"{", b"["))

    def _cells(self, line: str) -> list[str]:
        try:
            cells = next(csv.reader([line], delimiter=self.delimiter), [])
        except csv.Error:
            cells = [line]
        if max(map(len, cells), default=0) > LONGEST_CELL:
            raise FileFault(
                _("A cell at the beginning of the file is longer than %(limit)d characters. Check its line ends.")
                % {"limit": LONGEST_CELL}
            )
        return cells

    def sample_column(self, index: int) -> pa.Array:
        return pa.array([row[index] if index < len(row) else None for row in self.sample], pa.string())

    def batches(self, reading: Reading, repeated: list[int], others: list[int]) -> Iterator[Batch]:
        """Columns as text. `repeated` are few different texts again and again, and come as dictionaries."""
        wanted = [*repeated, *others]
        skipped: list[int] = []
        rows = 0
        with pa.OSFile(str(self.path)) as file:
            for batch in self._open(file, repeated, wanted, skipped, reading):
                reading.fraction = min(file.tell() / max(file.size(), 1), 1.0)
                lines = self._lines(rows, len(batch), skipped)
                rows += len(batch)
                yield Batch({index: batch.column(place) for place, index in enumerate(wanted)}, lines)
        if skipped and not rows:
            raise FileFault(
                _("Line %(line)d names %(columns)d columns, and no line below has as many. Send the export again.")
                % {"line": self.header_line, "columns": len(self.columns)}
            )
        if not rows:
            raise FileFault(self._no_readings())

    def _no_readings(self) -> str:
        return _("Line %(line)d names the columns, but no line with readings follows. Send the export again.") % {
            "line": self.header_line
        }

    def _open(
        self, file: pa.NativeFile, repeated: list[int], wanted: list[int], skipped: list[int], reading: Reading
    ) -> Iterator[pa.RecordBatch]:
        names = [f"c{index}" for index in range(len(self.columns))]

        def skip(row: arrow_csv.InvalidRow) -> str:
            skipped.append(row.number)
            reason = _("%(expected)d columns expected, %(found)d found") % {
                "expected": row.expected_columns,
                "found": row.actual_columns,
            }
            reading.rejects.add(np.array([row.number]), reason, lambda _i: row.text)
            return "skip"

        rows = 0
        text_types = {f"c{index}": pa.string() for index in wanted}
        text_types |= {f"c{index}": pa.dictionary(pa.int32(), pa.string()) for index in repeated}
        try:
            for batch in arrow_csv.open_csv(
                file,
                # One thread: only then does a skipped row tell its number.
                arrow_csv.ReadOptions(
                    use_threads=False,
                    block_size=BLOCK_BYTES,
                    skip_rows=self.header_line,
                    column_names=names,
                    encoding=self.encoding,
                ),
                # An empty line comes as a row of nulls, so that rows still count as lines.
                arrow_csv.ParseOptions(
                    delimiter=self.delimiter, invalid_row_handler=skip, ignore_empty_lines=len(names) == 1
                ),
                arrow_csv.ConvertOptions(
                    column_types=text_types,
                    include_columns=[f"c{index}" for index in wanted],
                    null_values=texts.MISSING,
                    strings_can_be_null=True,
                ),
            ):
                rows += len(batch)
                yield batch
        except pa.ArrowInvalid as error:
            if "skip initial" in str(error):  # the header has no end, and nothing is behind it
                raise FileFault(self._no_readings()) from None
            last = self.header_line + rows + len(skipped)
            if "straddling" in str(error):
                raise FileFault(
                    _("Somewhere after line %(line)d is a line of more than %(limit)d MB. Check its line ends.")
                    % {"line": last, "limit": BLOCK_BYTES // 1024**2}
                ) from None
            raise FileFault(
                _(
                    "Somewhere after line %(line)d the file is no delimited text (%(error)s). Check its end,"
                    " its quotes and its encoding."
                )
                % {"line": last, "error": str(error)[:200]}
            ) from None

    def _lines(self, rows_before: int, rows: int, skipped: list[int]) -> np.ndarray:
        """Line numbers of rows in a file of which some lines were skipped."""
        row = np.arange(rows_before, rows_before + rows)
        if not skipped:
            return (row + self.header_line + 1).astype(np.int32)
        ahead = np.array(skipped) - (self.header_line + 1) - np.arange(len(skipped))  # rows before each skipped line
        return (row + self.header_line + 1 + np.searchsorted(ahead, row, side="right")).astype(np.int32)


def as_wide_as(names: list[str], rows: list[list[str]]) -> list[str]:
    """Names for as many columns as the rows have, where only empty cells behind the last make the difference: programs
    end lines with a delimiter, and not always the first."""
    width = Counter(map(len, rows)).most_common(1)[0][0] if rows else len(names)
    if width > len(names) and not any(cell.strip() for row in rows for cell in row[len(names) :]):
        return names + [""] * (width - len(names))
    return names[:width] if 1 < width < len(names) and not any(names[width:]) else names


def encoding_of(head: bytes) -> str:
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "utf-16"
    if b"\0" in head:
        raise FileFault(
            _("This is a binary file (byte %(byte)d is zero), not text. Export the readings as CSV or Parquet.")
            % {"byte": head.index(b"\0") + 1}
        )
    if len(head) % HEAD_BYTES == 0:
        head = head[: head.rfind(b"\n") + 1]  # the last line may be cut off in the middle of a character
    try:
        head.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"
