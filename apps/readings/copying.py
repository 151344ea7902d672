"""Binary COPY: arrays to the bytes that PostgreSQL reads, a structured NumPy row for each row of the table."""

from collections.abc import Iterable

import numpy as np
from django.db import connection

from apps.readings.models import Channel

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
FLOAT4 = 700  # PostgreSQL's number for the type
POSTGRES_EPOCH = 10957  # 2000-01-01 in days since 1970
ROWS_AT_ONCE = 4096

LOAD_PROFILES = "COPY readings_loadprofile (meter_id, channel, day, kwh, upload_id) FROM STDIN (FORMAT BINARY)"
REJECTED_LINES = "COPY readings_rejectedline (upload_id, line, reason, text) FROM STDIN"


def profile_row(slots: int) -> np.dtype:
    """Each field is preceded by its size in bytes; so is each element of the array."""
    return np.dtype(
        [
            ("fields", ">i2"),
            ("meter_size", ">i4"),
            ("meter", ">i8"),
            ("channel_size", ">i4"),
            ("channel", ">i2"),
            ("day_size", ">i4"),
            ("day", ">i4"),
            ("kwh_size", ">i4"),
            ("dimensions", ">i4"),
            ("has_null", ">i4"),
            ("element_type", ">i4"),
            ("length", ">i4"),
            ("lower_bound", ">i4"),
            ("slots", [("size", ">i4"), ("kwh", ">f4")], (slots,)),
            ("upload_size", ">i4"),
            ("upload", ">i8"),
        ]
    )


def load_profiles(meters: np.ndarray, days: np.ndarray, kwh: np.ndarray, upload_id: int) -> None:
    """Append rows to the load profiles: meters (R,) ids, days (R,) since 1970, kwh (R, S)."""
    slots = kwh.shape[1]
    rows = np.zeros(min(len(kwh), ROWS_AT_ONCE), profile_row(slots))
    rows["fields"], rows["meter_size"], rows["channel_size"], rows["day_size"] = 5, 8, 2, 4
    rows["kwh_size"], rows["dimensions"], rows["element_type"] = 20 + 8 * slots, 1, FLOAT4
    rows["length"], rows["lower_bound"], rows["slots"]["size"], rows["upload_size"] = slots, 1, 4, 8
    rows["channel"], rows["upload"] = Channel.IMPORT, upload_id
    with connection.cursor() as cursor, cursor.copy(LOAD_PROFILES) as copy:
        copy.write(HEADER)
        for start in range(0, len(kwh), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            some = rows[: len(meters[part])]
            some["meter"], some["day"] = meters[part], days[part] - POSTGRES_EPOCH
            some["slots"]["kwh"] = kwh[part]
            copy.write(some.tobytes())
        copy.write(TRAILER)


def rejected_lines(upload_id: int, lines: Iterable[tuple[int, str, str]]) -> None:
    with connection.cursor() as cursor, cursor.copy(REJECTED_LINES) as copy:
        for line, reason, text in lines:
            # PostgreSQL keeps no NUL in a text.
            copy.write_row((upload_id, line, reason, text.replace("\0", "�")))
