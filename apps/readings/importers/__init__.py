"""Every format that readings come in. A new one is a new file here and a line in FORMATS."""

from collections.abc import Callable
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.readings.importers import archives, cim_readings
from apps.readings.importers.archives import Found
from apps.readings.importers.base import FileFault, Format
from apps.readings.importers.bills import Bills
from apps.readings.importers.cim_events import CimEvents
from apps.readings.importers.csv_tables import CsvTable
from apps.readings.importers.event_tables import EventList
from apps.readings.importers.green_button import GreenButton
from apps.readings.importers.json_records import JsonBlocks, JsonTable
from apps.readings.importers.long import NEEDED, Counted, Long, energy_columns, guessed
from apps.readings.importers.nem12 import Nem12
from apps.readings.importers.nem13 import Nem13
from apps.readings.importers.parquet_tables import ParquetTable
from apps.readings.importers.tables import ColumnsUnclear, Table, TableFormat
from apps.readings.importers.wide_days import WideDays
from apps.readings.importers.wide_hours import WideHours
from apps.readings.importers.wide_months import WideMonths
from apps.readings.importers.wide_times import WideCounted, WideTimes
from apps.readings.importers.xml_streams import looks_like_xml

STARTS = {"stamps": "start"}  # columns know where their periods begin
PERIODS = {"stamps": "start", "measures": "interval"}  # energy of the days that are named

# Asked in this order; the first that recognises the content reads it.
FORMATS: list[Format] = [
    TableFormat("parquet_events", gettext_lazy("Parquet, a meter event a row"), ParquetTable, EventList()),
    TableFormat("parquet_hours", gettext_lazy("Parquet, a day of a meter a row"), ParquetTable, WideHours(), STARTS),
    TableFormat("parquet_bills", gettext_lazy("Parquet, a bill a row"), ParquetTable, Bills(), PERIODS),
    TableFormat("parquet_long", gettext_lazy("Parquet, one reading a row"), ParquetTable, Long()),
    TableFormat(
        "parquet_counted", gettext_lazy("Parquet, a reading a row, intervals numbered"), ParquetTable, Counted(), STARTS
    ),
    TableFormat("parquet_days", gettext_lazy("Parquet, a row per meter"), ParquetTable, WideDays()),
    TableFormat("parquet_months", gettext_lazy("Parquet, a column per month"), ParquetTable, WideMonths(), PERIODS),
    TableFormat("parquet_wide", gettext_lazy("Parquet, a row per time"), ParquetTable, WideTimes()),
    TableFormat(
        "parquet_wide_counted",
        gettext_lazy("Parquet, a row per numbered interval"),
        ParquetTable,
        WideCounted(),
        STARTS,
    ),
    Nem12(),
    Nem13(),
    GreenButton(),
    cim_readings.INTERVALS,
    cim_readings.REGISTERS,
    CimEvents(),
    JsonBlocks(),
    TableFormat("json_events", gettext_lazy("JSON, a meter event an object"), JsonTable, EventList()),
    TableFormat("json_bills", gettext_lazy("JSON, a bill an object"), JsonTable, Bills(), PERIODS),
    TableFormat("json_long", gettext_lazy("JSON, a reading an object"), JsonTable, Long()),
    TableFormat(
        "json_counted", gettext_lazy("JSON, a reading an object, intervals numbered"), JsonTable, Counted(), STARTS
    ),
    TableFormat("csv_events", gettext_lazy("CSV, a meter event a row"), CsvTable, EventList()),
    TableFormat("csv_hours", gettext_lazy("CSV, a day of a meter a row"), CsvTable, WideHours(), STARTS),
    TableFormat("csv_bills", gettext_lazy("CSV, a bill a row"), CsvTable, Bills(), PERIODS),
    TableFormat("csv_long", gettext_lazy("CSV, one reading a row"), CsvTable, Long()),
    TableFormat("csv_counted", gettext_lazy("CSV, a reading a row, intervals numbered"), CsvTable, Counted(), STARTS),
    TableFormat("csv_days", gettext_lazy("CSV, a row per meter"), CsvTable, WideDays()),
    TableFormat("csv_months", gettext_lazy("CSV, a column per month"), CsvTable, WideMonths(), PERIODS),
    TableFormat("csv_wide", gettext_lazy("CSV, a row per time"), CsvTable, WideTimes()),
    TableFormat("csv_wide_counted", gettext_lazy("CSV, a row per numbered interval"), CsvTable, WideCounted(), STARTS),
]
BY_NAME = {format.name: format for format in FORMATS}

