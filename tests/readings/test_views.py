from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from apps.readings import tasks
from apps.readings.models import Upload
from tests.factories import UserFactory
from tests.readings.files import STATEMENT, hours, long_csv, send

pytestmark = pytest.mark.django_db
FILE = long_csv(*hours()).encode()


@pytest.fixture
def ana_at_work(client, ana):
    client.force_login(ana)
    return client


def choose(client, content: bytes = FILE):
    file = SimpleUploadedFile("march.csv", content)
    return client.post(reverse("upload_new"), {"file": file, "sender": "north head-end"}, follow=True)


def test_a_file_is_shown_with_its_guess_and_an_example_day_before_it_is_taken(ana_at_work):
    page = choose(ana_at_work)
    assert page.status_code == 200
    assert Upload.objects.get().status == Upload.Status.DRAFT
    assert page.context["example"].day == "2026-03-01"
    assert len(page.context["chart"]["kwh"]) == 24
    assert "meter M-1" in page.content.decode()


def test_correcting_the_guess_shows_another_example(ana_at_work):
    choose(ana_at_work)
    address = reverse("upload_confirm", args=[Upload.objects.get().pk])
    fragment = ana_at_work.post(address, {**STATEMENT, "unit": "Wh"}, headers={"HX-Request": "true"})
    assert fragment.context["example"].total_kwh == pytest.approx(0.276)
    assert "<html" not in fragment.content.decode()
    page = ana_at_work.post(address, {**STATEMENT, "unit": "MWh", "preview": ""})
    assert page.context["example"].total_kwh == pytest.approx(276_000)
    assert Upload.objects.get().status == Upload.Status.DRAFT


def test_a_confirmed_file_is_imported_and_its_page_says_what_came_of_it(ana_at_work):
    choose(ana_at_work, FILE + b"M-1,2026-03-02 00:00,=1+1\n")
    upload = Upload.objects.get()
    waiting = ana_at_work.post(reverse("upload_confirm", args=[upload.pk]), STATEMENT, follow=True)
    assert "every 1s" in waiting.content.decode()
    tasks.import_pending()
    fragment = ana_at_work.get(reverse("upload", args=[upload.pk]), headers={"HX-Request": "true"}).content.decode()
    assert "every 1s" not in fragment
    assert "from 1 Mar 2026 to 1 Mar 2026" in fragment
    assert "not a number" in fragment


def test_rejected_lines_are_downloaded_without_formulas(ana_at_work):
    upload = send("meter,timestamp,kwh\n" + FILE.decode().split("\n", 1)[1] + '"=cmd()",2026-03-02 00:00,x\n')
    response = ana_at_work.get(reverse("upload_rejected", args=[upload.pk]))
    text = b"".join(response.streaming_content).decode()
    assert text.splitlines()[1] == '26,"not a number","\'=cmd(),2026-03-02 00:00,x"'


AMBIGUOUS = b"meter,date,kwh\nM-1,03/04/2025,1\nM-2,03/04/2025,1\n"


def test_a_guessed_order_of_dates_is_shown_and_corrected_and_remembered_for_the_sender(ana_at_work):
    page = choose(ana_at_work, AMBIGUOUS)
    assert page.context["example"].day == "2025-04-03"
    assert "nothing in the file tells" in page.content.decode()
    address = reverse("upload_confirm", args=[Upload.objects.get().pk])
    fragment = ana_at_work.post(address, {**STATEMENT, "date_order": "month_first"}, headers={"HX-Request": "true"})
    assert fragment.context["example"].day == "2025-03-04"
    assert "as it was stated" in fragment.content.decode()
    ana_at_work.post(address, {**STATEMENT, "date_order": "month_first"})
    tasks.import_pending()
    assert str(Upload.objects.get().first_day) == "2025-03-04"
    assert "month first" in ana_at_work.get(reverse("upload", args=[Upload.objects.get().pk])).content.decode()
    again = choose(ana_at_work, AMBIGUOUS.replace(b"03/", b"05/"))
    assert again.context["example"].day == "2025-05-04"
    assert "as in earlier files of this sender" in again.content.decode()


def test_a_guessed_order_that_a_person_let_stand_is_known_of_the_sender(ana_at_work):
    choose(ana_at_work, AMBIGUOUS)
    ana_at_work.post(
        reverse("upload_confirm", args=[Upload.objects.get().pk]), {**STATEMENT, "date_order": "day_first"}
    )
    again = choose(ana_at_work, AMBIGUOUS.replace(b"03/", b"05/"))
    assert again.context["date_order"].why == "remembered"


