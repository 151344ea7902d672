"""From a file to committed load profiles, beside binary COPY of the same rows into an empty table with the same
partitions, and beside a table with a row per reading. As in web servers and workers that have run for a while: each
process takes a few readings first, so that its libraries are loaded, as those of the floors are.

Counted is what the web server does with a file (writing, hashing, syncing it, a look at its content, the upload's row,
the bell) and what the worker does (attempt, reading, registering all meters, of which none is known, days, states,
commit). HTTP, and the wait for a worker that is busy, are not. The floor has its rows in memory, in the same order, and
sends and commits them, with the same code over the same connection. All files are in the page cache. Months are made in
the first of three runs; the median counts."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench import alone, long_files, scratch

REAL_FILE = Path(__file__).resolve().parents[2] / "shared" / "data" / "uk_edrp_622" / "consumption_30min_kwh.parquet"
METERS, DAYS = 622, 92
LONG_METERS, LONG_DAYS = 500, 365
FEWER_METERS = 100
SMALL_METERS, FEW_METERS = 2000, 2
BULK_READINGS = 20_000
RUNS = 3

ROW_TABLE = """
CREATE TABLE bench_reading (
    meter_id bigint NOT NULL, channel smallint NOT NULL, at timestamptz NOT NULL, kwh real NOT NULL,
    upload_id bigint NOT NULL, PRIMARY KEY (meter_id, channel, at)
)
"""


def run() -> list[dict]:
    with scratch.database():
        folder = Path(os.environ["MEDIA_ROOT"])
        results = real_file(folder) + long_file(folder) + small_file(folder)
        for meters in (FEWER_METERS, LONG_METERS):
            results += alone.call(row_per_reading, folder, meters)
        return results


def real_file(folder: Path) -> list[dict]:
    file = REAL_FILE if REAL_FILE.exists() else synthetic_file(folder)
    what = "the 622-household file" if REAL_FILE.exists() else "a file like the 622-household one"
    speed, floor, peak = measured(file)
    return [
        result(f"Import of {what}, file to committed load profiles", speed, floor),
        {"name": "  peak memory of the worker", "value": peak, "unit": "MB", "floor": None, "ratio": None},
    ]


def long_file(folder: Path) -> list[dict]:
    results = []
    for suffix, by_time in ((".parquet", False), (".parquet", True), (".csv", False), (".csv", True)):
        file = long_files.write(folder / f"long{suffix}", LONG_METERS, LONG_DAYS, by_time=by_time)
        speed, floor, _peak = measured(file, parsing_counts=suffix == ".csv")
        order = "by time" if by_time else "by meter"
        kind = "CSV" if suffix == ".csv" else "Parquet"
        results.append(result(f"Import of {kind}, one reading a row, {order}", speed, floor))
        file.unlink()
    return results


def small_file(folder: Path) -> list[dict]:
    file = long_files.write(folder / "small.csv", SMALL_METERS, 1, by_time=True)
    seconds = median(alone.call(import_file, file)["seconds"] for _run in range(RUNS))
    return [
        {"name": f"A new day of {SMALL_METERS:,} meters", "value": seconds, "unit": "s", "floor": None, "ratio": None}
    ]


def result(name: str, speed: float, floor: float) -> dict:
    return {"name": name, "value": speed, "unit": "readings/s", "floor": floor, "ratio": speed / floor}


def measured(file: Path, *, parsing_counts: bool = False) -> tuple[float, float, float]:
    """Readings a second, those of the floor, and the worker's peak memory in MB; each run in a process of its own. The
    floor is COPY, or parsing alone where that counts and is slower."""
    runs = [alone.call(import_file, file) for _run in range(RUNS)]
    speed, floor, parsing = (median(run[name] for run in runs) for name in ("speed", "copy", "parsing"))
    return speed, min(floor, parsing) if parsing_counts else floor, max(run["peak_mb"] for run in runs)


def synthetic_file(folder: Path) -> Path:
    kwh = np.random.default_rng(1).gamma(1.2, 0.17, (METERS, DAYS * 48)).astype(np.float32)
    stamps = np.datetime64("2009-03-01T00:00", "s") + np.arange(DAYS * 48) * np.timedelta64(30, "m")
    path = folder / "households.parquet"
    pq.write_table(pa.table({"timestamp": stamps, **{f"H{m + 1:03}": kwh[m] for m in range(METERS)}}), path)
    return path


def import_file(file: Path, *, with_floor: bool = True) -> dict[str, float]:
    few = long_files.write(Path(os.environ["MEDIA_ROOT"]) / f"few{file.suffix}", FEW_METERS, 1)
    import_received(receive(few)[0])
    pk, received = receive(file)
    found = import_received(pk)
    found["seconds"] += received
    found["speed"] = found["readings"] / found["seconds"]
    if with_floor:
        from apps.readings.models import Upload  # noqa: PLC0415 Django was set up only now

        upload = Upload.objects.get(pk=pk)
        found["parsing"] = upload.readings / timed(lambda: parse_alone(upload))
        found["copy"] = upload.readings / copy_seconds(upload)
    return found


def receive(file: Path) -> tuple[int, float]:
    """What the web server does: the upload's number and the seconds it took."""
    scratch.set_up_django()
    from django.core.files.base import File  # noqa: PLC0415 Django was set up only now

    from apps.readings import actions  # noqa: PLC0415

    empty()
    with file.open("rb") as opened:
        began = time.perf_counter()
        upload, _is_new = actions.receive(file=File(opened), name=file.name, sender="bench", by=None, confirm=True)
        return upload.pk, time.perf_counter() - began


