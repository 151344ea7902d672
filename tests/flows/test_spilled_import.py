"""Large imports, which go over the disk, and everything that can happen to them at moments that nobody chose."""

import random
import time
from pathlib import Path

import numpy as np
import pytest
from django.db import connection

from apps.readings.models import LoadProfile, MeterState, Upload
from tests.flows.conftest import hand_in, timetable, wait_until, worker
from tests.flows.test_killed_worker import attempts_of, kill_children

NAME = "spilling"
BLOWS_TO_A_FILE = Upload.ATTEMPTS - 1
KILLS = 10  # of a worker; the last file loses its database instead
FILES, METERS, DAYS = KILLS // BLOWS_TO_A_FILE + 1, 150, 20
WITHOUT_REDIS = 2  # the file that has its messages lost as well


@pytest.fixture
def environment(environment):
    return environment | {"PGAPPNAME": NAME, "IMPORT_READINGS_IN_MEMORY": "4000"}


def by_time(file: int) -> tuple[str, float]:
    """A long CSV, hour after hour, and the sum of its readings."""
    kwh = np.random.default_rng(file).integers(1, 99, (DAYS * 24, METERS))
    stamps = (np.datetime64("2026-03-01T00", "h") + np.arange(DAYS * 24)).astype(str)
    lines = [
        f"F{file}-{meter},{stamp}:00,{value}"
        for stamp, row in zip(stamps, kwh.tolist(), strict=True)
        for meter, value in enumerate(row)
    ]
    return "\n".join(["meter,timestamp,kwh", *lines]), float(kwh.sum())


def stored(upload: Upload) -> float:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(slot) FROM readings_loadprofile, unnest(kwh) AS slot WHERE upload_id = %s", [upload.pk]
        )
        return cursor.fetchone()[0]


def lose_the_database() -> None:
    """What a restart of the server is for its clients."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", [NAME])


def spilled_files(environment: dict) -> list[str]:
    return [path.name for path in (Path(environment["MEDIA_ROOT"]) / "uploads").glob("*") if path.is_file()]


def begun(upload: Upload, attempt: int) -> bool:
    """So often, or the import was quicker than the blow before."""
    return attempts_of(upload) >= attempt or not Upload.objects.pending().filter(pk=upload.pk).exists()


def test_whatever_dies_in_the_middle_each_file_is_imported_exactly_once(own_redis, environment, tmp_path):
    moments = random.Random(4)
    contents = [by_time(file) for file in range(FILES)]
    log = tmp_path / "worker.log"
    uploads, struck = [], 0
    with timetable(environment, tmp_path / "beat.log"), worker(environment, log) as parent:
        # One file after the other: a blow that comes too late must not hit the next one, which has only so many tries.
        for number, (content, _sum) in enumerate(contents):
            upload = hand_in(content)
            uploads.append(upload)
            for blow in range(1, BLOWS_TO_A_FILE + 1):
                wait_until(lambda u=upload, n=blow: begun(u, n), "the import has begun", log)
                time.sleep(moments.uniform(0, 0.4))
                if number == FILES - 1:
                    lose_the_database()
                else:
                    kill_children(parent)
                if number == WITHOUT_REDIS:
                    own_redis.kill()
                    own_redis.start()
            wait_until(lambda: not Upload.objects.pending().exists(), "the file is imported", log)
            struck += attempts_of(upload) - 1
    assert struck > FILES, "most blows came too late to stop an import"
    for upload, (_content, total) in zip(uploads, contents, strict=True):
        upload.refresh_from_db()
        assert (upload.status, upload.error) == (Upload.Status.IMPORTED, "")
        assert (upload.readings, upload.days_new, upload.days_changed) == (METERS * DAYS * 24, METERS * DAYS, 0)
        assert stored(upload) == pytest.approx(total)
    assert LoadProfile.objects.count() == FILES * METERS * DAYS
    assert set(MeterState.objects.values_list("revision", flat=True)) == {1}
    assert spilled_files(environment) == [], "what an import put on the disk went with it"
