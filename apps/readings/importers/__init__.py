"""Every format that readings come in. A new one is a new file here and a line in FORMATS."""

from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.readings.importers import cim_readings
from apps.readings.importers.base import FileFault, Format
from apps.readings.importers.cim_events import CimEvents
from apps.readings.importers.csv_tables import CsvTable
from apps.readings.importers.event_tables import EventList
from apps.readings.importers.green_button import GreenButton
from apps.readings.importers.long import Long
from apps.readings.importers.nem12 import Nem12
from apps.readings.importers.parquet_tables import MAGIC, ParquetTable
from apps.readings.importers.tables import TableFormat
from apps.readings.importers.wide_days import WideDays
from apps.readings.importers.wide_times import WideTimes
from apps.readings.importers.xml_streams import looks_like_xml

# Asked in this order; the first that recognises the content reads it.
FORMATS: list[Format] = [
    TableFormat("parquet_events", gettext_lazy("Parquet, a meter event a row"), MAGIC, ParquetTable, EventList()),
    TableFormat("parquet_long", gettext_lazy("Parquet, one reading a row"), MAGIC, ParquetTable, Long()),
    TableFormat("parquet_days", gettext_lazy("Parquet, a row per meter"), MAGIC, ParquetTable, WideDays()),
    TableFormat("parquet_wide", gettext_lazy("Parquet, a row per time"), MAGIC, ParquetTable, WideTimes()),
    Nem12(),
    GreenButton(),
    cim_readings.INTERVALS,
    cim_readings.REGISTERS,
    CimEvents(),
    TableFormat("csv_events", gettext_lazy("CSV, a meter event a row"), b"", CsvTable, EventList()),
    TableFormat("csv_long", gettext_lazy("CSV, one reading a row"), b"", CsvTable, Long()),
    TableFormat("csv_days", gettext_lazy("CSV, a row per meter"), b"", CsvTable, WideDays()),
    TableFormat("csv_wide", gettext_lazy("CSV, a row per time"), b"", CsvTable, WideTimes()),
]
BY_NAME = {format.name: format for format in FORMATS}

# Not ours, but often sent under the name .csv: saying what it is spares a call.
STRANGERS = {
    b"\x89PNG": gettext_lazy("a PNG picture"),
    b"\xff\xd8\xff": gettext_lazy("a JPEG picture"),
    b"%PDF": gettext_lazy("a PDF document"),
    b"PK\x03\x04": gettext_lazy("an Excel workbook or a zip archive"),
    b"\xd0\xcf\x11\xe0": gettext_lazy("an old Excel or Word file"),
    b"\x1f\x8b": gettext_lazy("a gzip archive"),
    b"\x28\xb5\x2f\xfd": gettext_lazy("a zstd archive"),
    b"SQLite format 3": gettext_lazy("an SQLite database"),
    b"<!DOCTYPE html": gettext_lazy("a web page"),
    b"<html": gettext_lazy("a web page"),
    b"{": gettext_lazy("a JSON document"),
    b"[": gettext_lazy("a JSON document"),
}
HEAD_BYTES = 4096


def recognise(path: Path, stated: str = "") -> Format:
    """The format of a file, from its content; a stated one is taken at its word where the content can be read so.
    Raises FileFault that says what the file is instead, or what is missing."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head.strip():
        raise FileFault(_("The file is empty. Send the export again."))
    for magic, what in STRANGERS.items():
        if head.lstrip(b"\xef\xbb\xbf \r\n").startswith(magic):
            raise FileFault(
                _("This is %(what)s, whatever its name says. Export the readings as CSV or Parquet.") % {"what": what}
            )
    is_parquet = head.startswith(MAGIC)
    for format_ in [BY_NAME[stated], *FORMATS] if stated in BY_NAME else FORMATS:
        if is_parquet == (format_.magic == MAGIC) and format_.recognises(path, head):
            return format_
    if looks_like_xml(head):
        raise FileFault(
            _(
                "This is XML, but neither Green Button nor IEC 61968-9 meter readings: its first element is none of"
                " those. Export the readings in one of the two, or as CSV."
            )
        )
    raise FileFault(_wrong_columns(ParquetTable(path) if is_parquet else CsvTable(path)))


def fixed(name: str) -> dict[str, str | float]:
    """What of the statement a format dictates by itself, by the name of the format."""
    return getattr(BY_NAME.get(name), "fixed", {})


def _wrong_columns(table: CsvTable | ParquetTable) -> str:
    meter, time, value = Long().columns(table)
    missing = [
        what
        for what, column in (
            (_("the meter (such as meter_id)"), meter),
            (_("the time (such as timestamp)"), time),
            (_("the reading (such as kwh)"), value),
        )
        if column is None
    ]
    found = ", ".join(name or "?" for name in table.columns[:12]) + (", …" if len(table.columns) > 12 else "")
    return _(
        "No column names %(missing)s. The first line with text has these columns: %(found)s. Send meter, timestamp and"
        " kwh; or a row per time with a column per meter; or a row per meter with a column per day."
    ) % {"missing": ", ".join(missing), "found": found}