def test_an_order_that_the_file_shows_is_no_question(ana_at_work):
    page = choose(ana_at_work, AMBIGUOUS + b"M-1,13/04/2025,1\n").content.decode()
    assert "some of its dates work only this way" in page
    assert 'name="date_order"' not in page


UNNAMED = FILE.replace(b"meter,timestamp,kwh", b"Was,Wann,Wieviel")


def test_what_unnamed_columns_hold_can_be_said_and_is_remembered_for_the_sender(ana_at_work):
    page = choose(ana_at_work, UNNAMED)
    assert "No column names the meter" in page.content.decode()
    address = reverse("upload_confirm", args=[Upload.objects.get().pk])
    roles = {"column-0": "meter", "column-1": "time", "column-2": "value"}
    fragment = ana_at_work.post(address, {**STATEMENT, **roles}, headers={"HX-Request": "true"})
    assert fragment.context["example"].day == "2026-03-01"
    ana_at_work.post(address, {**STATEMENT, **roles})
    tasks.import_pending()
    upload = Upload.objects.get()
    assert (upload.readings, upload.columns) == (24, {"meter": "Was", "time": "Wann", "value": "Wieviel"})
    assert "meter: Was" in ana_at_work.get(reverse("upload", args=[upload.pk])).content.decode()
    again = choose(ana_at_work, UNNAMED.replace(b"03-01", b"03-02"))
    assert again.context["example"].day == "2026-03-02"


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        (
            {"column-2": "ignored"},
            "Say which columns hold the meter, the time, and the reading or the code of an event.",
        ),
        ({"column-1": "meter"}, "More than one column is said to hold: meter."),
        ({"column-0": "ignored"}, "Say which column holds: meter."),
    ],
)
def test_columns_that_cannot_be_so_are_said_and_nothing_is_taken(ana_at_work, roles, said):
    choose(ana_at_work)
    page = ana_at_work.post(reverse("upload_confirm", args=[Upload.objects.get().pk]), {**STATEMENT, **roles})
    assert said in page.content.decode()
    assert Upload.objects.get().status == Upload.Status.DRAFT


def test_a_column_that_is_no_meter_can_be_left_out(ana_at_work):
    choose(ana_at_work, b"timestamp,M-1,Total\n2026-03-01 00:00,1,9\n2026-03-01 01:00,1,9\n")
    roles = {"column-0": "time", "column-1": "series", "column-2": "ignored"}
    ana_at_work.post(reverse("upload_confirm", args=[Upload.objects.get().pk]), {**STATEMENT, **roles})
    tasks.import_pending()
    assert Upload.objects.get().readings == 2


def test_an_upload_is_withdrawn_and_brought_back_by_a_button(ana_at_work):
    upload = send(FILE)
    ana_at_work.post(reverse("upload_withdraw", args=[upload.pk]))
    tasks.import_pending()
    page = ana_at_work.get(reverse("upload", args=[upload.pk])).content.decode()
    assert "Undo: import it again" in page
    ana_at_work.post(reverse("upload_restore", args=[upload.pk]))
    tasks.import_pending()
    upload.refresh_from_db()
    assert (upload.status, upload.readings) == (Upload.Status.IMPORTED, 24)


def test_the_list_is_filtered_by_state(ana_at_work):
    send(FILE)
    send("a,b\n1,2\n", name="broken.csv")
    page = ana_at_work.get(reverse("upload_list"), {"state": "failed"}).content.decode()
    assert "broken.csv" in page
    assert "readings.csv" not in page
    assert "No upload is in this state" in ana_at_work.get(reverse("upload_list"), {"state": "draft"}).content.decode()


def test_a_statement_that_means_nothing_is_said_on_the_page(ana_at_work):
    choose(ana_at_work)
    page = ana_at_work.post(
        reverse("upload_confirm", args=[Upload.objects.get().pk]), {**STATEMENT, "timezone": "Mars/Olympus"}
    )
    assert page.status_code == 200
    assert "Neither a time zone" in page.content.decode()


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"a,b\n1,2\n"])
def test_a_file_that_is_none_is_said_on_a_page(ana_at_work, content):
    page = choose(ana_at_work, content)
    assert page.status_code == 200
    assert Upload.objects.get().error in page.context["upload"].error
    assert "Nothing of this file was taken" in page.content.decode()


def test_a_file_over_the_limit_is_said_in_the_form(ana_at_work, settings):
    settings.UPLOAD_MAX_BYTES = 10
    page = choose(ana_at_work)
    assert "Send it in parts" in page.content.decode()
    assert not Upload.objects.exists()


