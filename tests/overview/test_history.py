"""One consumer's history on its page."""

import re
from datetime import date

import pytest
from django.db.backends.postgresql.psycopg_any import DateRange

from apps.cases import casefile
from apps.overview import history
from apps.readings.models import RegisterRead, Upload
from tests.factories import ConsumerFactory, InstallationFactory, RiskScoreFactory, UploadFactory, UserFactory
from tests.readings.files import send

pytestmark = pytest.mark.django_db


@pytest.fixture
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


def test_billing_cycles_show_as_steps_with_their_numbers(media, client, sam):
    link = InstallationFactory()
    upload = send(
        f"meter,date,kwh\n{link.meter.serial},2025-01-01,310\n{link.meter.serial},2025-02-01,140\n"
        f"{link.meter.serial},2025-03-01,310\n"
    )
    assert upload.status == Upload.Status.IMPORTED
    client.force_login(sam)
    page = client.get(f"/consumers/{link.consumer.number}/").content.decode()
    assert 'd="M0.0,0.0H206.7L206.7,50.0H393.3L393.3,0.0H600.0"' in page
    assert "3 cycles" in page
    assert re.findall(r"<span>([\d.]+)</span>", page) == ["10", "5", "0"]
    dates = re.findall(r"<span>(\d+ \w+ 2025)</span>", page)
    assert dates == ["1 Jan 2025", "31 Jan 2025", "2 Mar 2025", "1 Apr 2025"]


def test_a_meter_that_is_read_once_in_a_billing_cycle_is_not_told_to_wait_for_readings(client, sam):
    link = InstallationFactory()
    january = {"start": date(2025, 1, 1), "end": date(2025, 1, 31)}
    RegisterRead.objects.create(meter=link.meter, kwh=100, upload=UploadFactory(), **january)
    client.force_login(sam)
    page = client.get(f"/consumers/{link.consumer.number}/").content.decode()
    assert "No readings yet" not in page
    assert "Not scored yet" not in page
    assert page.count("read once in a billing cycle") == 2


@pytest.mark.parametrize(("kwh", "top"), [(10, 10), (10.1, 20), (0.3, 0.5), (7, 10), (0, 1), (99.9, 100)])
def test_an_axis_ends_with_a_round_number(kwh, top):
    assert history.round_above(kwh) == pytest.approx(top)


def test_a_cycle_in_which_the_meter_was_somebody_elses_is_not_shown():
    link = InstallationFactory(valid=DateRange(date(2025, 1, 15), None))
    for start, end in ((date(2025, 1, 1), date(2025, 1, 31)), (date(2025, 2, 1), date(2025, 2, 28))):
        RegisterRead.objects.create(meter=link.meter, start=start, end=end, kwh=100, upload=UploadFactory())
    evidence = casefile.evidence(link.consumer, UserFactory(all_zones=True), None)
    assert [period.read.start for period in history.billing_periods(evidence)] == [date(2025, 2, 1)]


def test_a_consumer_that_is_not_scored_says_why_wherever_it_says_so(client, sam):
    reason = {"code": "too_little_data", "share": 0, "params": {"days": 6, "needed": 28}}
    consumer = InstallationFactory().consumer
    RiskScoreFactory(consumer=consumer, score=None, level="unscored", kind="", onset_on=None, reasons=[reason])
    client.force_login(sam)
    page = client.get(f"/consumers/{consumer.number}/").content.decode()
    assert page.count("Too little data to score: 6 measured days, 28 are needed.") == 2
    assert " · too little data" in page
    assert "no kind recognised" not in page
    assert "for comparison" not in page


def test_a_level_is_parted_from_what_it_looks_like(client, sam):
    consumer = ConsumerFactory()
    RiskScoreFactory(consumer=consumer, score=0.1, level="low", kind="", onset_on=None)
    client.force_login(sam)
    assert " · no kind recognised" in client.get(f"/consumers/{consumer.number}/").content.decode()


def test_a_consumer_whose_meter_went_to_another_says_so_and_nothing_of_its_readings(client, sam):
    link = InstallationFactory(consumer=ConsumerFactory(number="M-9"), meter__serial="M-9")
    reason = {"code": "too_little_data", "share": 0, "params": {"days": 8, "needed": 28}}
    RiskScoreFactory(consumer=link.consumer, score=None, level="unscored", kind="", onset_on=None, reasons=[reason])
    link.consumer, link.valid = ConsumerFactory(number="C-9"), DateRange(date(2026, 3, 1), date(2026, 3, 9))
    link.save()
    client.force_login(sam)
    page = client.get("/consumers/M-9/").content.decode()
    assert "They went with their meter to the consumer C-9." in page
    for words in ("data until", "8 measured days", "No readings yet", "Not scored yet"):
        assert words not in page
