"""Good files of each format, and what may become of them on their way: the same ones each time."""

import gzip
import io
import itertools
import json
import random
import re
import zipfile
from collections.abc import Iterator
from itertools import islice
from xml.sax.saxutils import escape

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


def nem12() -> bytes:
    streams = [("6001234567", "E1"), ("6001234567", "B1"), ("6001234568", "E1")]
    lines = ["100,NEM12,202603030000,MDP,RETAIL"]
    for point, suffix in streams:
        lines.append(f"200,{point},E1B1,1,{suffix},N1,7{point},kWh,30,")
        lines += [f"300,2026030{day},{','.join(map(str, VALUES[0]))},A,,,20260303000000," for day in (1, 2)]
        lines += [f"300,20260303,{','.join(map(str, VALUES[1]))},V,,,,", "400,1,4,S14,60,Tampered", "400,5,48,A,,"]
    return "\n".join([*lines, "900", ""]).encode()


def nem13() -> bytes:
    dates = "20260101000000,A,,,001500,20260201000000,S,,,500.25,kWh,20260301,20260202000000,"
    lines = [f"250,600123456{n},11,1,11,11,7600{n},{way},001000,{dates}" for n, way in enumerate("EEI")]
    return "\n".join(["100,NEM13,202603030000,MDP,RETAIL", *lines, "550,N,,A,", "900", ""]).encode()


def green_button() -> bytes:
    def entry(own: str, up: str, content: str) -> str:
        links = f'<link rel="self" href="/espi{own}"/><link rel="up" href="/espi{up}"/>'
        return f"<entry>{links}<link rel='related' href='/espi/ReadingType/1'/><content>{content}</content></entry>"

    espi = 'xmlns="http://naesb.org/espi"'
    kind = f"<ReadingType {espi}><flowDirection>1</flowDirection><uom>72</uom></ReadingType>"
    readings = "\n".join(
        f"<IntervalReading><timePeriod><duration>3600</duration><start>{1772323200 + 3600 * hour}</start></timePeriod>"
        f"<value>{int(1000 * value)}</value></IntervalReading>"
        for hour, value in enumerate(VALUES[0])
    )
    entries = [
        entry("/ReadingType/1", "/ReadingType", kind),
        entry("/UsagePoint/Zähler-3", "/UsagePoint", f"<UsagePoint {espi}/>"),
        entry("/UsagePoint/Zähler-3/MeterReading/1", "/UsagePoint/Zähler-3/MeterReading", f"<MeterReading {espi}/>"),
        entry(
            "/UsagePoint/Zähler-3/MeterReading/1/IntervalBlock/1",
            "/UsagePoint/Zähler-3/MeterReading/1/IntervalBlock",
            f"<IntervalBlock {espi}>\n{readings}\n</IntervalBlock>",
        ),
    ]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
    return (head + "\n".join(entries) + "\n</feed>\n").encode()


def cim() -> bytes:
    readings = "\n".join(
        f"<IntervalReadings><timeStamp>{stamp + np.timedelta64(1, 'h')}Z</timeStamp><value>{value}</value>"
        '<ReadingQualities><ReadingQualityType ref="2.8.0"/></ReadingQualities></IntervalReadings>'
        for stamp, value in zip(HOURS, VALUES[0], strict=True)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<EventMessage xmlns="http://iec.ch/TC57/2011/schema/message"><Payload>\n'
        '<MeterReadings xmlns="http://iec.ch/TC57/2011/MeterReadings#">\n<MeterReading>'
        "<Meter><Names><name>Zähler 3</name></Names></Meter>\n<IntervalBlocks>\n"
        f'{readings}\n<ReadingType ref="0.0.7.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"/></IntervalBlocks></MeterReading>\n'
        "</MeterReadings></Payload></EventMessage>\n"
    ).encode()


def rows() -> list[dict]:
    return [
        {"meter": meter, "timestamp": f"{stamp}Z", "kwh": float(value)}
        for meter, values in zip(METERS, VALUES, strict=True)
        for stamp, value in zip(HOURS, values, strict=True)
    ]


def blocks() -> list[dict]:
    return [
        {"meter": meter, "start": f"{HOURS[0]}Z", "interval_minutes": 60, "kwh": values.tolist()}
        for meter, values in zip(METERS, VALUES, strict=True)
    ]


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


SHAPES = list(tables())
GOOD = {
    f"{container}_{shape}": write(table)
    for container, write in (("csv", csv), ("parquet", parquet))
    for shape, table in tables().items()
}
GOOD |= {
    "nem12": nem12(),
    "nem13": nem13(),
    "green button": green_button(),
    "cim": cim(),
    "json rows": json.dumps(rows(), indent=1).encode(),
    "json lines": "\n".join(map(json.dumps, blocks())).encode(),
    "gzip": gzip.compress(GOOD["csv_long"], mtime=0),
    "zstd": pa.Codec("zstd").compress(GOOD["csv_wide"], asbytes=True),
    "zip": zipped({"long.csv": GOOD["csv_long"], "../wide.csv": GOOD["csv_wide"]}),
}


