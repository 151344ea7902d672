"""Readings of meters that nobody registered wait, and come in once somebody did."""

import pytest

from apps.readings import tasks
from apps.readings.models import HeldMeter, LoadProfile, MeterState, Upload
from apps.readings.quality import Quality
from tests.factories import ConsumerFactory, InstallationFactory, MeterFactory, UserFactory, ZoneFactory
from tests.readings.files import hours, long_csv, rejected, send, stored

pytestmark = pytest.mark.django_db
MARCH = "2026-03-01"


@pytest.fixture(autouse=True)
def unknown_meters_wait(settings):
    settings.REGISTER_UNKNOWN_METERS = False


def test_they_come_in_as_soon_as_the_meter_is_registered_and_once():
    known = InstallationFactory().meter
    upload = send(long_csv(*hours(known.serial), *hours("NEW-1"), *hours("NEW-2")))
    assert tasks.import_pending() == 0, "nothing is registered yet"

    InstallationFactory(meter=MeterFactory(serial="NEW-1"))
    assert (tasks.import_pending(), tasks.import_pending()) == (1, 0)

    upload.refresh_from_db()
    assert stored("NEW-1", MARCH) == [float(hour) for hour in range(24)]
    assert list(HeldMeter.objects.values_list("serial", flat=True)) == ["NEW-2"]
    assert (upload.readings, upload.days_new, upload.days_same, upload.meters) == (48, 2, 0, 2)
    assert MeterState.objects.get(meter=known).revision == 1, "what was here already changed nothing"


def test_a_later_upload_keeps_the_last_word_over_what_was_held():
    held = send(long_csv(*hours("NEW-1")))
    InstallationFactory(meter=MeterFactory(serial="NEW-1"))
    send(long_csv(("NEW-1", f"{MARCH} 05:00", 50), ("NEW-1", f"{MARCH} 06:00", 60)))
    tasks.import_pending()
    assert stored("NEW-1", MARCH)[4:8] == [4, 50, 60, 7]
    assert Upload.objects.get(pk=held.pk).readings == 24


def test_of_a_meter_that_stands_in_anothers_zone_nothing_comes_in(north):
    own = InstallationFactory(consumer=ConsumerFactory(zone=north)).meter
    ana = UserFactory(roles=["Analysts"], zones=[north])
    upload = send(long_csv(*hours(own.serial), *hours("NEW-1")), by=ana)
    InstallationFactory(meter=MeterFactory(serial="NEW-1"), consumer=ConsumerFactory(zone=ZoneFactory(code="SOUTH")))
    assert (tasks.import_pending(), tasks.import_pending()) == (1, 0)
    assert not LoadProfile.objects.filter(meter__serial="NEW-1").exists()
    assert len(rejected(upload)) == 24


def test_what_a_person_said_of_a_reading_meanwhile_stays():
    known = InstallationFactory().meter
    send(long_csv(*hours(known.serial), *hours("NEW-1")))
    edited = [int(Quality.SUSPECT)] * 24
    LoadProfile.objects.update(quality=edited)
    InstallationFactory(meter=MeterFactory(serial="NEW-1"))
    tasks.import_pending()
    assert LoadProfile.objects.get(meter=known).quality == edited
    assert LoadProfile.objects.get(meter__serial="NEW-1").quality is None
