"""The pages and the API of reference data: upload, preview, correction, apply, undo, lists within zones."""

from datetime import date, timedelta
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.backends.postgresql.psycopg_any import DateRange
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from apps.grid import tasks
from apps.grid.models import Consumer, Installation, ReferenceImport
from apps.grid.reference import actions, kinds
from tests import factories
from tests.grid.conftest import CONSUMERS

pytestmark = pytest.mark.django_db
ODD = "a,b\nC-3,NORTH\nC-4,NOWHERE\n"


@pytest.fixture
def desk(client, sam, grid):
    client.force_login(sam)
    return client


def upload(client, content: str) -> ReferenceImport:
    file = SimpleUploadedFile("a.csv", content.encode())
    answer = client.post(reverse("reference_new"), {"file": file, "sender": "register"})
    assert answer.status_code == 302
    return ReferenceImport.objects.get(pk=int(answer.url.strip("/").split("/")[-1]))


def meaning(**more) -> dict:
    return {"kind": "consumers", "as_of": "2026-05-01", "column_number": "a", "column_zone": "b", **more}


def test_a_file_is_shown_before_it_is_applied(desk):
    found = upload(desk, CONSUMERS.replace("Ann", "Anne") + "C-3,Cy,,NOWHERE,,,,,,,\nC-5,Di,,NORTH,,,,,,9,50\n")
    page = desk.get(reverse("reference", args=[found.pk])).content.decode()
    assert "<del>Ann</del> Anne" in page
    assert "the zone NOWHERE is not known" in page
    assert "shapes-data" in page
    assert not Consumer.objects.filter(number="C-5").exists()
    assert reverse("reference", args=[found.pk]) in desk.get(reverse("reference_list")).content.decode()


def test_a_person_says_what_the_columns_mean(desk):
    found = upload(desk, ODD)
    address = reverse("reference_confirm", args=[found.pk])
    assert b"say what it holds" in desk.get(reverse("reference", args=[found.pk])).content
    page = desk.post(address, {"kind": "consumers", "as_of": "2026-05-01"}, headers={"HX-Request": "true"})
    assert b"No column is chosen for Consumer number" in page.content
    desk.post(address, meaning(apply="1"))
    assert not Consumer.objects.filter(number="C-3").exists()  # nobody has seen yet what this would do
    page = desk.post(address, meaning(), headers={"HX-Request": "true"}).content.decode()
    assert '<b class="num">1</b> would be created' in page
    desk.post(address, meaning(apply="1"))
    assert Consumer.objects.filter(number="C-3", zone__code="NORTH").exists()
    found.refresh_from_db()
    assert found.columns == {"number": "a", "zone": "b"}
    desk.post(reverse("reference_undo", args=[found.pk]))
    assert not Consumer.objects.filter(number="C-3").exists()
    assert b"is as it was before" in desk.get(reverse("reference", args=[found.pk])).content


def test_a_draft_is_held_against_what_was_applied_since_it_came(desk, give):
    feeders = upload(desk, "feeder,zone\nF-9,EAST\n")
    address = reverse("reference", args=[feeders.pk])
    assert b"the zone EAST is not known" in desk.get(address).content
    zones = give("zone,name\nEAST,East\n")
    page = desk.get(address).content.decode()
    assert '<b class="num">1</b> would be created' in page
    assert "is not known" not in page
    actions.undo(reference=zones, by=zones.by)
    assert b"the zone EAST is not known" in desk.get(address).content


def test_a_small_draft_is_held_against_what_was_changed_by_hand(desk, settings):
    feeders = upload(desk, "feeder,zone\nF-9,EAST\n")
    factories.ZoneFactory(code="EAST")
    ReferenceImport.objects.update(compared_at=timezone.now() - timedelta(minutes=1))
    assert b"would be created" in desk.get(reverse("reference", args=[feeders.pk])).content
    feeders.refresh_from_db()
    assert (feeders.status, feeders.created) == ("draft", 1)


def test_a_large_draft_that_is_outdated_is_a_workers_once(desk, give, settings):
    feeders = upload(desk, "feeder,zone\nF-9,EAST\n")
    give("zone,name\nEAST,East\n")
    settings.REFERENCE_INLINE_BYTES = 0
    address = reverse("reference", args=[feeders.pk])
    assert b"Waiting for a worker" in desk.get(address).content
    tasks.reference_pending()
    assert b"would be created" in desk.get(address).content


