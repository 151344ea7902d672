"""Files as columns and rows: delimited text, GeoJSON, and JSON lists, packed or not, told apart by their content."""

import csv
import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePath

from django.conf import settings
from django.utils.translation import gettext as _

from apps import archives
from apps.delimited import DELIMITERS, delimiter_of, lines_above_names
from apps.faults import UNPRINTABLE, FileFault
from apps.grid.reference.kinds import GEOMETRY, is_known
from apps.grid.reference.shapes import TYPES, refuse_other
from apps.grid.reference.values import Writing, Wrong

STEP_BYTES = 1024**2
SAMPLE_ROWS = 500  # looked at for the columns of GeoJSON, and for how numbers and dates are written
MOST_COLUMNS = 300
# A zone's outline as WKT is long; a cell beyond this is a quote that was never closed.
LONGEST_CELL = 2_000_000
HEAD_LETTERS, HEAD_LINES = 200_000, 60  # looked at for the delimiter and the names of columns
SPACE = re.compile(r"[\s\x1e]*")

csv.field_size_limit(max(LONGEST_CELL, csv.field_size_limit()))


class Source:
    """`columns` and `rows()`: line number and cells, in the order of the columns; a missing cell is None."""

    format = ""
    label = ""
    size = 0  # bytes, unpacked
    columns: list[str]
    writing = Writing()
    shape_type = ""

    def rows(self) -> Iterator[tuple[int, list]]:
        raise NotImplementedError

    def place_of(self, row: int) -> str:
        """What the number of a line leaves open, as the beginning of a reason."""
        return ""

    def sample(self) -> list[tuple[int, list]]:
        return list(islice(self.rows(), SAMPLE_ROWS))


def content_of(path: Path) -> bytes:
    """What the file holds, or the one file in an archive. Raises FileFault."""
    with path.open("rb") as file:
        if not archives.is_archive(file.read(8)):
            file.seek(0)
            return file.read()
    members = archives.members(path)
    if any(PurePath(one.name).suffix.lower() == ".shp" for one in members):
        raise FileFault(
            _("This is a shapefile. Export it as GeoJSON: ogr2ogr -f GeoJSON -t_srs EPSG:4326 out.json in.shp")
        )
    if len(members) > 1:
        raise FileFault(
            _("The archive holds %(count)d files (%(names)s). Each is an import of its own: send them one by one.")
            % {"count": len(members), "names": ", ".join(one.name[:40] for one in members[:5])}
        )
    content = bytearray()
    try:
        with members[0].open() as stream:
            while (step := stream.read(STEP_BYTES)) and len(content) <= settings.REFERENCE_MAX_BYTES:
                content += step
    except archives.BROKEN as error:
        raise archives.damaged(error) from None
    if len(content) > settings.REFERENCE_MAX_BYTES:
        raise FileFault(
            _("What is packed in the archive is larger than the %(limit)s MB that are taken at once. Send it in parts.")
            % {"limit": f"{settings.REFERENCE_MAX_BYTES / 1e6:,.6g}"}
        )
    if archives.is_archive(content[:8]):
        raise FileFault(_("There is an archive in the archive. Pack the file itself."))
    return bytes(content)


def open_source(path: Path) -> Source:
    """Raises FileFault."""
    raw = content_of(path)
    if not raw.strip():
        raise FileFault(_("The file is empty. Send the export again."))
    text, encoding = decoded(raw)
    size = len(raw)
    del raw
    begins = text[:4096].lstrip("\ufeff \t\r\n\x1e")[:1]
    source = JsonSource(text) if begins in {"{", "["} else CsvSource(text, encoding)
    source.size = size
    return source


def decoded(raw: bytes) -> tuple[str, str]:
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        try:
            return raw.decode("utf-16"), "UTF-16"
        except UnicodeDecodeError as error:
            raise FileFault(
                _("The file begins as UTF-16, but byte %(byte)d is none. Export it as UTF-8.")
                % {"byte": error.start + 1}
            ) from None
    if b"\0" in raw:
        raise FileFault(
            _("This is a binary file (byte %(byte)d is zero), not text. Export it as CSV or GeoJSON.")
            % {"byte": raw.index(b"\0") + 1}
        )
    try:
        return raw.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError as error:
        if any(ord(letter) > 127 for letter in raw.decode("utf-8", errors="ignore")):
            raise FileFault(
                _("Line %(line)d holds a byte that is no UTF-8, though the rest is. Export the whole file as UTF-8.")
                % {"line": raw.count(b"\n", 0, error.start) + 1}
            ) from None
    try:
        return raw.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        return raw.decode("latin-1"), "Latin-1"


