"""NEM12 of the Australian market: a record names the stream of a meter, a line below it holds a day of its intervals.

Streams of one connection point that count the same way (E1 and E2: general and controlled load) are one consumption and
are added. E is energy taken from the grid, B energy given to it; streams of anything else are named and not read.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pyarrow import csv as arrow_csv

from apps.readings.importers import stamping, texts
from apps.readings.importers.base import TEXT_LENGTH, Block, EventLine, FileFault, Reading
from apps.readings.models import Channel
from apps.readings.quality import Quality

BEGINNING = re.compile(
    rb'(?:\xef\xbb\xbf)?\s*"?(?:100"?,"?NEM12|200"?,"?\w{10,11}"?(?:,[^,\n]*){7,9}\n"?300"?,"?\d{8})', re.IGNORECASE
)
POINT = re.compile(rb"(?:^|\n)200,([^,\n]*)")
PART_BYTES = 6 * 1024**2
LOOK_BYTES = 1024**2
POINT_BYTES = 48 * 1024**2  # ten years of four streams every five minutes
DAY = 1440
AROUND_VALUES = 7  # fields of a 300 record beside its values: indicator, date, and five behind
CHANNELS = {"E": Channel.IMPORT, "B": Channel.EXPORT}
KWH = {"WH": 0.001, "KWH": 1.0, "MWH": 1000.0, "GWH": 1e6}
POWER = {"W": 0.001, "KW": 1.0, "MW": 1000.0}
QUALITIES = {"A": Quality.MEASURED, **dict.fromkeys("SFE", Quality.ESTIMATED_BY_SENDER), "N": Quality.MEASURED}
# Reasons that say what happened at the meter; the others speak of reading it.
EVENT_REASONS = {
    "20", "22", "23", "24", "25", "26", "27", "28", "30", "31", "39", "41", "43", "54", "58", "60", "63", "70", "79",
    "86", "87", "89",
}  # fmt: skip


@dataclass
class Stream:
    """A 200 record, and the days below it in the part of the file that is at hand."""

    point: str
    suffix: str
    channel: Channel
    interval: int  # minutes
    to_kwh: float
    days: list[bytes] = field(default_factory=list)  # 300 records
    lines: list[int] = field(default_factory=list)
    ranges: list[tuple[int, bytes, int]] = field(default_factory=list)  # place in days, 400 record, line


@dataclass
class Days:
    """Days of streams that have the same number of values; R of them."""

    points: np.ndarray  # (R,) int32 positions
    channels: np.ndarray  # (R,) int8
    streams: np.ndarray  # (R,) int32, number of the suffix
    days: np.ndarray  # (R,) int32 since 1970
    lines: np.ndarray  # (R,) int32
    kwh: np.ndarray  # (R, S)
    quality: np.ndarray  # (R, S) int8

    def take(self, rows: np.ndarray) -> "Days":
        return Days(*(column[rows] for column in vars(self).values()))


class Nem12:
    name = "nem12"
    label = gettext_lazy("NEM12")
    magic = b""
    fixed = {"timezone": "+10:00", "stamps": "start", "measures": "interval", "unit": "kWh"}

    def recognises(self, path: Path, head: bytes) -> bool:
        return BEGINNING.match(head) is not None

    def blocks(self, path: Path, reading: Reading) -> Iterator[Block]:
        stamping.note_zone(reading, zoned=False, line=1)
        reading.dates_only = False
        parser = Parser(reading)
        for first_line, part in parts(path, reading):
            yield from parser.blocks(part.split(b"\n"), first_line)
        parser.finish()


def parts(path: Path, reading: Reading) -> Iterator[tuple[int, bytes]]:
    """Number of the first line, and text; a connection point's records are never parted."""
    line, rest, size = 1, b"", max(path.stat().st_size, 1)
    wanted = LOOK_BYTES if reading.meters_wanted else PART_BYTES
    if not reading.meters_wanted and (point := scattered(path)):
        if size > POINT_BYTES:
            raise FileFault(
                _(
                    "Streams of NMI %(nmi)s stand in several places of the file; they are added, and have to follow"
                    " each other. Sort the file by NMI, or send it in parts of at most %(limit)d MB."
                )
                % {"nmi": point, "limit": POINT_BYTES // 1024**2}
            )
        yield line, path.read_bytes().removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"")
        return
    with path.open("rb") as file:
        while more := file.read(wanted):
            rest += (
                more.replace(b"\r", b"") if line > 1 or rest else more.removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"")
            )
            reading.fraction = file.tell() / size
            cut = beginning_of_last_point(rest)
            if cut:
                yield line, rest[:cut]
                line, rest = line + rest.count(b"\n", 0, cut), rest[cut:]
            elif len(rest) > POINT_BYTES:
                raise FileFault(
                    _(
                        "From line %(line)d on, one connection point has more than %(limit)d MB of records. Send the"
                        " file in parts, such as by year."
                    )
                    % {"line": line, "limit": POINT_BYTES // 1024**2}
                )
    yield line, rest


def scattered(path: Path) -> str:
    """A connection point that comes again in the file with other streams; empty where there is none."""
    streams: dict[bytes, set[bytes]] = {}  # of each point
    point, here, rest = b"", set(), b"\n"

    def differs() -> bool:
        """Is the point that ends here with other streams than it was before?"""
        return bool(point) and streams.setdefault(point, here) != here

    with path.open("rb") as file:
        while more := file.read(PART_BYTES):
            text = rest + more
            end = text.rfind(b"\n")
            at = text.find(b"\n200,", 0, end)
            while at >= 0:
                cells = text[at + 5 : text.find(b"\n", at + 5)].split(b",", 4)
                if cells[0] != point:
                    if differs():
                        return point.decode("utf-8", "replace")
                    point, here = cells[0], set()
                here.add(cells[3].strip() if len(cells) > 3 else b"")
                at = text.find(b"\n200,", at + 5, end)
            rest = text[end:] if end >= 0 else text
    return point.decode("utf-8", "replace") if differs() else ""


def beginning_of_last_point(text: bytes) -> int:
    """Where the records of the last connection point begin; 0 where there is no other before it."""
    found = list(POINT.finditer(text))
    begin = len(found)
    while begin > 0 and found[begin - 1][1] == found[-1][1]:
        begin -= 1
    # The last record may be cut off, so that its point is the same as the one before it.
    return found[begin].start() + 1 if 0 < begin < len(found) and found[-1].end() < len(text) - 1 else 0


class Parser:
    """What goes on from one part of the file to the next."""

    def __init__(self, reading: Reading):
        self.reading = reading
        self.stream: Stream | None = None
        self.suffixes: dict[str, int] = {}
        self.left_out: set[tuple[str, str]] = set()
        self.last_line = 0
        self.ended = False

    def blocks(self, lines: list[bytes], first_line: int) -> Iterator[Block]:
        by_slots: dict[int, list[Stream]] = {}
        for stream in self.streams(lines, first_line):
            by_slots.setdefault(DAY // stream.interval, []).append(stream)
        groups = {slots: self.days(streams, slots) for slots, streams in by_slots.items()}
        for slots, days in added(groups).items():
            if len(days.days):
                yield block_of(days, slots)

    def streams(self, lines: list[bytes], first_line: int) -> list[Stream]:
        found: list[Stream] = []
        stream = None
        for number, line in enumerate(lines, first_line):
            if b'"' in line:
                line = unquoted(line)
            kind = line[:4]
            if kind == b"300,":
                if stream:
                    stream.days.append(line)
                    stream.lines.append(number)
                elif self.stream is None:
                    self.reject(number, _("no 200 record above says whose day this is"), line)
            elif kind == b"200,":
                self.stream = stream = self.begun(line, number)
                if stream:
                    found.append(stream)
            elif kind == b"400,":
                if stream and stream.days:
                    stream.ranges.append((len(stream.days) - 1, line, number))
            elif kind[:3] == b"900":
                self.ended = True
            elif line.strip() and kind not in {b"100,", b"500,", b"550,"}:
                self.reject(number, _("neither a 200, 300, 400, 500 nor a 900 record"), line)
            if line.strip():
                self.last_line = number
        return found

    def begun(self, line: bytes, number: int) -> Stream | None:
        """The stream that a 200 record names; an empty one where its days are not read."""
        cells = [part.strip() for part in line.decode("utf-8", "replace").split(",")]
        if len(cells) < 9 or not cells[1]:
            self.reject(number, _("a 200 record has ten fields, with the NMI in the second"), line)
            return Stream("", "", Channel.IMPORT, 30, 1.0)
        point, suffix, unit = cells[1], cells[4].upper(), cells[7].upper()
        interval = int(cells[8]) if cells[8].isdecimal() and len(cells[8]) < 5 else 0
        if not interval or interval < 5 or DAY % interval:
            self.reject(number, _("the ninth field is no interval length in minutes that divides the day"), line)
            return Stream("", "", Channel.IMPORT, 30, 1.0)
        to_kwh = KWH.get(unit) or POWER.get(unit, 0) * interval / 60
        if suffix[:1] not in CHANNELS or not to_kwh:
            if (suffix, unit) not in self.left_out:
                self.left_out.add((suffix, unit))
                self.reject(number, _("a stream that is no energy taken (E) or given (B) is not read"), line)
            return Stream("", "", Channel.IMPORT, 30, 1.0)
        return Stream(point, suffix, CHANNELS[suffix[:1]], interval, to_kwh)

    def days(self, streams: list[Stream], slots: int) -> Days:
        streams = [stream for stream in streams if stream.point and stream.days]
        counts = [len(stream.days) for stream in streams]
        points = self.reading.positions([stream.point for stream in streams])
        suffixes = [self.suffixes.setdefault(stream.suffix, len(self.suffixes)) for stream in streams]
        days = Days(
            np.repeat(points, counts),
            np.repeat(np.array([stream.channel for stream in streams], dtype=np.int8), counts),
            np.repeat(np.array(suffixes, dtype=np.int32), counts),
            np.zeros(sum(counts), dtype=np.int32),
            np.array([line for stream in streams for line in stream.lines], dtype=np.int32),
            np.full((sum(counts), slots), np.nan),
            np.zeros((sum(counts), slots), dtype=np.int8),
        )
        texts_of_days = [day for stream in streams for day in stream.days]
        if not texts_of_days:
            return days
        good = self.fill(days, texts_of_days, slots)
        self.mark_ranges(days, streams, counts, slots)
        days.kwh *= np.repeat([stream.to_kwh for stream in streams], counts)[:, None]
        nameless = good & (days.points < 0)
        if nameless.any():
            rows = np.flatnonzero(nameless)
            reason = _("the NMI is longer than a meter's name may be")
            self.reading.rejects.add(days.lines[rows], reason, lambda i: shown(texts_of_days[rows[i]]))
        return days.take(good & (days.points >= 0))

    def fill(self, days: Days, records: list[bytes], slots: int) -> np.ndarray:
        """Dates, values and the quality of whole days from 300 records; (R,) bool: which of them can be used."""
        commas = np.array([record.count(b",") for record in records])
        wanted = slots + AROUND_VALUES - 1
        good = (commas >= slots + 2) & (commas <= wanted)
        self.refuse(~good, days, _("%(slots)d values of a day and their quality expected") % {"slots": slots}, records)
        padded = [
            record + b"," * (wanted - count) if use else b"," * wanted
            for record, count, use in zip(records, commas.tolist(), good.tolist(), strict=True)
        ]
        table = as_table(b"\n".join(padded) + b"\n", slots)
        stamps = texts.stamps_of(table[0])
        days.days[:] = stamps.minutes // DAY
        self.refuse(good & ~stamps.valid, days, _("the second field is no date such as 20260301"), records)
        good &= stamps.valid
        flags = table[1].dictionary_encode()
        names = [(text or "").strip()[:1].upper() for text in flags.dictionary.to_pylist()]
        known = np.array([name in QUALITIES or name == "V" for name in names] + [False])
        code = np.array([QUALITIES.get(name, Quality.MEASURED) for name in names] + [0], dtype=np.int8)
        nothing = np.array([name == "N" for name in names] + [False])
        places = np.asarray(flags.indices.fill_null(len(names)))
        self.refuse(
            good & ~known[places],
            days,
            _("after the %(slots)d values of a day comes their quality: A, S, F, E, V or N") % {"slots": slots},
            records,
        )
        good &= known[places]
        days.quality[:] = code[places][:, None]
        not_numbers = np.zeros(len(good), dtype=bool)
        for slot in range(slots):
            days.kwh[:, slot], wrong = texts.numbers_of(table[2 + slot])
            not_numbers |= wrong
        self.refuse(good & not_numbers, days, _("not a number"), records)
        days.kwh[nothing[places]] = np.nan
        self.note_reasons(days, table, good, slots)
        return good & ~not_numbers

    def note_reasons(self, days: Days, table: list[pa.Array], good: np.ndarray, slots: int) -> None:
        """Events that are stated for whole days."""
        codes, details = table[2 + slots], table[3 + slots]
        if codes.null_count == len(codes):
            return
        for row in np.flatnonzero(good & np.asarray(codes.is_valid())).tolist():
            code, detail = codes[row].as_py().strip(), (details[row].as_py() or "").strip()
            self.note_event(int(days.points[row]), code, int(days.days[row]) * DAY, detail, int(days.lines[row]))

    def note_event(self, point: int, code: str, minutes: int, detail: str, line: int) -> None:
        if code in EVENT_REASONS and point >= 0:
            self.reading.events.append(EventLine(point, f"NEM12:{code}", minutes, detail, line))

    def mark_ranges(self, days: Days, streams: list[Stream], counts: list[int], slots: int) -> None:
        """Quality and events of parts of a day, as 400 records give them."""
        begins = np.cumsum([0, *counts])
        for begin, stream in zip(begins.tolist(), streams, strict=False):
            for place, record, number in stream.ranges:
                cells = [part.strip() for part in record.decode("utf-8", "replace").split(",")] + [""] * 5
                first, last = (int(part) if part.isdecimal() and len(part) < 6 else 0 for part in cells[1:3])
                flag = cells[3][:1].upper()
                if not (1 <= first <= last <= slots and flag in QUALITIES):
                    reason = _("a 400 record has the first and last of %(slots)d intervals, and their quality")
                    self.reject(number, reason % {"slots": slots}, record)
                    continue
                row = begin + place
                days.quality[row, first - 1 : last] = QUALITIES[flag]
                if flag == "N":
                    days.kwh[row, first - 1 : last] = np.nan
                minutes = int(days.days[row]) * DAY + (first - 1) * (DAY // slots)
                self.note_event(int(days.points[row]), cells[4], minutes, cells[5], number)

    def finish(self) -> None:
        if not self.ended:
            self.reject(self.last_line, _("the file ends without a 900 record: its end may be missing"), b"")

    def refuse(self, wrong: np.ndarray, days: Days, reason: str, records: list[bytes]) -> None:
        if wrong.any():
            rows = np.flatnonzero(wrong)
            self.reading.rejects.add(days.lines[rows], reason, lambda i: shown(records[rows[i]]))

    def reject(self, line: int, reason: str, record: bytes) -> None:
        self.reading.rejects.add(np.array([line]), reason, lambda _i: shown(record))


def as_table(records: bytes, slots: int) -> list[pa.Array]:
    """Date, quality, the values, reason and its description of 300 records that all have the same number of fields."""
    names = [f"f{place}" for place in range(slots + AROUND_VALUES)]
    wanted = [names[1], names[slots + 2], *names[2 : slots + 2], names[slots + 3], names[slots + 4]]
    as_text = {name: pa.string() for name in wanted}
    for types in (as_text | {name: pa.float64() for name in names[2 : slots + 2]}, as_text):
        try:
            found = arrow_csv.read_csv(
                pa.BufferReader(records),
                arrow_csv.ReadOptions(
                    use_threads=False, block_size=len(records) + 1, column_names=names, encoding="latin-1"
                ),
                arrow_csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
                arrow_csv.ConvertOptions(
                    column_types=types, include_columns=wanted, null_values=texts.MISSING, strings_can_be_null=True
                ),
            )
            break
        except pa.ArrowInvalid:  # something that is no number: texts, each of which is looked at
            if types is as_text:
                raise
    return [column.combine_chunks() for column in found.columns]


def added(groups: dict[int, Days]) -> dict[int, Days]:
    """Days by their number of values, with streams of one point and channel added; the coarsest of them decides."""
    keys = {slots: days.points.astype(np.int64) * 4 + days.channels for slots, days in groups.items()}
    streams: dict[int, tuple[set[int], int]] = {}  # of each point and channel: its suffixes, and fewest values a day
    for slots, days in groups.items():
        for key, stream in np.unique(np.stack([keys[slots], days.streams]), axis=1).T.tolist():
            suffixes, fewest = streams.get(key, (set(), slots))
            streams[key] = (suffixes | {stream}, min(fewest, slots))
    several = {key: fewest for key, (suffixes, fewest) in streams.items() if len(suffixes) > 1}
    if not several:
        return groups
    alone: dict[int, list[Days]] = {}
    together: dict[int, list[Days]] = {}
    for slots, days in groups.items():
        target = np.array([several.get(key, 0) for key in keys[slots].tolist()], dtype=np.int64)
        alone.setdefault(slots, []).append(days.take(target == 0))
        for width in np.unique(target[target > 0]).tolist():
            together.setdefault(width, []).append(coarser(days.take(target == width), width))
    for slots, some in together.items():
        alone.setdefault(slots, []).append(sum_of_streams(joined(some)))
    return {slots: joined(some) for slots, some in alone.items()}


def coarser(days: Days, slots: int) -> Days:
    kwh = days.kwh.reshape(len(days.kwh), slots, -1).sum(axis=2)
    quality = days.quality.reshape(len(kwh), slots, -1).max(axis=2)
    return replace(days, kwh=kwh, quality=quality)


def sum_of_streams(days: Days) -> Days:
    """One row for each point, channel and day. Of a stream's day that comes twice the later one counts."""
    order = np.lexsort((days.lines, days.streams, days.days, days.channels, days.points))
    days = days.take(order)
    same_day = (np.diff(days.points) == 0) & (np.diff(days.channels) == 0) & (np.diff(days.days) == 0)
    days = days.take(np.append(~(same_day & (np.diff(days.streams) == 0)), True))
    same_day = (np.diff(days.points) == 0) & (np.diff(days.channels) == 0) & (np.diff(days.days) == 0)
    first = np.flatnonzero(np.insert(~same_day, 0, True))
    return replace(
        days.take(first), kwh=np.add.reduceat(days.kwh, first), quality=np.maximum.reduceat(days.quality, first)
    )


def joined(some: list[Days]) -> Days:
    if len(some) == 1:
        return some[0]
    return Days(*(np.concatenate([getattr(days, column.name) for days in some]) for column in fields(Days)))


def block_of(days: Days, slots: int) -> Block:
    minutes = days.days[:, None] * DAY + np.arange(slots, dtype=np.int32) * (DAY // slots)
    return Block(
        np.repeat(days.points, slots),
        minutes.astype(np.int32).ravel(),
        days.kwh.ravel(),
        np.repeat(days.lines, slots),
        np.repeat(days.channels, slots) if (days.channels != Channel.IMPORT).any() else None,
        days.quality.ravel() if days.quality.any() else None,
    )


def unquoted(line: bytes) -> bytes:
    try:
        fields_ = next(csv.reader([line.decode("latin-1")]), [])
    except csv.Error:  # a cell of more than 131,072 characters
        return line
    return ",".join(part.replace(",", ";") for part in fields_).encode("latin-1")


def shown(record: bytes) -> str:
    return record[:TEXT_LENGTH].decode("utf-8", "replace")