def broken(format_: str) -> Iterator[tuple[str, bytes]]:
    """What happened to a file, and what is left of it. Damage befalls every format; what is rewritten takes turns."""
    good = GOOD[format_]
    yield from damaged(good)
    container, _, shape = format_.partition("_")
    if shape:
        rewritten = rewritten_text(good.decode()) if container == "csv" else rewritten_table(tables()[shape])
        yield from islice(rewritten, SHAPES.index(shape), None, len(SHAPES))
    elif format_ in {"green button", "cim"}:
        yield from rewritten_xml(good.decode())
    elif format_.startswith("json"):
        yield from rewritten_json(good.decode())
    elif format_ == "nem12":
        yield from rewritten_nem12(good.decode())
    elif format_ == "nem13":
        yield from rewritten_nem13(good.decode())
    else:
        yield from rewritten_archive(format_)


def rewritten_xml(good: str) -> Iterator[tuple[str, bytes]]:
    """What is done to XML by hand, and by people who mean harm."""
    body = good.partition("?>")[2]
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    yield "billion laughs", f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><feed>&l9;</feed>'.encode()
    yield (
        "a file called in",
        f'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>{body}'.replace("<value>", "<value>&e;", 1).encode(),
    )
    yield "an address called in", f'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">{body}'.encode()
    yield "an entity that nobody declared", good.replace("<value>", "<value>&nope;", 1).encode()
    yield "very deep", good.replace("<value>", "<a>" * 5000 + "</a>" * 5000 + "<value>", 1).encode()
    yield "a text of 11 MB", good.replace("<value>", "<value>" + "9" * 11_000_000, 1).encode()
    yield (
        "an attribute of 11 MB",
        good.replace("ref=", f'x="{"9" * 11_000_000}" ref=', 1)
        .replace("rel=", f'x="{"9" * 11_000_000}" rel=', 1)
        .encode(),
    )
    yield "in utf-16", good.replace("UTF-8", "UTF-16").encode("utf-16")
    yield "in another encoding than it says", good.encode("latin-1")
    yield "of an encoding that nobody knows", good.replace("UTF-8", "KLINGON-1").encode()
    yield "a NUL", good.replace("<value>", "<value>\0", 1).encode()
    yield "tags in capitals", good.replace("value>", "VALUE>").encode()
    yield "no values", re.sub(r"<value>.*?</value>", "", good).encode()
    yield (
        "values in values",
        good.replace("<value>", "<value><value>", 3).replace("</value>", "</value></value>", 3).encode(),
    )
    yield "no reading types", good.replace("ReadingType", "Thing").encode()
    yield "of another namespace", good.replace("http://", "https://").encode()
    yield "only the root", f"{body.strip().split('>')[0]}/>".encode()
    for what, words in (("number", NUMBERS.split()), ("text", TEXTS), ("stamp", STAMPS.split())):
        for tag in ("value", "timeStamp", "start", "name"):
            if f"<{tag}>" in good:
                count = itertools.count()
                wrong = re.sub(
                    f"<{tag}>.*?</{tag}>",
                    lambda _m, t=tag, w=words, c=count: f"<{t}>{escape(w[next(c) % len(w)])}</{t}>", good
                )  # fmt: skip
                yield f"a {what} in {tag}", wrong.encode()


def rewritten_json(good: str) -> Iterator[tuple[str, bytes]]:
    yield "in utf-16", good.encode("utf-16")
    yield "in latin-1", good.replace("\\u00e4", "ä").encode("latin-1")
    yield "with a mark", good.encode("utf-8-sig")
    yield "a NUL", good.replace('"kwh"', '"kw\0h"', 1).encode()
    yield "very deep", (good[:2] + "[" * 200_000 + good[2:]).encode()
    yield "very deep objects", b'{"a":' * 200_000
    yield "a text of 9 MB", good.replace('"meter": "', '"meter": "' + "x" * 9_000_000, 1).encode()
    yield "a surrogate alone", good.replace("M-1", "\\ud800").encode()
    yield "NaN and infinity", good.replace(": 0.1", ": NaN", 1).replace("0.127", "Infinity").encode()
    yield "keys twice", good.replace('"kwh"', '"kwh": 1, "kwh"').encode()
    yield "keys in capitals", good.replace('"kwh"', '"KWH"').encode()
    yield "single quotes", good.replace('"', "'").encode()
    yield "commas at the end", good.replace("}", ",}").encode()
    yield "an open string", good.replace('"M-1"', '"M-1', 1).encode()
    yield "a number", b"42"
    yield "a list of lists", b"[[1, 2], [3, 4]]"
    yield "an empty list", b"[]"
    yield "null", good.replace('"M-1"', "null").encode()
    for what, words in (("number", NUMBERS.split()), ("text", TEXTS), ("stamp", STAMPS.split())):
        for key in ("meter", "timestamp", "start", "interval_minutes", "kwh"):
            if f'"{key}"' in good:
                count = itertools.count()
                value = rf'"{key}": ("[^"]*"|[\d.]+|\[[^\]]*\])'
                wrong = re.sub(
                    value, lambda _m, k=key, w=words, c=count: f'"{k}": {json.dumps(w[next(c) % len(w)])}', good
                )
                yield f"a {what} in {key}", wrong.encode()


