"""Taking back a wrong upload, and the way back from that."""

from datetime import date

import pytest

from apps.readings import actions, tasks
from apps.readings.models import HeldMeter, LoadProfile, MeterState, RegisterRead, Upload
from tests.factories import UserFactory
from tests.readings.files import hours, long_csv, send, stored

pytestmark = pytest.mark.django_db
MARCH = "2026-03-01"


@pytest.fixture
def sam(db):
    return UserFactory(roles=["Supervisors"], all_zones=True)


def withdraw(upload: Upload, by) -> Upload:
    actions.withdraw(upload=upload, by=by)
    tasks.import_pending()
    upload.refresh_from_db()
    return upload


def restore(upload: Upload, by) -> Upload:
    actions.restore(upload=upload, by=by)
    tasks.import_pending()
    upload.refresh_from_db()
    return upload


def part(first: int, last: int, value: float, meter: str = "M-1") -> str:
    return long_csv(*hours(meter, values=[value] * 24)[first:last])


def test_what_an_upload_alone_brought_goes_and_scores_are_due_again(sam):
    upload = withdraw(send(long_csv(*hours(), *hours("M-2"))), sam)
    assert (upload.status, upload.withdrawn_by, upload.error) == (Upload.Status.WITHDRAWN, sam, "")
    assert not LoadProfile.objects.exists()
    assert list(MeterState.objects.values_list("revision", flat=True)) == [2, 2]


def test_what_it_replaced_comes_back(sam):
    send(long_csv(*hours()))
    withdraw(send(part(5, 7, 50)), sam)
    assert stored("M-1", MARCH) == [float(hour) for hour in range(24)]


def test_slots_of_earlier_and_later_uploads_stay_and_only_its_own_go(sam):
    send(part(0, 12, 1))
    wrong = send(part(6, 18, 2))
    send(part(10, 14, 3))
    assert stored("M-1", MARCH) == [1] * 6 + [2] * 4 + [3] * 4 + [2] * 4 + [None] * 6
    withdraw(wrong, sam)
    assert stored("M-1", MARCH) == [1] * 10 + [3] * 4 + [None] * 10


def test_a_day_that_another_upload_sent_alike_stays_when_the_first_is_withdrawn(sam):
    first = send(long_csv(*hours(), *hours("M-2")))
    send(long_csv(*hours()))
    withdraw(first, sam)
    assert stored("M-1", MARCH) == [float(hour) for hour in range(24)]
    assert not LoadProfile.objects.filter(meter__serial="M-2").exists()


def test_uploads_are_withdrawn_one_after_the_other_in_any_order(sam):
    first, second, third = send(part(0, 24, 1)), send(part(0, 12, 2)), send(part(6, 18, 3))
    withdraw(second, sam)
    withdraw(first, sam)
    assert stored("M-1", MARCH) == [None] * 6 + [3] * 12 + [None] * 6
    withdraw(third, sam)
    assert not LoadProfile.objects.exists()


def test_the_undo_brings_it_back_below_what_came_later(sam):
    wrong = withdraw(send(part(0, 12, 1)), sam)
    send(part(6, 18, 2))
    restored = restore(wrong, sam)
    assert stored("M-1", MARCH) == [1] * 6 + [2] * 12 + [None] * 6
    assert (restored.status, restored.withdrawn_at, restored.days_changed) == (Upload.Status.IMPORTED, None, 1)


def test_a_meters_first_and_last_day_shrink_with_it(sam):
    send(long_csv(*hours()))
    withdraw(send(long_csv(*hours(day="2026-03-09"))), sam)
    assert MeterState.objects.get().last_day == date(2026, 3, 1)


def test_a_meter_is_known_by_its_own_interval_again_when_a_wrong_file_of_daily_values_goes(sam):
    send(long_csv(*hours(), *hours(day="2026-03-03")))
    wrong = send(long_csv(("M-1", "2026-03-05", 12), ("M-1", "2026-03-06", 12), header="meter,date,kwh"))
    assert MeterState.objects.get().interval_minutes == 1440
    withdraw(wrong, sam)
    assert MeterState.objects.get().interval_minutes == 60


def test_the_same_file_may_come_again_after_its_withdrawal_and_then_nothing_is_restored(sam):
    wrong = withdraw(send(long_csv(*hours())), sam)
    again = send(long_csv(*hours()))
    assert again != wrong
    with pytest.raises(actions.MoveNotAllowed):
        actions.restore(upload=wrong, by=sam)


def test_register_reads_and_held_meters_go_with_it_and_replaced_periods_come_back(sam, settings):
    months = "meter,date,kwh\n" + "".join(f"B-1,2026-0{month}-01,{{}}\n" for month in (1, 2, 3))
    send(months.format(10, 20, 30))
    wrong = send(months.format(11, 21, 31))
    HeldMeter.objects.create(upload=wrong, serial="X", readings=1)
    assert [float(read.kwh) for read in RegisterRead.objects.order_by("start")] == [11, 21, 31]
    withdraw(wrong, sam)
    assert [float(read.kwh) for read in RegisterRead.objects.order_by("start")] == [10, 20, 30]
    assert not HeldMeter.objects.exists()


def test_only_what_is_imported_is_withdrawn_and_only_what_is_withdrawn_restored(sam):
    upload = send(long_csv(*hours()))
    with pytest.raises(actions.MoveNotAllowed):
        actions.restore(upload=upload, by=sam)
    withdraw(upload, sam)
    with pytest.raises(actions.MoveNotAllowed):
        actions.withdraw(upload=upload, by=sam)


def test_where_another_raw_file_is_gone_nothing_is_taken_back_and_the_upload_says_why(sam):
    other = send(long_csv(*hours()))
    wrong = send(part(5, 7, 50))
    other.path.unlink()
    failed = withdraw(wrong, sam)
    assert failed.status == Upload.Status.FAILED
    assert "can no longer be read" in failed.error
    assert stored("M-1", MARCH)[5] == 50
    with pytest.raises(actions.MoveNotAllowed):
        actions.discard(upload=failed, by=sam)
    assert restore(failed, sam).status == Upload.Status.IMPORTED
