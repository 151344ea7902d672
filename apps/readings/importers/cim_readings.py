"""IEC 61968-9 MeterReadings: XML in which a code of eighteen numbers says what each value is.

Stamps mark the end of an interval, as the standard has it. Energy that a register counted on is told from energy of an
interval by the code; a file of nothing but register reads is a format of its own, since its values mean something else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from lxml import etree

from apps.readings import times
from apps.readings.importers import stamping, texts
from apps.readings.importers.base import Block, Reading, Rejects
from apps.readings.importers.long import no_name
from apps.readings.importers.register_reads import note_periods
from apps.readings.importers.streams import Streams
from apps.readings.importers.xml_streams import elements, first_of, lines_between, local_name, looks_like_xml, pairs
from apps.readings.models import Channel
from apps.readings.quality import Quality

READINGS_AT_ONCE = 200_000
LOOKED_AT = 5_000
DAY = 1440
METERS_LOOKED_AT = 5
# Of the attributes of a reading type, by their place in the code.
MACRO, AGGREGATE, MEASURING, ACCUMULATION, FLOW, COMMODITY, KIND = range(7)
TIME_OF_USE, PEAK, TIER, PHASE, MULTIPLIER, UNIT = range(11, 17)
ENERGY, POWER = (12, 72), ((8, 38), (37, 38))  # kind and unit
MEANS_AND_SUMS = {0, 2, 26}  # the others are maxima, minima and thresholds
DAILY, MONTHLY = 11, {8, 13}
SINGLE_PHASES = {128, 129, 64, 65, 32, 33}
MINUTES = {1: 10, 2: 15, 3: 1, 5: 30, 6: 5, 7: 60, 10: 2, 14: 3, 31: 20, 4: DAY}
CUMULATIVE = {1, 3, 9}
NET, REVERSE = 4, 19
SUSPECT, EDITED, ESTIMATED = {"5", "6", "10"}, {"7"}, {"8", "12"}  # categories of a reading's quality


@dataclass(frozen=True)
class ReadingType:
    channel: int
    to_kwh: float
    cumulative: bool
    net: bool
    minutes: int  # that one lasts
    phase: int  # 0: all of them

    @property
    def rank(self) -> tuple[bool, int]:
        """Of several that say the same, the first one is read."""
        return self.net, self.minutes


@lru_cache(maxsize=1024)
def reading_type(code: str) -> ReadingType | None:
    """What a code says; nothing for what is no energy of all hours, such as volts, or one tariff's part."""
    try:
        parts = [int(part) for part in code.strip().split(".")]
    except ValueError:
        return None
    if len(parts) != 18 or parts[COMMODITY] not in {0, 1, 2} or parts[AGGREGATE] not in MEANS_AND_SUMS:
        return None
    if is_of_tariff(parts):
        return None
    to_kwh = 10.0 ** parts[MULTIPLIER] / 1000 if abs(parts[MULTIPLIER]) <= 12 else 0
    cumulative = parts[ACCUMULATION] in CUMULATIVE
    if (parts[KIND], parts[UNIT]) in POWER:
        to_kwh *= MINUTES.get(parts[MEASURING], 0) / 60
        cumulative = False
    elif (parts[KIND], parts[UNIT]) != ENERGY:
        return None
    if not to_kwh:
        return None
    channel = Channel.EXPORT if parts[FLOW] == REVERSE else Channel.IMPORT
    lasts = DAY if parts[MACRO] == DAILY else 31 * DAY if parts[MACRO] in MONTHLY else 60
    minutes = MINUTES.get(parts[MEASURING], lasts)
    phase = parts[PHASE] if parts[PHASE] in SINGLE_PHASES else 0
    return ReadingType(int(channel), to_kwh, cumulative, parts[FLOW] == NET, minutes, phase)


def is_of_tariff(parts: list[int]) -> bool:
    return bool(parts[TIME_OF_USE] or parts[PEAK] or parts[TIER])


