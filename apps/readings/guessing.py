"""What a file probably means, and one day of it as it would be taken: for a person to confirm or correct."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
from django.conf import settings

from apps.readings import billing, events, importers, times
from apps.readings.assembly import Assembler
from apps.readings.date_order import NONE, DateOrder
from apps.readings.importers.base import Block, FileFault, Format, Reading, Rejects
from apps.readings.importers.headings import ENDS, REGISTER, STARTS, unit_of, word
from apps.readings.importers.long import Long
from apps.readings.importers.tables import ColumnsUnclear, TableFormat
from apps.readings.importers.wide_times import WideTimes
from apps.readings.intervals import distances
from apps.readings.models import Channel, Sender
from apps.readings.profiles import chart_values
from apps.readings.series import DAY, Columns, Days, same_as_before
from apps.readings.statements import Statement

SAMPLE_METERS = 20
SHOWN_REJECTS = 10
SHOWN_PERIODS = 6
PLAUSIBLE_KWH_AN_HOUR = 50  # of a median consumer; more of it is rather Wh


def guess(
    path: Path, remembered: dict | None = None, stated: dict | None = None, *, lenient: bool = False
) -> Statement:
    """The statement to propose. What this sender's last file meant wins, where it was of the same format; what is
    stated now helps to recognise the file. Raises FileFault for what is no such file; with lenient not for a table of
    which a person may yet say what its columns hold."""
    stated = stated or {}
    statement = Statement(**remembered) if remembered else None
    columns = stated.get("columns") or (statement.columns if statement else {})
    order = DateOrder.of(stated) or DateOrder.remembered(remembered or {})

    def meant(format_: Format, file: Path) -> Statement:
        fixed = {"format": format_.name, **importers.fixed(format_.name), "columns": used(format_, file, columns)}
        clock = stated.get("timezone") or (statement.timezone if statement else "")
        reading = Reading(Rejects(0), SAMPLE_METERS, order, timezone=clock)
        if statement and statement.format in {"", format_.name}:
            fixed |= date_order_of(format_, file, reading, lenient=lenient)
            return replace(statement, **fixed)
        found = guessed(format_, file, reading)
        fixed |= reading.date_order.as_dict() if reading.date_order else NONE
        # Units and registers may be others here; a clock is the sender's, unless the other format dictated it.
        keeps_clock = statement and "timezone" not in importers.fixed(statement.format)
        return replace(found, **{**({"timezone": statement.timezone} if keeps_clock else {}), **fixed})

    try:
        return importers.look(path, meant, stated.get("format", ""), columns)
    except ColumnsUnclear as unclear:
        if not lenient:
            raise
        return replace(statement or Statement(settings.UTILITY_TIME_ZONE), format=unclear.format, columns={}, **NONE)


def date_order_of(format_: Format, file: Path, reading: Reading, *, lenient: bool) -> dict[str, str]:
    """The part of a statement that says it."""
    if isinstance(format_, TableFormat):
        try:
            format_.shape.month_first(format_.table(file), reading)
        except FileFault:  # a person sees it beside what they may correct
            if not lenient:
                raise
    return reading.date_order.as_dict() if reading.date_order else NONE


def used(format_: Format, file: Path, columns: dict) -> dict:
    """The columns that were chosen before, where this file has them."""
    return columns if columns and has_columns(format_, file, columns) else {}


def has_columns(format_: Format, file: Path, columns: dict) -> bool:
    if not isinstance(format_, TableFormat):
        return False
    names = set(format_.table(file).columns)
    return all(name in names for role, name in columns.items() if role != "ignored")


def guessed(format_: Format, file: Path, reading: Reading) -> Statement:
    """From the readings themselves."""
    sample = first_meters(next(iter(format_.blocks(file, reading)), None))
    columns = Assembler(Statement("UTC"), reading).sorted([sample] if sample else [])
    statement = Statement(settings.UTILITY_TIME_ZONE)
    if not len(columns):
        return statement
    value, register = value_name(format_, file), is_register(format_, file, columns)
    return replace(
        statement,
        timezone="UTC" if {"utc", "gmt"} & set(time_name(format_, file).split("_")) else guess_zone(columns, reading),
        stamps=named_stamps(format_, file) or guess_stamps(columns),
        measures=Sender.Measures.REGISTER if register else Sender.Measures.INTERVAL,
        unit=unit_of(value) or guess_unit(columns),
    )


def value_name(format_: Format, path: Path) -> str:
    """The name of the column with the values, which often says the unit; of several where they say the same."""
    return format_.shape.value_name(format_.table(path)) if isinstance(format_, TableFormat) else ""


def time_name(format_: Format, path: Path) -> str:
    """The word that names the column of stamps, of tables that have one."""
    if not isinstance(format_, TableFormat) or not isinstance(format_.shape, Long | WideTimes):
        return ""
    table = format_.table(path)
    if isinstance(format_.shape, WideTimes):
        return word(table.columns[format_.shape.time_column(table)])
    columns = format_.shape.columns(table)
    return word(table.columns[columns.get("clock", columns["time"])])


def named_stamps(format_: Format, path: Path) -> str:
    """Which end of a period the column of stamps says that it marks, by its name; empty where it does not say."""
    name = time_name(format_, path)
    return Sender.Stamps.START if name in STARTS else Sender.Stamps.END if name in ENDS else ""


def first_meters(block: Block | None) -> Block | None:
    """The readings of a few meters, of one channel: what they took, where they took anything."""
    if block is None:
        return None
    first = block.meters < SAMPLE_METERS
    if block.channels is not None:
        channel = Channel.IMPORT if (block.channels == Channel.IMPORT).any() else Channel.EXPORT
        first &= block.channels == channel
    return Block(block.meters[first], block.minutes[first], block.values[first], block.lines[first])


def gives_energy(block: Block | None) -> bool:
    return block is not None and block.channels is not None and bool((block.channels == Channel.EXPORT).any())


def guess_zone(columns: Columns, reading: Reading) -> str:
    """Civil time, unless there are readings in an hour that it skips: such meters stay in standard time all year."""
    if not (reading.zoned or reading.dates_only):
        nothing = np.zeros(len(columns), dtype=bool)
        _utc, skipped = times.to_utc(columns.local, nothing, times.utility_zone())
        if skipped.any():
            return times.offset_name(times.utility_offset_minutes())
    return settings.UTILITY_TIME_ZONE


def guess_stamps(columns: Columns) -> str:
    """Files tend to begin with a day's first period: one that begins at 00:30 marks the ends of half hours."""
    apart, _places = distances(columns.meters, columns.local)
    begins = columns.local[np.flatnonzero(np.diff(columns.meters, prepend=-1))] % DAY
    ends = len(apart) and (np.median(apart) < DAY) and np.median(begins) == np.median(apart)
    return Sender.Stamps.END if ends else Sender.Stamps.START


