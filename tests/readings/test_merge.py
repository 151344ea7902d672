"""What becomes of days that are there already, and of meters that are not."""

import numpy as np
import pytest
from django.db import connection

from apps.grid.models import Consumer
from apps.readings import profiles
from apps.readings.models import HeldMeter, LoadProfile, LoadProfileRevision, MeterState, Upload
from tests.factories import ConsumerFactory, InstallationFactory, UserFactory, ZoneFactory, store_profiles
from tests.readings.files import STATEMENT, hours, long_csv, rejected, send, stored

pytestmark = pytest.mark.django_db
MARCH = "2026-03-01"


def revision(serial: str = "M-1") -> int:
    return MeterState.objects.get(meter__serial=serial).revision


def test_a_first_file_brings_new_days_and_raises_the_meters_revision():
    upload = send(long_csv(*hours(), *hours(day="2026-03-03"), *hours("M-2")))
    assert (upload.days_new, upload.days_changed, upload.days_same, upload.meters) == (3, 0, 0, 2)
    state = MeterState.objects.get(meter__serial="M-1")
    assert (state.revision, str(state.first_day), str(state.last_day)) == (1, MARCH, "2026-03-03")
    assert state.interval_minutes == 60
    assert (str(upload.first_day), str(upload.last_day)) == (MARCH, "2026-03-03")


def test_a_meters_first_and_last_day_reach_as_far_as_its_readings():
    for day in ("2026-03-05", "2026-03-01", "2026-03-09", "2026-03-04"):
        send(long_csv(*hours(day=day)))
    state = MeterState.objects.get(meter__serial="M-1")
    assert (str(state.first_day), str(state.last_day)) == ("2026-03-01", "2026-03-09")


def test_parts_of_a_day_from_two_files_become_one_day():
    send(long_csv(*hours()[:12]))
    upload = send(long_csv(*hours()[12:]))
    assert stored("M-1", MARCH) == [float(hour) for hour in range(24)]
    assert (upload.days_new, upload.days_changed) == (0, 1)
    assert revision() == 2


def test_a_corrected_day_replaces_the_old_one_which_is_kept_as_a_revision():
    first = send(long_csv(*hours()))
    second = send(long_csv(("M-1", f"{MARCH} 05:00", 50), ("M-1", f"{MARCH} 06:00", 6)))
    assert stored("M-1", MARCH)[4:8] == [4.0, 50.0, 6.0, 7.0]
    old = LoadProfileRevision.objects.get()
    assert (old.upload, old.replaced_by, old.kwh[5]) == (first, second, 5.0)
    assert LoadProfile.objects.get().upload == second


def test_days_that_say_nothing_new_are_left_untouched():
    first = send(long_csv(*hours(), *hours("M-2")))
    second = send(long_csv(*hours(), *hours("M-2", day="2026-03-02")))
    assert (second.days_same, second.days_new, second.days_changed) == (1, 1, 0)
    assert LoadProfile.objects.get(meter__serial="M-1").upload == first
    assert (revision("M-1"), revision("M-2")) == (1, 2)
    assert not LoadProfileRevision.objects.exists()


def test_what_was_uploaded_later_has_the_last_word_even_when_it_is_imported_first():
    from apps.readings import actions

    older, _new = actions.receive(
        file=iter([long_csv(*hours()).encode()]), name="x", sender="a", statement=STATEMENT, by=None, confirm=True
    )
    send(long_csv(("M-1", f"{MARCH} 05:00", 50), ("M-1", f"{MARCH} 06:00", 60)))
    actions.import_upload(older)
    assert stored("M-1", MARCH)[4:8] == [4.0, 50.0, 60.0, 7.0]


def test_a_day_at_another_interval_replaces_the_whole_day():
    send(long_csv(*hours()))
    halves = [("M-1", f"{MARCH} {minute // 60:02}:{minute % 60:02}", 1) for minute in range(0, 1440, 30)]
    upload = send(long_csv(*halves))
    assert stored("M-1", MARCH) == [1.0] * 48
    assert upload.days_changed == 1


