"""One meter event a row: meter, time, and a code or words for what happened; no column with energy."""

from collections.abc import Iterator
from sys import intern

import numpy as np
import pyarrow as pa
from django.utils.translation import gettext as _

from apps.readings.importers import dates, headings, stamping, texts
from apps.readings.importers.base import Block, EventLine, Reading
from apps.readings.importers.long import Long, find, find_meter, no_name
from apps.readings.importers.tables import Batch, Table

CODE = {
    "event", "event_code", "eventcode", "code", "event_id", "eventid", "event_type", "eventtype", "event_number",
    "alarm", "alarm_code", "alarm_type", "enddeviceeventtype", "enddeviceeventtypeid", "ereignis", "ereigniscode",
    "evenement", "événement", "evento", "codigo_evento", "código_evento",
}  # fmt: skip
TEXT = {
    "event_name", "event_text", "event_description", "alarm_text", "description", "reason", "message", "ereignistext",
    "beschreibung", "libelle", "libellé", "descripcion", "descripción", "descrição",
}  # fmt: skip
DETAIL = {"detail", "details", "argument", "event_argument", "comment", "info", "severity", "bemerkung"}
TIME = {
    "event_time",
    "event_timestamp",
    "event_date",
    "occurred_at",
    "created",
    "createddatetime",
    "at",
} | headings.TIME


def nothing() -> Block:
    """No reading: for who only looks into a file, a sign that some of it was read."""
    return Block(*(np.zeros(0, dtype) for dtype in ("i4", "i4", "f8", "i4")))


class EventList:
    def columns(self, table: Table) -> dict[str, int | None]:
        found: dict[str, int | None] = {}
        for name, words in (("time", TIME), ("code", CODE), ("text", TEXT), ("detail", DETAIL)):
            found[name] = find(table, words, set(found.values()))
        found["meter"] = find_meter(table, set(found.values()))
        return found

    def fits(self, table: Table) -> bool:
        found = self.columns(table)
        names_it = found["meter"] is not None and found["time"] is not None
        says_what = found["code"] is not None or found["text"] is not None
        return names_it and says_what and "value" not in Long().columns(table)

    def value_name(self, table: Table) -> str:
        return ""

    def month_first(self, table: Table, reading: Reading) -> bool:
        return dates.month_first(table, self.columns(table)["time"], reading=reading)

    def blocks(self, table: Table, reading: Reading) -> Iterator[Block]:
        found = {name: place for name, place in self.columns(table).items() if place is not None}
        month_first = self.month_first(table, reading)
        for batch in table.batches(reading, list(found.values()), []):  # all of them words, also where they are numbers
            self._note(batch, found, month_first, reading)
            yield nothing()

    def _note(self, batch: Batch, found: dict[str, int], month_first: bool, reading: Reading) -> None:
        cells = {name: batch.columns[place] for name, place in found.items()}
        size = len(batch.lines)
        meters = Long()._meters(cells["meter"], reading)
        stamps = texts.stamps_of(cells["time"], month_first)
        code, text, detail = (words_of(cells.get(name), size) for name in ("code", "text", "detail"))

        def shown(row: int) -> str:
            return ",".join(texts.shown(cells[name][row]) for name in sorted(found, key=found.get))  # as in the file

        unnamed = np.array([not (one or other) for one, other in zip(code, text, strict=True)], dtype=bool)
        empty = (meters < 0) & ~stamps.valid & unnamed
        good = ~empty
        for wrong, reason in (
            (~stamps.valid, _("not a date and time")),
            (meters < 0, no_name()),
            (unnamed, _("neither a code nor words say what happened")),
        ):
            rows = np.flatnonzero(wrong & good)
            if len(rows):
                reading.rejects.add(batch.lines[rows], reason, lambda i, rows=rows: shown(rows[i]))
                good &= ~wrong
        stamping.note_zones(stamps, good, batch.lines, reading)
        reading.add_events(
            [
                EventLine(
                    meter=int(meters[row]),
                    code=code[row] or text[row],
                    minutes=int(stamps.minutes[row]),
                    detail=intern(" · ".join(said for said in (text[row] if code[row] else "", detail[row]) if said)),
                    line=int(batch.lines[row]),
                )
                for row in np.flatnonzero(good).tolist()
            ]
        )


def words_of(column: pa.Array | None, size: int) -> list[str]:
    """Texts of a column of any type; empty where nothing stands, or where there is no such column."""
    if column is None:
        return [""] * size
    return [intern(text.strip()) for text in (texts.shown(cell) for cell in column)]  # the same ones again and again