def is_register(format_: Format, file: Path, columns: Columns) -> bool:
    return bool(len(columns)) and (is_rising(columns) or is_named_register(value_name(format_, file), columns))


def is_rising(columns: Columns) -> bool:
    """Hardly ever less than before, and well above nothing: a register."""
    one_meter = same_as_before(columns.meters)
    with np.errstate(invalid="ignore"):  # a file may say "inf"; the import rejects it
        rise = np.diff(columns.values)[one_meter]
    return len(rise) >= 20 and bool((rise >= 0).mean() > 0.99 and (rise > 0).mean() > 0.3)


def is_named_register(name: str, columns: Columns) -> bool:
    """Is the column called what registers are, and do its values hardly fall?"""
    one_meter = same_as_before(columns.meters)
    with np.errstate(invalid="ignore"):
        rise = np.diff(columns.values)[one_meter]
    return word(name) in REGISTER and bool((rise >= 0).mean() > 0.9 if len(rise) else True)


def guess_unit(columns: Columns) -> str:
    apart, _places = distances(columns.meters, columns.local)
    used = columns.values[columns.values > 0]
    hours = np.median(apart) / 60 if len(apart) else 1
    if is_rising(columns) or not len(used) or np.median(used) / hours <= PLAUSIBLE_KWH_AN_HOUR:
        return Sender.Unit.KWH
    return Sender.Unit.WH