def why_not(code: str) -> str:
    """What a code that is not read says."""
    if not code:
        return _("no ReadingType says what these readings are")
    parts = [int(part) if part.isdecimal() and len(part) < 9 else 0 for part in code.strip().split(".")]
    if len(parts) == 18 and is_of_tariff(parts):
        return _("this is one tariff's part (time of use) of the energy; send the total")
    return _("readings of this type are no energy taken or given, and are not read")


@dataclass
class Gathered:
    """Readings of some meters, before whole columns of them are looked at."""

    stamps: list[str | None] = field(default_factory=list)
    values: list[str | None] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    quality: dict[int, int] = field(default_factory=dict)  # by place, where it is not as measured
    meters: list[int] = field(default_factory=list)  # of each run
    types: list[ReadingType] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def forget(self, place: int) -> None:
        """The readings from this place on."""
        for at in range(place, len(self.stamps)):
            self.quality.pop(at, None)
        for column in (self.stamps, self.values, self.lines):
            del column[place:]


@dataclass(frozen=True)
class CimReadings:
    name: str
    label: str
    cumulative: bool  # a file of register reads alone
    magic: bytes = b""

    @property
    def fixed(self) -> dict[str, str]:
        return {"unit": "kWh", "measures": "register"} if self.cumulative else {
            "unit": "kWh", "measures": "interval", "stamps": "end"
        }  # fmt: skip

    def recognises(self, path: Path, head: bytes) -> bool:
        if not looks_like_xml(head) or not is_first(path):
            return False
        return self.cumulative == only_registers(path)

    def blocks(self, path: Path, reading: Reading) -> Iterator[Block]:
        reading.dates_only = False
        gathering = Gathering(reading, self.cumulative)
        at_once = LOOKED_AT if reading.meters_wanted else READINGS_AT_ONCE
        for element in elements(path, reading, {"MeterReading"}):
            gathering.add(element)
            if len(gathering.now.stamps) >= at_once:
                yield from gathering.blocks()
        yield from gathering.blocks()
        gathering.note_registers()


def is_first(path: Path) -> bool:
    return first_of(path, {"MeterReadings", "EndDeviceEvents"}).endswith("MeterReadings")


def only_registers(path: Path) -> bool:
    nothing = Reading(Rejects(0))
    codes = set()
    for element in islice(elements(path, nothing, {"MeterReading"}), METERS_LOOKED_AT):
        codes |= {code_of(child) for child in element if local_name(child) in {"IntervalBlocks", "Readings"}}
    types = [found for code in codes if (found := reading_type(code))]
    return bool(types) and all(one.cumulative for one in types)


def code_of(element: etree._Element) -> str:
    """The reading type of a block or reading: as reference, or spelled out below it."""
    found = next((child for child in element.iterchildren("{*}ReadingType")), None)
    if found is None:
        return ""
    return found.get("ref") or found.findtext("{*}mRID") or ""


