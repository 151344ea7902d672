"""Score meters with a model and write a CSV with one row per meter, in the order of the input.

A meter without a score has the risk level `unscored`, and its reasons say why.
"""

import argparse
import csv
import time
from collections import Counter

from ml.commands.common import (
    add_reading_options,
    described,
    load_model,
    print_json,
    print_notes,
    read,
    written_at_once,
)
from ml.findings import LEVELS, UNSCORED

COLUMNS = (
    "meter", "score", "probability", "risk_level", "kind", "benign_alternative", "onset_day", "missing_kwh", "reasons",
)  # fmt: skip
DECIMALS = {"score": 4, "probability": 4, "missing_kwh": 1}


def add_options(options: argparse.ArgumentParser) -> None:
    add_reading_options(options)
    options.add_argument("--model", required=True, metavar="DIR", help="folder of a model that train wrote")
    options.add_argument("--out", required=True, metavar="FILE", help="CSV to write")


def run(options: argparse.Namespace) -> None:
    from ml.detector import as_dict, findings  # noqa: PLC0415 the detectors take seconds to load, which --help need not wait

    started = time.monotonic()
    ensemble = load_model(options.model)
    readings = read(options)
    print_notes(readings.notes)
    results = [as_dict(finding) for finding in findings(ensemble, readings)]
    with written_at_once(options.out) as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(COLUMNS)
        lines.writerows(row(result) for result in results)
    levels = Counter(result["risk_level"] for result in results)
    counts = {level: levels[level] for level in (*reversed(LEVELS), UNSCORED)}
    seconds = time.monotonic() - started
    if options.json:
        print_json(
            {
                "out": options.out,
                "model": options.model,
                "meters": len(results),
                "levels": counts,
                "windows": described(readings),
                "seconds": round(seconds, 1),
                "notes": readings.notes.as_dict(),
            }
        )
    else:
        shares = ", ".join(f"{count:,} {level}" for level, count in counts.items() if count)
        print(f"{options.out}: {len(results):,} meters in {seconds:.0f} s: {shares}")


def row(result: dict) -> list[str]:
    """A line of the CSV; empty where there is nothing to say."""
    cells = {name: result[name] for name in COLUMNS} | {"reasons": " ".join(result["reasons"])}
    for name, decimals in DECIMALS.items():
        if cells[name] is not None:
            cells[name] = f"{cells[name]:.{decimals}f}"
    if result["score"] is None:
        cells["missing_kwh"] = ""
    return ["" if cell is None else cell for cell in cells.values()]
