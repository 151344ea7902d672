import errno

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from apps.readings import tasks
from apps.readings.models import Upload
from tests.factories import UserFactory
from tests.readings.files import STATEMENT, hours, long_csv, send

pytestmark = pytest.mark.django_db
FILE = long_csv(*hours()).encode()
ADDRESS = "/api/v1/uploads"


def post(client, content: bytes = FILE, **fields):
    return client.post(ADDRESS, {"file": SimpleUploadedFile("a.csv", content), **STATEMENT, **fields})


def test_a_file_is_answered_with_202_and_an_address_that_tells_how_it_went(head_end):
    answer = post(head_end)
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["already"]) == ("pending", False)
    tasks.import_pending()
    detail = head_end.get(answer.json()["url"]).json()
    assert (detail["status"], detail["progress"], detail["readings"], detail["sender"]) == (
        "imported",
        1,
        24,
        "head-end",
    )
    assert (detail["first_day"], detail["held_meters"], detail["error"]) == ("2026-03-01", [], "")


def test_the_body_itself_may_be_the_file(head_end):
    address = f"{ADDRESS}?timezone=%2B02:00&unit=Wh&name=raw.csv&sender=north+head-end"
    answer = head_end.post(address, FILE, content_type="text/csv")
    assert answer.status_code == 202
    upload = Upload.objects.get()
    assert (upload.name, upload.timezone, upload.unit, upload.sender.name) == (
        "raw.csv",
        "+02:00",
        "Wh",
        "north head-end",
    )
    assert upload.path.read_bytes() == FILE


def test_the_query_may_say_the_format_of_the_file(head_end):
    answer = head_end.post(f"{ADDRESS}?format=csv_long", FILE, content_type="text/csv")
    assert (answer.status_code, answer.json()["format"]) == (202, "csv_long")
    assert "format" in head_end.post(f"{ADDRESS}?format=excel", FILE, content_type="text/csv").json()


def test_the_same_content_again_changes_nothing(head_end):
    first = post(head_end).json()
    again = post(head_end, unit="Wh")
    assert again.status_code == 200
    assert (again.json()["id"], again.json()["already"]) == (first["id"], True)
    assert Upload.objects.get().unit == "kWh"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"unit": "joule"}, "unit"),
        ({"multiplier": "-1"}, "multiplier"),
        ({"date_order": "dmy"}, "date_order"),
    ],
)
def test_a_statement_that_means_nothing_is_refused_by_field(head_end, fields, named):
    answer = post(head_end, **fields)
    assert answer.status_code == 400
    assert named in answer.json()
    assert not Upload.objects.exists()


AMBIGUOUS = b"meter,date,kwh\nM-1,03/04/2025,1\nM-2,03/04/2025,2\n"


def test_the_order_of_dates_may_be_stated_and_is_told(head_end):
    taken = post(head_end, AMBIGUOUS, date_order="month_first").json()
    assert (taken["date_order"], taken["date_order_why"]) == ("month_first", "stated")
    tasks.import_pending()
    detail = head_end.get(taken["url"]).json()
    assert (detail["first_day"], detail["date_order"]) == ("2025-03-04", "month_first")
    following = post(head_end, AMBIGUOUS.replace(b"03/04", b"05/06")).json()
    assert (following["date_order"], following["date_order_why"]) == ("month_first", "remembered")
    assert (post(head_end).json()["date_order"], post(head_end).json()["date_order_why"]) == ("", "")
    after_others = post(head_end, AMBIGUOUS.replace(b"03/04", b"06/07")).json()
    assert after_others["date_order_why"] == "remembered"


def test_what_was_only_guessed_is_not_remembered(head_end):
    assert post(head_end, AMBIGUOUS).json()["date_order_why"] == "guessed"
    assert post(head_end, AMBIGUOUS.replace(b"03/04", b"05/06")).json()["date_order_why"] == "guessed"


def test_a_file_that_contradicts_the_stated_order_of_dates_fails_with_its_line(head_end):
    answer = post(head_end, AMBIGUOUS + b"M-3,25/04/2025,1\n", date_order="month_first").json()
    assert answer["status"] == "failed"
    assert "Line 4: 25/04/2025 is no date in the order that was stated (month first" in answer["error"]


