"""Write a made-up city with known theft: readings.parquet, grid.csv, sums.parquet, truth.csv and events.csv.

The first three are what train and score take. truth.csv tells who steals, how, since when and how much; events.csv what
the meters reported beside readings. The same arguments give the same files.
"""

import argparse
import csv
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from ml.commands.common import add_output_options, bar, positive, print_json, written_at_once
from ml.synthetic.city import AS_ORIGINALLY_DESCRIBED, ORDINARY, TIMEZONE, Block, stream_city
from ml.synthetic.history import serial_of
from ml.tables import InputError

RECIPES = {"ordinary": ORDINARY, "original": AS_ORIGINALLY_DESCRIBED}
GRID = ("meter", "transformer")
TRUTH = ("meter", "steals", "kind", "formula", "look_alike", "onset_day", "missing_kwh")
EVENTS = ("meter", "at", "code")
CELLS_AT_ONCE = 32 * 1024**2
COLUMNS_PACKED = 1000
"""With more columns than this a dictionary for each is tried in vain and costs more than it saves."""


def add_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("--consumers", type=positive, default=10_000, metavar="N", help="(10000)")
    options.add_argument("--days", type=positive, default=365, metavar="N", help="60 or more (365)")
    options.add_argument("--interval", type=int, choices=(15, 30, 60), default=60, help="minutes (60)")
    options.add_argument("--first-day", default="2025-01-01", metavar="DAY", help="(2025-01-01)")
    options.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed gives the same city (1)")
    options.add_argument(
        "--recipe",
        choices=RECIPES,
        default="ordinary",
        help="ordinary: many kinds of theft and of honest changes; original: five kinds of theft and nothing else",
    )
    options.add_argument("--out", required=True, metavar="DIR", help="folder to write into")
    add_output_options(options)


def run(options: argparse.Namespace) -> None:
    folder = Path(options.out)
    try:
        first_day = np.datetime64(options.first_day, "D")
        # Of a generator the arguments are looked at with its first block.
        blocks = stream_city(
            options.seed, options.consumers, options.days, options.interval, first_day, RECIPES[options.recipe]
        )
        first = next(blocks)
    except ValueError as error:
        raise InputError(f"no city can be made: {error}") from error
    folder.mkdir(parents=True, exist_ok=True)
    with bar("making the city", options.quiet) as progress, ExitStack() as open_files:
        spool = open_files.enter_context(tempfile.TemporaryFile(dir=folder))
        grid, truth, events = (
            csv.writer(open_files.enter_context(written_at_once(folder / name)), lineterminator="\n")
            for name in ("grid.csv", "truth.csv", "events.csv")
        )
        for table, header in ((grid, GRID), (truth, TRUTH), (events, EVENTS)):
            table.writerow(header)
        meters, transformers, sums, thieves = [], [], [], 0
        for block in chain([first], blocks):
            block.kwh.tofile(spool)
            names = _transformers(block)
            transformers += names
            sums.append(block.transformer_kwh)
            meters += [consumer.number for consumer in block.consumers]
            grid.writerows((one.number, names[one.transformer - block.first_transformer]) for one in block.consumers)
            truth.writerows(_truth(block))
            events.writerows(_events(block, len(meters)))
            thieves += int(block.truth.steals.sum())
            progress(0.8 * len(meters) / options.consumers, "making the city")
        spool.flush()
        kwh = np.memmap(spool, np.float32, "r", shape=(len(meters), options.days, 1440 // options.interval))
        progress(0.8, "writing readings")
        write_wide(folder / "readings.parquet", meters, kwh, first_day)
        write_wide(folder / "sums.parquet", transformers, np.concatenate(sums), first_day)
        progress(1.0, "done")
    if options.json:
        print_json(
            {
                "out": options.out,
                "meters": len(meters),
                "days": options.days,
                "interval_minutes": options.interval,
                "timezone": TIMEZONE,
                "transformers": len(transformers),
                "thieves": thieves,
                "seed": options.seed,
            }
        )
    else:
        print(f"{options.out}: {len(meters):,} meters, {options.days} days, {thieves} thieves; --timezone {TIMEZONE}")


def _transformers(block: Block) -> list[str]:
    first = block.first_transformer + 1
    return [f"T-{number:05d}" for number in range(first, first + len(block.transformers))]


def _truth(block: Block) -> Iterator[tuple]:
    truth = block.truth
    for row, consumer in enumerate(block.consumers):
        onset = "" if np.isnat(truth.onset_day[row]) else str(truth.onset_day[row])
        changes = int(truth.steals[row]), truth.kind[row], truth.formula[row], truth.look_alike[row]
        yield consumer.number, *changes, onset, f"{truth.missing_kwh[row]:.1f}"


def _events(block: Block, rows_so_far: int) -> Iterator[tuple]:
    """Events carry the serial of the meter, readings the number of the consumer."""
    first = rows_so_far - len(block.consumers)
    owner = {serial_of(first + row): consumer.number for row, consumer in enumerate(block.consumers)}
    for event in sorted(block.events, key=lambda event: (event.at, event.meter)):
        yield owner[event.meter], event.at.isoformat(), event.code


def write_wide(path: Path, names: list[str], kwh: np.ndarray, first_day: np.datetime64) -> None:
    """(M, D, S) kWh as Parquet with a row per time and a column per name, some weeks at a time."""
    step = np.timedelta64(1440 // kwh.shape[2], "m")
    flat = kwh.reshape(len(kwh), -1)
    fields = [pa.field("timestamp", pa.timestamp("ms")), *(pa.field(str(name), pa.float32()) for name in names)]
    temporary = path.with_name(f".{path.name}.part")
    with parquet.ParquetWriter(
        temporary, pa.schema(fields), compression="zstd", use_dictionary=len(names) <= COLUMNS_PACKED,
        write_statistics=False,
    ) as file:  # fmt: skip
        step_rows = max(24, CELLS_AT_ONCE // len(names))
        for start in range(0, flat.shape[1], step_rows):
            part = flat[:, start : start + step_rows]
            stamps = first_day.astype("M8[ms]") + (start + np.arange(part.shape[1])) * step
            arrays = [pa.array(stamps), *(pa.array(row, mask=np.isnan(row)) for row in part)]
            file.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)))
    temporary.replace(path)
