"""The database drops its connections, as when it is restarted or a network breaks: nobody has to do anything."""

import pytest
from django.db import connection

from apps.cases.models import Case
from apps.detection.models import ScoringShard
from apps.readings.models import LoadProfile, MeterState, Upload
from tests import neighbourhood as made_up
from tests.flows.conftest import answers, following_csv, hand_in, held, stands_at_a_lock, timetable, wait_until, worker
from tests.readings.files import hours, long_csv

NAME = "cut-off"


def terminate_connections() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", [NAME])
        return cursor.rowcount


@pytest.fixture
def waiting(quiet_city) -> Upload:
    return hand_in(following_csv(quiet_city))


@pytest.fixture
def environment(environment):
    """The processes of this file tell the database who they are."""
    return environment | {"PGAPPNAME": NAME}


def test_work_that_lost_its_database_is_finished_by_the_next_rounds(waiting, own_redis, environment, tmp_path):
    log = tmp_path / "worker.log"
    with timetable(environment, tmp_path / "beat.log"), worker(environment, log, wait=False) as working:
        # In the middle of an import, then of scoring; the import's progress has a connection of its own.
        for table, connections in (("readings_rejectedline", 2), ("detection_standing", 1)):
            with held(f"LOCK TABLE {table} IN EXCLUSIVE MODE"):
                wait_until(lambda: stands_at_a_lock(NAME), f"the worker stands at {table}", log)
                assert terminate_connections() == connections
        wait_until(Case.objects.exists, "readings are imported and scored and led to a case", log)

        terminate_connections()  # between two tasks, or in the middle of a round that finds nothing
        later = hand_in(long_csv(*hours("M-LATER")))
        wait_until(lambda: not Upload.objects.pending().exists(), "a file that came later is imported", log)
        assert working.poll() is None
    later.refresh_from_db()
    assert later.status == Upload.Status.IMPORTED
    waiting.refresh_from_db()
    assert (waiting.status, waiting.attempts) == (Upload.Status.IMPORTED, 2)
    assert LoadProfile.objects.exclude(upload=later).count() == made_up.METERS * made_up.DAYS
    assert set(MeterState.objects.exclude(meter__serial="M-LATER").values_list("revision", flat=True)) == {2}
    assert list(ScoringShard.objects.order_by("pk").values_list("status", "attempts")[1:2]) == [("done", 2)]


def test_pages_that_lost_their_database_find_it_again_at_the_next_request(environment, own_web):
    health = f"{own_web}/health/"
    assert answers(health)
    assert terminate_connections() > 0
    assert answers(health)
