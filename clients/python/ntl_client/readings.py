"""Readings as the server takes them. Neither NumPy nor pandas is needed here; arrays and frames of both are taken."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from math import isfinite
from typing import Any, TypedDict

START, METER, VALUE = ("timestamp", "time", "start"), ("meter", "meter_id", "serial"), ("kwh", "value")


class _Needed(TypedDict):
    meter: str
    start: str
    interval_minutes: int
    kwh: "list[float | None] | float"


class Block(_Needed, total=False):
    """Readings of one meter, one interval after another; null where nothing was read."""

    channel: str
    quality: "str | list[str]"


def block(
    meter: str,
    start: "datetime | date | str",
    interval_minutes: int,
    kwh: "float | Sequence[float | None] | Any",
    *,
    channel: str | None = None,
    quality: "str | Sequence[str] | None" = None,
) -> Block:
    """A block from Python's or NumPy's values; NaN is nothing read. `start` needs its time zone, but for whole days."""
    found: Block = {
        "meter": str(meter),
        "start": _stamp(start),
        "interval_minutes": int(interval_minutes),
        "kwh": _numbers(kwh),
    }
    if channel is not None:
        found["channel"] = channel
    if quality is not None:
        found["quality"] = quality if isinstance(quality, str) else list(quality)
    return found


def blocks_of_frame(frame: Any, interval_minutes: int) -> Iterator[Block]:
    """A block for each run of readings in a pandas frame: `meter`, `timestamp` (with a time zone) and `kwh` columns,
    or a time index and a column for each meter."""
    import pandas as pd  # noqa: PLC0415 whoever has a frame has pandas

    if isinstance(frame.index, pd.DatetimeIndex) and _column(frame, METER) is None:
        frame = frame.rename_axis("timestamp").reset_index().melt("timestamp", var_name="meter", value_name="kwh")
    names = [_column(frame, wanted) for wanted in (METER, START, VALUE)]
    if None in names:
        raise ValueError("The frame needs columns meter, timestamp and kwh, or a time index and a column per meter.")
    meter, stamp, value = names
    if frame[stamp].dt.tz is None:
        raise ValueError(f"The column {stamp} has no time zone: use .dt.tz_localize('Europe/London') or 'UTC'.")
    frame = frame.sort_values([meter, stamp], kind="stable")
    step = pd.Timedelta(minutes=interval_minutes)
    fresh = (frame[meter] != frame[meter].shift()) | (frame[stamp].diff() != step)
    for _number, run in frame.groupby(fresh.cumsum(), sort=False):
        first = run.iloc[0]
        yield block(first[meter], first[stamp].to_pydatetime(), interval_minutes, run[value].to_numpy())


def _column(frame: Any, names: Iterable[str]) -> str | None:
    return next((column for column in frame.columns if str(column).lower() in names), None)


def _stamp(start: "datetime | date | str") -> str:
    if isinstance(start, datetime) and start.tzinfo is None:
        raise ValueError("start has no time zone: use datetime(..., tzinfo=...) or a text that ends with Z")
    return start if isinstance(start, str) else start.isoformat()


def _numbers(kwh: Any) -> "list[float | None] | float":
    if hasattr(kwh, "tolist"):
        kwh = kwh.tolist()  # NumPy and pandas
    if isinstance(kwh, (int, float)):
        return float(kwh)
    return [None if value is None or not isfinite(value) else float(value) for value in kwh]
