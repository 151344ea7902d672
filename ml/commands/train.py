"""Learn a model from readings and write it into a folder.

No labels are needed; outcomes of inspections make it better. Of meters in several intervals, the largest group is
learned from; the model scores all of them.
"""

import argparse
import time

from ml.commands.common import add_reading_options, bar, described, print_json, print_notes, read
from ml.tables import read_outcomes


def add_options(options: argparse.ArgumentParser) -> None:
    add_reading_options(options)
    options.add_argument("--outcomes", metavar="FILE", help="CSV with the columns meter, outcome and, if known, day")
    options.add_argument("--model", required=True, metavar="DIR", help="folder to write the model into")


def run(options: argparse.Namespace) -> None:
    from ml import artifacts  # noqa: PLC0415 skops brings torch, seconds that --help need not wait
    from ml.detector import fit  # noqa: PLC0415 the same

    started = time.monotonic()
    readings = read(options)
    outcomes = read_outcomes(options.outcomes, readings.order, readings.notes) if options.outcomes else None
    print_notes(readings.notes)
    with bar("learning", options.quiet) as progress:
        ensemble = fit(readings, outcomes, progress)
    artifacts.save(ensemble, options.model)
    window = readings.windows[0]
    seconds = time.monotonic() - started
    if options.json:
        print_json(
            {
                "model": options.model,
                "meters": len(window),
                "interval_minutes": window.interval_minutes,
                "first_day": str(window.first_day),
                "days": window.days,
                "outcomes": len(outcomes or {}),
                "windows": described(readings),
                "seconds": round(seconds, 1),
                "notes": readings.notes.as_dict(),
            }
        )
    else:
        print(f"{options.model}: learned from {len(window):,} meters over {window.days} days in {seconds:.0f} s")