def test_a_draft_is_discarded_and_then_no_longer_applied(desk):
    found = upload(desk, ODD)
    desk.post(reverse("reference_confirm", args=[found.pk]), meaning())
    desk.post(reverse("reference_discard", args=[found.pk]))
    desk.post(reverse("reference_confirm", args=[found.pk]), meaning(apply="1"))
    assert not Consumer.objects.filter(number="C-3").exists()


def test_columns_that_the_file_does_not_have_are_refused(desk):
    found = upload(desk, ODD.replace("a,b", "consumer,zone"))
    page = desk.post(reverse("reference_confirm", args=[found.pk]), meaning(column_name="nowhere", apply="1"))
    assert b"not one of the available choices" in page.content
    assert not Consumer.objects.filter(number="C-3").exists()


def test_a_large_file_is_a_workers(desk, settings):
    settings.REFERENCE_INLINE_BYTES = 10
    found = upload(desk, CONSUMERS)
    assert found.status == ReferenceImport.Status.CHECKING
    assert b"every 1s" in desk.get(reverse("reference", args=[found.pk])).content
    from apps.grid.tasks import reference_pending

    assert reference_pending() == 1
    found.refresh_from_db()
    assert (found.status, found.same) == ("draft", 2)


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_every_example_can_be_downloaded(desk, kind):
    lines = b"".join(desk.get(reverse("reference_example", args=[kind])).streaming_content).decode().splitlines()
    assert len(lines) == 2


def test_a_meter_is_replaced_on_its_consumers_page(desk):
    address = reverse("meter_replace", args=["C-1"])
    assert "M-1" in desk.get(address).content.decode()
    page = desk.post(address, {"serial": "M-1", "on": "2026-04-01"}).content.decode()
    assert "This is the meter that is there now" in page
    assert "came on 1 Jan 2024" in desk.post(address, {"serial": "M-9", "on": "2020-04-01"}).content.decode()
    refused = desk.post(address, {"serial": "M-2", "on": "2026-04-01"})
    assert refused.context["form"].non_field_errors()[0].startswith("M-2 is at the consumer C-2")
    answer = desk.post(address, {"serial": "M-9", "on": "2026-04-01", "last_register_kwh": "812.5"})
    assert answer.url == reverse("consumer", args=["C-1"])
    page = desk.get(answer.url).content.decode()
    assert "Meter M-1 (register 812.5 kWh) replaced by M-9" in page


# --- API --------------------------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_would_be(desk):
    answer = desk.post(
        "/api/v1/reference?dry_run=true&name=c.csv", "consumer,zone\nC-3,NORTH\n", content_type="text/csv"
    )
    assert answer.status_code == 200
    told = answer.json()
    assert (told["status"], told["kind"], told["created"]) == ("draft", "consumers", 1)
    assert not Consumer.objects.filter(number="C-3").exists()


def without_length(client, method: str, address: str, body: bytes, content_type: str):
    """As a server hands on a body that comes in chunks: it marks where it ends."""
    environ = {"REQUEST_METHOD": method, "wsgi.input": BytesIO(body), "wsgi.input_terminated": True}
    path, _mark, query = address.partition("?")
    return client.request(PATH_INFO=path, QUERY_STRING=query, CONTENT_TYPE=content_type, **environ)


def test_bodies_may_come_without_their_length(desk, settings):
    csv, rows = b"consumer,zone\nC-3,NORTH\n", b'[{"consumer": "C-3", "name": "Cy"}]'
    taken = without_length(desk, "POST", "/api/v1/reference?name=c.csv", csv, "text/csv")
    assert (taken.status_code, taken.json()["created"]) == (200, 1)
    taken = without_length(desk, "PATCH", "/api/v1/grid/consumers", rows, "application/json")
    assert (taken.status_code, taken.json()["changed"]) == (200, 1)
    body = b'{"consumer": "C-1", "serial": "M-9", "on": "2026-04-01"}'
    assert without_length(desk, "POST", "/api/v1/grid/meter-replacements", body, "application/json").status_code == 200
    assert without_length(desk, "PATCH", "/api/v1/grid/consumers", b"[{", "application/json").status_code == 400
    form = without_length(desk, "POST", "/api/v1/reference", b"--x\r\n", "multipart/form-data; boundary=x")
    assert form.status_code == 411
    settings.REFERENCE_MAX_BYTES = 20
    assert without_length(desk, "POST", "/api/v1/reference", csv, "text/csv").status_code == 413
    assert without_length(desk, "PATCH", "/api/v1/grid/consumers", rows, "application/json").status_code == 413