def test_what_lies_beyond_the_limit_is_never_on_disk(rf, settings):
    settings.UPLOAD_MAX_BYTES = 100_000
    with rf.post("/", {"file": SimpleUploadedFile("a.csv", b"x" * 1_000_000)}).FILES["file"] as file:
        assert file.size == 1_000_000
        assert 100_000 < len(file.read()) < 200_000


def test_the_same_file_again_leads_to_its_upload(ana_at_work):
    choose(ana_at_work)
    page = choose(ana_at_work)
    assert "This very file is here already" in page.content.decode()
    assert Upload.objects.count() == 1


def test_a_draft_can_be_discarded(ana_at_work):
    choose(ana_at_work)
    ana_at_work.post(reverse("upload_discard", args=[Upload.objects.get().pk]))
    assert Upload.objects.get().status == Upload.Status.DISCARDED


def test_a_failed_upload_can_be_put_aside_and_is_named_no_more(ana_at_work):
    upload = send("meter,timestamp,kwh\nM-1,soon,1\n")
    assert "1 upload failed this week" in ana_at_work.get(reverse("home")).content.decode()
    ana_at_work.post(reverse("upload_discard", args=[upload.pk]))
    upload.refresh_from_db()
    assert upload.status == Upload.Status.DISCARDED
    assert "failed this week" not in ana_at_work.get(reverse("home")).content.decode()
    assert "soon" in ana_at_work.get(reverse("upload", args=[upload.pk])).content.decode()


def test_a_failed_upload_can_be_tried_again(ana_at_work):
    upload = send("meter,timestamp,kwh\nM-1,soon,1\n")
    ana_at_work.post(reverse("upload_retry", args=[upload.pk]))
    upload.refresh_from_db()
    assert (upload.status, upload.attempts) == (Upload.Status.PENDING, 0)


def test_held_back_meters_are_named(ana_at_work, settings):
    settings.REGISTER_UNKNOWN_METERS = False
    upload = send(FILE)
    page = ana_at_work.get(reverse("upload", args=[upload.pk])).content.decode()
    assert "Held back: unknown meters" in page
    assert "M-1" in page


def test_the_list_asks_few_queries_however_many_uploads(ana_at_work, django_assert_max_num_queries):
    for meter in range(5):
        send(long_csv(*hours(f"M-{meter}")))
    with django_assert_max_num_queries(8):
        page = ana_at_work.get(reverse("upload_list"))
    assert page.content.decode().count(">readings.csv<") == 5


@pytest.mark.parametrize("page", ["upload", "upload_rejected"])
def test_who_does_not_see_all_zones_sees_only_their_own_uploads(client, north, page):
    upload = send(FILE)
    client.force_login(UserFactory(roles=["Analysts"], zones=[north]))
    assert client.get(reverse(page, args=[upload.pk])).status_code == 404
    assert upload.name not in client.get(reverse("upload_list")).content.decode()


ACTIONS = ["upload_confirm", "upload_discard", "upload_retry", "upload_withdraw", "upload_restore"]


@pytest.mark.parametrize("action", ACTIONS)
def test_nobody_moves_the_upload_of_somebody_else(client, north, action):
    upload = send(FILE)
    client.force_login(UserFactory(roles=["Analysts"], zones=[north]))
    assert client.post(reverse(action, args=[upload.pk]), STATEMENT).status_code == 404


def test_an_investigator_has_no_business_here(client, ines):
    client.force_login(ines)
    assert client.get(reverse("upload_list")).status_code == 403
    assert client.get(reverse("upload_new")).status_code == 403


def confirming(page) -> str:
    return reverse("upload_confirm", args=[page.context["upload"].pk])


BILL = "Meter;{};{};kWh used\nB-1;01.11.2025;01.12.2025;200\nB-1;01.12.2025;01.01.2026;207,5"


@pytest.mark.parametrize("names", [("Bill from", "Bill to"), ("billing_start", "billing_end"), ("Von", "Bis")])
def test_bills_are_shown_as_their_days_before_they_are_taken(ana_at_work, names):
    page = choose(ana_at_work, BILL.format(*names).encode())
    assert page.context["form"].errors == {}
    example = page.context["example"]
    assert example.first_periods == [
        ("B-1", date(2025, 11, 1), date(2025, 11, 30), 200.0),
        ("B-1", date(2025, 12, 1), date(2025, 12, 31), 207.5),
    ]
    assert "207.50" in page.content.decode()


