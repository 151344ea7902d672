"""Readings as head-ends push them: JSON blocks of a meter, a start, an interval and its kWh, one after another.

    {"meter": "M-1", "start": "2026-03-01T00:00:00Z", "interval_minutes": 60, "kwh": [0.41, null, 0.38]}

A body is `{"readings": [block, ...]}`, a list of blocks, one block, or a block on each line. A block that cannot be
taken is refused by its place and stops no other.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import chain
from typing import Annotated, Literal

import msgspec
import numpy as np
from django.utils.translation import gettext as _
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from apps.readings import times
from apps.readings.importers.base import NAME_LENGTH, Block, FileFault, Reading
from apps.readings.intervals import INTERVALS
from apps.readings.models import Channel
from apps.readings.quality import Quality
from apps.readings.series import DAY

CHANNELS = {"import": Channel.IMPORT, "export": Channel.EXPORT}
QUALITIES = {
    "measured": Quality.MEASURED,
    "estimated": Quality.ESTIMATED_BY_SENDER,
    "suspect": Quality.SUSPECT,
    "edited": Quality.EDITED,
}
MOST_BLOCKS = 100_000  # each is a moment of work, whatever is wrong with it
TAKEN_INTERVALS = frozenset(INTERVALS.tolist())
# Far from where minutes since 1970 leave an int32; how old a reading may be is decided with the others.
FIRST_MINUTE, LAST_MINUTE = 0, (date(2100, 1, 1) - date(1970, 1, 1)).days * DAY

QualityWord = Literal["measured", "estimated", "suspect", "edited"]


class JsonBlock(Struct, forbid_unknown_fields=True, gc=False):
    meter: Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH)]
    start: Annotated[str, Meta(max_length=40)]
    interval_minutes: int
    kwh: list[float | None] | float
    channel: Literal["import", "export"] = "import"
    quality: QualityWord | list[QualityWord] = "measured"


class Envelope(Struct):
    readings: list[Raw] | UnsetType = UNSET


BLOCK = msgspec.json.Decoder(JsonBlock)
ENVELOPE = msgspec.json.Decoder(Envelope)
LIST = msgspec.json.Decoder(list[Raw])


class Unfit(Exception):
    """Why a block cannot be taken, in words for its sender."""


@dataclass(frozen=True)
class Part:
    """Readings that share a channel, an interval and the sort of their stamps."""

    channel: Channel
    interval: int  # minutes
    dates_only: bool  # days are named by their date and mean civil days
    block: Block  # lines are places of blocks, the first is 1


def raw_blocks(body: bytes) -> list[Raw | bytes]:
    """The blocks of a body, none of them looked into. Raises FileFault where the body is no JSON of a known shape."""
    found = _raw_blocks(body.strip())
    if len(found) > MOST_BLOCKS:
        raise FileFault(_("A push may hold %d blocks: send it in parts, or as an upload.") % MOST_BLOCKS)
    return found


def _raw_blocks(text: bytes) -> list[Raw | bytes]:
    try:
        if text.startswith(b"["):
            return LIST.decode(text)
        if b"\n" in text and (lines := _lines(text)):
            return lines
        readings = ENVELOPE.decode(text).readings
        return [Raw(text)] if readings is UNSET else readings
    except msgspec.ValidationError as error:
        raise FileFault(_("The JSON is of another shape than this address takes: %s") % error) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise FileFault(_("This is no JSON: %s") % _words(error)) from None


def _lines(text: bytes) -> list[bytes]:
    """The lines of newline-delimited JSON; none for an object that is only written over several lines."""
    first, _newline, rest = text.partition(b"\n")
    try:
        BLOCK.decode(first)
    except msgspec.ValidationError:
        pass  # an object by itself, whatever is wrong with it
    except (msgspec.DecodeError, RecursionError):
        return []
    return [line for line in [first, *rest.split(b"\n")] if line.strip()]


def read(raw: Iterable[Raw | bytes], reading: Reading, clock: str = "") -> list[Part]:
    """Blocks to arrays. What cannot be taken goes to `reading.rejects`, by the place of its block.

    `clock` is the time zone of starts that carry none; without it they are refused.
    """
    groups: dict[tuple[Channel, int, bool], list[tuple[int, JsonBlock, int]]] = {}
    for line, one in enumerate(raw, start=1):
        try:
            block = BLOCK.decode(one)
            minute, dates_only = _start(block.start, block.interval_minutes, clock)
            _check(block, minute)
        except (Unfit, msgspec.DecodeError, RecursionError) as error:
            text = bytes(one[:200] if isinstance(one, bytes) else memoryview(one)[:200]).decode("utf-8", "replace")
            reading.rejects.add(np.array([line]), _words(error), lambda _i, text=text: text)
        else:
            key = CHANNELS[block.channel], block.interval_minutes, dates_only
            groups.setdefault(key, []).append((line, block, minute))
    return [Part(*key, _joined(found, reading)) for key, found in groups.items()]


def _words(error: Exception) -> str:
    return _("nested too deeply") if isinstance(error, RecursionError) else str(error).replace("\0", "�")


def _check(block: JsonBlock, minute: int) -> None:
    if isinstance(block.kwh, float):
        block.kwh = [block.kwh]
    if not block.kwh:
        raise Unfit(_("`kwh` is empty"))
    if isinstance(block.quality, list) and len(block.quality) != len(block.kwh):
        raise Unfit(_("`quality` and `kwh` differ in length"))
    if not FIRST_MINUTE <= minute <= minute + len(block.kwh) * block.interval_minutes <= LAST_MINUTE:
        raise Unfit(_("the readings lie before 1970 or after 2099"))
    if not block.meter.strip() or "\0" in block.meter:
        raise Unfit(_("`meter` names no meter"))


@lru_cache(maxsize=4096)  # blocks of one push begin together
def _start(text: str, interval: int, clock: str) -> tuple[int, bool]:
    """Minutes since 1970, and whether they only name a day."""
    if interval not in TAKEN_INTERVALS:
        raise Unfit(_("`interval_minutes` must be 5 to 60 and divide the hour, or 1440"))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Unfit(_("`start` is no ISO 8601 date and time such as 2026-03-01T00:00:00Z")) from None
    if moment.second or moment.microsecond:
        raise Unfit(_("`start` is not at a full minute"))
    if len(text) == 10 and interval == DAY:
        return (moment.date() - date(1970, 1, 1)).days * DAY, True
    if moment.tzinfo is not None:
        return int((moment - times.EPOCH).total_seconds()) // 60, False
    if not clock:
        raise Unfit(_("`start` names no time zone: end it with Z or an offset, or state `timezone` in the query"))
    shown = int((moment.replace(tzinfo=times.EPOCH.tzinfo) - times.EPOCH).total_seconds()) // 60
    utc, skipped = times.to_utc(np.array([shown]), np.zeros(1, dtype=bool), times.zone(clock))
    if skipped.any():
        raise Unfit(_("this time does not exist: clocks in %(zone)s were put forward over it") % {"zone": clock})
    return int(utc[0]), False


def _joined(found: list[tuple[int, JsonBlock, int]], reading: Reading) -> Block:
    lines, blocks, starts = zip(*found, strict=True)
    sizes = np.array([len(block.kwh) for block in blocks])
    firsts = np.cumsum(sizes) - sizes
    steps = np.arange(sizes.sum()) - np.repeat(firsts, sizes)
    interval = blocks[0].interval_minutes
    every = {
        "meters": reading.positions([block.meter for block in blocks]),
        "minutes": np.array(starts, dtype=np.int64),
        "lines": np.array(lines, dtype=np.int32),
    }
    spread = {name: np.repeat(values, sizes) for name, values in every.items()}
    spread["minutes"] = (spread["minutes"] + steps * interval).astype(np.int32)
    values = np.array(list(chain.from_iterable(block.kwh for block in blocks)), dtype=np.float64)
    return Block(**spread, values=values, quality=_quality(blocks, sizes))


def _quality(blocks: tuple[JsonBlock, ...], sizes: np.ndarray) -> np.ndarray | None:
    if all(block.quality == "measured" for block in blocks):
        return None
    words = (
        block.quality if isinstance(block.quality, list) else [block.quality] * int(size)
        for block, size in zip(blocks, sizes, strict=True)
    )
    return np.array([QUALITIES[word] for word in chain.from_iterable(words)], dtype=np.int8)
