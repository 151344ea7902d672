"""How late pages are: after a file with one new day for 2,000 meters, and after 2,000 meters that push one hour at the
same moment, until scores include it, and until open pages show those. A real web server and a real worker."""

import io
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import numpy as np

from bench import scratch
from bench.http import post_all

PROCFILE = Path(__file__).resolve().parents[1] / "Procfile"
PATIENCE_SECONDS = 60
CONSUMERS, DAYS = 2000, 180
PROCESSES = 2  # of the worker
AT_ONCE = 64  # connections of the head-end
BATCH = 100  # meters in a push
PAGES = 20  # that are open, each of another consumer
ASKS_EVERY_SECONDS = 2.0  # as templates/_live.html


def run() -> list[dict]:
    # The last of Redis' numbered databases: a demo or a test that runs beside this one is not rung.
    os.environ["REDIS_URL"] = urlsplit(os.environ["REDIS_URL"])._replace(path="/14").geturl()
    with scratch.database():
        from django.core.management import call_command  # noqa: PLC0415 Django was set up only now

        call_command("load_city", consumers=CONSUMERS, days=DAYS, stdout=io.StringIO())
        key, (body, serials, day) = new_key(), new_day()
        with web() as address, worker():
            began = time.perf_counter()
            send(address, key, body)
            answered = time.perf_counter() - began
            wait_for_scores(len(serials), day)
            seconds = time.perf_counter() - began
            following = day + timedelta(days=1)
            # Not the first hours of a day: both processes of the worker know what they found in the days before.
            for hour, batch in enumerate((BATCH, 1)):
                pushed_hour(address, key, serials, following, batch, hour)
            alone = pushed_hour(address, key, serials, following, 1, hour=2)
            batches = pushed_hour(address, key, serials, following, BATCH, hour=3)
    figure = {
        "name": "A file with one new day for 2,000 meters, from sending to scores; floor: to the answer",
        "value": seconds,
        "unit": "s",
        "floor": answered,
        "ratio": seconds / answered,
    }
    return [
        figure,
        *alone.figures(f"{len(serials):,} meters push their hour at once, one request each"),
        *batches.figures(f"{len(serials):,} meters push their hour at once, {BATCH} a request"),
    ]


@dataclass
class Pushed:
    """Seconds since a common beginning. What is not scored is infinitely late."""

    answered: np.ndarray  # (meters,) when each push was acknowledged
    scored: np.ndarray  # (meters,) when a score that includes the hour stood
    shown: list[tuple[int, float]]  # (meter, when an open page of its consumer showed it)

    def figures(self, name: str) -> list[dict]:
        shown = np.array([at - self.answered[meter] for meter, at in self.shown])
        shown_all = np.array([at for _meter, at in self.shown])
        last = self.answered.max()
        return [
            self.figure(f"{name}: all acknowledged; p95 of one", last, np.quantile(self.answered, 0.95)),
            self.figure("  from its acknowledgement to its score, p95; floor: p50", *p95(self.scored - self.answered)),
            self.figure("  from its acknowledgement to the open page, p95; floor: p50", *p95(shown)),
            self.figure("  from the first of all being sent to the open page, p95; floor: p50", *p95(shown_all)),
        ]

    def figure(self, name: str, value: float, floor: float) -> dict:
        return {"name": name, "value": float(value), "unit": "s", "floor": float(floor), "ratio": float(value / floor)}


def p95(seconds: np.ndarray) -> tuple[float, float]:
    return np.quantile(seconds, 0.95), np.quantile(seconds, 0.5)


def pushed_hour(address: str, key: str, serials: list[str], day: date, batch: int, hour: int = 0) -> Pushed:
    """Push an hour that is new, and look when scores and pages include it."""
    start = f"{day}T{hour:02}:00:00Z"
    blocks = [{"meter": serial, "start": start, "interval_minutes": 60, "kwh": 0.4} for serial in serials]
    parts = [blocks[first : first + batch] for first in range(0, len(blocks), batch)]
    bodies = [json.dumps({"readings": part}).encode() for part in parts]
    before = standing()
    pages = [OpenPage(address, serials[at]) for at in np.linspace(0, len(serials) - 1, PAGES).astype(int)]
    watch = Watch(serials, before)
    began = time.perf_counter()
    for thread in (watch, *pages):
        thread.start()
    _begun, answered = post_all(address, "/api/v1/readings", key, bodies, AT_ONCE)
    watch.join()
    time.sleep(2 * ASKS_EVERY_SECONDS)
    for page in pages:
        page.closed.set()
        page.join()
    acknowledged = np.repeat(np.array(answered) - began, batch)[: len(serials)]
    at = {serial: place for place, serial in enumerate(serials)}
    shown = [(at[page.serial], page.shown_at(watch.scores[at[page.serial]]) - began) for page in pages]
    return Pushed(acknowledged, watch.scored - began, shown)


SCORED = """
SELECT meter.serial, standing.scored_revision, standing.score_id
FROM detection_standing standing
JOIN grid_installation installation ON installation.consumer_id = standing.consumer_id
JOIN grid_meter meter ON meter.id = installation.meter_id
"""


def standing() -> dict[str, tuple[int, int]]:
    """Meter → the revision of its readings that its consumer's score saw, and that score's id, which only grows."""
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute(SCORED)
        return {serial: (revision, score) for serial, revision, score in cursor.fetchall()}


