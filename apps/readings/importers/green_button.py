"""Green Button (ESPI): an Atom feed whose entries name a usage point, what its readings mean, and blocks of them.

Entries refer to each other by links, in any order: a block whose meaning is not known yet waits for it. Stamps
are moments, the beginnings of their periods. A period of more than a day is what a register counted, as on a bill.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from lxml import etree

from apps.readings import times
from apps.readings.importers import stamping, texts
from apps.readings.importers.base import NAME_LENGTH, Block, Reading, RegisterPeriods
from apps.readings.importers.long import no_name
from apps.readings.importers.register_reads import note_periods
from apps.readings.importers.streams import Streams
from apps.readings.importers.xml_streams import elements, first_of, lines_between, looks_like_xml, pairs
from apps.readings.models import Channel
from apps.readings.quality import Quality, is_made_up

ESPI = {"e": "http://naesb.org/espi"}
READING, START, VALUE, QUALITY = (f"{{{ESPI['e']}}}{name}" for name in ("IntervalReading", "start", "value", "quality"))
PERIOD = f"{{{ESPI['e']}}}timePeriod/{{{ESPI['e']}}}duration"
COUNT, COUNT_STARTS, COUNT_VALUES, HAS_QUALITY = (
    etree.XPath(path, namespaces=ESPI)
    for path in (
        "count(e:IntervalReading)",
        "count(e:IntervalReading/e:timePeriod/e:start)",
        "count(e:IntervalReading/e:value)",
        "boolean(e:IntervalReading/e:ReadingQuality)",
    )
)
DAY = 1440
LONGEST_INTERVAL = 3600
LONGEST_DAY_SECONDS = 90000  # when clocks are put back
READINGS_AT_ONCE = 200_000
LOOKED_AT = 5_000
LAST_SECOND = 2**31 * 59  # beyond it, minutes leave an int32
WATT_HOURS, WATTS = 72, 38
ELECTRICITY = {0, 1, 2}
CUMULATIVE = {1, 2, 3, 9}
MEANS_AND_SUMS = {0, 2, 12, 26}  # of what was measured; the others are maxima, minima and thresholds
NET, REVERSE = 4, 19
QUALITIES = {
    7: Quality.EDITED, 8: Quality.ESTIMATED_BY_SENDER, 9: Quality.ESTIMATED_BY_SENDER, 10: Quality.SUSPECT,
    12: Quality.ESTIMATED_BY_SENDER,
}  # fmt: skip


@dataclass(frozen=True)
class ReadingType:
    channel: int
    factor: float  # to kWh; of power, to kWh of an hour
    power: bool
    net: bool
    seconds: int  # of a period that does not say its own
    quality: int
    cumulative: bool  # a register
    why_not: str = ""  # such readings are not read

    @property
    def is_energy(self) -> bool:
        """Of a period, and read."""
        return not self.why_not and not self.cumulative


@dataclass(frozen=True)
class Waiting:
    """The readings of a block, as they stand there."""

    meter_reading: str  # address of the entry that tells what they are
    starts: list[str | None] | pa.Array
    values: list[str | None] | pa.Array
    seconds: int | list[int]  # of a period, of all or each; -1: not stated
    quality: int | list[int]  # the same
    lines: np.ndarray  # int32

    def packed(self) -> "Waiting":
        """To wait for long: as arrays a text takes a tenth."""
        return replace(self, starts=pa.array(self.starts, pa.string()), values=pa.array(self.values, pa.string()))


class GreenButton:
    name = "green_button"
    label = gettext_lazy("Green Button")
    magic = b""
    fixed = {"timezone": "UTC", "stamps": "start", "measures": "interval", "unit": "kWh"}

    def recognises(self, path: Path, head: bytes) -> bool:
        if not looks_like_xml(head):
            return False
        first = first_of(path, {"UsagePoint", "MeterReading", "ReadingType", "IntervalBlock", "LocalTimeParameters"})
        return first.startswith(f"{{{ESPI['e']}}}")

    def blocks(self, path: Path, reading: Reading) -> Iterator[Block]:
        reading.dates_only = False
        feed = Feed(reading)
        at_once = LOOKED_AT if reading.meters_wanted else READINGS_AT_ONCE
        for entry in elements(path, reading, {"entry", "IntervalBlock"}):
            feed.take(entry)
            if feed.taken >= at_once:
                yield from feed.blocks()
        yield from feed.blocks(all_read=True)
        feed.note_registers()
        feed.leave_rest()


class Feed:
    """What the entries so far said."""

    def __init__(self, reading: Reading):
        self.reading = reading
        self.types: dict[str, ReadingType] = {}
        self.points: dict[str, str] = {}  # name of the meter
        self.readings: dict[str, tuple[str, list[str]]] = {}  # meter reading: its point, and what it refers to
        self.latest = {"UsagePoint": "", "MeterReading": "", "ReadingType": ""}
        self.waiting: list[Waiting] = []
        self.left_out: set[tuple[str, str]] = set()
        self.streams = Streams()
        self.reads: list[Block] = []  # of registers
        self.block: Waiting | None = None  # of the entry that is being read
        self.taken = 0  # readings since blocks were asked for

    def take(self, element: etree._Element) -> None:
        if etree.QName(element).localname == "IntervalBlock":
            self.take_block(element)
            return
        links = {}
        for link in element.iterchildren("{*}link"):
            links.setdefault(link.get("rel", ""), []).append(address(link.get("href", "")))
        own = next(iter(links.get("self", [])), "") or (element.findtext("{*}id") or "").strip()
        up = owner(next(iter(links.get("up", [])), ""))
        if self.block is not None:
            block, self.block = self.block, None
            self.waiting.append(replace(block, meter_reading=up) if up else block)
        content = element.find("{*}content")
        for thing in content if content is not None else []:
            kind = etree.QName(thing).localname
            if kind == "UsagePoint":
                self.points[own] = meter_of(thing, own, element.findtext("{*}id") or "")
            elif kind == "MeterReading":
                self.readings[own] = (up or self.latest["UsagePoint"], links.get("related", []))
            elif kind == "ReadingType":
                self.types[own] = reading_type(thing)
            if kind in self.latest:
                self.latest[kind] = own

    def take_block(self, block: etree._Element) -> None:
        count = int(COUNT(block))
        if not count:
            return
        complete = COUNT_STARTS(block) == COUNT_VALUES(block) == count
        columns = pairs(block, START, VALUE, count) if complete else None
        ends = [next(block.iterchildren(READING, reversed=backwards)) for backwards in (False, True)]
        seconds, quality = {number(one.findtext(PERIOD)) for one in ends}, -1
        if columns and len(seconds) == 1 and max(seconds) <= LONGEST_DAY_SECONDS and not HAS_QUALITY(block):
            [seconds] = seconds
            lines = lines_between(*ends, count)
        else:
            readings = list(block.iterchildren(READING))
            columns = [[one.findtext(f".//{tag}") for one in readings] for tag in (START, VALUE)]
            seconds = [number(one.findtext(PERIOD)) for one in readings]
            quality = [quality_of(one.findtext(f".//{QUALITY}")) for one in readings]
            lines = np.array([one.sourceline for one in readings], dtype=np.int32)
        self.taken += count
        if self.block is not None:  # two blocks in one entry
            self.waiting.append(self.block)
        self.block = Waiting(self.latest["MeterReading"], *columns, seconds, quality, lines)

    def meaning(self, waiting: Waiting) -> tuple[str, ReadingType | None]:
        """Name of the meter, and what the readings are, if the entries that say so have been read."""
        point, related = self.readings.get(waiting.meter_reading, (self.latest["UsagePoint"], []))
        found = next((self.types[one] for one in related if one in self.types), None)
        if found is None and not any("ReadingType" in one for one in related):
            found = self.types.get(self.latest["ReadingType"])
        return self.points.get(point, ""), found

    def blocks(self, *, all_read: bool = False) -> Iterator[Block]:
        if self.block is not None:  # not inside of an entry
            self.waiting.append(self.block)
            self.block = None
        known, later, self.taken = [], [], 0
        finer = any(0 < kind.seconds <= LONGEST_INTERVAL and kind.is_energy for kind in self.types.values())
        for waiting in self.waiting:
            name, kind = self.meaning(waiting)
            if kind is None or (finer and not all_read and kind.seconds > LONGEST_INTERVAL and kind.is_energy):
                later.append(waiting.packed())  # days, which are read where no hours say the same
            elif kind.why_not:
                self.leave_out(waiting, kind.why_not)
            else:
                known.append((waiting, name, kind))
        self.waiting = later
        if known := self.told_once(known):
            yield from self.joined(*zip(*known, strict=True))

    def told_once(self, known: list[tuple[Waiting, str, ReadingType]]) -> list[tuple[Waiting, str, ReadingType]]:
        """Without what another MeterReading of the same meter tells already: of forward and net, or hours and days."""
        found = []
        for waiting, name, kind in sorted(known, key=lambda one: (one[2].net, one[2].seconds)):
            starts = [number(str(waiting.starts[at]), -1) for at in (0, -1)]
            channels = (Channel.IMPORT, Channel.EXPORT) if kind.net else (kind.channel,)
            periods = max(waiting.seconds if isinstance(waiting.seconds, list) else [waiting.seconds])
            lasting = (periods if periods > 0 else kind.seconds) > LONGEST_DAY_SECONDS
            meters = [(name, int(channel), lasting, kind.cumulative) for channel in channels]
            if self.streams.takes(meters, waiting.meter_reading, min(starts), max(starts)):
                found.append((waiting, name, kind))
            else:
                self.leave_out(
                    waiting, _("another MeterReading tells this meter's energy of the same time, and is read")
                )
        return found

    def leave_out(self, waiting: Waiting, reason: str) -> None:
        """Once for each reason: a feed may have as many blocks of them as days."""
        if (reason, waiting.meter_reading) not in self.left_out:
            self.left_out.add((reason, waiting.meter_reading))
            self.reading.rejects.add(waiting.lines[:1], reason, lambda _i: waiting.meter_reading)

    def note_registers(self) -> None:
        clock = times.utility_zone()
        note_periods(self.reads, [times.to_local(block.minutes, clock) for block in self.reads], self.reading)

    def leave_rest(self) -> None:
        for waiting in self.waiting:
            reason = _("no ReadingType says what these readings are")
            self.reading.rejects.add(waiting.lines, reason, lambda i, w=waiting: texts.shown(w.packed().values[i]))

    def joined(
        self, blocks: tuple[Waiting, ...], names: tuple[str, ...], kinds: tuple[ReadingType, ...]
    ) -> Iterator[Block]:
        """The readings of several blocks, whose meter and kind are known."""
        counts = [len(block.lines) for block in blocks]

        def each(of_blocks: list, dtype: type | str) -> np.ndarray:
            return np.repeat(np.array(of_blocks, dtype=dtype), counts)

        cells = [as_array([getattr(block, column) for block in blocks]) for column in ("starts", "values")]
        lines = np.concatenate([block.lines for block in blocks])
        meters = each(self.reading.positions(names), np.int32)
        starts, no_starts = texts.numbers_of(cells[0])
        values, no_numbers = texts.numbers_of(cells[1])
        seconds, quality = (
            spread([getattr(block, what) for block in blocks], counts) for what in ("seconds", "quality")
        )
        cumulative = each([kind.cumulative for kind in kinds], bool)
        # A read is of the end of its period, where it has one.
        starts = starts + np.where(cumulative, np.maximum(seconds, 0), 0)
        seconds = np.where(seconds > 0, seconds, each([kind.seconds for kind in kinds], int))
        quality = np.where(quality >= 0, quality, each([kind.quality for kind in kinds], int)).astype(np.int8)
        bad_start = no_starts | ~(np.abs(starts) < LAST_SECOND)
        starts = np.where(bad_start, 0, starts)

        def text(row: int) -> str:
            return ",".join(texts.shown(column[row]) for column in cells)

        good = np.ones(len(values), dtype=bool)
        for wrong, reason in (
            (bad_start, _("the start of the period is no number of seconds since 1970")),
            ((starts % 60 != 0) & ~cumulative, _("a stamp with seconds is on no interval")),
            (no_numbers, _("not a number")),
            (meters < 0, no_name()),
        ):
            rows = np.flatnonzero(wrong & good)
            if len(rows):
                self.reading.rejects.add(lines[rows], reason, lambda i, rows=rows: text(rows[i]))
                good &= ~wrong
        if not good.any():
            return
        stamping.note_zone(self.reading, zoned=True, line=int(lines[0]))
        power = each([kind.power for kind in kinds], bool)
        values = values * each([kind.factor for kind in kinds], float) * np.where(power, seconds / 3600, 1)
        channels = each([kind.channel for kind in kinds], np.int8)
        given = each([kind.net for kind in kinds], bool) & (values < 0)
        channels[given], values[given] = Channel.EXPORT, -values[given]
        minutes = (starts // 60).astype(np.int32)
        if (good & cumulative).any():
            reads = (column[good & cumulative] for column in (meters, minutes, values, lines, channels, quality))
            self.reads.append(Block(*reads))
            good &= ~cumulative
        long = seconds > LONGEST_DAY_SECONDS
        self.note_periods(Block(meters, minutes, values, lines, channels, quality), seconds, good & long)
        good &= ~long
        if good.any():
            yield Block(
                meters[good],
                minutes[good],
                values[good],
                lines[good],
                channels[good] if (channels != Channel.IMPORT).any() else None,
                quality[good] if quality.any() else None,
            )

    def note_periods(self, block: Block, seconds: np.ndarray, rows: np.ndarray) -> None:
        """Energy of more than a day, by civil days of the utility."""
        if not rows.any():
            return
        clock, begin = times.utility_zone(), block.minutes[rows].astype(np.int64)
        end = begin + np.minimum(seconds[rows] // 60, 100 * 366 * DAY).astype(np.int64)
        # The midnight that is nearest: a month in which clocks change is no hour longer.
        first, last = ((times.to_local(moments, clock) + DAY // 2) // DAY for moments in (begin, end))
        self.reading.registers.append(
            RegisterPeriods(
                block.meters[rows],
                first.astype(np.int32),
                last.astype(np.int32) - 1,
                block.values[rows],
                block.lines[rows],
                is_made_up(block.quality[rows]),
                block.channels[rows],
            )
        )


def spread(of_blocks: Iterable[int | list[int]], counts: list[int]) -> np.ndarray:
    """(N,) int64, for each reading of each block."""
    of_blocks = list(of_blocks)
    found = np.repeat([one if isinstance(one, int) else -1 for one in of_blocks], counts)
    begins = np.cumsum([0, *counts]).tolist()
    for begin, count, one in zip(begins, counts, of_blocks, strict=False):
        if not isinstance(one, int):
            found[begin : begin + count] = one
    return found


def as_array(columns: list[list[str | None] | pa.Array]) -> pa.Array:
    if any(isinstance(column, pa.Array) for column in columns):
        return pa.concat_arrays([pa.array(column, pa.string()) for column in columns])
    return pa.array(list(chain.from_iterable(columns)), pa.string())


def quality_of(text: str | None) -> int:
    return int(QUALITIES.get(number(text), Quality.MEASURED)) if text else -1


def reading_type(element: etree._Element) -> ReadingType:
    def said(name: str, default: int = 0) -> int:
        return number(element.findtext(f"e:{name}", "", ESPI), default)

    unit, flow, power_of_ten = said("uom", WATT_HOURS), said("flowDirection", 1), said("powerOfTenMultiplier")
    why_not = ""
    if said("commodity", 1) not in ELECTRICITY or unit not in {WATT_HOURS, WATTS} or abs(power_of_ten) > 12:
        why_not = _("readings of this type are no energy taken or given, and are not read")
    elif said("dataQualifier") not in MEANS_AND_SUMS:
        why_not = _("maxima and minima are no energy of a period, and are not read")
    elif said("tou") or said("cpp") or said("consumptionTier"):
        why_not = _("this is one tariff's part of the energy; send the total")
    return ReadingType(
        int(Channel.EXPORT if flow == REVERSE else Channel.IMPORT),
        10.0 ** min(max(power_of_ten, -12), 12) / 1000,
        unit == WATTS,
        flow == NET,
        said("intervalLength", 3600),
        int(QUALITIES.get(said("defaultQuality"), Quality.MEASURED)),
        unit == WATT_HOURS and said("accumulationBehaviour", 4) in CUMULATIVE,
        why_not,
    )


def number(text: str | None, default: int = 0) -> int:
    text = (text or "").strip()
    return int(text) if re.fullmatch(r"-?\d{1,9}", text) else default


def address(link: str) -> str:
    """Of an entry, however much of it stands in a link."""
    return re.sub(r"^\s*\w+://[^/]*", "", link).partition("?")[0].strip().rstrip("/")


def owner(link: str) -> str:
    """An entry's link "up" leads to the collection that it is in; that belongs to the entry above."""
    return re.sub(r"/(IntervalBlock|MeterReading|UsagePoint|ReadingType)$", "", link)


def meter_of(point: etree._Element, link: str, identifier: str) -> str:
    """A usage point seldom says its meter's number: then it is called by its address with the utility."""
    for name in ("serialNumber", "mRID"):
        found = next((one.text for one in point.iter(f"{{*}}{name}") if one.text and one.text.strip()), None)
        if found:
            return found.strip()
    if link.startswith("/") or "/" in link:
        tail = link.partition("/resource/")[2] or link.strip("/")
        return tail[-NAME_LENGTH:]
    return (identifier or link).strip().removeprefix("urn:uuid:")[-NAME_LENGTH:]
