"""A worker that is killed in the middle of an import: real processes, a real SIGKILL."""

import os
import signal
import subprocess
import sys

import pytest
from django.conf import settings
from django.db import connection

from apps.readings import actions, tasks
from apps.readings.models import LoadProfile, MeterState, Upload
from tests.readings.files import STATEMENT, hours, long_csv, stored

WORKER = """
import sys, time, django
django.setup()
from apps.readings import importing, tasks

def stop_before_the_commit(*args):
    print("everything is written, nothing is committed", flush=True)
    time.sleep(60)

importing.finish = stop_before_the_commit
tasks.import_pending()
"""


@pytest.fixture
def doomed_worker(media):
    """A process that imports what is pending, and stands still just before its commit."""
    database = connection.settings_dict
    address = f"postgis://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "ntl_web.settings",
        "DATABASE_URL": f"{address}/{database['NAME']}",
        "MEDIA_ROOT": str(media),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER], env=environment, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True
    )
    assert "everything is written" in process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def waiting(transactional_db) -> Upload:
    content = long_csv(*hours(), *hours("M-2")).encode()
    return actions.receive(
        file=iter([content]), name="a.csv", sender="s", statement=STATEMENT, by=None, confirm=True
    )[0]  # fmt: skip


def test_what_a_killed_worker_began_another_finishes_exactly_once(waiting, doomed_worker):
    assert tasks.import_pending() == 0, "while the first worker lives, the upload is its own"
    assert not LoadProfile.objects.exists()

    os.kill(doomed_worker.pid, signal.SIGKILL)
    doomed_worker.wait()

    assert imported_within_seconds() == 1
    waiting.refresh_from_db()
    assert (waiting.status, waiting.attempts, waiting.readings) == (Upload.Status.IMPORTED, 2, 48)
    assert stored("M-1", "2026-03-01") == [float(hour) for hour in range(24)]
    assert list(MeterState.objects.values_list("revision", flat=True)) == [1, 1]
    assert tasks.import_pending() == 0


def imported_within_seconds() -> int:
    """The server notices within a second that the connection is gone (client_connection_check_interval)."""
    import time

    until = time.monotonic() + 10
    while time.monotonic() < until:
        if imported := tasks.import_pending():
            return imported
        time.sleep(0.05)
    return 0