@dataclass(frozen=True)
class Preview:
    """One day of one meter as it would be taken, and what would be refused, from the beginning of the file."""

    meter: str
    day: str  # ISO; empty where nothing at the beginning can be taken
    interval_minutes: int
    kwh: list[float | None]
    meters_seen: int  # among those looked at
    events: int
    event_kinds: list[events.Kind]
    periods: int  # between reads of a register, such as months
    first_periods: list[tuple[str, date, date, float]]  # of which meter, the first and last day, kWh
    looks_like_register: bool  # though it is not taken as one
    rejected: int
    rejected_lines: list[tuple[int, str, str]]
    date_order: DateOrder | None
    has_export: bool  # energy given to the grid, besides what was taken

    @property
    def total_kwh(self) -> float:
        return sum(value for value in self.kwh if value is not None)

    @property
    def rows(self) -> list[tuple[str, float | None]]:
        """(clock, kWh) of each slot."""
        minutes = (slot * self.interval_minutes for slot in range(len(self.kwh)))
        return [(f"{m // 60:02}:{m % 60:02}", value) for m, value in zip(minutes, self.kwh, strict=True)]


def preview(path: Path, statement: Statement) -> Preview:
    """Raises FileFault."""
    return importers.look(
        path, lambda format_, file: preview_of(format_, file, statement), statement.format, statement.columns
    )


def preview_of(format_: Format, file: Path, statement: Statement) -> Preview:
    statement = replace(statement, **importers.fixed(format_.name))
    reading = Reading(Rejects(SHOWN_REJECTS), SAMPLE_METERS, statement.order, timezone=statement.timezone)
    first = next(iter(format_.blocks(file, reading)), None)
    blocks = [first_meters(first)] if first else []
    assembler = Assembler(statement, reading)
    columns = assembler.sorted(blocks)
    found = list(assembler.days(columns))
    nobodys = np.zeros(len(reading.names), dtype=bool)
    told = events.check(reading, statement, nobodys)
    periods = billing.checked([*reading.registers, *assembler.periods], statement, reading, nobodys)
    seen = {
        "meters_seen": len(reading.names),
        "events": len(told),
        "event_kinds": events.kinds_of(told),
        "periods": len(periods),
        "first_periods": list(of_periods(periods[:SHOWN_PERIODS], reading.names)),
        "looks_like_register": not statement.is_register and is_register(format_, file, columns),
        "rejected": reading.rejects.count,
        "rejected_lines": reading.rejects.kept,
        "date_order": reading.date_order,
        "has_export": gives_energy(first),
    }
    if not found:
        return Preview("", "", 0, [], **seen)
    days, row = fullest(found)
    return Preview(
        meter=reading.names[days.meters[row]],
        day=str(np.datetime64(int(days.days[row]), "D")),
        interval_minutes=DAY // days.kwh.shape[1],
        kwh=chart_values(days.kwh[row]),
        **seen,
    )


def of_periods(periods: billing.Periods, names: list[str]) -> Iterator[tuple[str, date, date, float]]:
    first, last = (days.astype("datetime64[D]").tolist() for days in (periods.first_days, periods.last_days))
    return zip([names[meter] for meter in periods.meters], first, last, periods.kwh.tolist(), strict=True)


def fullest(found: list[Days]) -> tuple[Days, int]:
    """The first of the days with most readings; of daily readings, any."""
    days = max(found, key=lambda part: part.kwh.shape[1])
    return days, int(np.isfinite(days.kwh).sum(axis=1).argmax())
