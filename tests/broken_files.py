"""Good files of each format, and what may become of them on their way: the same ones each time."""

import io
import random
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HOURS = np.datetime64("2026-03-01T00:00", "s") + np.arange(48) * np.timedelta64(1, "h")
METERS = ["M-1", "M-2", "Zähler 3"]
VALUES = np.round(np.linspace(0.1, 4, 48 * 3), 3).reshape(3, 48)
HEADS = {
    "png": b"\x89PNG\r\n\x1a\n",
    "zip": b"PK\x03\x04",
    "gzip": b"\x1f\x8b\x08",
    "nothing": bytes(8),
    "parquet": b"PAR1",
}
NUMBERS = "1e308 9e999 -1 nan inf 1e-400 99999999999999999999999999 0x10 1_000 ٣ 1,5 --1 =1+1 '' 1e"
STAMPS = (
    "0000-00-00 9999-12-31T23:59:59 0001-01-01 2026-03-29T01:30 2026-02-30 1e18 -1 now 2026-03-01T00:00:00.123+25:00"
)
TEXTS = [
    "=cmd|' /C calc'!A0",
    "@SUM(A1)",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "\u202egpj",
    "x" * 70_000,
    "'; DROP TABLE",
]
NAMES = [
    "../../etc/passwd",
    "a\0b.csv",
    "x" * 400,
    " ",
    "C:\\win\\a.csv",
    "a\r\nX-Head: 1.csv",
    "\u202e.csv",
    "=1+1.csv",
    "/",
]


def tables() -> dict[str, pa.Table]:
    days = {str(day): VALUES[:, 24 * n : 24 * n + 24].sum(axis=1) for n, day in enumerate(("2026-03-01", "2026-03-02"))}
    return {
        "long": pa.table({"meter": np.repeat(METERS, 48), "timestamp": np.tile(HOURS, 3), "kwh": VALUES.ravel()}),
        "wide": pa.table({"timestamp": HOURS, **dict(zip(METERS, VALUES, strict=True))}),
        "days": pa.table({"meter": METERS, **days}),
    }


def csv(table: pa.Table) -> bytes:
    columns = [column.cast(pa.string()).to_pylist() for column in table.columns]
    return "\n".join([",".join(table.column_names), *map(",".join, zip(*columns, strict=True))]).encode()


def parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


SHAPES = list(tables())
GOOD = {
    f"{container}_{shape}": write(table)
    for container, write in (("csv", csv), ("parquet", parquet))
    for shape, table in tables().items()
}


def broken(format_: str) -> Iterator[tuple[str, bytes]]:
    """What happened to a file, and what is left of it. Damage befalls every format; what is rewritten takes turns."""
    container, shape = format_.split("_")
    yield from damaged(GOOD[format_])
    rewritten = rewritten_text(GOOD[format_].decode()) if container == "csv" else rewritten_table(tables()[shape])
    yield from islice(rewritten, SHAPES.index(shape), None, len(SHAPES))


def damaged(good: bytes) -> Iterator[tuple[str, bytes]]:
    """Damage on the way, which knows nothing of formats."""
    for size in (1, 4, 12, len(good) // 2, len(good) - 9, len(good) - 1):
        yield f"cut off at {size}", good[:size]
    for name, head in HEADS.items():
        yield f"head of {name}", head + good[len(head) :]
    for seed in range(5):
        chance = random.Random(seed)
        content = bytearray(good)
        for _ in range(1 + 3 * seed):
            content[chance.randrange(len(content))] = chance.randrange(256)
        yield f"bytes flipped by {seed}", bytes(content)
    middle = len(good) // 2
    yield "zeros in the middle", good[:middle] + bytes(100) + good[middle:]
    yield "bytes missing in the middle", good[:middle] + good[middle + 7 :]
    yield "twice in one", good + good


def rewritten_text(good: str) -> Iterator[tuple[str, bytes]]:
    """What programs and people make of text."""
    for encoding in ("utf-16", "utf-16-le", "utf-32", "latin-1", "cp037", "utf-8-sig"):
        yield f"as {encoding}", good.encode(encoding)
    lines = good.split("\n")
    cells = [line.split(",") for line in lines]
    yield "columns in reverse", "\n".join(",".join(reversed(row)) for row in cells).encode()
    yield "columns shifted", "\n".join(",".join(row[1:] + row[:1]) for row in cells).encode()
    yield "without a header", "\n".join(lines[1:]).encode()
    yield "header twice", "\n".join([lines[0], *lines]).encode()
    yield "only separators", (",,,\n" * 50).encode()
    yield "an open quote", good.replace(",", ',"', 7).encode()
    yield "one line", good.replace("\n", ",").encode()
    yield "carriage returns", good.replace("\n", "\r").encode()
    yield "all columns of one name", "\n".join([",".join("x" for _ in cells[0]), *lines[1:]]).encode()
    yield "very many columns", "\n".join(line + ",1" * 3000 for line in lines[:5]).encode()
    for what, words in (("number", NUMBERS.split()), ("stamp", STAMPS.split()), ("text", TEXTS)):
        for place in range(3):
            column = [[*row[:place], words[n % len(words)], *row[place + 1 :]] for n, row in enumerate(cells)]
            yield f"a {what} in column {place}", "\n".join(map(",".join, [cells[0], *column[1:]])).encode()
    yield "odd texts in the header", "\n".join([",".join((TEXTS * 2)[: len(cells[0])]), *lines[1:]]).encode()


def rewritten_table(good: pa.Table) -> Iterator[tuple[str, bytes]]:
    """What programs make of a table: other types, and values at their ends."""
    count, words = len(good), [*TEXTS, *NUMBERS.split(), *STAMPS.split()]
    columns = {
        "nothing": pa.nulls(count),
        "lists": pa.array([[1.0]] * count),
        "records": pa.array([{"a": 1}] * count),
        "truths": pa.array([True] * count),
        "bytes": pa.array([b"\xff\0"] * count),
        "texts": pa.array([words[n % len(words)] for n in range(count)]),
        "large texts": pa.array(["1.5"] * count, pa.large_string()),
        "great numbers": pa.array([2**64 - 1] * count, pa.uint64()),
        "small numbers": pa.array([-(2**63)] * count, pa.int64()),
        "decimals": pa.array([10**37] * count, pa.decimal128(38, 0)),
        "infinities": pa.array([np.inf, np.nan, 1e308, -0.0] * count)[:count],
        "stamps at the end of time": pa.array([2**63 - 1] * count, pa.timestamp("us")),
        "stamps at its beginning": pa.array([-(2**63) + 1] * count, pa.timestamp("ns")),
        "zoned stamps": pa.array([0] * count, pa.timestamp("ms", "Mars/Olympus")),
        "times": pa.array([1] * count, pa.time64("us")),
        "durations": pa.array([1] * count, pa.duration("s")),
        "dates": pa.array([2**31 - 1] * count, pa.date32()),
        "words": pa.array(["M-1"] * count).dictionary_encode(),
    }
    for place in range(3):
        for what, column in columns.items():
            yield f"{what} in column {place}", parquet(good.set_column(place, good.column_names[place], column))
    yield "no rows", parquet(good.slice(0, 0))
    yield "no columns", parquet(pa.table({}))
    yield "all columns of one name", parquet(good.rename_columns(["meter"] * good.num_columns))
    yield "odd names", parquet(good.rename_columns((TEXTS * 2)[: good.num_columns]))
    yield "many small groups", _in_groups(good)


def _in_groups(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=1)
    return file.getvalue()
