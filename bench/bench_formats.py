"""NEM12 and XML, file to committed load profiles, beside a parser alone that goes through the same file: nemreader for
NEM12; for XML lxml's iterparse, stopping at each reading and taking its stamp and value."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from bench import alone, scratch
from bench.bench_import import import_file, result

METERS, DAYS = 100, 60
PARSED_METERS = 10  # the parsers alone are slow, and as quick with few
RUNS = 3


def run() -> list[dict]:
    with scratch.database():
        folder = Path(os.environ["MEDIA_ROOT"])
        return [
            measured(name, written(folder, write, METERS), parse, written(folder, write, PARSED_METERS))
            for name, write, parse in (
                ("NEM12", nem12, parse_nem12),
                ("Green Button XML", green_button, parse_green_button),
                ("IEC 61968-9 XML", cim, parse_cim),
            )
        ]


def measured(name: str, file: Path, parse: Callable[[Path], int], small: Path) -> dict:
    speed = median(alone.call(import_file, file)["speed"] for _run in range(RUNS))
    floor = median(alone.call(speed_of, parse, small) for _run in range(RUNS))
    return result(f"Import of {name}, file to committed load profiles; floor: its parser alone", speed, floor)


def speed_of(parse: Callable[[Path], int], file: Path) -> float:
    began = time.perf_counter()
    readings = parse(file)
    return readings / (time.perf_counter() - began)


def written(folder: Path, write: Callable, meters: int) -> Path:
    path = folder / f"{write.__name__}-{meters}"
    kwh = np.random.default_rng(1).gamma(1.2, 0.17, (meters, DAYS, 48)).round(3)
    with path.open("w") as file:
        file.writelines(write(kwh))
    return path


def days() -> np.ndarray:
    return np.datetime64("2026-01-01") + np.arange(DAYS)


def nem12(kwh: np.ndarray):
    yield "100,NEM12,202603010000,MDP,RETAIL\n"
    for meter, of_meter in enumerate(kwh):
        yield f"200,6{meter:09},E1,1,E1,N1,,kWh,30,\n"
        for day, values in zip(days(), of_meter, strict=True):
            yield f"300,{str(day).replace('-', '')},{','.join(map(str, values))},A,,,20260301000000,\n"
    yield "900\n"


def green_button(kwh: np.ndarray):
    espi = 'xmlns="http://naesb.org/espi"'
    yield '<feed xmlns="http://www.w3.org/2005/Atom">\n'
    yield f'<entry><link rel="self" href="/ReadingType/1"/><content><ReadingType {espi}><uom>72</uom></ReadingType>'
    yield "</content></entry>\n"
    for meter, of_meter in enumerate(kwh):
        point = f"/UsagePoint/{meter:09}"
        links = f'<link rel="self" href="{point}/MeterReading/1"/><link rel="up" href="{point}/MeterReading"/>'
        links += '<link rel="related" href="/ReadingType/1"/>'
        yield f'<entry><link rel="self" href="{point}"/><content><UsagePoint {espi}/></content></entry>\n'
        yield f"<entry>{links}<content><MeterReading {espi}/></content></entry>\n"
        for day, values in zip(days().astype("datetime64[s]").astype(int), of_meter, strict=True):
            yield f'<entry><link rel="up" href="{point}/MeterReading/1/IntervalBlock"/>'
            yield f"<content><IntervalBlock {espi}>\n"
            for slot, value in enumerate((values * 1000).astype(int).tolist()):
                yield f"<IntervalReading><timePeriod><duration>1800</duration><start>{day + slot * 1800}</start>"
                yield f"</timePeriod><value>{value}</value></IntervalReading>\n"
            yield "</IntervalBlock></content></entry>\n"
    yield "</feed>\n"


def cim(kwh: np.ndarray):
    yield '<MeterReadings xmlns="http://iec.ch/TC57/2011/MeterReadings#">\n'
    ends = days()[0] + (1 + np.arange(DAYS * 48)) * np.timedelta64(30, "m")
    stamps = ends.astype(str).tolist()
    for meter, of_meter in enumerate(kwh):
        yield f"<MeterReading><Meter><Names><name>{meter:09}</name></Names></Meter>\n<IntervalBlocks>\n"
        for stamp, value in zip(stamps, of_meter.ravel().tolist(), strict=True):
            yield f"<IntervalReadings><timeStamp>{stamp}:00Z</timeStamp><value>{value}</value></IntervalReadings>\n"
        yield '<ReadingType ref="0.0.5.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"/></IntervalBlocks></MeterReading>\n'
    yield "</MeterReadings>\n"


def parse_nem12(file: Path) -> int:
    from nemreader.nem_reader import NEMFile  # noqa: PLC0415 in the process that is measured, as is lxml

    logging.disable(logging.CRITICAL)
    with file.open() as lines:
        found = NEMFile(str(file)).parse_nem_file(lines).readings
    return sum(len(readings) for streams in found.values() for readings in streams.values())


def parse_green_button(file: Path) -> int:
    return parse_xml(file, "{http://naesb.org/espi}", "IntervalReading", "timePeriod/{0}start")


def parse_cim(file: Path) -> int:
    return parse_xml(file, "{http://iec.ch/TC57/2011/MeterReadings#}", "IntervalReadings", "timeStamp")


def parse_xml(file: Path, namespace: str, reading: str, stamp: str) -> int:
    from lxml import etree  # noqa: PLC0415

    stamp, value = namespace + stamp.format(namespace), f"{namespace}value"
    found = []
    for _event, element in etree.iterparse(str(file), ("end",), tag=namespace + reading, resolve_entities=False):
        found.append((element.findtext(stamp), float(element.findtext(value))))
        element.clear()
    return len(found)