def import_received(pk: int) -> dict[str, float]:
    """What a worker does."""
    scratch.set_up_django()
    from apps.readings import actions  # noqa: PLC0415
    from apps.readings.models import Upload  # noqa: PLC0415

    upload = Upload.objects.get(pk=pk)
    seconds = timed(lambda: actions.import_upload(upload))
    upload.refresh_from_db()
    if upload.error or not upload.readings:
        raise RuntimeError(upload.error or "nothing was imported")
    return {"seconds": seconds, "readings": upload.readings, "peak_mb": alone.peak_memory_mb()}


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def parse_alone(upload) -> int:
    from apps.readings import importers  # noqa: PLC0415
    from apps.readings.importers.base import Reading, Rejects  # noqa: PLC0415

    blocks = importers.recognise(upload.path).blocks(upload.path, Reading(Rejects(0)))
    return sum(len(block.values) for block in blocks)


def empty() -> None:
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE readings_loadprofile, readings_upload, grid_meter, grid_consumer CASCADE")


def copy_seconds(upload) -> float:
    """Binary COPY of the rows that the import made, into an emptied table with the same partitions, committed."""
    from django.db import transaction  # noqa: PLC0415

    from apps.grid.models import Meter  # noqa: PLC0415
    from apps.readings import copying, profiles  # noqa: PLC0415
    from apps.readings.series import Days  # noqa: PLC0415

    ids = list(Meter.objects.values_list("id", flat=True))
    stored = sorted(profiles.stored_rows(ids, upload.first_day, upload.last_day), key=lambda rows: rows.meter_id)
    meters = np.concatenate([np.full(len(rows.days), rows.meter_id) for rows in stored])
    days = np.concatenate([rows.days for rows in stored])
    kwh = np.concatenate([rows.kwh for rows in stored])
    order = np.lexsort((days, meters))
    empty()
    meters, part = meters[order], Days(meters[order], days[order], kwh[order])
    began = time.perf_counter()
    with transaction.atomic():
        copying.load_profiles(part, meters, upload.pk)
    return time.perf_counter() - began