def distinct(names: list[str]) -> list[str]:
    """Column names, each made different from those before it."""
    found: dict[str, None] = {}
    for place, name in enumerate(names, 1):
        name = " ".join(UNPRINTABLE.sub(" ", name).split())[:100] or _("column %(n)d") % {"n": place}
        other, count = name, 1
        while other in found:
            count += 1
            other = f"{name} ({count})"
        found[other] = None
    return list(found)


class CsvSource(Source):
    format, label = "csv", "CSV"

    def __init__(self, text: str, encoding: str):
        self.text = text
        self.label = f"CSV, {encoding}"
        lines = list(islice(lines_of(text[:HEAD_LETTERS]), HEAD_LINES))
        first = next((place for place, line in enumerate(lines) if is_filled([line])), len(lines))
        first += lines_above_names(lines[first:], is_known)
        self.above = first  # lines with a report's title or date
        filled = [line for line in lines[first:] if is_filled([line])]
        self.delimiter = delimiter_of(filled[0], filled[1:]) if filled else DELIMITERS[0]
        header = next((cells for _line, cells in self._cells() if is_filled(cells)), None)
        if header is None:
            raise FileFault(_("The file has no line with text in it. Send the export again."))
        if len(header) > MOST_COLUMNS:
            raise FileFault(
                _("The first line names %(count)d columns; at most %(most)d are taken. Is this a file of readings?")
                % {"count": len(header), "most": MOST_COLUMNS}
            )
        self.columns = distinct(header)
        cells = [cell.strip() for _line, row in self.sample() for cell in row if isinstance(cell, str)]
        self.writing = Writing.of(cells, self.delimiter)

    def _cells(self) -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(islice(lines_of(self.text), self.above, None), delimiter=self.delimiter, strict=True)
        line = self.above
        try:
            for cells in reader:
                yield line + 1, cells
                line = self.above + reader.line_num
        except csv.Error as error:
            reason = (
                _("a cell is longer than %(most)d characters") % {"most": csv.field_size_limit()}
                if "field larger" in str(error)
                else _("a quote is not closed, or text follows it")
            )
            raise FileFault(
                _("Line %(line)d cannot be read: %(reason)s. Check its quotes and line ends.")
                % {"line": line + 1, "reason": reason}
            ) from None

    def rows(self) -> Iterator[tuple[int, list]]:
        rows = self._cells()
        for _line, cells in rows:
            if is_filled(cells):
                break  # the header
        width = len(self.columns)
        for line, cells in rows:
            if not any(cells):
                continue
            if len(cells) > width and any(cells[width:]):
                yield line, [Wrong(_("%(found)d cells, where the first line names %(expected)d columns")
                                   % {"found": len(cells), "expected": width})]  # fmt: skip
                continue
            yield line, [*cells[:width], *[None] * (width - len(cells))]