def test_an_order_of_dates_that_is_none_is_told_with_those_there_are(head_end):
    assert post(head_end, date_order="dmy").json() == {"date_order": ["“dmy” is neither day_first nor month_first."]}


@pytest.mark.parametrize("field", ["timezon", "sendr", "date-order", "kwh"])
def test_a_word_that_nobody_knows_is_refused_wherever_it_is_said(head_end, field):
    raw = head_end.post(f"{ADDRESS}?{field}=UTC", FILE, content_type="text/csv")
    form = post(head_end, **{field: "UTC"})
    beside_a_form = head_end.post(f"{ADDRESS}?{field}=UTC", {"file": SimpleUploadedFile("a.csv", FILE)})
    for answer in (raw, form, beside_a_form):
        assert (answer.status_code, list(answer.json())) == (400, [field])
        assert "There are: sender, timezone, stamps," in answer.json()[field][0]
    assert not Upload.objects.exists()


def test_the_query_may_state_beside_a_form_what_the_form_does_not(head_end):
    form = {"file": SimpleUploadedFile("a.csv", FILE), "unit": "Wh", "name": "named.csv"}
    head_end.post(f"{ADDRESS}?timezone=%2B02:00&unit=MWh", form)
    upload = Upload.objects.get()
    assert (upload.timezone, upload.unit, upload.name) == ("+02:00", "Wh", "named.csv")


def test_a_statement_that_had_no_effect_is_told(head_end):
    first, same = post(head_end).json(), post(head_end).json()
    assert (first["note"], same["note"], same["already"]) == ("", "", True)
    again = post(head_end, unit="Wh", multiplier="2").json()
    assert "it was taken with unit kWh, multiplier 1.0." in again["note"]
    assert "withdraw that upload" in again["note"]


def test_uploads_are_chosen_by_status_sender_and_day(head_end):
    post(head_end, sender="north")
    post(head_end, b"nothing", sender="south")

    def count(**query):
        answer = head_end.get(ADDRESS, query)
        return answer.json()["count"] if answer.status_code == 200 else answer.status_code

    assert (count(status="failed"), count(status="pending"), count(status="imported"), count()) == (1, 1, 0, 2)
    assert (count(status="nonsense"), count(sender="north"), count(sender="nobody")) == (400, 1, 0)
    assert (count(since="2000-01-01"), count(until="2000-01-01"), count(since="soon")) == (2, 0, 400)


def test_no_file_at_all_is_said_so(head_end):
    assert "file" in head_end.post(ADDRESS, {"unit": "kWh"}).json()


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_none_comes_back_as_failed_with_its_reason(head_end, content):
    form = post(head_end, content)
    raw = head_end.post(ADDRESS, content, content_type="text/csv")
    for answer in (form, raw):
        assert (answer.status_code, answer.json()["status"]) == (202, "failed")
    assert form.json()["error"] == raw.json()["error"]
    assert form.json()["error"] == "The file is empty. Send the export again." or content


def test_a_file_over_the_limit_is_answered_with_413(head_end, settings):
    settings.UPLOAD_MAX_BYTES = 100
    raw = head_end.post(ADDRESS, FILE, content_type="text/csv")
    form = post(head_end)
    assert raw.status_code == form.status_code == 413
    assert "Send it in parts" in raw.json()["detail"]
    assert not Upload.objects.exists()


def test_a_full_disk_is_said_and_keeps_nothing(head_end, ana, client, monkeypatch, media):
    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("apps.readings.files.os.fdatasync", full)
    answer = post(head_end)
    assert answer.status_code == 507
    assert "disk is full" in answer.json()["detail"]
    client.force_login(ana)
    page = client.post(reverse("upload_new"), {"file": SimpleUploadedFile("a.csv", FILE), "sender": "s"})
    assert "disk is full" in page.content.decode()
    assert not Upload.objects.exists()
    assert list((media / "uploads").iterdir()) == []


