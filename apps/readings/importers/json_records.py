"""JSON: objects in one document, or one a line. An object is a reading, or a block of them from a start on:

    {"meter": "M-1", "timestamp": "2026-03-01T00:00Z", "kwh": 0.41}
    {"meter": "M-1", "start": "2026-03-01T00:00Z", "interval_minutes": 60, "kwh": [0.41, null, 0.38]}

The document is cut into its objects without being held, and Arrow reads many of them at once. Where it finds something
other than it should, they are read again one by one, for the lines that are wrong.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pyarrow import json as arrow_json

from apps.readings.importers import headings, stamping, texts
from apps.readings.importers.base import Block, FileFault, Reading
from apps.readings.importers.long import no_name
from apps.readings.importers.tables import Batch

CHUNK_BYTES = 4 * 1024**2
LOOK_BYTES = 1024**2
OBJECT_BYTES = 8 * 1024**2
SAMPLE_OBJECTS = 50
MOST_LOOKED_AT = 10_000  # for their keys: what is as usual, such as the channel, need not be said by each
INTERVALS = {"interval_minutes", "interval", "minutes", "resolution", "resolution_minutes", "period_minutes"}
LISTS = headings.VALUE | {"values", "readings", "intervals", "data"}
SPACE = b" \t\r\n"


@dataclass(frozen=True)
class Objects:
    texts: list[bytes]
    lines: np.ndarray  # (N,) int32, where each begins


def looks_like_json(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"{", b"["}


def objects(path: Path, reading: Reading) -> Iterator[Objects]:
    """The objects of a file, some at a time. Raises FileFault where it is cut off."""
    size = max(path.stat().st_size, 1)
    wanted = LOOK_BYTES if reading.meters_wanted else CHUNK_BYTES
    line, rest, cutter = 1, b"", None
    with path.open("rb") as file:
        while more := file.read(wanted):
            reading.fraction = file.tell() / size
            rest = (rest + more) if cutter else more.removeprefix(b"\xef\xbb\xbf")
            if file.tell() >= size:
                rest += b"\n"
            cutter = cutter or cutter_for(rest)
            found, used = cutter(rest, line)
            if found.texts:
                yield found
            line, rest = line + rest.count(b"\n", 0, used), rest[used:]
            if len(rest) > OBJECT_BYTES:
                raise FileFault(
                    _("The object that begins in line %(line)d is longer than %(limit)d MB. Send it in parts.")
                    % {"line": line, "limit": OBJECT_BYTES // 1024**2}
                )
    closed = rest.count(b"]") + rest.count(b"}") >= (0 if cutter is cut_lines else cutter.__self__.depth)
    if b"{" in rest or not closed:
        line += rest.count(b"\n", 0, len(rest) - len(rest.lstrip(SPACE + b",")))
        raise FileFault(_("Line %(line)d: the JSON is cut off or broken. Send the export again.") % {"line": line})


def cutter_for(beginning: bytes):
    """Lines where the first is an object by itself; else by the brackets, from the depth at which objects begin."""
    first = next((one for one in beginning.split(b"\n", 100) if one.strip()), b"").strip()
    if first.startswith(b"{") and is_object(first):
        inside = loaded(first)
        if not any(isinstance(value, list) and value and isinstance(value[0], dict) for value in inside.values()):
            return cut_lines
    return Brackets(beginning).cut


def is_object(text: bytes) -> bool:
    return isinstance(loaded(text), dict)


def cut_lines(text: bytes, first_line: int) -> tuple[Objects, int]:
    used = text.rfind(b"\n") + 1
    found = text[:used].split(b"\n")
    filled = [place for place, one in enumerate(found) if one and not one.isspace()]
    return Objects([found[place] for place in filled], np.array(filled, dtype=np.int32) + first_line), used


class Brackets:
    """Cuts a document where its objects end: alone, in a list, or in a list that an object holds."""

    def __init__(self, beginning: bytes):
        self.depth = 0  # where the text that is still to be cut begins
        places, steps = brackets(beginning)
        kinds = bytes(beginning[place] for place in places[:2000].tolist())
        if kinds[:1] == b"[":
            self.base = 1
        else:
            depths = np.cumsum(steps[:2000])
            end = int(np.argmax(depths == 0)) if (depths == 0).any() else len(depths)
            lists = [n for n in range(end - 1) if depths[n] == 2 and kinds[n : n + 2] == b"[{"]
            self.base = 2 if lists else 0

    def cut(self, text: bytes, first_line: int) -> tuple[Objects, int]:
        places, steps = brackets(text)
        after = self.depth + np.cumsum(steps)
        opens = places[(steps > 0) & (after == self.base + 1)]
        closes = places[(steps < 0) & (after == self.base)]
        opens = opens[: len(closes)]
        if not len(opens) or (opens > closes).any():
            return Objects([], np.zeros(0, np.int32)), 0
        objects_ = np.frombuffer(text, np.uint8)[opens] == ord("{")  # at this depth there may be lists too
        newlines = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))
        lines = (first_line + np.searchsorted(newlines, opens)).astype(np.int32)
        pairs = zip(opens[objects_].tolist(), (closes[objects_] + 1).tolist(), strict=True)
        self.depth = self.base
        return Objects([text[begin:end] for begin, end in pairs], lines[objects_]), int(closes[-1]) + 1


def brackets(text: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Where brackets stand outside of strings, and +1 or -1 for each."""
    letters = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(letters == ord('"'))
    if b"\\" in text:
        # A quote behind an odd number of backslashes belongs to its string.
        others = np.flatnonzero(letters != ord("\\"))
        before = others[np.maximum(np.searchsorted(others, quotes) - 1, 0)]
        quotes = quotes[(quotes - before) % 2 == 1]
    places = np.flatnonzero(
        (letters == ord("{")) | (letters == ord("}")) | (letters == ord("[")) | (letters == ord("]"))
    )
    places = places[np.searchsorted(quotes, places) % 2 == 0]
    kinds = letters[places]
    return places, np.where((kinds == ord("{")) | (kinds == ord("[")), 1, -1)


