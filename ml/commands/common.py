"""What the commands share: options about readings, progress bars, and how results are printed and written."""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from ml.tables import InputError, Notes, Readings, read_readings
from ml.tables.curves import Progress


def add_reading_options(options: argparse.ArgumentParser) -> None:
    options.add_argument(
        "--readings",
        nargs="+",
        required=True,
        metavar="FILE",
        help="CSV or Parquet: a reading a row; or a row a time, a column a meter; or a row a meter, a column a day",
    )
    options.add_argument("--grid", metavar="FILE", help="CSV with the columns meter and transformer")
    options.add_argument(
        "--sums", metavar="FILE", help="kWh of the sum meters: a row per time, a column per transformer"
    )
    options.add_argument(
        "--timezone",
        default="UTC",
        metavar="NAME",
        help="civil time of the place, such as Europe/London; stamps without a zone are its standard time (UTC)",
    )
    options.add_argument("--days", type=positive, metavar="N", help="use only the last N days of the readings")
    add_output_options(options)


def add_output_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("--json", action="store_true", help="print the result as JSON; everything else goes to stderr")
    options.add_argument("--quiet", action="store_true", help="no progress bars")


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(f"{number} is less than 1")
    return number


def read(options: argparse.Namespace) -> Readings:
    """The readings that the options name, with a progress bar; prints what was odd about them to stderr."""
    with bar("reading", options.quiet) as progress:
        readings = read_readings(
            options.readings, options.grid, options.sums, options.timezone, options.days, progress=progress
        )
    return readings


def print_notes(notes: Notes) -> None:
    for line in notes.sentences():
        print(f"note: {line}", file=sys.stderr)


def described(readings: Readings) -> list[dict]:
    """The windows, for --json."""
    return [
        {
            "meters": len(window),
            "interval_minutes": window.interval_minutes,
            "first_day": str(window.first_day),
            "days": window.days,
            "sum_meters": 0 if window.sums is None else len(window.sums),
        }
        for window in readings.windows
    ]


def load_model(folder: str):
    """The ensemble in the folder. Raises InputError when there is none that this version can use."""
    from ml import artifacts  # noqa: PLC0415 the detectors take seconds to load, which --help need not wait

    try:
        return artifacts.load(folder)
    except artifacts.ArtifactError as error:
        raise InputError(f"{folder}: {error}") from error


@contextmanager
def bar(doing: str, quiet: bool = False) -> Iterator[Progress]:
    """A progress bar on stderr, on a terminal only; yields what moves it: progress(fraction, doing)."""
    form = "{desc}: {percentage:3.0f}% |{bar}| {elapsed}"
    with tqdm(total=1.0, desc=doing, bar_format=form, disable=True if quiet else None, file=sys.stderr) as line:

        def progress(fraction: float, doing: str) -> None:
            line.set_description_str(doing, refresh=False)
            line.update(max(0.0, min(fraction, 1.0) - line.n))

        yield progress


def print_json(result: dict) -> None:
    print(json.dumps(result, ensure_ascii=False, allow_nan=False, indent=1))


@contextmanager
def written_at_once(path: Path | str, newline: str | None = "") -> Iterator:
    """A text file that appears under its name when it is complete, and not at all when something fails."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8", newline=newline) as file:
            yield file
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
