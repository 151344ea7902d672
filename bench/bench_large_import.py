"""Memory whatever the size of the file: 88 million readings (10,000 meters, a year of hours), as Parquet and as CSV in
both orders. Takes minutes and some 10 GB of disk; alone: `python -m bench large_import`."""

import os

# Before anything reads the settings.
os.environ["UPLOAD_MAX_BYTES"] = str(8 * 1024**3)

from pathlib import Path

from bench import alone, long_files, scratch
from bench.bench_import import import_received, receive

METERS, DAYS = 10_000, 365
MOST_MB = 600


def run() -> list[dict]:
    results = []
    with scratch.database():
        folder = Path(os.environ["MEDIA_ROOT"])
        for suffix, by_time in ((".parquet", False), (".parquet", True), (".csv", False), (".csv", True)):
            file = long_files.write(folder / f"large{suffix}", METERS, DAYS, by_time=by_time)
            pk, received = alone.call(receive, file)  # the web server's memory is not the worker's
            file.unlink()
            found = alone.call(import_received, pk)
            kind = "CSV" if suffix == ".csv" else "Parquet"
            name = f"{found['readings'] / 1e6:.0f} M readings as {kind}, {'by time' if by_time else 'by meter'}"
            results += [
                {
                    "name": f"{name}: peak memory of the worker, beside its limit",
                    "value": found["peak_mb"],
                    "unit": "MB",
                    "floor": MOST_MB,
                    "ratio": found["peak_mb"] / MOST_MB,
                },
                {
                    "name": "  file to committed load profiles",
                    "value": found["readings"] / (received + found["seconds"]),
                    "unit": "readings/s",
                    "floor": None,
                    "ratio": None,
                },
            ]
    return results