class Gathering:
    def __init__(self, reading: Reading, cumulative: bool):
        self.reading = reading
        self.cumulative = cumulative
        self.now = Gathered()
        self.left_out: set[tuple[str, str]] = set()
        self.streams = Streams()
        self.registers: list[Block] = []  # reads beside energy of intervals

    def add(self, element: etree._Element) -> None:
        """All readings of one MeterReading."""
        meter = self.reading.positions([name_of(element)])[0]
        tag = etree.QName(element).namespace
        found = []
        for child in element:
            if local_name(child) in {"IntervalBlocks", "Readings"}:
                code = code_of(child)
                kind = reading_type(code)
                if kind is None:
                    self.leave_out(code, child, why_not(code))
                else:
                    found.append((kind, code, child))
        if len({code for _kind, code, _child in found}) > 1:
            found.sort(key=lambda one: one[0].rank)
            found = self.of_all_phases(found)
        for kind, code, child in found:
            before = len(self.now.stamps)
            if local_name(child) == "Readings":
                self.add_one(child)
            else:
                self.add_block(child, tag)
            if self.is_told(int(meter), kind, code, self.now.stamps[before:]):
                self.now.forget(before)
                self.leave_out(
                    code, child, _("another reading type tells this meter's energy of the same time, and is read")
                )
                continue
            self.now.meters.append(int(meter))
            self.now.types.append(kind)
            self.now.counts.append(len(self.now.stamps) - before)

    def of_all_phases(self, found: list[tuple[ReadingType, str, etree._Element]]) -> list:
        """A meter of one phase may name it; of several, none is the meter's energy."""
        if len({kind.phase for kind, _code, _child in found if kind.phase}) < 2:
            return found
        for kind, code, child in found:
            if kind.phase:
                self.leave_out(code, child, _("this is one phase's part of the energy; send the total"))
        return [one for one in found if not one[0].phase]

    def is_told(self, meter: int, kind: ReadingType, code: str, stamps: list[str | None]) -> bool:
        """Does another reading type tell the energy of this time already?"""
        ends = [stamp for stamp in (stamps[:1] + stamps[-1:]) if stamp]
        if not ends or meter < 0:
            return False
        channels = (Channel.IMPORT, Channel.EXPORT) if kind.net else (kind.channel,)
        meters = [(meter, int(channel), kind.cumulative) for channel in channels]
        return not self.streams.takes(meters, code, min(ends), max(ends))

    def leave_out(self, code: str, element: etree._Element, reason: str) -> None:
        """Once for each reason and code."""
        if (code, reason) not in self.left_out:
            self.left_out.add((code, reason))
            self.reading.rejects.add(np.array([element.sourceline or 0]), reason, lambda _i: code)

    def add_block(self, block: etree._Element, namespace: str | None) -> None:
        find = paths(namespace or "")
        count = int(find.count(block))
        columns = columns_of(block, find, count)
        if columns is None:
            for one in block.iterchildren(find.reading):
                self.add_one(one)
            return
        refs = set(find.qualities(block))
        if any(quality_of(ref) for ref in refs):
            begin, readings = len(self.now.stamps), block.iterchildren(find.reading)
            self.now.quality |= {begin + n: flag for n, one in enumerate(readings) if (flag := worst_quality(one))}
        self.now.stamps += columns[0]
        self.now.values += columns[1]
        readings = (next(block.iterchildren(find.reading, reversed=backwards)) for backwards in (False, True))
        self.now.lines += lines_between(*readings, count).tolist()

    def add_one(self, element: etree._Element) -> None:
        if flag := worst_quality(element):
            self.now.quality[len(self.now.stamps)] = flag
        self.now.stamps.append(element.findtext("{*}timeStamp"))
        self.now.values.append(element.findtext("{*}value"))
        self.now.lines.append(element.sourceline or 0)

    def blocks(self) -> Iterator[Block]:
        now, self.now = self.now, Gathered()
        if not now.stamps:
            return
        cells = [pa.array(column, pa.string()) for column in (now.stamps, now.values)]
        lines = np.array(now.lines, dtype=np.int32)
        meters = np.repeat(np.array(now.meters, dtype=np.int32), now.counts)
        names = self.reading.names

        def text(row: int) -> str:
            name = names[meters[row]] if meters[row] >= 0 else ""
            return ",".join([name, *(texts.shown(column[row]) for column in cells)])

        cumulative, net = (
            np.repeat([getattr(one, what) for one in now.types], now.counts) for what in ("cumulative", "net")
        )
        stamps = texts.stamps_of(cells[0].dictionary_encode())  # all meters have the same ones
        stamps = replace(stamps, whole=stamps.whole | cumulative)  # what a register shows has no period
        good = stamping.check(stamps, lines, text, self.reading)
        values, not_numbers = texts.numbers_of(cells[1])
        channels = np.repeat(np.array([one.channel for one in now.types], dtype=np.int8), now.counts)
        values = values * np.repeat([one.to_kwh for one in now.types], now.counts)
        for wrong, reason in (
            (meters < 0, no_name()),
            (not_numbers, _("not a number")),
            (
                ~cumulative & self.cumulative,
                _("energy of an interval in a file of register reads: send it in another file"),
            ),
        ):
            rows = np.flatnonzero(wrong & good)
            if len(rows):
                self.reading.rejects.add(lines[rows], reason, lambda i, rows=rows: text(rows[i]))
                good &= ~wrong
        given = net & (values < 0)
        channels[given], values[given] = Channel.EXPORT, -values[given]
        quality = np.zeros(len(values), dtype=np.int8)
        quality[list(now.quality)] = list(now.quality.values())
        aside = good & cumulative & (not self.cumulative)
        if aside.any():
            columns = (meters, stamps.minutes, values, lines, channels, quality)
            self.registers.append(Block(*(column[aside] for column in columns)))
            good &= ~aside
        if good.any():
            yield Block(
                meters[good], stamps.minutes[good], values[good], lines[good],
                channels[good] if (channels != Channel.IMPORT).any() else None,
                quality[good] if quality.any() else None,
            )  # fmt: skip

    def note_registers(self) -> None:
        """Register reads beside energy of intervals: what was used from read to read, for comparison."""
        clock = times.utility_zone()
        local = [
            times.to_local(block.minutes, clock) if self.reading.zoned else block.minutes for block in self.registers
        ]
        note_periods(self.registers, local, self.reading)


