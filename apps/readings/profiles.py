"""The one door to stored load profiles. NaN means "nothing was sent" in here and never leaves as JSON."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import reduce
from math import gcd

import numpy as np
import psycopg
from django.db import connection

from apps.readings.models import Channel
from apps.readings.quality import is_made_up

MINUTES_PER_DAY = 1440
ARRAY_HEADER_BYTES = 20  # dimensions, has-null flag, element type, length and lower bound, 4 bytes each

# One row for each meter instead of one for each day: array_send writes an array as the wire carries it, and rows of one
# number of slots have one length, so that a meter's days decode as a single array. Days without flags apart, for they
# have no second array.
STORED_ROWS = """
SELECT meter_id, cardinality(kwh) AS slots, string_agg(int4send(day - %(epoch)s), ''),
       string_agg(int8send(upload_id), ''), string_agg(array_send(kwh), ''), string_agg(array_send(quality), '')
FROM readings_loadprofile
WHERE meter_id = ANY(%(meter_ids)s) AND channel = %(channel)s AND day BETWEEN %(first_day)s AND %(last_day)s
GROUP BY meter_id, slots, quality IS NULL
"""
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Window:
    """Load profiles of several meters over the same days. Days are days of the utility's standard time."""

    meter_ids: np.ndarray  # (M,) int64, in the order asked for
    first_day: date
    interval_minutes: int
    kwh: np.ndarray  # (M, D, S) float32, S = 1440 / interval_minutes, NaN = missing


@dataclass(frozen=True)
class MeterRows:
    """Stored days of one meter that have the same number of slots, in no particular order."""

    meter_id: int
    days: np.ndarray  # (R,) int32, days since 1970-01-01
    uploads: np.ndarray  # (R,) int64, which upload brought or last changed each
    kwh: np.ndarray  # (R, S) float32
    quality: np.ndarray | None  # (R, S) int8, readings.quality; None: all measured


def read_window(
    meter_ids: list[int],
    first_day: date,
    last_day: date,
    channel: Channel = Channel.IMPORT,
    slots: int | None = None,
    measured_only: bool = False,
) -> Window:
    """All readings of the meters from first_day to last_day, both included, in one query.

    Meters with different intervals are brought to the coarsest that all of them fit in, by summing; a sum with a
    missing part is missing. `slots` asks for that many slots a day instead; a day that does not part into them, such as
    one of hours where quarters are asked for, is missing. With `measured_only` a value that the sender estimated or
    edited is missing too. A meter may be asked for twice.
    """
    rows = list(stored_rows(meter_ids, first_day, last_day, channel))
    return window_of(rows, meter_ids, first_day, last_day, slots, measured_only)


def window_of(
    rows: list[MeterRows],
    meter_ids: list[int],
    first_day: date,
    last_day: date,
    slots: int | None = None,
    measured_only: bool = False,
) -> Window:
    """`read_window` of rows that were read before."""
    slots = slots or reduce(gcd, (part.kwh.shape[1] for part in rows), 0) or 24
    position = {meter_id: index for index, meter_id in enumerate(dict.fromkeys(meter_ids))}
    days = (last_day - first_day).days + 1
    offset = (first_day - EPOCH).days
    kwh = np.full((len(position), days, slots), np.nan, dtype=np.float32)
    for part in rows:
        if part.kwh.shape[1] % slots:
            continue
        found = part.kwh
        if measured_only and part.quality is not None:
            found = np.where(is_made_up(part.quality), np.float32(np.nan), found)
        kwh[position[part.meter_id], part.days - offset] = coarsen(found, slots)
    if len(position) < len(meter_ids):
        kwh = kwh[[position[meter_id] for meter_id in meter_ids]]
    return Window(np.array(meter_ids, dtype=np.int64), first_day, MINUTES_PER_DAY // slots, kwh)


def stored_rows(
    meter_ids: list[int], first_day: date, last_day: date, channel: Channel = Channel.IMPORT
) -> Iterator[MeterRows]:
    params = {
        "meter_ids": list(meter_ids),
        "channel": int(channel),
        "first_day": first_day,
        "last_day": last_day,
        "epoch": EPOCH,
    }
    connection.ensure_connection()
    # Binary results: a bytea would otherwise travel as twice as many hexadecimal digits.
    with psycopg.Cursor(connection.connection) as cursor:
        for meter_id, slots, days, uploads, kwh, quality in cursor.execute(STORED_ROWS, params, binary=True):
            yield MeterRows(
                meter_id,
                np.frombuffer(days, ">i4").astype(np.int32),
                np.frombuffer(uploads, ">i8").astype(int),
                decoded(kwh, slots, ">f4").astype(np.float32),
                None if quality is None else decoded(quality, slots, ">i2").astype(np.int8),
            )


def decoded(arrays: bytes, slots: int, kind: str) -> np.ndarray:
    """(R, S) from R arrays as the wire carries them."""
    element = [("size", ">i4"), ("value", kind)]
    record = np.dtype([("header", f"V{ARRAY_HEADER_BYTES}"), ("slot", element, slots)])
    return np.frombuffer(arrays, record)["slot"]["value"]


def coarsen(kwh: np.ndarray, slots: int) -> np.ndarray:
    """(R, n * slots) kWh to (R, slots): sums of n neighbours, NaN where one of them is missing."""
    if kwh.shape[1] == slots:
        return kwh
    return kwh.reshape(len(kwh), slots, -1).sum(axis=2)


def chart_values(values: np.ndarray) -> list:
    """Nested lists for json_script and JSON answers: null where a reading is missing, never NaN or infinity."""
    values = np.asarray(values, dtype=np.float64)
    found = np.isfinite(values)
    # Single precision holds seven digits; more of them on a page would only be noise from the conversion.
    return np.where(found, np.round(values, 6), None).tolist()
