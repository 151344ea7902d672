"""What two importers do at the same moment."""

import pytest
from django.db import connection, transaction

from apps.readings import actions, importing, progress
from apps.readings.models import Upload
from tests.readings.files import STATEMENT, hours, long_csv, send, stored
from tests.threads import meanwhile

pytestmark = pytest.mark.django_db(transaction=True)


def waiting(content: str) -> Upload:
    return actions.receive(
        file=iter([content.encode()]), name="a.csv", sender="s", statement=STATEMENT, by=None, confirm=True
    )[0]  # fmt: skip


def test_two_imports_of_parts_of_one_day_follow_each_other():
    send(long_csv(*hours(day="2026-02-01")))
    early, late = waiting(long_csv(*hours()[:12])), waiting(long_csv(*hours()[12:]))
    with transaction.atomic():
        assert actions.import_upload(early)
        other = meanwhile(lambda: actions.import_upload(late))
    assert other.result(timeout=5)
    assert stored("M-1", "2026-03-01") == [float(hour) for hour in range(24)]


def test_an_import_lets_go_of_its_claim_and_is_not_done_twice():
    upload = waiting(long_csv(*hours()))
    assert actions.import_upload(upload)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        assert cursor.fetchone() == (0,)
    # A worker that lost its claim with its connection, and finished reading after another had imported the file.
    with progress.shown(upload) as shown:
        assert not importing.run(upload, shown)


def test_two_imports_that_meet_the_same_new_meter_register_it_once():
    first, second = waiting(long_csv(*hours())), waiting(long_csv(*hours(day="2026-03-02")))
    with transaction.atomic():
        assert actions.import_upload(first)
        other = meanwhile(lambda: actions.import_upload(second))
    assert other.result(timeout=5)
    second.refresh_from_db()
    assert (second.meters, second.attempts) == (1, 1)
