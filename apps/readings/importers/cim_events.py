"""IEC 61968-9 EndDeviceEvents: XML in which a code of four numbers says what a meter reported."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from sys import intern

import numpy as np
import pyarrow as pa
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from lxml import etree

from apps.readings.importers import stamping, texts
from apps.readings.importers.base import Block, EventLine, Reading
from apps.readings.importers.event_tables import nothing
from apps.readings.importers.long import no_name
from apps.readings.importers.xml_streams import elements, first_of, looks_like_xml

EVENTS_AT_ONCE = 20_000
HOLDERS = ("Assets", "Meter", "EndDevice", "EndDeviceAsset", "MeterAsset", "UsagePoint")


@dataclass(frozen=True)
class Said:
    """One event as it stands in the file."""

    meter: str
    stamp: str
    code: str
    reason: str
    line: int


@dataclass(frozen=True)
class CimEvents:
    name: str = "cim_events"
    label: str = gettext_lazy("IEC 61968-9 meter events")
    magic: bytes = b""

    @property
    def fixed(self) -> dict[str, str]:
        return {}

    def recognises(self, path: Path, head: bytes) -> bool:
        return looks_like_xml(head) and first_of(path, {"MeterReadings", "EndDeviceEvents"}).endswith("EndDeviceEvents")

    def blocks(self, path: Path, reading: Reading) -> Iterator[Block]:
        waiting: list[Said] = []
        for element in elements(path, reading, {"EndDeviceEvent"}):
            waiting.append(said(element))
            if len(waiting) >= EVENTS_AT_ONCE:
                note(waiting, reading)
                waiting.clear()
                yield nothing()
        note(waiting, reading)
        yield nothing()


def said(event: etree._Element) -> Said:
    return Said(
        meter=meter_of(event),
        stamp=(event.findtext("{*}createdDateTime") or "").strip(),
        code=code_of(event),
        reason=" ".join((event.findtext("{*}reason") or "").split()),
        line=event.sourceline or 0,
    )


def code_of(event: etree._Element) -> str:
    """The type by its reference, or spelled out below it in its four parts."""
    found = event.find("{*}EndDeviceEventType")
    if found is None:
        return ""
    parts = [found.findtext("{*}" + name) or "" for name in ("type", "domain", "subDomain", "eventOrAction")]
    spelled = ".".join(part.strip() for part in parts) if all(part.strip().isdecimal() for part in parts) else ""
    return (found.get("ref") or found.findtext("{*}mRID") or spelled or found.text or "").strip()


def meter_of(event: etree._Element) -> str:
    """The meter's name as people call it; else its identifier; else that of the point where it stands."""
    for holder in HOLDERS:
        found = event.find("{*}" + holder)
        if found is not None:
            names = [name.findtext("{*}name") for name in found.iterchildren("{*}Names")]
            if name := next((name for name in [*names, found.findtext("{*}mRID")] if name and name.strip()), ""):
                return name
    return ""


def note(waiting: list[Said], reading: Reading) -> None:
    """Whole columns of events into `reading.events`, what cannot be read among the rejected lines."""
    if not waiting:
        return
    lines = np.array([one.line for one in waiting], dtype=np.int32)
    stamps = texts.stamps_of(pa.array([one.stamp for one in waiting], pa.string()))
    meters = reading.positions([one.meter for one in waiting])
    unnamed = np.array([not (one.code or one.reason) for one in waiting], dtype=bool)
    good = np.ones(len(waiting), dtype=bool)
    for wrong, reason in (
        (~stamps.valid, _("not a date and time")),
        (meters < 0, no_name()),
        (unnamed, _("neither a code nor words say what happened")),
    ):
        rows = np.flatnonzero(wrong & good)
        if len(rows):
            reading.rejects.add(lines[rows], reason, lambda i, rows=rows: shown(waiting[rows[i]]))
            good &= ~wrong
    stamping.note_zones(stamps, good, lines, reading)
    reading.add_events(
        [
            EventLine(
                int(meters[row]), intern(waiting[row].code or waiting[row].reason), int(stamps.minutes[row]),
                intern(waiting[row].reason if waiting[row].code else ""), waiting[row].line,
            )
            for row in np.flatnonzero(good).tolist()
        ]
    )  # fmt: skip


def shown(one: Said) -> str:
    return ",".join((one.meter, one.stamp, one.code, one.reason))
