"""What the columns of a table hold: as guessed, and as a person corrects it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.readings import importers
from apps.readings.importers import archives, texts
from apps.readings.importers.base import FileFault
from apps.readings.importers.bills import Bills
from apps.readings.importers.event_tables import EventList, are_events
from apps.readings.importers.long import NEEDED, OPTIONAL, Long, guessed
from apps.readings.importers.tables import Table, TableFormat
from apps.readings.importers.wide_days import WideDays
from apps.readings.importers.wide_times import WideTimes
from apps.readings.statements import Statement

ROLES = {
    "ignored": gettext_lazy("not read"),
    "meter": gettext_lazy("meter"),
    "time": gettext_lazy("time, or date"),
    "end": gettext_lazy("end of a bill's days"),
    "clock": gettext_lazy("time of day, or number"),
    "value": gettext_lazy("reading"),
    "export": gettext_lazy("energy given (export)"),
    "channel": gettext_lazy("channel"),
    "quality": gettext_lazy("quality"),
    "unit": gettext_lazy("unit"),
    "code": gettext_lazy("a meter event's code"),
    "text": gettext_lazy("a meter event's words"),
    "detail": gettext_lazy("a meter event's detail"),
    "series": gettext_lazy("readings of what it is called"),  # a column for each meter, or for each day
}
NAMED = Bills | EventList | Long  # shapes of which each column holds something of its own
OF_EVENTS = ("code", "text", "detail")
SHOWN_COLUMNS = 12
SHOWN_ROWS = 5


@dataclass(frozen=True)
class Columns:
    names: list[str]  # of all columns, as are the roles
    roles: list[str]
    rows: list[list[str]]  # of the first columns
    container: str  # "csv", "parquet" or "json"
    chosen: dict  # what is stated so far

    @property
    def shown(self) -> list[tuple[str, str, str]]:
        """(field, name, role) of the first columns."""
        pairs = zip(self.names[:SHOWN_COLUMNS], self.roles, strict=False)
        return [(f"column-{place}", name, role) for place, (name, role) in enumerate(pairs)]

    @property
    def hidden(self) -> int:
        return max(len(self.names) - SHOWN_COLUMNS, 0)

    def said(self, roles: list[str]) -> dict:
        """The part of a statement that a person makes with these roles, one for each column. Raises ValueError with a
        message for people."""
        if roles == self.roles and (set(NEEDED) <= set(roles) or "series" in roles or are_events(set(roles))):
            return {"columns": self.chosen}
        for role in (*NEEDED, "end", *OPTIONAL, *OF_EVENTS):
            if roles.count(role) > 1:
                raise ValueError(_("More than one column is said to hold: %(role)s.") % {"role": ROLES[role]})
        if are_events(set(roles)):
            return {
                "columns": self._places(roles, ("meter", "time", "clock", *OF_EVENTS)),
                "format": self._as("events"),
            }
        places = self._places(roles, (*NEEDED, "end", *OPTIONAL))
        if "value" in places:
            missing = [str(ROLES[role]) for role in NEEDED if role not in places]
            if missing:
                raise ValueError(_("Say which column holds: %(missing)s.") % {"missing": ", ".join(missing)})
            return {"columns": places, "format": self._as("bills" if "end" in places else "long")}
        if "series" in roles and "time" in places:
            ignored = [name for name, role in zip(self.names, roles, strict=True) if role == "ignored"]
            stamps = {role: places[role] for role in ("time", "clock") if role in places}
            return {"columns": {**stamps, "ignored": ignored}, "format": self._as("wide")}
        if "series" in roles and "meter" in places:
            return {"columns": {}, "format": self._as("days")}
        raise ValueError(_("Say which columns hold the meter, the time, and the reading or the code of an event."))

    def _places(self, roles: list[str], asked: Iterable[str]) -> dict[str, str]:
        return {role: self.names[roles.index(role)] for role in asked if role in roles}

    def _as(self, shape: str) -> str:
        return f"{self.container}_{shape}"


def columns_of(path: Path, statement: Statement) -> Columns | None:
    """Nothing for a file that is no table, or none of readings."""
    format_ = importers.BY_NAME.get(statement.format)
    if not isinstance(format_, TableFormat) or not isinstance(format_.shape, NAMED | WideTimes | WideDays):
        return None
    format_ = format_.with_columns(statement.columns)
    try:
        return archives.look(path, lambda _file: format_, lambda _format, file: _columns(file, format_, statement))
    except FileFault:
        return None


def _columns(file: Path, format_: TableFormat, statement: Statement) -> Columns:
    table = format_.table(file)
    cells = [texts_of(table, index) for index in range(min(len(table.columns), SHOWN_COLUMNS))]
    rows = [[column[row] if row < len(column) else "" for column in cells] for row in range(SHOWN_ROWS)]
    return Columns(
        table.columns,
        roles_of(format_.shape, table),
        [row for row in rows if any(row)],
        format_.name.partition("_")[0],
        statement.columns,
    )


def texts_of(table: Table, index: int) -> list[str]:
    try:
        found = texts.as_texts(table.sample_column(index)[:SHOWN_ROWS]).to_pylist()
    except pa.ArrowException:  # lists, records
        return []
    return [(text or "")[:40] for text in found]


def roles_of(shape: NAMED | WideTimes | WideDays, table: Table) -> list[str]:
    """What each column holds, as far as that is known."""
    roles = ["ignored"] * len(table.columns)
    if isinstance(shape, NAMED) or not shape.fits(table):
        found = shape.columns(table) if isinstance(shape, NAMED) else guessed(table)
        for role, index in found.items():
            roles[index] = role
        return roles
    if isinstance(shape, WideTimes):
        first, role, series = shape.time_column(table), "time", shape.meter_columns(table, shape.time_column(table))
    else:
        first, role, series = shape.meter_column(table), "meter", shape.day_columns(table)[0]
    for index in series:
        roles[index] = "series"
    roles[first] = role
    if isinstance(shape, WideTimes) and (clock := shape.clock_column(table, first)) is not None:
        roles[clock] = "clock"
    return roles
