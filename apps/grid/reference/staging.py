"""Rows of a file into a temporary table of the transaction, each cell as the value that it stands for."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db import connection
from django.utils.translation import gettext as _

from apps.faults import FileFault
from apps.grid.reference.kinds import Field, Kind
from apps.grid.reference.shapes import point_of
from apps.grid.reference.sources import Source
from apps.grid.reference.values import Wrong, missing, shown

ROWS_AT_ONCE = 5000
MOST_REFUSED_KEPT = 10_000
TEXT_LENGTH = 200  # of what is kept of a refused row
MOST_ROWS = 3_000_000
# Every temporary table of a plan: they go with their transaction, or with the next plan in it.
SCRATCH = [
    "incoming",
    "staged",
    "matched",
    "new_meter",
    "new_contract",
    "nameless",
    "row_before",
    "taken_out",
    "made",
    "spent",
] + [f"{part}_{other}" for part in ("wish", "held", "cut") for other in ("meter", "transformer", "contract")]
REMEMBERED = 20_000  # different texts of a column of which the value is kept: zones and tariffs come again and again


@dataclass
class Refused:
    """Rows that are not taken. All are counted; as many as a person may want to see are kept."""

    count: int = 0
    kept: list[tuple[int, str, str]] = field(default_factory=list)  # line, reason, content

    def add(self, line: int, reason: str, text: str) -> None:
        self.count += 1
        if len(self.kept) < MOST_REFUSED_KEPT:
            self.kept.append((line, reason, text[:TEXT_LENGTH]))


def columns_of(kind: Kind) -> list[tuple[str, str]]:
    """Name and type of the staged columns."""
    return [(one.name, one.sql) for one in kind.fields if one.name not in {"lon", "lat"}]


def stage(source: Source, kind: Kind, mapping: dict[str, str], progress) -> tuple[int, Refused]:
    """Fill `incoming`; returns how many rows the file has, and what cannot be taken. Raises FileFault."""
    lacking = [str(one.label) for one in kind.required if one.name not in mapping]
    if lacking:
        raise FileFault(
            _("No column is chosen for %(fields)s. The file has: %(columns)s.")
            % {"fields": ", ".join(lacking), "columns": ", ".join(source.columns[:20])}
        )
    columns = columns_of(kind)
    defined = "".join(f", {name} {sql}" for name, sql in columns)
    refused = Refused()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {', '.join(SCRATCH)}")
        # `row` counts; all objects of a JSON file may stand in one line.
        cursor.execute(f"CREATE TEMPORARY TABLE incoming (row int, line int{defined}) ON COMMIT DROP")
        names = ", ".join(["row", "line", *(name for name, _sql in columns)])
        rows = Rows(source, kind, mapping, refused)
        with cursor.copy(f"COPY incoming ({names}) FROM STDIN") as copy:
            chunk: list[str] = []
            for row in rows.texts([name for name, _sql in columns]):
                chunk.append(row)
                if len(chunk) == ROWS_AT_ONCE:
                    copy.write("".join(chunk))
                    chunk.clear()
                    progress.say(0.05 + 0.5 * rows.share(), _("Reading the file"))
            copy.write("".join(chunk))
        cursor.execute("ANALYZE incoming")
    if not rows.count:
        raise FileFault(_("The file names columns, but no row follows. Send the export again."))
    return rows.count, refused


class Rows:
    def __init__(self, source: Source, kind: Kind, mapping: dict[str, str], refused: Refused):
        self.source, self.kind, self.refused = source, kind, refused
        self.count = self.last_line = 0
        place = {name: index for index, name in enumerate(source.columns)}
        gone = [column for column in mapping.values() if column not in place]
        if gone:
            raise FileFault(_("The file has no column %(name)s.") % {"name": gone[0]})
        self.at = {one.name: place[mapping[one.name]] for one in kind.fields if one.name in mapping}
        self.known: dict[str, dict] = {one.name: {} for one in kind.fields}
        self.all_lines = max(source.text.count("\n"), 1)

    def share(self) -> float:
        return min(self.last_line / self.all_lines, 1)

    def texts(self, names: list[str]) -> Iterator[str]:
        """Lines as COPY reads them."""
        for line, cells in self.source.rows():
            self.count += 1
            self.last_line = line
            if self.count > MOST_ROWS:
                raise FileFault(_("The file has more than %(most)d rows. Send it in parts.") % {"most": MOST_ROWS})
            try:
                found = self.values(cells)
            except Wrong as wrong:
                self.refused.add(line, self.source.place_of(self.count) + str(wrong), self.shown(cells))
                continue
            yield "\t".join([str(self.count), str(line), *(escaped(found.get(name)) for name in names)]) + "\n"

    def values(self, cells: list) -> dict:
        if cells and isinstance(cells[0], Wrong):
            raise cells[0]
        found = {}
        for one in self.kind.fields:
            if one.name in self.at and not missing(value := cells[self.at[one.name]]):
                found[one.name] = self.value(one, value)
        for one in self.kind.required:
            if not found.get(one.name):
                raise Wrong(_("%(field)s: the cell is empty") % {"field": one.label})
        if ("lon" in found) != ("lat" in found):
            raise Wrong(_("a place has a longitude and a latitude, and one of them is missing"))
        if "lon" in found:
            found["place"] = point_of((found.pop("lon"), found.pop("lat")))
        return found

    def value(self, one: Field, value):
        known = self.known[one.name]
        is_text = isinstance(value, str)
        if is_text and value in known:
            return known[value]
        try:
            found = one.parse(value, self.source.writing)
        except Wrong as wrong:
            raise Wrong(f"{one.label}: {wrong}") from None
        if is_text and len(known) < REMEMBERED and len(value) < 100:
            known[value] = found
        return found

    def shown(self, cells: list) -> str:
        return "; ".join(shown(cell) for cell in cells[:12] if cell is not None and not isinstance(cell, Wrong))


def escaped(value) -> str:
    if value is None or value == "":
        return r"\N"
    text = value if isinstance(value, str) else str(value)
    return text.replace("\\", "\\\\") if "\\" in text else text