# Not ours, but often sent under the name .csv: saying what it is spares a call.
STRANGERS = {
    b"\x89PNG": gettext_lazy("a PNG picture"),
    b"\xff\xd8\xff": gettext_lazy("a JPEG picture"),
    b"%PDF": gettext_lazy("a PDF document"),
    b"\xd0\xcf\x11\xe0": gettext_lazy("an old Excel or Word file"),
    b"BZh": gettext_lazy("a bzip2 archive"),
    b"\xfd7zXZ": gettext_lazy("an xz archive"),
    b"7z\xbc\xaf": gettext_lazy("a 7-Zip archive"),
    b"Rar!": gettext_lazy("a RAR archive"),
    b"SQLite format 3": gettext_lazy("an SQLite database"),
    b"<!DOCTYPE html": gettext_lazy("a web page"),
    b"<html": gettext_lazy("a web page"),
}
HEAD_BYTES = 4096


def recognise(path: Path, stated: str = "", columns: dict | None = None) -> Format:
    """The format of a file, from its content; a stated one is taken at its word where the content can be read so, and
    `columns` says what the columns of a table hold. An archive has the format of what is in it.

    Raises FileFault that says what the file is instead, or what is missing: ColumnsUnclear where a person could say it.
    """
    if archives.is_archive(head_of(path)):
        return archives.Packed.of(path, lambda inside: recognise_plain(inside, stated, columns))
    return recognise_plain(path, stated, columns)


def look(path: Path, then: Callable[[Format, Path], Found], stated: str = "", columns: dict | None = None) -> Found:
    """What `then` finds in a file, given its format: of an archive, in the beginning of the first file of readings."""
    return archives.look(path, lambda inside: recognise_plain(inside, stated, columns), then)


def recognise_plain(path: Path, stated: str = "", columns: dict | None = None) -> Format:
    head = head_of(path)
    if not head.strip():
        raise FileFault(_("The file is empty. Send the export again."))
    for magic, what in STRANGERS.items():
        if head.lstrip(b"\xef\xbb\xbf \r\n")[:20].lower().startswith(magic.lower()):
            raise FileFault(
                _("This is %(what)s, whatever its name says. Export the readings as CSV or Parquet.") % {"what": what}
            )
    for format_ in [BY_NAME[stated], *FORMATS] if stated in BY_NAME else FORMATS:
        if columns and isinstance(format_, TableFormat):
            format_ = format_.with_columns(columns)
        if format_.recognises(path, head):
            return format_
    if looks_like_xml(head):
        raise FileFault(
            _(
                "This is XML, but neither Green Button nor IEC 61968-9 meter readings or events: its first elements are"
                " none of those. Export the readings in one of them, or as CSV."
            )
        )
    table = table_of(path)
    if len(table.columns) < len(NEEDED):
        raise FileFault(_wrong_columns(table))
    unclear = ColumnsUnclear(_wrong_columns(table))
    unclear.format = next(
        one.name for one in FORMATS if isinstance(one, TableFormat) and isinstance(table, one.open) and one.is_long
    )
    raise unclear


def head_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def table_of(path: Path) -> Table | None:
    """A file as a table, whatever it holds; nothing where it is none. Raises FileFault."""
    head = head_of(path)
    kind = next((kind for kind in (ParquetTable, JsonTable, CsvTable) if kind.looks_like(head)), None)
    return kind(path) if kind else None


def fixed(name: str) -> dict[str, str | float]:
    """What of the statement a format dictates by itself, by the name of the format."""
    return getattr(BY_NAME.get(name), "fixed", {})


def _wrong_columns(table: Table) -> str:
    columns = guessed(table)
    missing = [
        what
        for what, role in (
            (_("the meter (such as meter_id)"), "meter"),
            (_("the time (such as timestamp)"), "time"),
            (_("the reading (such as kwh)"), "value"),
        )
        if role not in columns
    ]
    if isinstance(table, JsonTable):
        return _(
            "No key of the first object names %(missing)s; its keys are: %(found)s. Send objects with meter, timestamp"
            " and kwh; or with meter, start, interval_minutes and a list kwh."
        ) % {"missing": ", ".join(missing), "found": ", ".join(table.columns[:12])}
    several = energy_columns(table)
    if missing == [_("the reading (such as kwh)")] and len(several) > 1:
        return _(
            "Several columns hold energy: %(names)s. Name the total kwh, or send a row for each with its channel."
        ) % {"names": ", ".join(table.columns[place] for place in several[:12])}
    names = table.sample[0] if table.headless else table.columns
    found = ", ".join(name or "?" for name in names[:12]) + (", …" if len(names) > 12 else "")
    return _(
        "No column names %(missing)s. The first line with text has these columns: %(found)s. Send meter, timestamp and"
        " kwh; or a row per time with a column per meter; or a row per meter with a column per day."
    ) % {"missing": ", ".join(missing), "found": found}
