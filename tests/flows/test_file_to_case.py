"""The whole way, as a person goes it: log in, upload a file, see the case that it led to, close it."""

import pytest
from django.contrib.auth.hashers import make_password
from playwright.sync_api import expect

from apps.cases.models import Case
from apps.inspections.models import Inspection
from apps.readings.models import LoadProfile, Upload
from tests import neighbourhood as made_up
from tests.flows.conftest import following_csv, worker


@pytest.fixture
def following_days(quiet_city, tmp_path):
    """A long CSV with the days after those that are stored; the first meter stops."""
    file = tmp_path / "following-days.csv"
    file.write_text(following_csv(quiet_city))
    return file


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
    expect(page.get_by_role("heading", name="What to do next")).to_be_visible()


def upload(page, web, file):
    page.goto(f"{web}/uploads/new/")
    page.locator("[name=sender]").fill("head-end")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Upload and look at it").click()
    page.get_by_role("button", name="Take the readings").click()


def test_a_file_leads_to_a_case_that_is_closed(page, web, environment, sam, following_days, quiet_city, tmp_path):
    with worker(environment, tmp_path / "worker.log"):
        log_in(page, web)
        upload(page, web, following_days)
        expect(page.get_by_text("imported", exact=True)).to_be_visible()

        expect(page.get_by_role("link", name=quiet_city[0].number)).to_be_visible()
        page.get_by_role("link", name=quiet_city[0].number).click()
        expect(page.get_by_text("Has registered nothing").first).to_be_visible()
        expect(page.locator("canvas").first).to_be_visible()

        page.keyboard.press("c")
        page.get_by_label("What did the crew find?").select_option("bypass")
        page.get_by_role("button", name="Close case").click()
        expect(page.get_by_text("closed", exact=True).first).to_be_visible()

    case = Case.objects.get(consumer=quiet_city[0])
    assert case.status == Case.Status.CLOSED
    assert Inspection.objects.get().outcome == "bypass"
    assert LoadProfile.objects.count() == made_up.METERS * made_up.DAYS


def test_without_a_worker_the_file_waits_and_says_so(page, web, sam, following_days):
    log_in(page, web)
    upload(page, web, following_days)
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    assert Upload.objects.get(name=following_days.name).status == Upload.Status.PENDING
    assert not Case.objects.exists()
