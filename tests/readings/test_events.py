"""Meter events on their way in: formats, clocks, whose they are, and that each stands once."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse

from apps.readings import actions, events, tasks
from apps.readings.event_codes import code_of
from apps.readings.importers import base
from apps.readings.models import EventMeaning, HeldMeter, MeterEvent, MeterState, Upload
from tests import factories
from tests.readings.files import hours, long_csv, rejected, send

pytestmark = pytest.mark.django_db

HEADER = "meter,event_time,event_code,description"
XML = """<?xml version="1.0" encoding="UTF-8"?>
<EventMessage xmlns="http://iec.ch/TC57/2011/schema/message"><Payload>
<EndDeviceEvents xmlns="http://iec.ch/TC57/2011/EndDeviceEvents#">
{}
</EndDeviceEvents></Payload></EventMessage>
"""
XML_EVENT = """<EndDeviceEvent><mRID>1</mRID><createdDateTime>{at}</createdDateTime><reason>{reason}</reason>
<Assets><mRID>00:13:50</mRID><Names><name>{meter}</name></Names></Assets><EndDeviceEventType ref="{code}"/>
</EndDeviceEvent>"""


def stood() -> list[tuple[str, str, str]]:
    found = MeterEvent.objects.order_by("at", "code").values_list("meter__serial", "code", "at")
    return [(serial, code, f"{at:%Y-%m-%d %H:%M}") for serial, code, at in found]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (("40",), "terminal_cover_opened"),
        (("44.0",), "cover_opened"),
        (("42", ""), "magnetic_field"),
        (("3.12.0.257",), "tamper_suspected"),
        (("3.33.1.219",), "reverse_rotation"),
        (("3.31.1.143",), "load_side_voltage"),
        (("3.26.0.85",), "power_outage"),
        (("0.26.38.49",), "power_restored"),
        (("0.12.141.16",), "cover_closed"),
        (("10.12.0.257",), "other"),  # a concentrator's
        (("0x8F75",), "magnetic_field"),
        (("NEM12:79", "Power Outage Alarm"), "power_outage"),
        (("TERMINAL_COVER_REMOVED",), "terminal_cover_opened"),
        (("Klemmendeckel geöffnet",), "terminal_cover_opened"),
        (("apertura de tapa",), "cover_opened"),
        (("cover_opened",), "cover_opened"),
        (("48", "Module cover opened"), "cover_opened"),  # words that are known go before a vendor's number
        (("3.12.93.219", "Meter event Demand Reset Occurred"), "reverse_rotation"),
        (("77", "Strong magnetic field detected near the meter"), "magnetic_field"),
        (("Measurement Error cleared",), "other"),
        (("disconnected",), "disconnected"),
        (("E17", "something new"), "other"),
        (("", ""), "other"),
    ],
)
def test_numbers_types_and_words_mean_the_same_vocabulary(said, code):
    assert code_of(*said) == code


def test_a_list_of_events_alone_is_a_good_upload():
    upload = send(
        long_csv(
            ("M-1", "2026-03-01 10:15:30", 40, "Terminal cover removed"),
            ("M-2", "2026-03-01 10:20", "E17", "nobody knows"),
            header=HEADER,
        )
    )
    assert (upload.status, upload.format, upload.error) == (Upload.Status.IMPORTED, "csv_events", "")
    assert (upload.events, upload.readings, upload.meters) == (2, 0, 2)
    assert stood() == [
        ("M-1", "terminal_cover_opened", "2026-03-01 10:15"),
        ("M-2", "other", "2026-03-01 10:20"),
    ]
    other = MeterEvent.objects.get(code="other")
    assert (other.source_code, other.detail, other.upload) == ("E17", "nobody knows", upload)
    assert upload.unknown_events == [{"source_code": "E17", "count": 1}]


def test_the_page_of_an_upload_names_codes_that_nobody_knows(client, sam):
    upload = send(long_csv(("M-1", "2026-03-01 10:20", "E17", ""), header=HEADER))
    client.force_login(sam)
    text = client.get(f"/uploads/{upload.pk}/").content.decode()
    assert "Codes that nobody knows" in text
    assert "E17" in text


def test_parquet_events_come_with_their_own_types(tmp_path):
    at = pa.array([datetime(2026, 3, 1, 12, tzinfo=UTC)], pa.timestamp("ms", tz="UTC"))
    pq.write_table(pa.table({"serial": ["M-1"], "timestamp": at, "event_id": [44]}), tmp_path / "e.parquet")
    upload = send((tmp_path / "e.parquet").read_bytes())
    assert (upload.format, stood()) == ("parquet_events", [("M-1", "cover_opened", "2026-03-01 12:00")])


def test_end_device_events_are_read_from_their_message():
    upload = send(
        XML.format(
            XML_EVENT.format(at="2026-01-10T10:03:37-05:00", meter="M-1", code="3.12.0.257", reason="Tamper")
            + XML_EVENT.format(at="nonsense", meter="M-2", code="3.26.0.85", reason="")
        )
    )
    assert (upload.status, upload.format) == (Upload.Status.IMPORTED, "cim_events")
    assert stood() == [("M-1", "tamper_suspected", "2026-01-10 15:03")]
    assert [reason for _line, reason, _text in rejected(upload)] == ["not a date and time"]


def test_xml_with_a_document_type_is_refused():
    bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "y">]>' + XML.format("").partition("?>")[2]
    assert send(bomb).status == Upload.Status.FAILED
    assert not MeterEvent.objects.exists()


def test_the_same_event_stands_once_however_often_and_in_whichever_file_it_comes():
    line = ("M-1", "2026-03-01 10:15", 40, "Terminal cover removed")
    send(long_csv(line, line, header=HEADER))
    again = send(long_csv(line, ("M-1", "2026-03-02 10:15", 41, ""), header=HEADER))
    assert again.events == 2
    assert [code for _serial, code, _at in stood()] == ["terminal_cover_opened", "terminal_cover_closed"]


def test_stamps_are_read_by_the_stated_clock_as_those_of_readings_are():
    upload = send(
        long_csv(
            ("M-1", "2026-03-29 02:30", 40, ""),  # skipped
            ("M-1", "2026-10-25 02:30", 40, ""),
            ("M-1", "2026-10-25 02:30", 40, ""),  # the second time round
            ("M-1", "2026-06-01 12:00", 40, ""),
            ("M-1", "1980-06-01 12:00", 40, ""),
            header=HEADER,
        ),
        timezone="Europe/Berlin",
    )
    assert [at for _serial, _code, at in stood()] == ["2026-06-01 10:00", "2026-10-25 00:30", "2026-10-25 01:30"]
    assert len(rejected(upload)) == 2


def test_events_of_somebody_elses_meters_are_refused(ines, south):
    factories.InstallationFactory(meter__serial="M-1", consumer__zone=south)
    upload = send(
        long_csv(("M-1", "2026-03-01 10:00", 40, ""), ("M-2", "2026-03-01 10:00", 40, ""), header=HEADER), by=ines
    )
    assert [serial for serial, _code, _at in stood()] == ["M-2"]
    assert "not in your zones" in rejected(upload)[0][1]


def test_events_of_unknown_meters_are_held_back_where_nobody_may_register_them(settings):
    settings.REGISTER_UNKNOWN_METERS = False
    upload = send(long_csv(("M-9", "2026-03-01 10:00", 40, ""), header=HEADER))
    assert (upload.status, upload.events) == (Upload.Status.IMPORTED, 0)
    assert HeldMeter.objects.get(upload=upload).serial == "M-9"
    assert stood() == []


def test_a_new_event_makes_its_meter_pending_and_one_that_is_known_does_not():
    send(long_csv(*hours("M-1")))
    MeterState.objects.update(revision=5, validated_revision=5)
    send(long_csv(("M-1", "2026-03-01 10:15", 40, ""), header=HEADER))
    state = MeterState.objects.get()
    assert (state.revision, state.validated_revision) == (6, 6)
    send(long_csv(("M-1", "2026-03-01 10:15", 40, ""), ("M-2", "2026-03-01 20:15", 40, ""), header=HEADER))
    assert MeterState.objects.get().revision == 6


def test_neighbours_that_reported_the_same_before_are_scored_again(django_capture_on_commit_callbacks):
    for meter in ("M-1", "M-2", "M-3"):
        send(long_csv(*hours(meter)))
    send(long_csv(("M-1", "2026-03-01 10:15", 40, ""), ("M-3", "2026-03-04 10:15", 40, ""), header=HEADER))
    MeterState.objects.update(revision=5)
    with django_capture_on_commit_callbacks(execute=True):
        send(long_csv(("M-2", "2026-03-01 10:40", 40, ""), header=HEADER))
    revisions = MeterState.objects.order_by("meter__serial").values_list("revision", flat=True)
    assert list(revisions) == [6, 6, 5]


def test_a_code_that_somebody_names_later_changes_what_came_and_what_comes(capsys):
    send(long_csv(("M-1", "2026-03-01 10:15", "E17", ""), header=HEADER))
    call_command("map_events", "E17=cover_opened")
    send(long_csv(("M-1", "2026-03-01 10:15", "E17", ""), ("M-1", "2026-03-02 10:15", "E17", ""), header=HEADER))
    assert [code for _serial, code, _at in stood()] == ["cover_opened", "cover_opened"]
    assert "1 events have another meaning" in capsys.readouterr().out


def test_a_code_that_this_utility_uses_otherwise_changes_what_came_and_is_not_told_twice():
    line = ("M-1", "2026-03-01 10:15", 48, "")
    send(long_csv(line, header=HEADER))
    assert [code for _serial, code, _at in stood()] == ["key_changed"]
    call_command("map_events", "48=cover_opened")
    assert [code for _serial, code, _at in stood()] == ["cover_opened"]
    call_command("map_events", "48=magnetic_field")
    EventMeaning.objects.update(code="currents_unequal")  # said in the admin, before anybody looked again
    send(long_csv(line, ("M-1", "2026-03-01 11:15", 48, ""), header=HEADER))
    assert [code for _serial, code, _at in stood()] == ["currents_unequal", "currents_unequal"]


def test_a_meaning_that_is_said_in_the_administration_applies_to_events_that_came(
    admin_client, django_capture_on_commit_callbacks
):
    send(long_csv(*hours("M-1")))
    send(long_csv(("M-1", "2026-03-01 10:15", "E17", ""), ("M-2", "2026-03-01 10:15", "E18", ""), header=HEADER))
    MeterState.objects.update(revision=5, validated_revision=5)
    form = reverse("admin:readings_eventmeaning_add")
    assert "for those that came with this code" in admin_client.get(form).content.decode()
    with django_capture_on_commit_callbacks() as calls:
        admin_client.post(form, {"source_code": "E17", "code": "cover_opened"})
    assert len(calls) == 1  # the bell
    assert tasks.learn_pending() == 1
    assert [code for _serial, code, _at in stood()] == ["cover_opened", "other"]
    state = MeterState.objects.get(meter__serial="M-1")
    assert (state.revision, state.validated_revision) == (6, 6)
    assert tasks.learn_pending() == 0


def test_a_meaning_that_is_moved_to_another_code_or_taken_back_leaves_events_to_what_is_known(admin_client):
    send(long_csv(("M-1", "2026-03-01 10:15", 40, ""), ("M-2", "2026-03-01 10:15", "E18", ""), header=HEADER))
    meaning = EventMeaning.objects.create(source_code="40", code="magnetic_field")
    events.learn()
    admin_client.post(
        reverse("admin:readings_eventmeaning_change", args=[meaning.pk]),
        {"source_code": "E18", "code": "magnetic_field"},
    )
    tasks.learn_pending()
    assert [code for _serial, code, _at in stood()] == ["magnetic_field", "terminal_cover_opened"]
    marked = {"action": "delete_selected", "_selected_action": [meaning.pk], "post": "yes"}
    admin_client.post(reverse("admin:readings_eventmeaning_changelist"), marked)
    tasks.learn_pending()
    assert [code for _serial, code, _at in stood()] == ["other", "terminal_cover_opened"]


def test_a_meaning_that_is_said_while_an_import_goes_on_applies_to_it_too(
    monkeypatch, django_capture_on_commit_callbacks
):
    def store(*args, store=events.store):
        EventMeaning.objects.create(source_code="E17", code="cover_opened")
        return store(*args)

    monkeypatch.setattr(events, "store", store)
    with django_capture_on_commit_callbacks(execute=True):
        send(long_csv(("M-1", "2026-03-01 10:15", "E17", ""), header=HEADER))
    assert tasks.learn_pending() == 1
    assert [code for _serial, code, _at in stood()] == ["cover_opened"]


def test_a_code_that_is_said_to_mean_nothing_of_ours_takes_our_meaning_from_what_came():
    send(long_csv(("M-1", "2026-03-01 10:15", 48, ""), header=HEADER))
    call_command("map_events", "48=other")
    assert [code for _serial, code, _at in stood()] == ["other"]


def test_two_tellings_that_turn_out_to_mean_the_same_become_one_event():
    at = "2026-03-01 10:15"
    send(long_csv(("M-1", at, "E17", "Meter cover removed"), ("M-1", at, "E17", "no idea"), header=HEADER))
    assert [code for _serial, code, _at in stood()] == ["cover_opened", "other"]
    call_command("map_events", "E17=cover_opened")
    assert [code for _serial, code, _at in stood()] == ["cover_opened"]


def test_an_event_that_a_fuller_file_explains_is_the_same_event():
    send(long_csv(("M-1", "2026-03-01 10:15", "E17", ""), header=HEADER))
    send(long_csv(("M-1", "2026-03-01 10:15", "E17", "Meter cover removed"), header=HEADER))
    send(long_csv(("M-1", "2026-03-01 10:15", "E17", "?"), header=HEADER))
    assert [code for _serial, code, _at in stood()] == ["cover_opened"]


def test_what_an_upload_brought_can_be_taken_back():
    first = send(long_csv(("M-1", "2026-03-01 10:15", 40, ""), header=HEADER))
    send(long_csv(("M-1", "2026-03-02 10:15", 40, ""), header=HEADER))
    assert len(events.withdraw(first)) == 1
    assert stood() == [("M-1", "terminal_cover_opened", "2026-03-02 10:15")]


def test_what_another_file_reported_too_outlives_the_withdrawal(sam):
    line = ("M-1", "2026-03-01 10:15", 40, "")
    first = send(long_csv(line, ("M-1", "2026-03-01 11:00", 41, ""), header=HEADER))
    send(long_csv(line, ("M-2", "2026-03-01 11:00", 41, ""), header=HEADER))
    actions.withdraw(upload=first, by=sam)
    tasks.import_pending()
    assert stood()[0] == ("M-1", "terminal_cover_opened", "2026-03-01 10:15")
    assert [serial for serial, _code, _at in stood()] == ["M-1", "M-2"]


def test_readings_with_a_column_of_events_stay_readings():
    rows = [(*row, "") for row in hours("M-1")]
    assert send(long_csv(*rows, header="meter,timestamp,kwh,event")).format == "csv_long"


@pytest.mark.parametrize(
    ("header", "line", "taken"),
    [
        ("meter;zeit;ereignis;text", "24.10.2026 14:03;E17;Deckel offen", "cover_opened"),
        ("meter;datum;uhrzeit;ereignis;text", "24.10.2026;14:03;E17;Deckel offen", "cover_opened"),
        ("meter;when;code;what happened", "24.10.2026 14:03;E17;magnet", "magnetic_field"),
        ("Zähler;Wann;Meldungscode;Meldung", "24.10.2026 14:03;E17;Gehäuse offen", "cover_opened"),
        ("contador;fecha del evento;código de evento;mensaje", "24.10.2026 14:03;E17;tapa abierta", "cover_opened"),
        ("compteur;quand;événement;intitulé", "24.10.2026 14:03;E17;capot ouvert", "cover_opened"),
        ("licznik;kiedy;kod zdarzenia;opis", "24.10.2026 14:03;44;?", "cover_opened"),
    ],
)
def test_columns_of_events_are_known_by_many_names(header, line, taken):
    send(f"{header}\nM-1;{line}\n", timezone="UTC")
    event = MeterEvent.objects.get()
    assert f"{event.code} {event.at:%d %H:%M}" == f"{taken} 24 14:03"


@pytest.mark.parametrize("name", ["text", "Meldung", "bezeichnung"])
def test_a_column_of_words_without_a_code_beside_it_makes_no_file_of_events(name):
    upload = send(f"meter;zeit;{name};odd\nM-1;24.10.2026 14:00;fine;1,5\n")
    assert (upload.status, upload.format) == (Upload.Status.FAILED, "")


def test_twenty_thousand_events_are_taken_set_by_set(django_assert_max_num_queries):
    at = datetime(2026, 3, 1, tzinfo=UTC)
    rows = [(f"M-{n % 100}", f"{at + timedelta(minutes=n):%Y-%m-%d %H:%M}", 44, "") for n in range(20_001)]
    with django_assert_max_num_queries(60):
        upload = send(long_csv(*rows, header=HEADER))
    assert upload.events == MeterEvent.objects.count() == 20_001


def test_the_draft_says_what_each_code_is_taken_for(client, ana):
    lines = [("M-1", "2026-07-01 10:15", 40, "a"), ("M-2", "2026-07-02 10:15", 40, "b"), ("M-1", "noon", 40, "")]
    file = SimpleUploadedFile(
        "a.csv", long_csv(*lines, ("M-1", "2026-07-01 11:00", "E17", "odd"), header=HEADER).encode()
    )
    client.force_login(ana)
    page = client.post(reverse("upload_new"), {"file": file, "sender": "head-end"}, follow=True)
    kinds = [(kind.meaning, kind.source, kind.count) for kind in page.context["example"].event_kinds]
    assert kinds == [("terminal cover opened", "40", 2), ("", "E17", 1)]
    text = page.content.decode()
    assert "1 Jul 2026 10:15" in text
    assert "Not known" in text
    assert "M-1,noon,40," in text


def test_a_file_of_more_events_than_a_worker_holds_in_memory_is_refused(monkeypatch):
    monkeypatch.setattr(base, "FILE_MOST_EVENTS", 2)
    upload = send(long_csv(*(("M-1", f"2026-03-01 10:{n:02}", 40, "") for n in range(3)), header=HEADER))
    assert (upload.status, "more than 2 meter events" in upload.error) == (Upload.Status.FAILED, True)
