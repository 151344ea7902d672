from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.cases.models import Case
from apps.inspections.models import Inspection
from tests import factories


def listed(client, **query) -> list[str]:
    page = client.get(reverse("case_queue"), query).context["page"]
    return [case.consumer.number for case in page]


@pytest.fixture
def cases(north, south, case, ines):
    """case: critical, nobody's, north; b: high, Ines's, north; c: high, nobody's, south."""
    b = factories.ConsumerFactory(number="B", zone=north, name="Bea Hill", address="7 Kiln Street")
    factories.InstallationFactory(consumer=b, meter__serial="MB-9")
    score = factories.RiskScoreFactory(consumer=b, score=0.8, level="high", kind="odd_hours", onset_on=None)
    factories.CaseFactory(consumer=b, score=score, assignee=ines, status="assigned", money_per_month="99.00")
    c = factories.ConsumerFactory(number="C", zone=south)
    factories.CaseFactory(consumer=c, score=factories.RiskScoreFactory(consumer=c, score=0.75, level="high"))
    return case.consumer.number


def test_the_queue_lists_the_most_suspicious_first(client, sam, cases):
    client.force_login(sam)
    assert listed(client) == [cases, "B", "C"]


def test_the_queue_shows_an_investigator_her_zones(client, ines, cases):
    client.force_login(ines)
    assert listed(client) == [cases, "B"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"level": "high"}, ["B", "C"]),
        ({"kind": "odd_hours"}, ["B"]),
        ({"zone": "SOUTH"}, ["C"]),
        ({"who": "nobody"}, ["C-00001", "C"]),
        ({"status": "assigned"}, ["B"]),
        ({"status": "closed"}, []),
        ({"q": "bea"}, ["B"]),
        ({"q": "kiln"}, ["B"]),
        ({"q": "mb-9"}, ["B"]),
        ({"sort": "-money"}, ["B", "C-00001", "C"]),
        ({"sort": "since"}, ["C-00001", "C", "B"]),
        ({"level": "awful", "page": "x"}, ["C-00001", "B", "C"]),
    ],
)
def test_the_queue_narrows_and_sorts(client, sam, cases, query, found):
    client.force_login(sam)
    assert listed(client, **query) == found


def test_the_queue_knows_what_is_mine_and_what_is_late(client, ines, cases):
    Case.objects.filter(assignee=ines).update(opened_at=timezone.now() - timedelta(days=20))
    client.force_login(ines)
    assert listed(client, who="me") == ["B"]
    assert listed(client, status="late") == ["B"]


def test_the_queue_counts_each_level_with_the_other_filters_kept(client, sam, cases):
    client.force_login(sam)
    levels = client.get(reverse("case_queue"), {"level": "high", "zone": "NORTH"}).context["levels"]
    assert levels == {"critical": 1, "high": 1, "medium": 0, "low": 0}


def test_htmx_gets_the_rows_alone(client, sam, cases):
    client.force_login(sam)
    response = client.get(reverse("case_queue"), {"level": "high", "kind": ""}, HTTP_HX_REQUEST="true")
    assert b"<html" not in response.content
    assert response["HX-Replace-Url"] == "/cases/?level=high"


def test_a_supervisor_assigns_in_bulk_and_keeps_the_filters(client, sam, ines, cases):
    client.force_login(sam)
    ids = list(Case.objects.filter(consumer__zone__code="NORTH").values_list("pk", flat=True))
    address = reverse("case_queue") + "?zone=NORTH&sort=-money"
    response = client.post(address, {"cases": ids, "to": ines.pk})
    assert response.url == address
    assert set(Case.objects.filter(assignee=ines).values_list("pk", flat=True)) == set(ids)


def test_nobody_is_given_a_case_of_a_zone_that_is_not_theirs(client, sam, otto, case):
    client.force_login(sam)
    for address, data in [
        (reverse("case_queue"), {"cases": [case.pk], "to": otto.pk}),
        (reverse("case_assign", args=[case.pk]), {"to": otto.pk}),
    ]:
        client.post(address, data)
        case.refresh_from_db()
        assert case.assignee is None


