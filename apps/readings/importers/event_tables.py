"""One meter event a row: meter, time, and a code or words for what happened; no column with energy."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from sys import intern

import numpy as np
import pyarrow as pa
from django.utils.translation import gettext as _

from apps.readings.importers import dates, headings, stamping, texts
from apps.readings.importers.base import Block, EventLine, Reading
from apps.readings.importers.long import Long, find, find_meter, no_name, numbering, parted_stamps, said, with_clock
from apps.readings.importers.tables import Batch, Table

# In the nine languages of `headings`, spelled as `headings.word` leaves them.
CODE = {
    "event", "event_code", "eventcode", "code", "event_id", "eventid", "event_type", "eventtype", "event_number",
    "event_no", "event_kind", "alarm", "alarm_code", "alarmcode", "alarm_type", "enddeviceeventtype",
    "enddeviceeventtypeid", "ereignis", "ereigniscode", "ereignisnummer", "ereignis_nr", "ereignisart", "ereignistyp",
    "meldecode", "meldungscode", "meldungsnummer", "evenement", "code_evenement", "type_evenement", "alarme",
    "code_alarme", "evento", "codigo_evento", "codigo_de_evento", "codigo_del_evento", "codigo_do_evento",
    "tipo_evento", "tipo_de_evento", "alarma", "codigo_alarma", "codigo_alarme", "codice_evento", "tipo_di_evento",
    "allarme", "codice_allarme", "gebeurtenis", "gebeurteniscode", "gebeurtenistype", "olay", "olay_kodu", "olay_turu",
    "zdarzenie", "kod_zdarzenia", "typ_zdarzenia",
}  # fmt: skip
TEXT = {
    "event_name", "event_text", "event_description", "event_message", "what_happened", "alarm_text", "alarmtext",
    "description", "reason", "message", "ereignistext", "ereignisbeschreibung", "ereignisbezeichnung", "meldetext",
    "meldungstext", "beschreibung", "libelle", "libelle_evenement", "description_evenement", "descripcion",
    "descripcion_evento", "descripcion_del_evento", "descricao", "descricao_evento", "descricao_do_evento",
    "descrizione_evento", "gebeurtenisomschrijving", "olay_aciklamasi", "opis_zdarzenia",
}  # fmt: skip
# Words that stand in many files: they say what happened only beside a column of codes.
TEXT_BESIDE_A_CODE = {
    "text", "what", "meaning", "klartext", "meldung", "bezeichnung", "texte", "intitule", "signification", "texto",
    "mensaje", "significado", "mensagem", "testo", "messaggio", "descrizione", "significato", "tekst", "omschrijving",
    "melding", "betekenis", "metin", "mesaj", "aciklama", "opis", "komunikat", "tresc",
}  # fmt: skip
DETAIL = {"detail", "details", "argument", "event_argument", "comment", "info", "severity", "bemerkung"}
TIME = {
    "event_time", "event_timestamp", "event_datetime", "event_date", "occurred_at", "occurred", "occurred_on",
    "created", "createddatetime", "at", "when", "wann", "ereigniszeit", "ereigniszeitpunkt", "ereignisdatum", "quand",
    "date_evenement", "horodatage_evenement", "cuando", "fecha_evento", "fecha_del_evento", "fecha_hora_evento",
    "quando", "data_evento", "data_do_evento", "data_hora_evento", "data_ora_evento", "wanneer", "gebeurtenistijd",
    "olay_zamani", "olay_tarihi", "kiedy", "data_zdarzenia", "czas_zdarzenia",
} | headings.TIME  # fmt: skip


def are_events(roles: set[str]) -> bool:
    """Are these the columns of meter events?"""
    return {"meter", "time"} <= roles and bool({"code", "text"} & roles) and "value" not in roles


def nothing() -> Block:
    """No reading: for who only looks into a file, a sign that some of it was read."""
    return Block(*(np.zeros(0, dtype) for dtype in ("i4", "i4", "f8", "i4")))


@dataclass(frozen=True)
class EventList:
    chosen: Mapping[str, str | list[str]] = field(default_factory=dict)  # column by what it holds, as a person said

    def columns(self, table: Table) -> dict[str, int]:
        """Places of columns by what they hold. What a person said stands as a whole: the rest is not guessed."""
        return self.said(table) or self.guessed(table)

    def said(self, table: Table) -> dict[str, int]:
        roles = said(table, self.chosen)
        return roles if are_events(set(roles)) else {}

    def guessed(self, table: Table) -> dict[str, int]:
        found: dict[str, int | None] = parted_stamps(table)
        if not found or numbering(table, found):
            found = {"time": find(table, TIME)}
        for name, words in (("code", CODE), ("text", TEXT), ("detail", DETAIL)):
            found[name] = find(table, words, set(found.values()))
        if found["code"] is not None and found["text"] is None:
            found["text"] = find(table, TEXT_BESIDE_A_CODE, set(found.values()))
        found["meter"] = find_meter(table, set(found.values()))
        return {role: place for role, place in found.items() if place is not None}

    def fits(self, table: Table) -> bool:
        if self.said(table):
            return True
        return are_events(set(self.guessed(table))) and "value" not in Long().columns(table)

    def value_name(self, table: Table) -> str:
        return ""

    def month_first(self, table: Table, reading: Reading) -> bool:
        return dates.month_first(table, self.columns(table)["time"], reading=reading)

    def blocks(self, table: Table, reading: Reading) -> Iterator[Block]:
        found = self.columns(table)
        month_first = self.month_first(table, reading)
        for batch in table.batches(reading, list(found.values()), []):  # all of them words, also where they are numbers
            self._note(batch, found, month_first, reading)
            yield nothing()

    def _note(self, batch: Batch, found: dict[str, int], month_first: bool, reading: Reading) -> None:
        cells = {name: batch.columns[place] for name, place in found.items()}
        size = len(batch.lines)
        meters = Long()._meters(cells["meter"], reading)
        stamps = texts.stamps_of(cells["time"], month_first)
        if "clock" in cells:
            stamps = with_clock(stamps, cells["clock"])
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
