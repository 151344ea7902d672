import json

import pytest
from django.db import transaction

from apps.accounts.models import User
from apps.grid.models import Meter
from apps.readings import pushing, tasks
from apps.readings.models import LoadProfile, LoadProfileRevision, MeterState, Upload
from tests.factories import UserFactory
from tests.readings.files import hours, long_csv, send, stored
from tests.threads import meanwhile

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/readings"


def block(meter: str = "M-1", start: str = "2026-03-01T00:00:00Z", kwh=(1.0, 2.0), minutes: int = 60, **more) -> dict:
    kwh = list(kwh) if isinstance(kwh, tuple) else kwh
    return {"meter": meter, "start": start, "interval_minutes": minutes, "kwh": kwh, **more}


def push(client, body, query: str = "", content_type: str = "application/json"):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(ADDRESS + query, body, content_type=content_type)


@pytest.mark.parametrize(
    "body",
    [
        {"readings": [block(), block("M-2")]},
        [block(), block("M-2")],
        "\n".join(json.dumps(one) for one in [block(), block("M-2")]).encode(),
    ],
)
def test_blocks_are_stored_before_the_answer_comes(head_end, body):
    answer = push(head_end, body)
    assert answer.status_code == 200, answer.content
    assert {key: answer.json()[key] for key in ("readings", "days", "meters_registered", "refused")} == {
        "readings": 4,
        "days": 2,
        "meters_registered": 2,
        "refused": 0,
    }
    assert stored("M-1", "2026-03-01")[:3] == stored("M-2", "2026-03-01")[:3] == [1, 2, None]


def test_a_single_reading_is_a_block_with_one_number(head_end):
    assert push(head_end, block(kwh=0.5)).status_code == 200
    assert stored("M-1", "2026-03-01")[0] == 0.5


def test_a_days_pushes_of_a_sender_are_one_upload_with_a_journal_and_leave_no_revisions(head_end):
    for hour in range(3):
        assert push(head_end, block(start=f"2026-03-01T{hour:02}:00:00Z", kwh=hour + 1.0)).status_code == 200
    upload = Upload.objects.get()
    assert (upload.status, upload.readings, upload.meters, upload.days_new) == ("imported", 3, 1, 1)
    assert upload.sender.name == "head-end"
    assert len(upload.path.read_text().splitlines()) == 3
    assert upload.size == upload.path.stat().st_size
    assert stored("M-1", "2026-03-01")[:4] == [1, 2, 3, None]
    assert not LoadProfileRevision.objects.exists()


def test_the_same_push_again_changes_nothing(head_end):
    for _ in range(2):
        assert push(head_end, block()).status_code == 200
    assert MeterState.objects.get().revision == 1


def test_what_was_sent_later_has_the_last_word_whichever_way_it_came(head_end):
    push(head_end, block(kwh=(1.0, 1.0, 1.0)))
    send(long_csv(*hours(values=[2, 2])), by=Upload.objects.get().by)
    push(head_end, block(kwh=3.0))
    assert stored("M-1", "2026-03-01")[:4] == [3, 2, 1, None]
    push(head_end, block(start="2026-03-01T05:00:00Z"))
    assert Upload.objects.filter(idempotency_key__startswith="push/").count() == 2


def test_a_days_pushes_are_withdrawn_together_and_come_back_from_their_journal(head_end):
    for hour in range(3):
        address = push(head_end, block(start=f"2026-03-01T{hour:02}:00:00Z", kwh=hour + 1.0)).json()["upload"]
    head_end.post(f"{address}/withdraw")
    tasks.import_pending()
    assert not LoadProfile.objects.exists()
    assert push(head_end, block(kwh=9.0)).json()["upload"] != address
    head_end.post(f"{address}/restore")
    tasks.import_pending()
    assert Upload.objects.earliest("pk").error == ""
    assert stored("M-1", "2026-03-01")[:4] == [9, 2, 3, None]