def test_with_redis_down_a_file_is_still_taken(head_end, monkeypatch, django_capture_on_commit_callbacks):
    import celery

    from apps import bell

    monkeypatch.undo()  # the real bell
    monkeypatch.setattr(celery.current_app.conf, "broker_url", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(bell.current_app, "send_task", down)
    with django_capture_on_commit_callbacks(execute=True):
        assert post(head_end).status_code == 202
    assert tasks.import_pending() == 1


def down(*_args, **_kwargs):
    from kombu.exceptions import OperationalError

    raise OperationalError("Connection refused")


def test_rejected_lines_can_be_asked_for(head_end):
    body = post(head_end, FILE + b"M-1,2026-03-02 00:00,x\n").json()
    tasks.import_pending()
    assert head_end.get(body["rejected_url"]).json()["results"] == [
        {"line": 26, "reason": "not a number", "text": "M-1,2026-03-02 00:00,x"}
    ]


def test_a_list_comes_in_pages_however_much_is_asked_for(head_end, monkeypatch):
    monkeypatch.setattr("ntl_web.pagination.Pages.max_limit", 2)
    body = post(head_end, FILE + b"M-1,2026-03-02 00:00,x\n" * 3).json()
    tasks.import_pending()
    lines = head_end.get(body["rejected_url"] + "?limit=1000000").json()
    assert (lines["count"], len(lines["results"])) == (3, 2)
    assert len(head_end.get(lines["next"]).json()["results"]) == 1


def test_uploads_of_others_are_not_there_for_who_does_not_see_all_zones(client, north):
    upload = send(FILE)
    ana = UserFactory(roles=["Analysts"], zones=[north])
    client.force_login(ana)
    assert client.get(ADDRESS).json()["count"] == 0
    assert client.get(f"{ADDRESS}/{upload.pk}").status_code == 404
    assert client.get(f"{ADDRESS}/{upload.pk}/rejected").status_code == 404


def test_who_may_not_upload_is_told_so(client, ines):
    assert client.post(ADDRESS).status_code in {401, 403}
    client.force_login(ines)
    assert post(client).status_code == 403
    assert client.get(ADDRESS).status_code == 403


def test_a_repeated_request_is_recognised_by_its_key_and_another_file_under_it_is_refused(head_end):
    first = head_end.post(ADDRESS, FILE, content_type="text/csv", headers={"Idempotency-Key": "k-1"})
    again = head_end.post(ADDRESS, FILE, content_type="text/csv", headers={"Idempotency-Key": "k-1"})
    other = head_end.post(ADDRESS, FILE + b"\n", content_type="text/csv", headers={"Idempotency-Key": "k-1"})
    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 409)
    assert first.headers["Location"] == again.headers["Location"] == first.json()["url"]
    assert "other content" in other.json()["detail"]
    assert Upload.objects.count() == 1


def test_a_key_also_stands_for_a_file_that_failed(head_end):
    first, again = (
        head_end.post(ADDRESS, b"no readings", content_type="text/csv", headers={"Idempotency-Key": "k-1"})
        for _ in range(2)
    )
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["id"] == first.json()["id"]


@pytest.mark.parametrize("key", ["x" * 129, "push/1"])
def test_a_key_that_cannot_be_one_is_refused(head_end, key):
    answer = head_end.post(ADDRESS, FILE, content_type="text/csv", headers={"Idempotency-Key": key})
    assert (answer.status_code, list(answer.json())) == (400, ["Idempotency-Key"])


@pytest.mark.parametrize("limit", ["UPLOADS_WAITING_MOST", "UPLOADS_WAITING_MOST_BYTES"])
def test_while_the_queue_is_long_a_sender_is_asked_to_come_back_before_the_file_is_read(head_end, settings, limit):
    setattr(settings, limit, 1)
    assert post(head_end).status_code == 202
    refused = head_end.post(ADDRESS, FILE + b"\n", content_type="text/csv")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    assert refused.wsgi_request._read_started is False
    tasks.import_pending()
    assert head_end.post(ADDRESS, FILE + b"\n", content_type="text/csv").status_code == 202


def test_an_upload_is_withdrawn_and_restored(head_end):
    from apps.readings.models import LoadProfile

    address = post(head_end).json()["url"]
    assert head_end.post(f"{address}/withdraw").status_code == 409  # it waits for import yet
    for verb, status, days in (("", "imported", 1), ("/withdraw", "withdrawn", 0), ("/restore", "imported", 1)):
        assert not verb or head_end.post(address + verb).status_code == 202
        tasks.import_pending()
        assert head_end.get(address).json()["status"] == status
        assert LoadProfile.objects.count() == days
