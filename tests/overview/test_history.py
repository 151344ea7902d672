"""One consumer's history on its page."""

from datetime import date

import pytest
from django.db.backends.postgresql.psycopg_any import DateRange

from apps.cases import casefile
from apps.overview import history
from apps.readings.models import RegisterRead, Upload
from tests.factories import InstallationFactory, UploadFactory, UserFactory
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


def test_a_cycle_in_which_the_meter_was_somebody_elses_is_not_shown():
    link = InstallationFactory(valid=DateRange(date(2025, 1, 15), None))
    for start, end in ((date(2025, 1, 1), date(2025, 1, 31)), (date(2025, 2, 1), date(2025, 2, 28))):
        RegisterRead.objects.create(meter=link.meter, start=start, end=end, kwh=100, upload=UploadFactory())
    evidence = casefile.evidence(link.consumer, UserFactory(all_zones=True), None)
    assert [period.read.start for period in history.billing_periods(evidence)] == [date(2025, 2, 1)]