def test_bulk_assigning_is_for_those_who_may_hand_out_work(client, ines, case):
    client.force_login(ines)
    assert client.post(reverse("case_queue"), {"cases": [case.pk], "to": ines.pk}).status_code == 403


def test_an_investigator_takes_a_case_and_gives_it_back(client, ines, case):
    client.force_login(ines)
    address = reverse("case_assign", args=[case.pk])
    client.post(address, {"to": ines.pk})
    assert Case.objects.get().assignee == ines
    client.post(address, {"to": ""})
    assert Case.objects.get().assignee is None


def test_an_investigator_takes_nothing_from_a_colleague(client, ines, sam, case):
    Case.objects.update(assignee=sam)
    client.force_login(ines)
    assert client.post(reverse("case_assign", args=[case.pk]), {"to": ines.pk}).status_code == 403


def test_the_case_page_says_why_since_when_and_next_to_whom(client, ines, street, case):
    client.force_login(ines)
    response = client.get(reverse("case", args=[case.pk]))
    text = response.content.decode()
    assert "Has registered nothing for 20 days, since 10 Feb 2026" in text
    assert "for comparison, not part of the score" in text
    assert "11 neighbours" in text
    assert "cover opened" in text
    chart = response.context["chart"]
    assert chart["onset"] == "2026-02-10"
    assert chart["daily"][10] is None
    assert len(chart["hourly"][0]) == 24
    assert chart["band"][1][50] == pytest.approx(chart["daily"][0], rel=0.02)


def test_the_keys_step_through_the_queue(client, sam, cases):
    first, second, third = Case.objects.all()
    client.force_login(sam)
    shown = client.get(reverse("case", args=[second.pk])).context["case"]
    assert (shown.case_before, shown.case_after) == (first.pk, third.pk)


def test_closing_is_undone_from_the_message(client, ines, case):
    client.force_login(ines)
    data = {"outcome": "meter_fault", "inspected_on": "2026-04-02", "note": "relay", "recovered_kwh": "120.5"}
    response = client.post(reverse("case_close", args=[case.pk]), data, follow=True)
    assert Case.objects.get().inspection.recovered_kwh == 120.5
    undo = reverse("case_reopen", args=[case.pk])
    assert f'action="{undo}"' in response.content.decode()
    client.post(undo)
    assert Case.objects.get().status == "new"
    assert not Inspection.objects.standing().exists()


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("case_close", {"outcome": "", "inspected_on": "2026-04-02"}, "What did the crew find?"),
        ("case_close", {"outcome": "bypass", "inspected_on": "2999-01-01"}, "in the future"),
        ("case_close", {"outcome": "bypass", "inspected_on": "2026-04-02", "recovered_kwh": "much"}, "recovered"),
        ("case_note", {"text": " "}, "Note"),
        ("case_move", {"to": "closed"}, "closed"),
        ("case_reopen", {}, "Somebody else was quicker"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(client, ines, case, name, data, says):
    client.force_login(ines)
    response = client.post(reverse(name, args=[case.pk]), data, follow=True)
    assert says in response.content.decode()
    case.refresh_from_db()
    assert case.status == "new"
    assert not case.history.exists()


def test_a_note_is_text_and_never_markup(client, ines, case):
    client.force_login(ines)
    response = client.post(reverse("case_note", args=[case.pk]), {"text": "<b>loud</b>"}, follow=True)
    assert b"<b>loud</b>" not in response.content
    assert b"&lt;b&gt;loud" in response.content


def test_an_analyst_reads_a_case_and_changes_nothing(client, ana, case):
    client.force_login(ana)
    assert b"Assign to me" not in client.get(reverse("case", args=[case.pk])).content
    assert client.post(reverse("case_note", args=[case.pk]), {"text": "x"}).status_code == 403