def test_a_push_that_failed_half_way_leaves_nothing_in_the_journal_for_the_next(head_end):
    push(head_end, block())
    upload = Upload.objects.get()
    with open(upload.path, "ab") as journal:
        journal.write(b'{"meter": "M-2"')
    push(head_end, block("M-3"))
    assert [json.loads(line)["meter"] for line in upload.path.read_text().splitlines()] == ["M-1", "M-3"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"kwh": -1.0}, "negative"),
        ({"kwh": 1e9}, "absurd"),
        ({"kwh": ["1"]}, "Expected `float | null`, got `str` - at `$.kwh[0]`"),
        ({"kwh": []}, "`kwh` is empty"),
        ({"start": "yesterday"}, "no ISO 8601"),
        ({"start": "2026-03-01T00:00:00"}, "no time zone"),
        ({"start": "2026-03-01T00:10:00Z"}, "off the grid"),
        ({"start": "1971-01-01T00:00:00Z"}, "years ago"),
        ({"start": "2099-12-31T23:00:00Z", "kwh": [1] * 30}, "after 2099"),
        ({"interval_minutes": 7}, "interval_minutes"),
        ({"meter": ""}, "length >= 1"),
        ({"meter": "\0"}, "names no meter"),
        ({"quality": ["measured"]}, "differ in length"),
        ({"chanel": "export"}, "unknown field `chanel`"),
    ],
)
def test_what_cannot_be_taken_is_refused_by_its_place_and_stops_nothing_else(head_end, fault, reason):
    answer = push(head_end, [block("M-0"), {**block(), **fault}])
    assert answer.status_code == 207, answer.content
    assert answer.json()["refusals"][0]["index"] == 1
    assert reason in answer.json()["refusals"][0]["reason"]
    assert stored("M-0", "2026-03-01")[:2] == [1, 2]
    assert answer.json()["refused"] == Upload.objects.get().rejected > 0


def test_where_nothing_can_be_taken_the_answer_is_422_and_nothing_is_kept(head_end):
    answer = push(head_end, [block(kwh=-1.0)])
    assert (answer.status_code, answer.json()["upload"]) == (422, None)
    assert not Upload.objects.exists()


@pytest.mark.parametrize("body", [b"", b"x", b"[", b"5", b'{"readings": 5}', b"[" * 100_000, b"\xff\xfe", b"null"])
def test_a_body_that_holds_no_blocks_is_said_so(head_end, body):
    answer = push(head_end, body)
    assert answer.status_code == 400
    assert answer.json()["detail"]


@pytest.mark.parametrize("body", [[], {"readings": []}])
def test_a_body_with_nothing_in_it_is_said_so(head_end, body):
    answer = push(head_end, body)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("There is nothing in it. Send at least one block")


@pytest.mark.parametrize("query", ["?timezon=UTC", "?unit=Wh", "?name=a"])
def test_a_word_that_a_push_does_not_know_is_refused(head_end, query):
    answer = push(head_end, block(), query)
    assert (answer.status_code, list(answer.json())) == (400, [query[1:].partition("=")[0]])
    assert not Upload.objects.exists()


def test_starts_without_a_zone_are_times_of_the_stated_one(head_end):
    push(head_end, block(start="2026-03-01T05:00:00"), "?timezone=%2B02:00")
    assert stored("M-1", "2026-03-01")[3:5] == [1, 2]
    skipped = push(head_end, block(start="2026-03-29T01:00:00"), "?timezone=Europe/London")
    assert "put forward" in skipped.json()["refusals"][0]["reason"]


def test_a_day_may_be_named_by_its_date_and_a_meter_export(head_end):
    push(head_end, [block(start="2026-03-01", minutes=1440), block("M-2", channel="export")])
    assert stored("M-1", "2026-03-02") == [2]
    assert LoadProfile.objects.get(meter__serial="M-2").channel == 2


def test_a_day_that_is_named_twice_in_two_ways_is_no_fault(head_end):
    moment = block(start="2026-03-01T00:00:00Z", minutes=1440, kwh=5.0)
    answer = push(head_end, [block(start="2026-03-01", minutes=1440, kwh=4.0), moment, block(minutes=30)])
    assert answer.status_code == 200
    assert LoadProfile.objects.count() == 1


