"""Write a made-up city with known theft: readings, grid, sums, truth, meter events and outcomes of visits.

The files readings.parquet, grid.csv, sums.parquet and outcomes.csv are what train and score take; truth.csv tells who
steals, how and since when, events.csv what the meters reported beside readings.
"""

import argparse
import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from ml.commands.common import add_output_options, bar, positive, print_json, written_at_once
from ml.synthetic.city import City, generate_city
from ml.tables import InputError

GRID = ("meter", "transformer")
TRUTH = ("meter", "steals", "kind", "formula", "look_alike", "onset_day")
EVENTS = ("meter", "at", "code")
OUTCOMES = ("meter", "outcome", "day")
ROWS_AT_ONCE = 24 * 31
COLUMNS_PACKED = 1000
"""With more columns than this a dictionary for each is tried in vain and costs more than it saves."""


def add_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("--consumers", type=positive, default=10_000, metavar="N", help="(10000)")
    options.add_argument("--days", type=positive, default=365, metavar="N", help="(365)")
    options.add_argument("--interval", type=int, choices=(15, 30, 60, 1440), default=60, help="minutes (60)")
    options.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed gives the same city (1)")
    options.add_argument("--out", required=True, metavar="DIR", help="folder to write into")
    add_output_options(options)


def run(options: argparse.Namespace) -> None:
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    with bar("making the city", options.quiet) as progress:
        progress(0.0, "making the city")
        try:
            city = generate_city(options.seed, options.consumers, options.days, options.interval)
        except ValueError as error:
            raise InputError(str(error)) from error
        progress(0.7, "writing readings")
        window = city.window()
        write_wide(folder / "readings.parquet", window.meters, window.kwh, city.first_day)
        progress(0.9, "writing sums")
        places = np.array([f"T-{number + 1:05d}" for number in range(len(city.transformers))])
        write_wide(folder / "sums.parquet", places, city.transformer_kwh, city.first_day)
        _write(folder / "grid.csv", GRID, zip(window.meters, places[window.peer_group], strict=True))
        _write(folder / "truth.csv", TRUTH, _truth(city))
        _write(folder / "events.csv", EVENTS, _events(city))
        _write(folder / "outcomes.csv", OUTCOMES, _outcomes(city))
        progress(1.0, "done")
    thieves = int(city.truth.steals.sum())
    if options.json:
        print_json(
            {
                "out": options.out,
                "meters": len(window),
                "days": city.days,
                "interval_minutes": city.interval_minutes,
                "timezone": city.timezone,
                "transformers": len(places),
                "thieves": thieves,
                "seed": options.seed,
            }
        )
    else:
        print(f"{options.out}: {len(window):,} meters, {city.days} days, {thieves} thieves; --timezone {city.timezone}")


def _truth(city: City) -> Iterator[tuple]:
    truth = city.truth
    for row, consumer in enumerate(city.consumers):
        onset = "" if np.isnat(truth.onset_day[row]) else str(truth.onset_day[row])
        steals = int(truth.steals[row])
        yield consumer.number, steals, truth.kind[row], truth.formula[row], truth.look_alike[row], onset


def _events(city: City) -> Iterator[tuple]:
    owner = {meter.serial: city.consumers[meter.consumer].number for meter in city.meters}
    for event in city.events:
        yield owner[event.meter], event.at.isoformat(), event.code


def _outcomes(city: City) -> Iterator[tuple]:
    for visit in city.inspections:
        yield city.consumers[visit.consumer].number, visit.outcome, visit.day.isoformat()


def write_wide(path: Path, names: np.ndarray, kwh: np.ndarray, first_day: np.datetime64) -> None:
    """(M, D, S) kWh as Parquet with a row per time and a column per name, some weeks at a time."""
    step = np.timedelta64(1440 // kwh.shape[2], "m")
    flat = kwh.reshape(len(kwh), -1)
    fields = [pa.field("timestamp", pa.timestamp("ms")), *(pa.field(str(name), pa.float32()) for name in names)]
    temporary = path.with_name(f".{path.name}.part")
    with parquet.ParquetWriter(
        temporary, pa.schema(fields), compression="zstd", use_dictionary=len(names) <= COLUMNS_PACKED,
        write_statistics=False,
    ) as file:  # fmt: skip
        for start in range(0, flat.shape[1], ROWS_AT_ONCE):
            part = flat[:, start : start + ROWS_AT_ONCE]
            stamps = first_day.astype("M8[ms]") + (start + np.arange(part.shape[1])) * step
            arrays = [pa.array(stamps), *(pa.array(row, mask=np.isnan(row)) for row in part)]
            file.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)))
    temporary.replace(path)


def _write(path: Path, header: tuple, rows: Iterable[tuple]) -> None:
    with written_at_once(path) as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(header)
        lines.writerows(rows)
