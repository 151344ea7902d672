"""Binary COPY: arrays to the bytes that PostgreSQL reads, a structured NumPy row for each row of the table."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from django.db import connection

from apps.readings.series import Days

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
INT2, FLOAT4 = 21, 700  # PostgreSQL's numbers for the types
POSTGRES_EPOCH = 10957  # 2000-01-01 in days since 1970
ROWS_AT_ONCE = 4096

LOAD_PROFILES = "COPY readings_loadprofile (meter_id, channel, day, kwh, upload_id) FROM STDIN (FORMAT BINARY)"
WITH_QUALITY = "COPY readings_loadprofile (meter_id, channel, day, kwh, upload_id, quality) FROM STDIN (FORMAT BINARY)"
REJECTED_LINES = "COPY readings_rejectedline (upload_id, line, reason, text) FROM STDIN"


def profile_row(slots: int, with_quality: bool) -> np.dtype:
    """Each field is preceded by its size in bytes; so is each element of an array."""

    def array(name: str, kind: str) -> list[tuple]:
        header = ("size", "dimensions", "has_null", "element_type", "length", "lower_bound")
        return [(f"{name}_{what}", ">i4") for what in header] + [(name, [("size", ">i4"), ("value", kind)], (slots,))]

    columns = [
        ("fields", ">i2"),
        ("meter_size", ">i4"),
        ("meter", ">i8"),
        ("channel_size", ">i4"),
        ("channel", ">i2"),
        ("day_size", ">i4"),
        ("day", ">i4"),
        *array("kwh", ">f4"),
        ("upload_size", ">i4"),
        ("upload", ">i8"),
    ]
    return np.dtype(columns + (array("quality", ">i2") if with_quality else []))


def load_profiles(part: Days, meters: np.ndarray, uploads: np.ndarray | int) -> None:
    """Append days to the load profiles: `meters` (R,) are the ids of the part's rows, `uploads` one id or (R,)."""
    if part.quality is not None:
        flagged = part.quality.any(axis=1)
        if not flagged.all():  # without a flag no array is stored
            for rows, quality in ((flagged, part.quality[flagged]), (~flagged, None)):
                some = replace(
                    part, meters=part.meters[rows], days=part.days[rows], kwh=part.kwh[rows], quality=quality
                )
                if len(some):
                    load_profiles(some, meters[rows], uploads if np.isscalar(uploads) else uploads[rows])
            return
    slots, with_quality = part.kwh.shape[1], part.quality is not None
    rows = np.zeros(min(len(part), ROWS_AT_ONCE), profile_row(slots, with_quality))
    rows["fields"], rows["meter_size"], rows["channel_size"], rows["day_size"] = 5 + with_quality, 8, 2, 4
    rows["channel"], rows["upload_size"] = part.channel, 8
    for name, kind, size in (("kwh", FLOAT4, 4), ("quality", INT2, 2))[: 1 + with_quality]:
        rows[f"{name}_size"], rows[f"{name}_dimensions"] = 20 + (4 + size) * slots, 1
        rows[f"{name}_element_type"], rows[f"{name}_length"], rows[f"{name}_lower_bound"] = kind, slots, 1
        rows[name]["size"] = size
    statement = WITH_QUALITY if with_quality else LOAD_PROFILES
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        copy.write(HEADER)
        for start in range(0, len(part), ROWS_AT_ONCE):
            chosen = slice(start, start + ROWS_AT_ONCE)
            some = rows[: len(meters[chosen])]
            some["meter"], some["day"] = meters[chosen], part.days[chosen] - POSTGRES_EPOCH
            some["kwh"]["value"] = part.kwh[chosen]
            some["upload"] = uploads if np.isscalar(uploads) else uploads[chosen]
            if with_quality:
                some["quality"]["value"] = part.quality[chosen]
            copy.write(some.tobytes())
        copy.write(TRAILER)


def rejected_lines(upload_id: int, lines: Iterable[tuple[int, str, str]]) -> None:
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(REJECTED_LINES) as copy:
        for line, reason, text in lines:
            # PostgreSQL keeps no NUL in a text.
            copy.write_row((upload_id, line, reason, text.replace("\0", "�")))
