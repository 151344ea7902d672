import pytest

from apps.readings import actions, tasks
from apps.readings.models import Upload
from tests import factories
from tests.readings.files import hours, long_csv, send

pytestmark = pytest.mark.django_db
FILE = long_csv(*hours()).encode()


def receive(content: bytes = FILE, confirm: bool = False, by=None) -> tuple[Upload, bool]:
    return actions.receive(file=iter([content]), name="a.csv", sender="head-end", by=by, confirm=confirm)


def test_a_file_is_kept_as_it_came_before_anything_else(media):
    upload, is_new = receive()
    assert is_new
    assert upload.status == Upload.Status.DRAFT
    assert upload.path.read_bytes() == FILE
    assert upload.path.is_relative_to(media)
    assert upload.name not in str(upload.path)


def test_the_same_file_twice_changes_nothing(django_capture_on_commit_callbacks, rung):
    first, _new = receive()
    again, is_new = receive(confirm=True)
    assert (again, is_new) == (first, False)
    assert Upload.objects.get().status == Upload.Status.DRAFT
    assert rung == []


def test_the_same_file_that_comes_in_twice_at_once_is_one_upload(monkeypatch):
    first, _new = receive()
    answers = iter([None, first])  # the check at the door comes too early
    monkeypatch.setattr(actions, "_known", lambda _sha, _by: next(answers))
    assert receive() == (first, False)


def test_the_draft_of_somebody_else_holds_up_nobody(sam, ana):
    draft, _new = receive(by=sam)
    upload, is_new = receive(by=ana, confirm=True)
    assert is_new
    assert tasks.import_pending() == 1
    assert receive(by=sam) == (upload, False)
    actions.confirm(upload=draft, statement={}, by=sam)
    assert tasks.import_pending() == 1
    draft.refresh_from_db()
    assert (draft.days_new, draft.days_changed, draft.days_same) == (0, 0, 1)
    assert receive(by=ana, confirm=True)[1] is False


def test_what_one_zone_may_not_send_comes_in_when_somebody_sends_it_who_sees_all(north, sam):
    meter = factories.InstallationFactory(consumer__zone=north).meter
    stranger = factories.UserFactory(roles=["Systems"], zones=[factories.ZoneFactory(code="SOUTH")])
    content = long_csv(*hours(meter.serial), *hours("M-2"))
    assert send(content, by=stranger).meters == 1
    upload = send(content, by=sam)
    assert (upload.by, upload.meters, upload.rejected) == (sam, 2, 0)
    assert receive(content.encode())[0] == upload
    assert receive(content.encode(), by=stranger)[0].by == stranger


def test_a_discarded_or_failed_file_may_come_again(sam):
    upload, _new = receive()
    actions.discard(upload=upload, by=sam)
    again, is_new = receive()
    assert is_new
    assert again != upload
    assert again.path.read_bytes() == FILE


def test_confirming_rings_the_import_and_remembers_what_the_sender_means(sam, django_capture_on_commit_callbacks, rung):
    upload, _new = receive()
    with django_capture_on_commit_callbacks(execute=True):
        actions.confirm(upload=upload, statement={"timezone": "+02:00", "unit": "Wh"}, by=sam)
    upload.refresh_from_db()
    assert (upload.status, upload.timezone, upload.unit) == (Upload.Status.PENDING, "+02:00", "Wh")
    assert upload.sender.statement["timezone"] == "+02:00"
    assert rung == ["readings.import_pending"]


def test_what_is_stated_now_and_what_is_remembered_must_go_together():
    send(long_csv(*hours()), unit="kW")
    content = long_csv(*hours("M-2")).encode()
    upload, _new = actions.receive(
        file=iter([content]), name="a", sender="head-end", statement={"measures": "register"}, by=None, confirm=True
    )
    assert (upload.status, upload.error) == (Upload.Status.FAILED, "A cumulative register counts energy, not kW.")


def test_a_confirmed_upload_can_neither_be_confirmed_again_nor_discarded(sam):
    upload, _new = receive(confirm=True)
    with pytest.raises(actions.MoveNotAllowed):
        actions.confirm(upload=upload, statement={}, by=sam)
    with pytest.raises(actions.MoveNotAllowed):
        actions.discard(upload=upload, by=sam)


def test_the_task_imports_what_waits_oldest_first_and_says_how_much():
    first, _new = receive(confirm=True)
    second, _new = receive(long_csv(*hours("M-2")).encode(), confirm=True)
    receive(long_csv(*hours("M-3")).encode())
    assert tasks.import_pending() == 2
    assert tasks.import_pending() == 0
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.imported_at < second.imported_at


def test_a_faulty_file_does_not_hold_up_the_ones_behind_it(monkeypatch):
    from apps.readings import importing

    real = importing.Told
    broken, _new = receive(confirm=True)
    receive(long_csv(*hours("M-2")).encode(), confirm=True)
    monkeypatch.setattr(importing, "Told", lambda upload, *rest: 1 / 0 if upload == broken else real(upload, *rest))
    assert tasks.import_pending() == 1
    assert tasks.import_pending() == 0
    assert tasks.import_pending() == 0
    broken.refresh_from_db()
    assert broken.status == Upload.Status.FAILED


def test_what_an_error_logs_holds_no_reading(monkeypatch, caplog):
    def broken(*_args):
        raise RuntimeError(" ".join(["M-1", "used", "0.123 kWh"]))

    monkeypatch.setattr("apps.readings.importing.Writing.write", broken)
    send(FILE)
    assert "RuntimeError" in caplog.text
    assert "M-1 used" not in caplog.text


def test_what_a_sender_said_of_registers_is_not_said_of_files_of_another_format():
    reads = "meter,date,kwh\nB,2025-01-14,100\nB,2025-02-15,400\n"
    send(reads, measures="register", unit="MWh", multiplier=60, timezone="+02:00")
    nem12 = f"100,NEM12,202603030000,A,B\n200,6001234567,E1,1,E1,N1,7,kWh,60,\n300,20260301,{'1,' * 24}A,,,,\n900\n"
    for content in (nem12, "time,M-1,M-2\n2026-03-01 00:00,1,2\n2026-03-01 01:00,1,2\n"):
        upload, _is_new = actions.receive(
            file=iter([content.encode()]), name="a", sender="head-end", statement={}, by=None, confirm=False
        )
        assert (upload.measures, upload.unit, upload.multiplier) == ("interval", "kWh", 1)
        assert upload.timezone == ("+10:00" if upload.format == "nem12" else "+02:00")