def lines_of(text: str) -> Iterator[str]:
    """Without a copy of all lines at once."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start : end + 1]
        start = end + 1
    if start < len(text):
        # Line ends of old Macs: the csv module refuses a bare carriage return within a line.
        yield from text[start:].splitlines(keepends=True)


def is_filled(cells: list[str]) -> bool:
    return any(cell.strip(" \t;,|") for cell in cells)


class JsonSource(Source):
    """A GeoJSON FeatureCollection, features one a line, or a list of flat objects. Objects are decoded one by one, so
    that a fault names its line."""

    format, label = "json", "JSON"

    def __init__(self, text: str):
        self.text = text
        self.decoder = json.JSONDecoder(parse_constant=lambda _word: float("nan"))
        self.columns = []
        names: dict[str, None] = {}
        shapes = set()
        has_geometry = False
        cells: list[str] = []
        for _line, one in islice(self._objects(), SAMPLE_ROWS):
            if isinstance(one, dict) and one.get("type") == "Feature":
                has_geometry = True
                geometry = one.get("geometry")
                if isinstance(geometry, dict) and geometry.get("type") in list(TYPES):
                    shapes.add(geometry["type"].removeprefix("Multi"))
            properties = properties_of(one)
            names |= dict.fromkeys(str(name) for name in properties)
            cells += [value for value in properties.values() if isinstance(value, str)]
            if len(names) > MOST_COLUMNS:
                raise FileFault(
                    _("The objects name more than %(most)d properties. Is this reference data?")
                    % {"most": MOST_COLUMNS}
                )
        if has_geometry:
            self.format, self.label = "geojson", "GeoJSON"
            if len(shapes) == 1:
                self.shape_type = shapes.pop()
        self.keys = list(names)
        self.columns = distinct(self.keys) + ([GEOMETRY] if has_geometry else [])
        if not self.columns:
            raise FileFault(_("The file holds no object with properties. Send the export again."))
        self.has_geometry = has_geometry
        self.writing = Writing.of([cell.strip() for cell in cells], ",")

    def place_of(self, row: int) -> str:
        return _("object %(n)d: ") % {"n": row}

    def rows(self) -> Iterator[tuple[int, list]]:
        for line, one in self._objects():
            if not isinstance(one, dict):
                yield line, [Wrong(_('an object is wanted here, such as {"number": "C-1"}'))]
                continue
            properties = properties_of(one)
            cells = [properties.get(key) for key in self.keys]
            if self.has_geometry:
                cells.append(one.get("geometry"))
            yield line, cells

    def _objects(self) -> Iterator[tuple[int, object]]:
        text = self.text
        at = SPACE.match(text, 1 if text[:1] == "\ufeff" else 0).end()
        self._counted, self._line = 0, 1
        if text[at] == "[":
            yield from self._list(at)
            return
        # One object: a collection with its features; or one of many that follow each other.
        end = yield from self._members(at)
        at = SPACE.match(text, end).end()
        while at < len(text):
            one, end = self._value(at)
            yield self._line_at(at), one
            at = SPACE.match(text, end).end()

    def _members(self, start: int):
        """Members of the first object, without holding its features. Returns where it ends."""
        at = SPACE.match(self.text, start + 1).end()
        whole: dict = {}
        crs_at = 0
        has_features = False
        while self.text[at : at + 1] != "}":
            key, end = self._value(at)
            if not isinstance(key, str):
                self._broken(at)
            at = SPACE.match(self.text, end).end()
            if self.text[at : at + 1] != ":":
                self._broken(at)
            at = SPACE.match(self.text, at + 1).end()
            if key == "features" and self.text[at : at + 1] == "[":
                has_features = True
                end = yield from self._list(at)
            else:
                value, end = self._value(at)
                whole[key] = value
                crs_at = at if key == "crs" else crs_at
            at = SPACE.match(self.text, end).end()
            if self.text[at : at + 1] == ",":
                at = SPACE.match(self.text, at + 1).end()
            elif self.text[at : at + 1] != "}":
                self._broken(at)
        if whole.get("crs") is not None:
            try:
                refuse_other(whole["crs"])
            except Wrong as wrong:
                raise FileFault(
                    _("Line %(line)d, `crs`: %(reason)s") % {"line": self._line_at(crs_at), "reason": wrong}
                ) from None
        if not has_features:
            if whole.get("type") in {"FeatureCollection", "Topology"}:
                raise FileFault(_("The file is a %(type)s without features.") % {"type": whole["type"]})
            yield self._line_at(start), whole
        return at + 1

    def _list(self, start: int):
        at = SPACE.match(self.text, start + 1).end()
        while self.text[at : at + 1] != "]":
            one, end = self._value(at)
            yield self._line_at(at), one
            at = SPACE.match(self.text, end).end()
            if self.text[at : at + 1] == ",":
                at = SPACE.match(self.text, at + 1).end()
                if self.text[at : at + 1] == "]":
                    self._broken(at)
            elif self.text[at : at + 1] != "]":
                self._broken(at)
        return at + 1

    def _value(self, at: int):
        try:
            return self.decoder.raw_decode(self.text, at)
        except json.JSONDecodeError as error:
            self._broken(error.pos)
        except RecursionError:
            raise FileFault(
                _("Line %(line)d nests lists within lists too deep to be reference data.") % {"line": self._line_at(at)}
            ) from None
        except ValueError:
            raise FileFault(
                _("Line %(line)d holds a number of too many digits.") % {"line": self._line_at(at)}
            ) from None

    def _line_at(self, at: int) -> int:
        if at < self._counted:
            return self.text.count("\n", 0, at) + 1
        self._line += self.text.count("\n", self._counted, at)
        self._counted = at
        return self._line

    def _broken(self, at: int):
        line = self.text.count("\n", 0, at) + 1
        if at >= len(self.text.rstrip()):
            raise FileFault(
                _("The file breaks off in line %(line)d, in the middle of an object. Send the export again.")
                % {"line": line}
            )
        column = at - self.text.rfind("\n", 0, at)
        raise FileFault(
            _("Line %(line)d is no JSON at its character %(column)d: %(near)s")
            % {"line": line, "column": column, "near": self.text[at : at + 30]}
        )


def properties_of(one) -> dict:
    if not isinstance(one, dict):
        return {}
    if one.get("type") == "Feature" and ("properties" in one or "geometry" in one):
        properties = one.get("properties")
        found = dict(properties) if isinstance(properties, dict) else {}
        if "id" in one and not isinstance(one["id"], dict | list):
            found.setdefault("id", one["id"])
        return found
    return one
