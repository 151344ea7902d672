"""Measure the detectors by the frozen protocol and on the synthetic city; write tables, JSON and a model card.

A long run can be stopped and taken up again: what it computed lies in the folder, row by row.
"""

import argparse
import sys
import time
from pathlib import Path

from ml.commands.common import add_output_options, print_json
from ml.tables import InputError


def add_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("--quick", action="store_true", help="one split and fewer cases, in less than three minutes")
    options.add_argument("--protocol", metavar="DIR", help="folder of the frozen protocol (NTL_PROTOCOL)")
    options.add_argument("--data", metavar="DIR", help="folder of the real load curves (NTL_DATA)")
    options.add_argument(
        "--part",
        choices=("validation", "test"),
        default="validation",
        help="test is for figures to report: each opening of it is counted (validation)",
    )
    options.add_argument("--seeds", type=int, nargs="+", metavar="N", help="splits to compute (0 1 2 3 4)")
    options.add_argument("--rows", nargs="+", metavar="ROW", help="only these rows of the tables")
    options.add_argument("--keep-older", action="store_true", help="keep rows that an older version of ml computed")
    options.add_argument("--join", action="store_true", help="compute nothing, report what the folder has")
    options.add_argument("--out", default="evaluation", metavar="DIR", help="folder to write into (evaluation)")
    add_output_options(options)


def run(options: argparse.Namespace) -> None:
    from ml.evaluation import report, run  # noqa: PLC0415 torch and LightGBM take seconds that --help need not wait

    started = time.monotonic()

    def progress(doing: str) -> None:
        if not options.quiet:
            print(f"{time.monotonic() - started:6.0f} s  {doing}", file=sys.stderr, flush=True)

    try:
        found = run.run(
            options.quick,
            options.protocol,
            options.data,
            options.out,
            seeds=options.seeds,
            part=options.part,
            rows=options.rows,
            older=options.keep_older,
            join=options.join,
            progress=progress,
        )
    except (ValueError, FileNotFoundError) as error:
        raise InputError(str(error)) from error
    if options.json:
        print_json(found)
    else:
        print(report.as_text(found))
        print(f"{Path(options.out)}: evaluation.json, tables.txt and model-card.md")