def sample_of(path: Path) -> list[dict]:
    """The first objects of a file. Raises FileFault where there is none."""
    for found in objects(path, Reading(None, meters_wanted=1)):
        good = [one for one in map(loaded, found.texts[:MOST_LOOKED_AT]) if isinstance(one, dict)]
        if good:
            return good
        raise FileFault(
            _("Line %(line)d: this is no JSON object: %(text)s")
            % {"line": int(found.lines[0]), "text": found.texts[0][:80].decode("utf-8", "replace")}
        )
    raise FileFault(_('The JSON document holds no objects such as {"meter": ..., "timestamp": ..., "kwh": ...}.'))


def first_with_all_keys(sample: list[dict]) -> dict:
    """The first object, and beside it what others have under keys that it has not."""
    found = {}
    for one in sample:
        for name, value in one.items():
            found.setdefault(name, value)
    return found


def loaded(text: bytes) -> object:
    try:
        return json.loads(decoded(text))
    except (ValueError, RecursionError):
        return None


def decoded(text: bytes) -> str:
    """JSON is UTF-8; who writes it otherwise writes Latin-1."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def columns_of(found: Objects, schema: pa.Schema, reading: Reading) -> tuple[pa.Table, np.ndarray]:
    """Objects as a table of the schema, and their lines; nulls where a key is missing."""
    body = b"\n".join(one.replace(b"\n", b" ") for one in found.texts)
    try:
        body.decode()  # Arrow lets through what is no UTF-8
        table = arrow_json.read_json(
            pa.BufferReader(body),
            arrow_json.ReadOptions(use_threads=False, block_size=len(body) + 1),
            arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
        if len(table) == len(found.texts):
            return table.select(schema.names).combine_chunks(), found.lines
    except (pa.ArrowException, UnicodeDecodeError):
        pass  # something is other than it should be: one by one
    return one_by_one(found, schema, reading)


def one_by_one(found: Objects, schema: pa.Schema, reading: Reading) -> tuple[pa.Table, np.ndarray]:
    # What begins as whole numbers may go on as texts: meter 1001, and meter 00123 after it.
    kinds = {field.name: pa.string() if pa.types.is_integer(field.type) else field.type for field in schema}
    schema = pa.schema(kinds.items())
    rows, good = [], []
    for place, text in enumerate(found.texts):
        try:
            row = json.loads(decoded(text))
            if not isinstance(row, dict):
                raise ValueError(_("an object expected"))
            rows.append([fitting(row.get(field.name), field.type) for field in schema])
            good.append(place)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            reason = _("no JSON that can be read: %(error)s") % {"error": str(error)[:120] or _("nested too deeply")}
            shown = text.strip()[:200].decode("utf-8", "replace")
            reading.rejects.add(found.lines[place : place + 1], reason, lambda _i, shown=shown: shown)
    arrays = [pa.array([row[place] for row in rows], field.type) for place, field in enumerate(schema)]
    return pa.table(arrays, schema=schema), found.lines[good]


def fitting(value: object, kind: pa.DataType) -> object:
    """A value as the schema has it. Raises ValueError or TypeError for what is none."""
    if value is None:
        return None
    if pa.types.is_list(kind):
        return [fitting(one, kind.value_type) for one in (value if isinstance(value, list) else [value])]
    if isinstance(value, bool | list | dict):
        raise TypeError(_("%(value)s is no text or number") % {"value": json.dumps(value)[:40]})
    if pa.types.is_floating(kind):
        return None if value in texts.MISSING else float(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).encode("utf-8", "replace").decode("utf-8")


class JsonTable:
    """Objects that are rows: their keys are the columns."""

    decimal_comma = False
    headless = False

    def __init__(self, path: Path):
        self.path = path
        sample = sample_of(path)
        self.columns = list(first_with_all_keys(sample))
        self.sample = sample[:SAMPLE_OBJECTS]
        self.types = [type_of([row.get(name) for row in self.sample]) for name in self.columns]

    @staticmethod
    def looks_like(head: bytes) -> bool:
        return looks_like_json(head)

    def sample_column(self, index: int) -> pa.Array:
        cells = [row.get(self.columns[index]) for row in self.sample]
        return pa.array([None if cell is None else str(cell) for cell in cells], pa.string())

    def batches(self, reading: Reading, repeated: list[int], others: list[int]) -> Iterator[Batch]:
        wanted = [*repeated, *others]
        # A time that is a number is one since 1970; a meter that is one is a name. Readings that begin as whole numbers
        # need not go on so.
        types = [whole_as_float(self.types[index]) for index in others]
        types = [self.types[index] if self.types[index] == pa.int64() else pa.string() for index in repeated] + types
        schema = pa.schema([(self.columns[index], kind) for index, kind in zip(wanted, types, strict=True)])
        for found in objects(self.path, reading):
            table, lines = columns_of(found, schema, reading)
            cells = [column.combine_chunks() for column in table.columns]
            yield Batch(
                {
                    index: texts.as_texts(column).dictionary_encode() if index in repeated else column
                    for index, column in zip(wanted, cells, strict=True)
                },
                lines,
            )


def whole_as_float(kind: pa.DataType) -> pa.DataType:
    return pa.float64() if pa.types.is_integer(kind) else kind


def type_of(cells: list) -> pa.DataType:
    if all(isinstance(cell, int) and not isinstance(cell, bool) and abs(cell) < 2**62 for cell in cells):
        return pa.int64()
    return pa.float64() if any(isinstance(cell, int | float) for cell in cells) else pa.string()


class JsonBlocks:
    name = "json_blocks"
    label = gettext_lazy("JSON, blocks of readings")
    magic = b""
    fixed = {"stamps": "start", "measures": "interval", "unit": "kWh"}

    def recognises(self, path: Path, head: bytes) -> bool:
        return looks_like_json(head) and Keys(sample_of(path)).are_those_of_blocks

    def blocks(self, path: Path, reading: Reading) -> Iterator[Block]:
        keys = Keys(sample_of(path))
        schema = keys.schema()
        for found in objects(path, reading):
            yield block_of(*columns_of(found, schema, reading), keys, reading)


class Keys:
    """What the keys of a block's object are called."""

    def __init__(self, sample: list[dict]):
        first = first_with_all_keys(sample)
        words = {headings.word(name): name for name in reversed(first)}

        def named(known: set[str]) -> str:
            return next((name for word, name in reversed(words.items()) if word in known), "")

        self.interval = named(INTERVALS)
        self.values = next(
            (name for name, value in first.items() if isinstance(value, list) and headings.word(name) in LISTS), ""
        )
        self.values = self.values or named(headings.VALUE)
        self.meter = named(headings.METER - headings.RATHER_ANOTHER) or named(headings.METER)
        self.start = named(headings.TIME - INTERVALS)
        # Where the beginning of the file says nothing of them, a later block may still do so under the usual names.
        self.channel = named(headings.CHANNEL) or "channel"
        self.quality = named(headings.QUALITY) or "quality"
        self.quality_is_list = isinstance(first.get(self.quality), list)
        said = headings.unit_of(self.values)
        self.unit = "" if said else named(headings.UNIT) or "unit"  # each block says its own
        self.to_kwh = texts.KWH.get(said, 0.0) if said else 1.0

    @property
    def are_those_of_blocks(self) -> bool:
        return bool(self.interval and self.values and self.meter and self.start)

    def schema(self) -> pa.Schema:
        values = pa.list_(pa.float64())
        quality = pa.list_(pa.string()) if self.quality_is_list else pa.string()
        kinds = {
            self.meter: pa.string(), self.start: pa.string(), self.interval: pa.float64(), self.values: values,
            self.channel: pa.string(), self.quality: quality, self.unit: pa.string(),
        }  # fmt: skip
        return pa.schema([(name, kind) for name, kind in kinds.items() if name])


