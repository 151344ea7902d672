"""The real thing: web server, worker, timetable and a Redis of the test's own as processes, and a real browser."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import redis
from django.conf import settings
from django.db import connection, connections
from playwright.sync_api import expect, sync_playwright

from apps.detection import scoring
from apps.grid.models import Consumer
from apps.readings import actions
from apps.readings.models import Upload
from tests import neighbourhood as made_up
from tests.readings.files import STATEMENT

# Playwright's sync API runs an event loop, beside which the ORM would refuse to work.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
PATIENCE_SECONDS = 30
DAYS_BEFORE = made_up.STOPS_ON  # what is stored before an upload: nobody is suspicious yet


@pytest.fixture(scope="package")
def told(django_db_setup, trained_model):
    """What processes are told: the test database, the tests' Redis number, the folder with the trained model."""
    database = connection.settings_dict
    address = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "ntl_web.settings",
        "DATABASE_URL": f"postgis://{address}/{database['NAME']}",
        "REDIS_URL": settings.REDIS_URL,
        "MEDIA_ROOT": str(trained_model),
        "PIPELINE_EVERY_SECONDS": "1",
        "DEBUG": "0",
        "HTTPS": "0",
    }


@pytest.fixture
def environment(transactional_db, model, told):
    """What the processes of one test are told; it may tell them more."""
    return {**told}


@contextmanager
def process(*command: str, environment: dict, log: Path):
    """A child process with a group of its own, which ends with the block, whatever happens in it.

    It is killed, as nothing of it is worth a quiet end: what it held in the database is free within a second.
    """
    with open(log, "ab") as output:
        child = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield child
    finally:
        kill_group(child)


def kill_group(child: subprocess.Popen) -> None:
    """SIGKILL for a process and all that it started: nobody gets to say a last word."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def web_server(environment: dict, log: Path):
    """The address of a running web server."""
    port = free_port()
    command = ("gunicorn", "ntl_web.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4", "--worker-class", "gthread")
    with process(sys.executable, "-m", *command, environment=environment, log=log):
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{address}/accounts/login/"), "the web server answers", log)
        yield address


@pytest.fixture(scope="package")
def shared_web(told, tmp_path_factory):
    """One web server for all tests that do it no harm: it keeps nothing of what the database held before."""
    with web_server(told, tmp_path_factory.mktemp("web") / "web.log") as address:
        yield address


@pytest.fixture
def web(environment, shared_web):
    return shared_web


@pytest.fixture
def own_web(environment, tmp_path):
    """For tests that tell it something else, or put it out of step."""
    with web_server(environment, tmp_path / "web.log") as address:
        yield address


@contextmanager
def worker(environment: dict, log: Path, *, wait: bool = True):
    """A running Celery worker. Its queue starts empty: messages of earlier tests mean nothing here."""
    if environment["REDIS_URL"] == settings.REDIS_URL:
        redis.Redis.from_url(settings.REDIS_URL).flushdb()
    # It need not ask who else is there, for which it would wait a second.
    command = ("celery", "-A", "ntl_web", "worker", "--concurrency", "1", "--loglevel", "INFO", "--without-mingle")
    with process(sys.executable, "-m", *command, environment=environment, log=log) as child:
        if wait:
            wait_until(lambda: "ready" in log.read_text(errors="replace"), "the worker is ready", log)
        yield child


@contextmanager
def held(lock: str, *params: object):
    """A lock at which a worker stands still until the block ends: how far it came is no matter of luck."""
    holder = connections.create_connection("default")
    try:
        holder.set_autocommit(False)
        with holder.cursor() as cursor:
            cursor.execute(lock, params)
        yield
    finally:
        holder.close()


def stands_at_a_lock(name: str) -> bool:
    """Whether a process that calls itself so (PGAPPNAME) waits for somebody's lock in the database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'", [name]
        )
        return cursor.fetchone()[0] > 0


@contextmanager
def timetable(environment: dict, log: Path):
    """A running Celery beat, which calls every step each second."""
    command = ("celery", "-A", "ntl_web", "beat", "--schedule", str(log.with_suffix(".schedule")))
    with process(sys.executable, "-m", *command, environment=environment, log=log) as child:
        yield child


class OwnRedis:
    """A Redis that a test may kill, freeze and start again. It keeps nothing: each time it comes back empty."""

    def __init__(self, folder: Path):
        self.port, self.folder = free_port(), folder
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.running = ExitStack()

    def start(self) -> None:
        command = ("redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        command = (*command, "--dir", str(self.folder))
        log = self.folder / "redis.log"
        self.child = self.running.enter_context(process(*command, environment=dict(os.environ), log=log))
        wait_until(self.answers, "Redis answers", log)

    def answers(self) -> bool:
        with suppress(redis.ConnectionError), redis.Redis.from_url(self.url, socket_timeout=1) as client:
            return client.ping()
        return False

    def kill(self) -> None:
        kill_group(self.child)

    def freeze(self) -> None:
        self.child.send_signal(signal.SIGSTOP)


@pytest.fixture
def own_redis(environment, tmp_path):
    """Started, and what the processes of this test are told to use."""
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server here: REDIS_URL names one elsewhere")
    own = OwnRedis(tmp_path)
    environment["REDIS_URL"] = own.url
    with own.running:
        own.start()
        yield own


@pytest.fixture
def quiet_city(environment, north):
    """Consumers with scores and without cases; the days that follow are not known yet."""
    consumers = made_up.store(north, days=DAYS_BEFORE)
    scoring.score_pending()
    return consumers


def following_csv(consumers: list[Consumer], rows: slice = slice(None)) -> str:
    """A long CSV with the days after those that are stored, for some of the consumers; the first of all stops."""
    curves = made_up.curves()[rows, DAYS_BEFORE:]
    first = np.datetime64(made_up.FIRST_DAY + timedelta(days=DAYS_BEFORE), "h")
    stamps = (first + np.arange(curves[0].size)).astype(str)
    lines = ["meter,timestamp,kwh"]
    for consumer, curve in zip(consumers[rows], curves.reshape(len(curves), -1), strict=True):
        serial = consumer.installations.get().meter.serial
        lines += [f"{serial},{stamp}:00,{value:.3f}" for stamp, value in zip(stamps, curve, strict=True)]
    return "\n".join(lines)


@pytest.fixture(scope="package")
def browser():
    # With neither, Playwright takes its own build, which scripts/setup.sh --browser installs where apt has no Chromium.
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page that shares nothing with those of other tests, not even who is logged in."""
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        expect.set_options(timeout=PATIENCE_SECONDS * 1000)
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
    assert errors == [], "errors in the pages' scripts"


def hand_in(content: str, name: str = "readings.csv") -> Upload:
    """A file that waits for import, as it came in by the API."""
    upload, is_new = actions.receive(
        file=iter([content.encode()]), name=name, sender="head-end", statement=STATEMENT, by=None, confirm=True
    )
    assert is_new
    return upload


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def wait_until(true, what: str, log: Path | None = None) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        if time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:] if log else ""
            raise AssertionError(f"waited {PATIENCE_SECONDS} s in vain until {what}\n{tail}")
        time.sleep(0.05)
