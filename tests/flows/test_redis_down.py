"""Redis carries nothing but the bell: without it files are taken as ever, and with it back they are imported."""

import time
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, Client, encode_multipart

from apps.accounts.models import ApiClient
from apps.readings.models import LoadProfile, Upload
from tests.factories import UserFactory
from tests.flows.conftest import timetable, wait_until, worker
from tests.readings.files import STATEMENT, hours, long_csv

ANSWER_SECONDS = 2
CSRF = "c" * 32


@pytest.fixture
def key(environment) -> str:
    client = ApiClient(name="head-end", user=UserFactory(username="system", roles=["Systems"], all_zones=True))
    key = client.set_new_key()
    client.save()
    return key


@pytest.fixture
def cookie(environment, sam) -> str:
    """Of a browser in which Sam is logged in."""
    client = Client()
    client.force_login(sam)
    return f"sessionid={client.cookies['sessionid'].value}; csrftoken={CSRF}"


def ask(address: str, data: bytes | None = None, **headers: str) -> tuple[int, str]:
    """Status and text of an answer, which must come soon."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    started = time.monotonic()
    try:
        with urllib.request.urlopen(urllib.request.Request(address, data, headers), timeout=60) as answer:
            found = answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            found = error.code, error.read().decode()
    assert time.monotonic() - started < ANSWER_SECONDS, "Redis held up an answer"
    return found


def send_by_api(web: str, key: str, meter: str) -> None:
    content = long_csv(*hours(meter)).encode()
    status, text = ask(
        f"{web}/api/v1/uploads?timezone=UTC&name={meter}.csv",
        content,
        Authorization=f"Api-Key {key}",
        Content_Type="text/csv",
    )
    assert status == 202, text


def send_by_page(web: str, cookie: str, meter: str) -> None:
    """Upload a draft and confirm it, as the two forms do."""
    assert ask(f"{web}/uploads/new/", Cookie=cookie)[0] == 200
    headers = {"Cookie": cookie, "X_CSRFToken": CSRF, "Content_Type": MULTIPART_CONTENT}
    file = SimpleUploadedFile(f"{meter}.csv", long_csv(*hours(meter)).encode())
    status, text = ask(
        f"{web}/uploads/new/", encode_multipart(BOUNDARY, {"sender": "by hand", "file": file}), **headers
    )
    assert (status, "Take the readings" in text) == (200, True), text
    draft = Upload.objects.get(status=Upload.Status.DRAFT)
    status, text = ask(f"{web}/uploads/{draft.pk}/confirm/", encode_multipart(BOUNDARY, STATEMENT), **headers)
    assert (status, "Waiting for a worker" in text) == (200, True), text


def imported(count: int) -> bool:
    return Upload.objects.filter(status=Upload.Status.IMPORTED).count() == count


def test_without_redis_files_are_taken_and_are_imported_once_it_is_back(
    own_redis, own_web, key, cookie, environment, tmp_path
):
    send_by_api(own_web, key, "M-1")  # the web server has met Redis
    own_redis.freeze()
    send_by_api(own_web, key, "M-2")
    own_redis.kill()
    send_by_api(own_web, key, "M-3")
    send_by_page(own_web, cookie, "M-4")
    log = tmp_path / "worker.log"
    with worker(environment, log, wait=False) as working, timetable(environment, tmp_path / "beat.log") as ticking:
        wait_until(lambda: misses_redis(log) == 1, "the worker looks for Redis", log)
        assert imported(0)
        own_redis.start()
        wait_until(lambda: imported(4), "all files are imported", log)

        # Worker and timetable outlast it as well, though it comes back empty.
        own_redis.kill()
        send_by_api(own_web, key, "M-5")
        wait_until(lambda: misses_redis(log) == 2, "the worker misses Redis", log)
        own_redis.start()
        wait_until(lambda: imported(5), "the last file is imported", log)
        assert (working.poll(), ticking.poll()) == (None, None)
    assert LoadProfile.objects.count() == 5


def misses_redis(log: Path) -> int:
    """How many times a worker began to look for Redis in vain."""
    return log.read_text(errors="replace").count("Trying again in 2.00 seconds")