def block_of(table: pa.Table, lines: np.ndarray, keys: Keys, reading: Reading) -> Block:
    """The readings of all blocks of a table."""
    cells = {name: table[name].combine_chunks() for name in table.column_names}
    names = cells[keys.meter].dictionary_encode()
    meters = np.append(reading.positions(names.dictionary.to_pylist()), np.int32(-1))[
        pc.fill_null(names.indices, len(names.dictionary)).to_numpy(zero_copy_only=False)
    ]
    stamps = texts.stamps_of(cells[keys.start].dictionary_encode())
    interval = np.nan_to_num(cells[keys.interval].to_numpy(zero_copy_only=False), nan=0, posinf=0, neginf=0)
    counts = pc.fill_null(pc.list_value_length(cells[keys.values]), 0).to_numpy(zero_copy_only=False)

    def text(row: int) -> str:
        return ",".join(texts.shown(cells[name][row]) for name in (keys.meter, keys.start, keys.interval))

    good = stamping.check(stamps, lines, text, reading)
    channels = texts.channels_of(cells[keys.channel].dictionary_encode())
    to_kwh = texts.kwh_of(cells[keys.unit]) if keys.unit else np.full(len(lines), keys.to_kwh)
    whole = (interval >= 1) & (interval <= 1440) & (interval == np.floor(interval))
    for wrong, reason in (
        (meters < 0, no_name()),
        (channels == 0, _("the channel is no energy taken or given")),
        (to_kwh == 0, _("the unit is none of Wh, kWh and MWh")),
        (~whole, _("the interval is no whole number of minutes from 1 to 1440")),
        (counts == 0, _("the block has no values")),
        (counts > 60 * 24 * 400, _("the block has more values than a year has minutes")),
    ):
        rows = np.flatnonzero(wrong & good)
        if len(rows):
            reading.rejects.add(lines[rows], reason, lambda i, rows=rows: text(rows[i]))
            good &= ~wrong
    values = pc.list_flatten(cells[keys.values]).to_numpy(zero_copy_only=False) * np.repeat(to_kwh, counts)
    taken = np.repeat(good, counts)
    steps = (np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts))[taken]
    counts = counts[good]
    minutes = np.repeat(stamps.minutes[good].astype(np.int64), counts) + steps * np.repeat(interval[good], counts)
    quality = quality_of(cells[keys.quality], good, counts, taken)
    return Block(
        np.repeat(meters[good], counts),
        np.clip(minutes, -(2**31), 2**31 - 1).astype(np.int32),
        values[taken],
        np.repeat(lines[good], counts),
        np.repeat(channels[good], counts) if (channels[good] != 1).any() else None,
        quality if quality.any() else None,
    )


def quality_of(words: pa.Array, good: np.ndarray, counts: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """(N,) for each value taken. A list of another length than the values says nothing."""
    if not pa.types.is_list(words.type):
        return np.repeat(texts.quality_of(words.dictionary_encode())[good], counts)
    lengths = pc.fill_null(pc.list_value_length(words), 0).to_numpy(zero_copy_only=False)
    flags = texts.quality_of(pc.list_flatten(words).dictionary_encode())[np.repeat(good, lengths)]
    found = np.zeros(int(taken.sum()), dtype=np.int8)
    fits = lengths[good] == counts
    found[np.repeat(fits, counts)] = flags[np.repeat(fits, lengths[good])]
    return found
