"""The real thing: a web server and a worker as processes of their own, on the test database, and a real browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.db import connection
from playwright.sync_api import expect, sync_playwright

# Playwright's sync API runs an event loop, beside which the ORM would refuse to work.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
PATIENCE_SECONDS = 20


@pytest.fixture
def environment(transactional_db, model, trained_model):
    """What the processes are told: the test database, the tests' Redis number, the folder with the trained model."""
    database = connection.settings_dict
    address = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "ntl_web.settings",
        "DATABASE_URL": f"postgis://{address}/{database['NAME']}",
        "REDIS_URL": settings.REDIS_URL,
        "MEDIA_ROOT": str(trained_model),
        "DEBUG": "0",
        "HTTPS": "0",
    }


@contextmanager
def process(*command: str, environment: dict, log):
    """A child process that ends with the block, whatever happens in it."""
    with open(log, "wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", *command], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@pytest.fixture
def web(environment, tmp_path):
    """The address of a running web server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ("gunicorn", "ntl_web.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4", "--worker-class", "gthread")
    with process(*command, environment=environment, log=tmp_path / "web.log"):
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{address}/accounts/login/"), "the web server answers", tmp_path / "web.log")
        yield address


@contextmanager
def worker(environment, log):
    """A running Celery worker. Its queue starts empty: messages of earlier tests mean nothing here."""
    import redis

    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    command = ("celery", "-A", "ntl_web", "worker", "--concurrency", "1", "--loglevel", "INFO")
    with process(*command, environment=environment, log=log) as child:
        wait_until(lambda: "ready" in log.read_text(errors="replace"), "the worker is ready", log)
        yield child


@pytest.fixture
def page(tmp_path):
    # With neither, Playwright takes its own build, which scripts/setup.sh --browser installs where apt has no Chromium.
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        expect.set_options(timeout=PATIENCE_SECONDS * 1000)
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        browser.close()
    assert errors == [], "errors in the pages' scripts"


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def wait_until(true, what: str, log=None) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        if time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:] if log else ""
            raise AssertionError(f"waited {PATIENCE_SECONDS} s in vain until {what}\n{tail}")
        time.sleep(0.1)