@pytest.mark.parametrize("body", ["[" * 100_000, '[{"consumer":' + "[" * 50_000 + "]" * 50_000 + "}]"])
def test_json_that_nests_too_deep_is_the_senders_fault(desk, body):
    for send, address in ((desk.patch, "/api/v1/grid/consumers"), (desk.post, "/api/v1/grid/meter-replacements")):
        answer = send(address, body, content_type="application/json")
        assert (answer.status_code, "too deep" in answer.json()["detail"]) == (400, True)


def test_columns_are_stated_by_api(desk):
    def sent(**query):
        return desk.post("/api/v1/reference?" + urlencode(query), ODD, content_type="text/csv")

    columns = '{"number": "a", "zone": "b"}'
    assert sent(kind="consumers", columns=columns).json()["created"] == 1
    assert sent(columns=columns).status_code == 400
    for wrong in (columns, "[1]", "[" * 5000):
        assert sent(kind="zones", columns=wrong).status_code == 400
    assert "no column c" in sent(kind="consumers", columns='{"number": "c"}').json()["error"]


def test_a_file_is_applied_and_taken_back_by_api(desk):
    file = SimpleUploadedFile("c.csv", b"consumer,zone\nC-3,NORTH\nC-4,NOWHERE\n")
    told = desk.post("/api/v1/reference", {"file": file, "sender": "gis"}).json()
    assert (told["status"], told["created"], told["sender"]) == ("applied", 1, "gis")
    assert told["refused_rows"] == [
        {"line": 3, "reason": "the zone NOWHERE is not known; import the zones first", "text": "C-4"}
    ]
    assert desk.post(told["url"] + "/undo").json()["status"] == "undone"
    assert desk.post(told["url"] + "/undo").status_code == 409
    assert desk.get("/api/v1/reference").json()["results"][0]["status"] == "undone"


def test_consumers_and_meters_are_added_and_changed_as_json(desk):
    rows = [
        {"consumer": "C-1", "name": "Anne"},
        {"consumer": 77, "zone": "NORTH", "meter": "M-77", "lon": 9, "lat": 50},
    ]
    told = desk.patch("/api/v1/grid/consumers", rows, content_type="application/json").json()
    assert (told["status"], told["created"], told["changed"]) == ("applied", 1, 1)
    (found,) = desk.get("/api/v1/grid/consumers?meter=M-77").json()["results"]
    assert (found["number"], found["place"]["coordinates"], found["meters"][0]["serial"]) == ("77", [9, 50], "M-77")
    meters = [{"serial": "M-77", "closed_on": "2026-05-01"}]
    assert desk.patch("/api/v1/grid/meters", meters, content_type="application/json").json()["changed"] == 1
    assert desk.get("/api/v1/grid/meters?consumer=77").json()["results"][0]["closed_on"] == "2026-05-01"
    assert desk.patch("/api/v1/grid/consumers", {"a": 1}, content_type="application/json").status_code == 400


def test_what_nobody_knows_is_refused_by_name_and_nothing_is_changed(desk):
    address = "/api/v1/grid/consumers"
    rows = [{"consumer": "C-8"}, {"consumer": "C-9", "foo": 1, "Zählr": "M-1"}]
    answer = desk.patch(address, rows, content_type="application/json")
    assert (answer.status_code, list(answer.json())) == (400, ["foo", "Zählr"])
    assert "There are: consumer, name, address" in answer.json()["foo"][0]
    misspelt = desk.patch(f"{address}?dryrun=true", rows[:1], content_type="application/json")
    assert list(misspelt.json()) == ["dryrun"]
    exchange = {"consumer": "C-1", "serial": "M-9", "on": "2026-04-01", "last_register": 7}
    answer = desk.post("/api/v1/grid/meter-replacements", exchange, content_type="application/json")
    assert list(answer.json()) == ["last_register"]
    file = SimpleUploadedFile("c.csv", b"consumer,zone\nC-8,NORTH\n")
    assert list(desk.post("/api/v1/reference", {"file": file, "dryrun": "true"}).json()) == ["dryrun"]
    assert not ReferenceImport.objects.exists()


def test_a_member_that_only_a_late_object_has_is_taken(desk):
    rows = [*({"consumer": f"D-{n}"} for n in range(600)), {"consumer": "D-600", "address": "Mill Lane 9"}]
    assert desk.patch("/api/v1/grid/consumers", rows, content_type="application/json").json()["created"] == 601
    assert Consumer.objects.get(number="D-600").address == "Mill Lane 9"