def row_per_reading(folder: Path, many: int) -> list[dict]:
    """The other way to store readings: a row each, by COPY and (some of them) by bulk_create. What every import costs
    beside its readings weighs more on the file of fewer meters."""
    file = long_files.write(folder / "rows.parquet", many, LONG_DAYS)
    imported = import_file(file, with_floor=False)
    ours_bytes = profile_bytes()
    from django.db import connection  # noqa: PLC0415

    hours = LONG_DAYS * 24
    meters = np.repeat(np.arange(many), hours)
    minutes = np.tile(np.arange(hours) * 60, many)
    kwh = np.random.default_rng(1).gamma(1.2, 0.4, len(meters)).astype(np.float32)
    with connection.cursor() as cursor:
        cursor.execute(ROW_TABLE)
        copied = len(kwh) / timed(lambda: copy_rows(cursor, meters, minutes, kwh))
        cursor.execute("SELECT pg_total_relation_size('bench_reading')")
        rows_bytes = cursor.fetchone()[0]
        created = BULK_READINGS / timed(lambda: bulk_create(meters, minutes, kwh))
        cursor.execute("DROP TABLE bench_reading")
    return [
        result(f"Import of {many} meters, beside COPY into a row per reading", imported["speed"], copied),
        result(f"Import of {many} meters, beside bulk_create of a row per reading", imported["speed"], created),
        {
            "name": f"Disk of {many} meters with indexes, beside a row per reading",
            "value": ours_bytes / 1e6,
            "unit": "MB",
            "floor": rows_bytes / 1e6,
            "ratio": ours_bytes / rows_bytes,
        },
    ]


def profile_bytes() -> int:
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits"
            " WHERE inhparent = 'readings_loadprofile'::regclass"
        )
        return int(cursor.fetchone()[0])


def copy_rows(cursor, meters: np.ndarray, minutes: np.ndarray, kwh: np.ndarray) -> None:
    """Binary, as load profiles are copied; in a transaction of its own."""
    row = np.dtype(
        [
            ("fields", ">i2"), ("meter_size", ">i4"), ("meter", ">i8"), ("channel_size", ">i4"), ("channel", ">i2"),
            ("at_size", ">i4"), ("at", ">i8"), ("kwh_size", ">i4"), ("kwh", ">f4"), ("upload_size", ">i4"),
            ("upload", ">i8"),
        ]
    )  # fmt: skip
    rows = np.zeros(len(kwh), row)
    rows["fields"], rows["meter_size"], rows["channel_size"], rows["at_size"] = 5, 8, 2, 8
    rows["kwh_size"], rows["upload_size"], rows["channel"], rows["upload"] = 4, 8, 1, 1
    rows["meter"], rows["at"], rows["kwh"] = meters, minutes.astype(np.int64) * 60_000_000, kwh
    with cursor.copy("COPY bench_reading FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        for start in range(0, len(rows), 100_000):
            copy.write(rows[start : start + 100_000].tobytes())
        copy.write(b"\xff\xff")


def bulk_create(meters: np.ndarray, minutes: np.ndarray, kwh: np.ndarray) -> None:
    """As an application without load profiles would: one model instance for each reading."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415

    from django.db import models  # noqa: PLC0415

    from apps.readings.models import RealField  # noqa: PLC0415

    class Reading(models.Model):
        pk = models.CompositePrimaryKey("meter_id", "channel", "at")
        meter_id = models.BigIntegerField()
        channel = models.SmallIntegerField()
        at = models.DateTimeField()
        kwh = RealField()
        upload_id = models.BigIntegerField()

        class Meta:
            app_label = "readings"
            managed = False
            db_table = "bench_reading"

    beginning = datetime(1990, 1, 1, tzinfo=UTC)
    some = slice(0, BULK_READINGS)
    Reading.objects.bulk_create(
        [
            Reading(meter_id=meter, channel=1, at=beginning + timedelta(minutes=minute), kwh=value, upload_id=1)
            for meter, minute, value in zip(
                meters[some].tolist(), minutes[some].tolist(), kwh[some].tolist(), strict=True
            )
        ],
        batch_size=5000,
    )