def name_of(element: etree._Element) -> str:
    """Of the meter, as people call it; else by its identifier; else that of the point where it stands."""
    for holder in ("{*}Meter", "{*}UsagePoint"):
        found = element.find(holder)
        if found is not None:
            names = [name.findtext("{*}name") for name in found.iterchildren("{*}Names")]
            if name := next((name for name in [*names, found.findtext("{*}mRID")] if name and name.strip()), ""):
                return name
    return ""


@dataclass(frozen=True)
class Paths:
    """Ways into a block of the edition that the file follows."""

    reading: str
    stamp: str
    value: str
    count: etree.XPath
    stamps: etree.XPath
    values: etree.XPath
    qualities: etree.XPath


@lru_cache(maxsize=16)
def paths(namespace: str) -> Paths:
    tag, prefix, names = (f"{{{namespace}}}", "m:", {"m": namespace}) if namespace else ("", "", None)

    def path(text: str) -> etree.XPath:
        return etree.XPath(text.replace("m:", prefix), namespaces=names, smart_strings=False)

    return Paths(
        f"{tag}IntervalReadings",
        f"{tag}timeStamp",
        f"{tag}value",
        path("count(m:IntervalReadings)"),
        path("m:IntervalReadings/m:timeStamp/text()"),
        path("m:IntervalReadings/m:value/text()"),
        path("m:IntervalReadings/m:ReadingQualities/m:ReadingQualityType/@ref"),
    )


def columns_of(block: etree._Element, find: Paths, count: int) -> tuple[list[str], list[str]] | None:
    """Stamps and values of a block where each of its readings has one of both."""
    if columns := pairs(block, find.stamp, find.value, count):
        return columns
    columns = find.stamps(block), find.values(block)  # qualities may have stamps of their own
    return columns if len(columns[0]) == len(columns[1]) == count else None


def worst_quality(element: etree._Element) -> int:
    refs = [one.get("ref", "") for one in element.iterfind("{*}ReadingQualities/{*}ReadingQualityType")]
    return max((quality_of(ref) for ref in refs), default=Quality.MEASURED)


@lru_cache(maxsize=1024)
def quality_of(ref: str) -> int:
    """A quality is system.category.subcategory; the category decides."""
    category = [*ref.split("."), "", ""][1]
    if category in ESTIMATED:
        return Quality.ESTIMATED_BY_SENDER
    if category in SUSPECT:
        return Quality.SUSPECT
    return Quality.EDITED if category in EDITED else Quality.MEASURED


INTERVALS = CimReadings("cim_readings", gettext_lazy("IEC 61968-9 meter readings"), cumulative=False)
REGISTERS = CimReadings("cim_registers", gettext_lazy("IEC 61968-9 register reads"), cumulative=True)
