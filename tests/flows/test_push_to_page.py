"""A head-end sends with the official client, and pages that are open follow by themselves."""

from contextlib import ExitStack
from datetime import UTC, datetime, time, timedelta

import pytest
from django.contrib.auth.hashers import make_password
from ntl_client import Client, block
from playwright.sync_api import expect

from apps.accounts.models import ApiClient
from tests import neighbourhood as made_up
from tests.factories import UserFactory
from tests.flows.conftest import DAYS_BEFORE, PATIENCE_SECONDS, worker
from tests.readings.files import hours, long_csv


@pytest.fixture
def key(environment) -> str:
    client = ApiClient(name="head-end", user=UserFactory(username="system", roles=["Systems"], all_zones=True))
    key = client.set_new_key()
    client.save()
    return key


@pytest.fixture
def sam(sam):
    """With a password that a web server beside the tests can check."""
    sam.password = make_password("demo", hasher="pbkdf2_sha256")
    sam.save()
    return sam


def log_in(page, web):
    page.goto(web)
    page.get_by_label("User name").fill("sam")
    page.get_by_label("Password").fill("demo")
    page.get_by_role("button", name="Log in").click()


def test_what_the_client_sends_is_on_open_pages_by_itself(page, web, environment, sam, key, quiet_city, tmp_path):
    start = datetime.combine(made_up.FIRST_DAY + timedelta(days=DAYS_BEFORE), time(), UTC)
    curves = made_up.curves()[:, DAYS_BEFORE:].reshape(made_up.METERS, -1)
    with worker(environment, tmp_path / "worker.log"), Client(web, key) as client, ExitStack() as windows:
        log_in(page, web)
        page.goto(f"{web}/consumers/{quiet_city[0].number}/")
        expect(page.get_by_text("data until 23 Feb 2026").first).to_be_visible()
        another = page.context.browser.new_context(storage_state=page.context.storage_state())
        queue = windows.enter_context(another).new_page()
        queue.goto(f"{web}/cases/")
        expect(queue.get_by_text("No open cases")).to_be_visible()

        serials = [consumer.installations.get().meter.serial for consumer in quiet_city]
        pushed = client.push(block(serial, start, 60, kwh) for serial, kwh in zip(serials, curves, strict=True))
        assert (pushed.readings, pushed.days, pushed.refused) == (curves.size, curves.size // 24, 0)

        until = made_up.FIRST_DAY + timedelta(days=made_up.DAYS - 1)
        expect(page.get_by_text(f"data until {until:%-d %b %Y} · draw")).to_be_visible()
        expect(page.get_by_text("Has registered nothing").first).to_be_visible()
        expect(queue.get_by_role("link", name=quiet_city[0].number)).to_be_visible()

        file = tmp_path / "days.csv"
        file.write_text(long_csv(*hours("M-9", values=[1, 2] * 12), ("M-9", "2026-03-02T00:00", "x")))
        upload = client.wait(client.upload(file, timezone="UTC"), patience=PATIENCE_SECONDS)
        assert (upload.status, upload.readings, upload.meters_registered) == ("imported", 24, 1)
        assert [line["reason"] for line in client.rejected_lines(upload)] == ["not a number"]
        assert client.upload(file, timezone="UTC").already
        # A body whose length nobody knows beforehand.
        chunked = client.session.post(f"{web}/api/v1/uploads?timezone=UTC", data=iter([file.read_bytes()]))
        assert (chunked.status_code, chunked.json()["id"]) == (200, upload.id)
