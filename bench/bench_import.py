"""From a file of half-hourly readings to committed load profiles, beside binary COPY of the same rows into an empty
table with the same partitions."""

import multiprocessing
import os
import resource
import time
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench import scratch

REAL_FILE = Path(__file__).resolve().parents[2] / "shared" / "data" / "uk_edrp_622" / "consumption_30min_kwh.parquet"
METERS, DAYS = 622, 92
RUNS = 3


def run() -> list[dict]:
    with scratch.database():
        file = REAL_FILE if REAL_FILE.exists() else synthetic_file(Path(os.environ["MEDIA_ROOT"]))
        # A fresh process for each run, so that nothing is warm and peak memory is a worker's.
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            runs = [pool.apply(import_in_a_worker, [file]) for _run in range(RUNS)]
    speed, floor = (median(one[name] for one in runs) for name in ("readings_per_s", "copy_readings_per_s"))
    what = "the 622-household file" if REAL_FILE.exists() else "a file like the 622-household one"
    return [
        {
            "name": f"Import of {what}, file to committed load profiles",
            "value": speed,
            "unit": "readings/s",
            "floor": floor,
            "ratio": speed / floor,
        },
        {
            "name": "  peak memory of the worker",
            "value": max(one["peak_mb"] for one in runs),
            "unit": "MB",
            "floor": None,
            "ratio": None,
        },
    ]


def synthetic_file(folder: Path) -> Path:
    kwh = np.random.default_rng(1).gamma(1.2, 0.17, (METERS, DAYS * 48)).astype(np.float32)
    stamps = np.datetime64("2009-03-01T00:00", "s") + np.arange(DAYS * 48) * np.timedelta64(30, "m")
    path = folder / "households.parquet"
    pq.write_table(pa.table({"timestamp": stamps, **{f"H{m + 1:03}": kwh[m] for m in range(METERS)}}), path)
    return path


def import_in_a_worker(file: Path) -> dict[str, float]:
    scratch.set_up_django()
    import kombu.transport.redis  # noqa: F401, PLC0415 a worker has loaded its broker's library before any file comes
    from django.core.files.base import File  # noqa: PLC0415 Django was set up only now

    from apps.readings import actions  # noqa: PLC0415

    empty()
    with file.open("rb") as opened:
        began = time.perf_counter()
        upload, _is_new = actions.receive(file=File(opened), name=file.name, sender="bench", by=None, confirm=True)
        received = time.perf_counter() - began
        actions.import_upload(upload)
        seconds = time.perf_counter() - began
    upload.refresh_from_db()
    if upload.error or not upload.readings:
        raise RuntimeError(upload.error or "nothing was imported")
    return {
        "readings_per_s": upload.readings / seconds,
        "received_s": received,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "copy_readings_per_s": upload.readings / copy_seconds(upload),
    }


def empty() -> None:
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE readings_loadprofile, readings_upload, grid_meter, grid_consumer CASCADE")


def copy_seconds(upload) -> float:
    """Binary COPY of the rows that the import made, into an emptied table with the same partitions, committed."""
    from django.db import transaction  # noqa: PLC0415

    from apps.grid.models import Meter  # noqa: PLC0415
    from apps.readings import copying, profiles  # noqa: PLC0415
    from apps.readings.assembly import Days  # noqa: PLC0415

    ids = list(Meter.objects.values_list("id", flat=True))
    stored = sorted(profiles.stored_rows(ids, upload.first_day, upload.last_day), key=lambda rows: rows.meter_id)
    meters = np.concatenate([np.full(len(rows.days), rows.meter_id) for rows in stored])
    days = np.concatenate([rows.days for rows in stored])
    kwh = np.concatenate([rows.kwh for rows in stored])
    order = np.lexsort((days, meters))
    empty()
    meters, days, kwh = meters[order], days[order], kwh[order]
    began = time.perf_counter()
    with transaction.atomic():
        copying.load_profiles(Days(meters, days, kwh), meters, upload.pk)
    return time.perf_counter() - began
