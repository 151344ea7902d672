"""How a table holds readings, told by its header and a few of its rows."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ml.tables.notes import Notes
from ml.tables.sources import InputError, Table, could_be_numbers
from ml.tables.stamps import UNREADABLE, is_month_first, look_like_stamps, minutes_of
from ml.tables.words import CLOCK, DATE, METER, TIME, VALUE, find, meter_name, names_a_unit, word


@dataclass(frozen=True)
class Long:
    """A reading a row. Without a column for the meter, the whole table is one meter."""

    time: int
    value: int
    meter: int | None
    clock: int | None
    """Column with the time of day, where `time` holds the date alone."""
    month_first: bool


@dataclass(frozen=True)
class RowsAreTimes:
    time: int
    meters: list[int]
    clock: int | None
    month_first: bool


@dataclass(frozen=True)
class RowsAreMeters:
    meter: int
    columns: list[int]
    minutes: np.ndarray
    """(len(columns),) minutes since 1970 of the header's stamps."""


def shape_of(table: Table, utc_offset: int, notes: Notes) -> Long | RowsAreTimes | RowsAreMeters:
    """Raises InputError that says what is missing."""
    columns = table.columns
    value = find(columns, VALUE)
    if value is None:
        value = next((at for at, name in enumerate(columns) if names_a_unit(name) and word(name) not in METER), None)
    time = _time_column(table, value)
    header, _zoned = minutes_of(pa.array(columns, pa.string()), utc_offset, is_month_first(pa.array(columns)))
    dated = np.flatnonzero(header != UNREADABLE)
    if len(dated) > len(columns) / 2 and (time is None or find(columns, TIME) is None):
        return _rows_are_meters(table, header, dated)
    if time is None:
        raise InputError(_what_is_missing(table, value))
    clock = _clock_column(table, time)
    month_first = is_month_first(table.sample(time))
    meter = find(columns, METER, (time, value, clock))
    rest = [at for at in range(len(columns)) if at not in (time, value, clock, meter)]
    if value is not None and (meter is not None or not _are_meters(table, rest)):
        meter = meter if meter is not None else _meter_by_content(table, rest)
        return Long(time, value, meter, clock, month_first)
    meters = [at for at in range(len(columns)) if at not in (time, clock)]
    return RowsAreTimes(time, _with_numbers(table, meters, notes), clock, month_first)


def _time_column(table: Table, value: int | None) -> int | None:
    named = [at for at, name in enumerate(table.columns) if word(name) in TIME and at != value]
    for at in named:
        if look_like_stamps(table.sample(at)):
            return at
    if named and word(table.columns[named[0]]) not in {"id", "index", "day"}:
        return named[0]  # stamps that cannot be read are counted rather than taken for something else
    typed = (at for at in range(min(len(table.columns), 4)) if _is_typed(table.sample(at)))
    first = next(typed, None)
    if first is None and table.columns and look_like_stamps(table.sample(0)):
        return 0
    return first


def _is_typed(sample: pa.Array) -> bool:
    return pa.types.is_timestamp(sample.type) or pa.types.is_date(sample.type)


def _clock_column(table: Table, time: int) -> int | None:
    """A second column with the time of day, when the first holds dates."""
    if word(table.columns[time]) not in DATE:
        return None
    return find(table.columns, CLOCK, (time,))


def _are_meters(table: Table, rest: list[int]) -> bool:
    """A column called kwh among many others of numbers is a meter of that name."""
    return len(rest) > 3 and all(_holds_numbers(table, at) for at in rest)


def _meter_by_content(table: Table, rest: list[int]) -> int | None:
    texts = [at for at in rest if pa.types.is_string(table.sample(at).type)]
    texts = [at for at in texts if not could_be_numbers(table.sample(at), table.decimal)]
    return texts[0] if len(texts) == 1 else None


def _with_numbers(table: Table, meters: list[int], notes: Notes) -> list[int]:
    kept = []
    for at in meters:
        name = table.columns[at]
        if not meter_name(name) or word(name).startswith("unnamed"):
            notes.add("nameless")
        elif not _holds_numbers(table, at):
            notes.add("no_numbers", example=name)
        else:
            kept.append(at)
    return kept


def _holds_numbers(table: Table, column: int) -> bool:
    """Of a column that is typed so, without a look at it: 100,000 looks take minutes."""
    kind = table.kind(column)
    is_number = pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)
    return is_number or could_be_numbers(table.sample(column), table.decimal)


def _rows_are_meters(table: Table, header: np.ndarray, dated: np.ndarray) -> RowsAreMeters:
    others = tuple(int(at) for at in range(len(header)) if header[at] == UNREADABLE)
    meter = find(table.columns, METER, tuple(int(at) for at in dated))
    if meter is None:
        meter = others[0] if others else None
    if meter is None:
        raise InputError(f"{table.name}: no column names the meters. Call it meter.")
    return RowsAreMeters(meter, dated.tolist(), header[dated])


def _what_is_missing(table: Table, value: int | None) -> str:
    shown = ", ".join(name or "?" for name in table.columns[:8]) + (", ..." if len(table.columns) > 8 else "")
    missing = "the time (such as timestamp)" + ("" if value is not None else " and the reading (such as kwh)")
    return (
        f"{table.name}: no column holds {missing}; its columns are {shown}. Give meter, timestamp and kwh; or a row "
        "per time with a column per meter; or a row per meter with a column per day."
    )