def rewritten_nem12(good: str) -> Iterator[tuple[str, bytes]]:
    for encoding in ("utf-16", "utf-8-sig", "cp037"):
        yield f"as {encoding}", good.encode(encoding)
    yield "no end", good.replace("900\n", "").encode()
    yield "no streams", re.sub(r"200,.*\n", "", good).encode()
    yield "no days", re.sub(r"300,.*\n", "", good).encode()
    yield "only its beginning", b"100,NEM12,202603030000,MDP,RETAIL\n"
    yield "nem13", good.replace("NEM12", "NEM13").encode()
    yield "in quotes", re.sub(r"[^,\n]+", r'"\g<0>"', good).encode()
    yield "an open quote", good.replace("A,,,", '"A,,,', 1).encode()
    yield "an interval of 7 minutes", good.replace(",30,\n", ",7,\n").encode()
    yield "an interval of 0 minutes", good.replace(",30,\n", ",0,\n").encode()
    yield "five minutes", good.replace(",30,\n", ",5,\n").encode()
    yield "a value less", good.replace(",0.1,", ",").encode()
    yield "a value more", good.replace(",0.1,", ",0.1,0.1,").encode()
    yield "ranges beyond the day", good.replace("400,5,48", "400,5,99").encode()
    yield "ranges without a day", good.replace("300,20260303", "301,20260303").encode()
    yield "volts", good.replace("kWh", "V").encode()
    yield "a line of 10 MB", good.replace(",A,", ",A" + "x" * 10_000_000 + ",", 1).encode()
    yield "commas alone", (good[:34] + "," * 100_000 + good[34:]).encode()
    yield "formulas", good.replace("0.1,", "=1+1,").encode()
    yield "no such day", good.replace("20260301", "20260231").encode()
    yield "points of long names", good.replace("6001234567", "6" * 70).encode()


def rewritten_nem13(good: str) -> Iterator[tuple[str, bytes]]:
    yield "no end", good.replace("900\n", "").encode()
    yield "no registers", re.sub(r"250,.*\n", "", good).encode()
    yield "in quotes", re.sub(r"[^,\n]+", r'"\g<0>"', good).encode()
    yield "a line of 10 MB", good.replace(",A,", ",A" + "x" * 10_000_000 + ",", 1).encode()
    for what, words in (("number", NUMBERS.split()), ("text", TEXTS), ("stamp", STAMPS.split())):
        for cell in ("500.25", "20260101000000", "kWh", "6001234560"):
            count = itertools.count()
            wrong = re.sub(re.escape(cell), lambda _m, w=words, c=count: w[next(c) % len(w)], good)
            yield f"a {what} for {cell}", wrong.encode()


def rewritten_archive(format_: str) -> Iterator[tuple[str, bytes]]:
    """What is packed that should not be: too much, too deep, nothing, other things, names that lead elsewhere."""
    long, zeros = GOOD["csv_long"], b"meter,timestamp,kwh\n" + b"M-1,2026-03-01 00:00,0\n" * 500_000
    pack = {
        "gzip": gzip.compress,
        "zstd": lambda content: pa.Codec("zstd").compress(content, asbytes=True),
        "zip": lambda content: zipped({"a.csv": content}),
    }[format_]
    yield "a bomb", pack(zeros)
    yield "nothing", pack(b"")
    yield "a picture", pack(HEADS["png"] + bytes(90))
    yield "an archive in it", pack(pack(long))
    yield "XML that calls in a file", pack(b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><feed>&e;</feed>')
    yield "text behind it", pack(long) + b"and more"
    yield "other columns", pack(b"a,b\n1,2\n")
    yield "a cell of 10 MB", pack(long.replace(b"M-1", b"x" * 10_000_000, 1))
    if format_ == "zip":
        yield "names that lead elsewhere", zipped({name.replace("\0", ""): long for name in NAMES if name.strip()})
        yield "two files of one name", zipped({"a.csv": long}) + zipped({"a.csv": long})
        yield "a workbook", zipped({"[Content_Types].xml": b"<a/>", "xl/workbook.xml": b"<a/>"})
        yield "only folders", zipped({"a/": b"", "b/": b""})
        yield "many files", zipped({f"{n}.csv": b"x" for n in range(1200)})
        yield "one of two broken", zipped({"a.csv": long, "b.xml": green_button()[:900]})
        yield "bombs side by side", zipped({f"{n}.csv": zeros[:3_000_000] for n in range(3)})


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
    yield "a cell of 10 MB", good.replace(cells[1][0], "x" * 10_000_000, 1).encode()
    yield "a NUL", good.replace(cells[1][0], "\0", 1).encode()
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