def test_a_dry_run_waits_for_nobody_and_a_body_without_a_name_is_called_after_what_it_holds(desk):
    told = desk.post("/api/v1/reference?dry_run=true&sender=gis", CONSUMERS, content_type="text/csv").json()
    assert (told["status"], told["dry_run"], told["name"]) == ("draft", True, "Consumers from gis")
    listed = desk.get(reverse("reference_list")).content.decode()
    assert "dry run" in listed
    assert "to confirm" not in listed
    rows = desk.patch("/api/v1/grid/meters", [{"serial": "M-1"}], content_type="application/json").json()
    assert (rows["status"], rows["name"]) == ("applied", "Meters from sam")


@pytest.mark.parametrize("content", [b"", b" \n"])
def test_an_empty_file_is_said_to_be_empty_however_it_comes(desk, content):
    form = desk.post("/api/v1/reference", {"file": SimpleUploadedFile("c.csv", content)})
    raw = desk.post("/api/v1/reference", content, content_type="text/csv")
    for answer in (form, raw):
        assert (answer.status_code, answer.json()["status"]) == (200, "failed")
        assert answer.json()["error"] == "The file is empty. Send the export again."


def test_a_file_that_one_row_stops_says_so_of_one_row(give, grid):
    rows = [{"consumer": "C-1"}, {"consumer": "C-3", "zone": "NOWHERE"}]
    as_file = give("consumer,zone\nC-1,\nC-3,NOWHERE\n", strict=True)
    as_objects = give(actions.json_lines(rows), strict=True)
    two = give("consumer,zone\nC-3,NOWHERE\nC-4,NOWHERE\n", strict=True)
    assert as_file.error.startswith("1 row is refused, so nothing was taken. Line 3: the zone NOWHERE")
    assert as_objects.error.startswith("1 row is refused, so nothing was taken. Object 2: the zone NOWHERE")
    assert two.error.startswith("2 rows are refused, so nothing was taken. Line 2: the zone NOWHERE")


def test_a_meter_is_replaced_by_api(desk):
    body = {"consumer": "C-1", "serial": "M-9", "on": "2026-04-01", "last_register_kwh": 812.5}
    told = desk.post("/api/v1/grid/meter-replacements", body, content_type="application/json").json()
    assert told["status"] == "applied"
    assert Installation.objects.current().get(meter__serial="M-9").valid.lower == date(2026, 4, 1)
    factories.MeterFactory(serial="M-old", closed_on=date(2025, 1, 1))
    for wrong in (
        {"serial": "M-9"},  # there now
        {"serial": "M-8"},  # on the day on which that one came
        {"serial": "M-8", "on": "2024-01-01"},
        {"serial": "M-8", "on": "2226-04-01"},
        {"serial": "M-old", "on": "2026-05-01"},
    ):
        answer = desk.post("/api/v1/grid/meter-replacements", body | wrong, content_type="application/json")
        assert answer.status_code == 400
    body["consumer"] = "nobody"
    assert desk.post("/api/v1/grid/meter-replacements", body, content_type="application/json").status_code == 400


@pytest.mark.parametrize("name", ["zones", "feeders", "transformers", "meters", "consumers"])
def test_lists_hold_what_lies_in_ones_zones(client, otto, sam, grid, name):
    client.force_login(sam)
    assert client.get(f"/api/v1/grid/{name}").json()["count"] >= 2
    client.force_login(otto)
    assert client.get(f"/api/v1/grid/{name}").json()["count"] == (1 if name == "zones" else 0)


def test_a_meter_that_came_from_another_zone_does_not_say_from_whom(client, otto, south, grid):
    old, new = Consumer.objects.get(number="C-1"), factories.ConsumerFactory(zone=south)
    Installation.objects.filter(consumer=old).update(valid=(None, date(2026, 1, 1)))
    factories.InstallationFactory(
        meter=old.installations.get().meter, consumer=new, valid=DateRange(date(2026, 1, 1), None)
    )
    client.force_login(otto)
    assert client.get(f"/api/v1/grid/meters?consumer={new.number}").json()["count"] == 1
    assert client.get("/api/v1/grid/meters?consumer=C-1").json()["count"] == 0


def test_whoever_may_not_change_reference_data_reads_it_at_most(client, ines, grid):
    client.force_login(ines)
    assert client.get("/api/v1/grid/consumers").json()["count"] == 2
    answer = client.patch("/api/v1/grid/consumers", [{"consumer": "C-1"}], content_type="application/json")
    assert answer.status_code == 403
    system = factories.UserFactory(roles=["Reference systems"], all_zones=True)
    client.force_login(system)
    answer = client.patch("/api/v1/grid/consumers", [{"consumer": "C-1"}], content_type="application/json")
    assert answer.json()["same"] == 1
