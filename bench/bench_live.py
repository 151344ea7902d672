"""From a file with one new day for 2,000 meters, sent to a real web server, to scores that include the day, by a real
worker: the time until the API, and with it every page, says "data until" that day for everybody."""

import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from bench import scratch

PATIENCE_SECONDS = 30


def run() -> list[dict]:
    # The last of Redis' numbered databases: a demo or a test that runs beside this one is not rung.
    os.environ["REDIS_URL"] = urlsplit(os.environ["REDIS_URL"])._replace(path="/14").geturl()
    with scratch.database():
        from django.core.management import call_command  # noqa: PLC0415 Django was set up only now

        call_command("load_city", stdout=io.StringIO())
        key, (body, meters, day) = new_key(), new_day()
        with web() as address, worker():
            began = time.perf_counter()
            send(address, key, body)
            answered = time.perf_counter() - began
            wait_for_scores(meters, day)
            seconds = time.perf_counter() - began
    return [
        {
            "name": "A file with one new day for 2,000 meters, from sending to scores; floor: to the answer",
            "value": seconds,
            "unit": "s",
            "floor": answered,
            "ratio": seconds / answered,
        }
    ]


def new_key() -> str:
    from apps.accounts.models import ApiClient, User  # noqa: PLC0415

    client = ApiClient(name="bench", user=User.objects.get(username="head-end"))
    key = client.set_new_key()
    client.save()
    return key


def new_day() -> tuple[bytes, int, date]:
    """The last day of every consumer's meter once more, a day later, as long CSV; how many meters, and the day."""
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT string_agg(serial || ',' || to_char(day + 1 + (slot - 1) * interval '1 hour', 'YYYY-MM-DD"T"HH24:MI')
                   || ',' || coalesce(nullif(one.kwh, 'NaN'), 0), E'\n'),
                   count(DISTINCT meter_id), min(day) + 1
            FROM readings_loadprofile
            JOIN grid_meter ON grid_meter.id = meter_id AND kind = 'consumer'
            CROSS JOIN LATERAL unnest(readings_loadprofile.kwh) WITH ORDINALITY AS one (kwh, slot)
            WHERE day = (SELECT max(day) FROM readings_loadprofile)
            """
        )
        lines, meters, day = cursor.fetchone()
    return b"meter,timestamp,kwh\n" + lines.encode(), meters, day


def send(address: str, key: str, body: bytes) -> None:
    request = Request(
        f"{address}/api/v1/uploads?name=day.csv&sender=bench&timezone=UTC&stamps=start&unit=kWh",
        data=body,
        headers={"Authorization": f"Api-Key {key}", "Content-Type": "application/octet-stream"},
    )
    with urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        assert answer.status == 202


def wait_for_scores(meters: int, day: date) -> None:
    from apps.detection.models import RiskScore  # noqa: PLC0415

    deadline = time.monotonic() + PATIENCE_SECONDS
    while RiskScore.objects.current().filter(data_until=day).count() < meters:
        assert time.monotonic() < deadline, "the scores never included the new day"
        time.sleep(0.02)


@contextmanager
def web() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with process("gunicorn", "ntl_web.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4", "--log-level", "error"):
        until(lambda: urlopen(f"http://127.0.0.1:{port}/accounts/login/", timeout=5).status == 200)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def worker() -> Iterator[None]:
    import redis  # noqa: PLC0415

    redis.Redis.from_url(os.environ["REDIS_URL"]).flushdb()
    with process("celery", "-A", "ntl_web", "worker", "--concurrency", "2", "--loglevel", "ERROR"):
        from ntl_web import app  # noqa: PLC0415

        until(lambda: app.control.ping(timeout=0.5))
        yield


@contextmanager
def process(*command: str) -> Iterator[None]:
    child = subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        child.terminate()
        child.wait(30)


def until(true) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if true():
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError("a process of the benchmark did not start")