def test_while_redis_is_away_only_one_push_in_a_while_waits_for_it(head_end, monkeypatch, rung):
    from apps import bell

    monkeypatch.setattr(bell, "_ring", lambda step, in_seconds: rung.append(step) or False)
    monkeypatch.setattr(bell, "MOMENT_SECONDS", 0)
    for _ in range(3):
        bell._ring_once("detection.score_pending")
    assert len(rung) == 1


def test_quality_is_kept_slot_by_slot(head_end):
    push(head_end, block(kwh=(1.0, 2.0), quality=["measured", "estimated"]))
    assert LoadProfile.objects.get().quality[:3] == [0, 1, 0]


def test_unknown_meters_wait_where_they_are_not_registered_by_themselves(head_end, settings):
    settings.REGISTER_UNKNOWN_METERS = False
    Meter.objects.create(serial="M-1")
    for _ in range(2):
        answer = push(head_end, [block(), block("M-9")]).json()
    assert (answer["readings"], answer["held_meters"]) == (2, ["M-9"])
    assert Upload.objects.get().held.get().readings == 4
    assert not Meter.objects.filter(serial="M-9").exists()


def test_meters_of_other_zones_are_refused(client, consumer, north, south):
    from tests.factories import InstallationFactory

    own = InstallationFactory(consumer=consumer).meter
    foreign = InstallationFactory(consumer__zone=south).meter
    client.force_login(UserFactory(roles=["Systems"], zones=[north]))
    answer = push(client, [block(own.serial), block(foreign.serial)])
    assert answer.status_code == 207
    assert "not in your zones" in answer.json()["refusals"][0]["reason"]
    assert LoadProfile.objects.get().meter == own


def test_a_large_push_becomes_an_upload_with_the_same_meaning(head_end, settings):
    settings.PUSH_MOST_BYTES = 100
    answer = push(head_end, {"readings": [block(), block("M-2")]})
    assert answer.status_code == 202
    assert answer.headers["Location"] == answer.json()["url"]


def test_a_push_calls_the_scores_once_for_many(head_end, rung, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        for meter in ("M-1", "M-2", "M-3"):
            push(head_end, block(meter))
    assert rung == ["detection.score_pending"]


def test_pushes_that_wait_together_are_committed_together_but_for_those_of_one_meter(head_end):
    together = pushing.Together()
    first, other, same = (parsed(meter) for meter in ("M-1", "M-2", "M-1"))
    together.waiting = [other, same]
    together.commit(first)
    assert first.upload == other.upload == Upload.objects.get()
    assert (same.upload, together.waiting) == (None, [same])


def test_a_push_at_which_the_database_stumbles_takes_no_other_with_it(head_end):
    together = pushing.Together()
    good, bad = parsed("M-1"), parsed("M-2")
    bad.journal = None
    together.waiting = [bad]
    together.commit(good)
    assert good.upload is not None
    assert (bad.upload, together.waiting) == (None, [bad])


def parsed(meter: str) -> pushing.Push:
    return pushing.parsed(json.dumps(block(meter)).encode(), "head-end", User.objects.get(username="system"))


@pytest.mark.django_db(transaction=True)
def test_a_meter_that_an_import_holds_is_sent_again_later_and_holds_up_nobody_else(head_end, media, monkeypatch):
    monkeypatch.setattr(pushing, "PATIENCE", "1s")
    for sender, meter in (("one", "M-1"), ("two", "M-2")):
        assert push(head_end, block(meter), f"?sender={sender}").status_code == 200
    later = block(start="2026-03-01T02:00:00Z")
    with transaction.atomic():
        MeterState.objects.select_for_update().get(meter__serial="M-1")
        waits = meanwhile(lambda: push(head_end, later, "?sender=one"))
        other = push(head_end, block("M-2", kwh=3.0), "?sender=two")
        assert (other.status_code, waits.done()) == (200, False)
        refused = waits.result(timeout=30)
    assert (refused.status_code, refused["Retry-After"]) == (503, "5")
    assert "send them again" in refused.json()["detail"]
    assert stored("M-1", "2026-03-01")[:4] == [1, 2, None, None]
    assert push(head_end, later, "?sender=one").status_code == 200
    assert stored("M-1", "2026-03-01")[:4] == [1, 2, 1, 2]