def test_which_columns_hold_the_days_of_a_bill_can_be_said_and_is_remembered(ana_at_work):
    content = BILL.format("Alpha", "Omega")
    address = confirming(choose(ana_at_work, content.encode()))
    roles = {"column-0": "meter", "column-1": "time", "column-2": "end", "column-3": "value"}
    page = ana_at_work.post(address, {**STATEMENT, **roles}, headers={"HX-Request": "true"})
    assert [kwh for *_days, kwh in page.context["example"].first_periods] == [200.0, 207.5]
    ana_at_work.post(address, {**STATEMENT, **roles})
    tasks.import_pending()
    upload = Upload.objects.get()
    assert (upload.status, upload.error, upload.register_reads, upload.format) == ("imported", "", 2, "csv_bills")
    following = choose(ana_at_work, content.replace("B-1", "B-2").encode())
    assert [role for _field, _name, role in following.context["form"].choices_of_columns] == list(roles.values())
    assert len(following.context["example"].first_periods) == 2


def test_reads_of_a_register_that_would_be_taken_as_energy_are_said_to_look_like_it(ana_at_work):
    months = [f"2025-{month:02}-01" for month in range(1, 13)]
    rows = [f"R-{m},{day},{1000 + 300 * n + m}" for m in range(2) for n, day in enumerate(months)]
    address = confirming(choose(ana_at_work, "\n".join(["meter,alpha,omega", *rows]).encode()))
    roles = {"column-0": "meter", "column-1": "time", "column-2": "value"}
    asked = {"data": {**STATEMENT, **roles}, "headers": {"HX-Request": "true"}}
    as_energy = ana_at_work.post(address, **asked)
    assert "only rise" in as_energy.content.decode()
    asked["data"] |= {"measures": "register"}
    as_register = ana_at_work.post(address, **asked)
    assert "only rise" not in as_register.content.decode()
    assert {kwh for *_days, kwh in as_register.context["example"].first_periods} == {300.0}


def test_months_without_a_value_are_no_periods_of_the_example(ana_at_work):
    content = "meter,2026-01,2026-02,2026-03\nM-1,310,280,260\nM-2,410,,300"
    assert choose(ana_at_work, content.encode()).context["example"].periods == 5


def test_the_page_says_what_a_file_was_taken_as_and_no_more(ana_at_work):
    lines = [f"ES-1;01/03/2026;{hour};0,5;x" for hour in range(1, 25)]
    page = choose(ana_at_work, "\n".join(["CUPS;Fecha;Hora;Consumo_kWh;Nota", *lines]).encode())
    roles = {f"column-{place}": role for place, role in enumerate(("meter", "time", "clock", "value", "quality"))}
    ana_at_work.post(confirming(page), {**STATEMENT, **roles})
    tasks.import_pending()
    upload = Upload.objects.get()
    assert (upload.format, upload.readings) == ("csv_counted", 24)
    taken = ana_at_work.get(reverse("upload", args=[upload.pk])).content.decode()
    assert "intervals numbered" in taken
    assert "start of the period" not in taken, "the number of an interval is no stamp"


def test_which_columns_hold_meter_events_can_be_said_and_is_remembered(ana_at_work):
    content = "alpha;omega;nr;remark;why\nE-1;24.10.2026 14:05;E17;cover opened;x\nE-1;25.10.2026 14:05;44;;"
    address = confirming(choose(ana_at_work, content.encode()))
    roles = {"column-0": "meter", "column-1": "time", "column-2": "code", "column-3": "text", "column-4": "ignored"}
    page = ana_at_work.post(address, {**STATEMENT, **roles}, headers={"HX-Request": "true"})
    assert [(kind.meaning, kind.source, kind.detail) for kind in page.context["example"].event_kinds] == [
        ("cover opened", "44", ""),
        ("cover opened", "E17", "cover opened"),
    ]
    ana_at_work.post(address, {**STATEMENT, **roles})
    tasks.import_pending()
    upload = Upload.objects.get()
    assert (upload.status, upload.error, upload.events, upload.format) == ("imported", "", 2, "csv_events")
    following = choose(ana_at_work, content.replace("E-1", "E-2").encode())
    assert [role for _field, _name, role in following.context["form"].choices_of_columns] == list(roles.values())
    assert following.context["example"].events == 2


def test_a_column_that_is_wrongly_taken_for_events_can_be_said_to_hold_readings(ana_at_work):
    page = choose(ana_at_work, b"meter;zeit;event;amount\nM-1;24.10.2026 14:00;1,5;a\nM-1;24.10.2026 15:00;2,5;b")
    assert page.context["example"].events == 2
    roles = {"column-2": "value"}
    page = ana_at_work.post(confirming(page), {**STATEMENT, **roles}, headers={"HX-Request": "true"})
    assert page.context["example"].total_kwh == 4.0