class Watch(threading.Thread):
    """Notes when the score of each meter's consumer has seen more than before: the push is all that came."""

    def __init__(self, serials: list[str], before: dict[str, tuple[int, int]]):
        super().__init__()
        self.serials, self.before = serials, before
        self.scored = np.full(len(serials), np.inf)
        self.scores = np.zeros(len(serials), dtype=int)  # the first ones that include the push

    def run(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while np.isinf(self.scored).any() and time.monotonic() < deadline:
            now, at = standing(), time.perf_counter()
            # Scored beside a neighbour that pushed is not enough: the consumer's own revision must be seen.
            new = np.array([now[serial][0] > self.before[serial][0] for serial in self.serials])
            for place in np.flatnonzero(new & np.isinf(self.scored)):
                self.scored[place], self.scores[place] = at, now[self.serials[place]][1]
            time.sleep(0.05)


class OpenPage(threading.Thread):
    """A consumer's page in somebody's browser, as far as asking goes."""

    def __init__(self, address: str, serial: str):
        super().__init__()
        self.address, self.serial, self.closed = address, serial, threading.Event()
        self.cookie = cookie_of("sam")
        self.asks = self.next_question(self.get(path_of_consumer(serial)))
        self.seen: list[tuple[float, int]] = []  # when which score was on the page

    def get(self, path: str, **headers: str) -> str:
        request = Request(self.address + path, headers={"Cookie": self.cookie, **headers})
        with urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return answer.read().decode()

    def next_question(self, page: str) -> str:
        return re.search(r'data-live hx-get="([^"]+)"', page)[1].replace("&amp;", "&")

    def run(self) -> None:
        self.closed.wait(np.random.default_rng(int(self.asks.encode().hex(), 16)).uniform(0, ASKS_EVERY_SECONDS))
        while not self.closed.wait(ASKS_EVERY_SECONDS):
            if page := self.get(self.asks, **{"HX-Request": "true"}):
                self.asks = self.next_question(page)
                self.seen.append((time.perf_counter(), int(re.search(r"seen=v(\d+)", self.asks)[1])))

    def shown_at(self, score: int) -> float:
        return next((at for at, seen in self.seen if seen >= score), np.inf)


def cookie_of(username: str) -> str:
    from django.test import Client  # noqa: PLC0415

    from apps.accounts.models import User  # noqa: PLC0415

    client = Client()
    client.force_login(User.objects.get(username=username))
    return f"sessionid={client.cookies['sessionid'].value}"


def path_of_consumer(serial: str) -> str:
    from django.urls import reverse  # noqa: PLC0415

    from apps.grid.models import Consumer  # noqa: PLC0415

    return reverse("consumer", args=[Consumer.objects.get(installations__meter__serial=serial).number])


def new_key() -> str:
    from apps.accounts.models import ApiClient, User  # noqa: PLC0415

    client = ApiClient(name="bench", user=User.objects.get(username="head-end"))
    key = client.set_new_key()
    client.save()
    return key


def new_day() -> tuple[bytes, list[str], date]:
    """The last day of every consumer's meter once more, a day later, as long CSV; the meters, and the day."""
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT string_agg(serial || ',' || to_char(day + 1 + (slot - 1) * interval '1 hour', 'YYYY-MM-DD"T"HH24:MI')
                   || ',' || coalesce(nullif(one.kwh, 'NaN'), 0), E'\n'),
                   array_agg(DISTINCT serial), min(day) + 1
            FROM readings_loadprofile
            JOIN grid_meter ON grid_meter.id = meter_id AND kind = 'consumer'
            CROSS JOIN LATERAL unnest(readings_loadprofile.kwh) WITH ORDINALITY AS one (kwh, slot)
            WHERE day = (SELECT max(day) FROM readings_loadprofile)
            """
        )
        lines, serials, day = cursor.fetchone()
    return b"meter,timestamp,kwh\n" + lines.encode(), serials, day


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
    with process(*web_command(port), "--log-level", "error"):
        until(lambda: urlopen(f"http://127.0.0.1:{port}/accounts/login/", timeout=5).status == 200)
        yield f"http://127.0.0.1:{port}"


def web_command(port: int) -> list[str]:
    """As in the Procfile, on another port."""
    command = re.search(r"^web: exec (.*)$", PROCFILE.read_text(), re.MULTILINE)[1]
    words = [word for word in shlex.split(command) if not word.startswith("${NTL_HOST")]
    words.remove("--bind")
    return [*words, "--bind", f"127.0.0.1:{port}"]


@contextmanager
def worker() -> Iterator[None]:
    import redis  # noqa: PLC0415

    redis.Redis.from_url(os.environ["REDIS_URL"]).flushdb()
    with process("celery", "-A", "ntl_web", "worker", "--concurrency", str(PROCESSES), "--loglevel", "ERROR"):
        from ntl_web import app  # noqa: PLC0415

        until(lambda: app.control.ping(timeout=0.5))
        # As the timetable does each minute: a process that finds nothing to do gets its model ready.
        for _process in range(PROCESSES):
            app.send_task("detection.score_pending", ignore_result=True)
        time.sleep(1)
        until(lambda: not any(app.control.inspect().active().values()))
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