def test_many_months_and_meters_are_merged_like_one():
    rng = np.random.default_rng(0)
    meters = [InstallationFactory().meter for _meter in range(3)]
    from datetime import date

    for meter in meters:
        store_profiles(meter, date(2026, 1, 15), rng.integers(1, 9, (60, 24)).astype(np.float32))
    stamps = [f"2026-02-{day:02} {hour:02}:00" for day in range(1, 29) for hour in range(24)]
    rows = [(meter.serial, stamp, 0.5) for meter in meters for stamp in stamps]
    upload = send(long_csv(*rows))
    assert (upload.days_changed, upload.days_new) == (3 * 28, 0)
    assert LoadProfileRevision.objects.count() == 3 * 28
    window = profiles.read_window([meter.pk for meter in meters], date(2026, 1, 15), date(2026, 3, 15))
    assert (window.kwh[:, 17:45] == 0.5).all()
    assert (window.kwh[:, :17] >= 1).all()
    assert (window.kwh[:, 45:] >= 1).all()


def test_an_unknown_meter_is_registered_with_a_consumer_that_nobody_placed():
    upload = send(long_csv(*hours("NEW-1")))
    assert upload.meters_registered == 1
    assert Consumer.objects.get(number="NEW-1").zone.is_unassigned


def test_an_unknown_meter_is_held_back_where_registering_is_off(settings):
    settings.REGISTER_UNKNOWN_METERS = False
    known = InstallationFactory().meter
    upload = send(long_csv(*hours(known.serial), *hours("NEW-1")))
    assert (upload.status, upload.readings, upload.meters) == (Upload.Status.IMPORTED, 24, 1)
    held = HeldMeter.objects.get()
    assert (held.serial, held.readings) == ("NEW-1", 24)


def test_a_file_of_unknown_meters_alone_is_held_back_and_no_failure(settings):
    settings.REGISTER_UNKNOWN_METERS = False
    upload = send(long_csv(*hours("NEW-1")))
    assert (upload.status, upload.readings, upload.first_day) == (Upload.Status.IMPORTED, 0, None)


def test_who_looks_after_one_zone_writes_no_readings_of_another(north):
    theirs = InstallationFactory(consumer=ConsumerFactory(zone=ZoneFactory(code="SOUTH"))).meter
    own = InstallationFactory(consumer=ConsumerFactory(zone=north)).meter
    ana = UserFactory(roles=["Analysts"], zones=[north])
    upload = send(long_csv(*hours(theirs.serial)[:2], *hours(own.serial), *hours("NEW-1")), by=ana)
    assert [line for line, _reason, _text in rejected(upload)] == [2, 3]
    assert rejected(upload)[0][1] == "this meter's consumer is not in your zones"
    assert upload.readings == 48
    assert not LoadProfile.objects.filter(meter=theirs).exists()


def test_a_stray_day_of_another_year_does_not_bring_all_months_between():
    def months() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'readings_loadprofile'::regclass")
            return cursor.fetchone()[0]

    before = months()
    send(long_csv(*hours(day="2011-05-05"), *hours(day="2019-08-08")))
    assert months() <= before + 2


def test_of_three_uploads_the_last_keeps_its_slots_whichever_is_imported_when():
    from apps.readings import actions

    def waiting(content: str) -> Upload:
        return actions.receive(
            file=iter([content.encode()]), name="x", sender="a", statement=STATEMENT, by=None, confirm=True
        )[0]  # fmt: skip

    def part(first: int, last: int, value: float) -> str:
        return long_csv(*hours(values=[value] * 24)[first:last])

    one, two, three = waiting(part(0, 12, 1)), waiting(part(6, 20, 2)), waiting(part(10, 14, 3))
    for upload in (three, one, two):
        actions.import_upload(upload)
    assert stored("M-1", MARCH) == [1] * 6 + [2] * 4 + [3] * 4 + [2] * 6 + [None] * 4
