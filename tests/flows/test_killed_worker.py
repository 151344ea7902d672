"""Workers that die without a word: what they began, another does exactly once."""

import os
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest
from django.db.models import F

from apps.cases.models import Case
from apps.detection.models import ScoringShard, Standing
from apps.readings.models import LoadProfile, MeterState, Upload, UploadProgress
from tests import neighbourhood as made_up
from tests.flows.conftest import (
    DAYS_BEFORE,
    following_csv,
    hand_in,
    held,
    kill_group,
    stands_at_a_lock,
    timetable,
    wait_until,
    worker,
)
from tests.readings.files import hours, long_csv

METERS_A_FILE = 8
DAYS = made_up.DAYS - DAYS_BEFORE  # in each file
BEFORE = 1  # the revision of meters whose readings were stored before
LOCK_STATES = "SELECT 1 FROM readings_meterstate WHERE meter_id = ANY(%s) FOR UPDATE"
LOCK_TABLE = "LOCK TABLE {} IN EXCLUSIVE MODE"


@pytest.fixture
def waiting(quiet_city) -> list[Upload]:
    """Files that wait for import; each brings other meters."""
    firsts = range(0, made_up.METERS, METERS_A_FILE)
    return [hand_in(following_csv(quiet_city, slice(first, first + METERS_A_FILE))) for first in firsts]


def kwh_in(upload: Upload) -> float:
    return sum(float(line.split(",")[2]) for line in upload.path.read_text().splitlines()[1:])


def kwh_stored(upload: Upload) -> float:
    return sum(sum(kwh) for kwh in LoadProfile.objects.filter(upload=upload).values_list("kwh", flat=True))


def meters_of(consumers: list) -> list[int]:
    return [consumer.installations.get().meter_id for consumer in consumers]


def settled() -> bool:
    """Everything is imported, scored at its last revision, and what the file leads to is open."""
    return (
        not Upload.objects.pending().exists()
        and not ScoringShard.objects.filter(status=ScoringShard.Status.PENDING).exists()
        and not MeterState.objects.exclude(
            meter__installations__consumer__standing__scored_revision=F("revision")
        ).exists()
        and Case.objects.exists()
    )


def test_what_killed_workers_began_others_finish_exactly_once(waiting, quiet_city, own_redis, environment, tmp_path):
    stops = [
        (LOCK_TABLE.format("readings_rejectedline"),),  # all of the first file is written, nothing is committed
        (
            LOCK_STATES,
            meters_of(quiet_city[2 * METERS_A_FILE :][:METERS_A_FILE]),
        ),  # two files are in, the third is read
        (LOCK_TABLE.format("detection_standing"),),  # scores are written, none stands
        (LOCK_TABLE.format("cases_case"),),  # cases are chosen, none is open
    ]
    log = tmp_path / "worker.log"
    with timetable(environment, tmp_path / "beat.log"):
        for number, stop in enumerate(stops):
            name = environment["PGAPPNAME"] = f"doomed-{number}"
            with held(*stop), worker(environment, log, wait=False) as doomed:
                wait_until(partial(stands_at_a_lock, name), f"the worker stands at {stop}", log)
                kill_group(doomed)
        with worker(environment, log, wait=False):
            wait_until(settled, "everything is imported, scored and opened", log)
    for upload in waiting:
        upload.refresh_from_db()
        assert (upload.status, upload.days_new, upload.days_changed, upload.days_same) == (
            Upload.Status.IMPORTED,
            METERS_A_FILE * DAYS,
            0,
            0,
        )
        assert kwh_stored(upload) == pytest.approx(kwh_in(upload), rel=1e-6)
    assert [upload.attempts for upload in waiting] == [2, 1, 2, 1]
    assert LoadProfile.objects.count() == made_up.METERS * made_up.DAYS
    assert set(MeterState.objects.values_list("revision", flat=True)) == {BEFORE + 1}
    assert Standing.objects.count() == made_up.METERS
    assert set(ScoringShard.objects.values_list("status", flat=True)) == {ScoringShard.Status.DONE}
    assert [case.consumer for case in Case.objects.all()] == quiet_city[:1]


def test_a_file_that_kills_its_worker_each_time_is_failed_and_those_behind_it_are_imported(
    own_redis, environment, tmp_path
):
    deadly, *behind = [hand_in(long_csv(*hours(meter))) for meter in ("M-1", "M-2", "M-3")]
    environment["PGAPPNAME"] = "doomed"
    log = tmp_path / "worker.log"
    with timetable(environment, tmp_path / "beat.log"), worker(environment, log) as parent:
        # It comes as far as its first sign of life. The row alone is locked: a child that starts before the server has
        # noticed the last one's death passes this file by, and must get through the ones behind it.
        UploadProgress.objects.create(upload=deadly)
        with held(f"SELECT 1 FROM readings_uploadprogress WHERE upload_id = {deadly.pk} FOR UPDATE"):
            for attempt in range(1, Upload.ATTEMPTS + 1):
                wait_until(lambda n=attempt: attempts_of(deadly) == n and stands_at_a_lock("doomed"), "it stands", log)
                kill_children(parent)
        wait_until(lambda: not Upload.objects.pending().exists(), "the other files are imported", log)
        assert parent.poll() is None
    deadly.refresh_from_db()
    assert (deadly.status, deadly.attempts) == (Upload.Status.FAILED, Upload.ATTEMPTS)
    assert "stopped 3 times" in deadly.error
    assert not LoadProfile.objects.filter(upload=deadly).exists()
    assert Upload.objects.filter(pk__in=[one.pk for one in behind], status=Upload.Status.IMPORTED).count() == 2
    assert LoadProfile.objects.count() == 2


def attempts_of(upload: Upload) -> int:
    return Upload.objects.values_list("attempts", flat=True).get(pk=upload.pk)


def kill_children(parent: subprocess.Popen) -> None:
    """As the kernel does it when memory runs out: the process that works dies, the one that watches over it lives."""
    for child in Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
