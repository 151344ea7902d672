"""Each page once through the client: it answers, asks the database little, and shows no bare None or NaN."""

import json
import re

import pytest
from django.urls import reverse
from django.utils.html import escape

from tests import factories

QUERIES = 15
PAGES = {
    "home": lambda case: reverse("home"),
    "queue": lambda case: reverse("case_queue"),
    "queue of closed": lambda case: reverse("case_queue") + "?status=all&sort=-money",
    "case": lambda case: reverse("case", args=[case.pk]),
    "consumers": lambda case: reverse("consumer_search"),
    "consumers near": lambda case: reverse("consumer_search") + "?near=9.05,50.05&within=500",
    "consumer": lambda case: reverse("consumer", args=[case.consumer.number]),
    "map": lambda case: reverse("map"),
    "zones": lambda case: reverse("map_data") + "?layer=zones",
    "feeders": lambda case: reverse("map_data") + "?layer=feeders",
    "transformers": lambda case: reverse("map_data") + "?layer=transformers&box=9,50,9.1,50.1",
    "map of consumers": lambda case: reverse("map_data") + "?layer=consumers&box=9,50,9.1,50.1",
    "balances": lambda case: reverse("balance_list"),
    "balance": lambda case: reverse("balance", args=[case.consumer.connections.get().transformer_id]),
    "analytics": lambda case: reverse("analytics"),
    "zero consumption": lambda case: reverse("zero_queue") + "?contract=active",
    "unassigned": lambda case: reverse("consumers_unassigned"),
}


def text_of(html: str) -> str:
    """What a person reads: no scripts, no tags."""
    return re.sub(r"<[^>]+>", " ", re.sub(r"<script.*?</script>", " ", html, flags=re.S))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_little_and_shows_no_none(client, sam, street, case, name, django_assert_max_num_queries):
    closed = factories.CaseFactory(consumer=street[3], score=street[3].standing.score)
    factories.CaseFactory(consumer=street[4], score=street[4].standing.score, assignee=sam, onset_on=None, kind="")
    client.force_login(sam)
    client.post(reverse("case_close", args=[closed.pk]), {"outcome": "bypass", "inspected_on": "2026-04-02"})
    client.get(reverse("home"))  # takes the message with it
    with django_assert_max_num_queries(QUERIES):
        response = client.get(PAGES[name](case))
    assert response.status_code == 200
    if response["Content-Type"].startswith("text/html"):
        assert not re.search(r"\b(None|nan|NaN|inf)\b", text_of(response.content.decode()))
    else:
        assert json.loads(response.content)["type"] == "FeatureCollection"


@pytest.fixture
def suspect(street, case):
    """The case's score as a model of all detectors writes it."""
    score = case.score
    score.probability, score.missing_kwh, score.before_kwh, score.after_kwh = 0.62, 112.0, 9.0, 3.5
    score.families = [{"family": "reduce", "share": 0.6}, {"family": "drift", "share": 0.2}]
    score.benign = {"name": "new_tenant", "share": 0.1}
    score.reference_days, score.notes = 28, ["short_reference", "no_balance"]
    score.save()
    return score


@pytest.mark.parametrize("name", ["case", "consumer"])
def test_a_suspicion_is_told_with_its_energy_its_doubts_and_what_it_looks_like(client, sam, case, suspect, name):
    client.force_login(sam)
    response = client.get(PAGES[name](case))
    text = " ".join(text_of(response.content.decode()).replace("&nbsp;", " ").split())
    for words in ["Since 10 Feb 2026", "before 9.0 , since then 3.5 kWh a day", "112 kWh", "34 EUR", "62 %", "28 days"]:
        assert words in text
    for words in ["60 %", "Also fits, honestly: new tenant", "No sum meter", "A mean day, before and since"]:
        assert words in text
    days = response.context["chart"]["mean_days"]
    assert days["before"][20] > 2 * days["since"][20]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("home", "No consumers yet"),
        ("case_queue", "No open cases"),
        ("consumer_search", "No consumers yet"),
        ("map", "No consumers yet"),
        ("zero_queue", "No such meter"),
        ("balance_list", "No energy balance yet"),
        ("consumers_unassigned", "Every consumer has a zone"),
    ],
)
def test_an_empty_database_says_what_comes_next(client, sam, name, says):
    client.force_login(sam)
    assert says in client.get(reverse(name)).content.decode()


def test_a_consumer_of_whom_nothing_is_known_says_so(client, sam):
    consumer = factories.ConsumerFactory(number="A/7 new", place=None)
    client.force_login(sam)
    text = text_of(client.get(reverse("consumer", args=[consumer.number])).content.decode())
    for words in ["No readings yet", "Not scored yet", "where this consumer is", "which transformer", "none on file"]:
        assert words in text
    assert "None" not in text


def test_health_says_what_answers(client, db):
    assert client.get(reverse("health")).json() == {"database": True, "redis": True}


def test_health_survives_a_missing_redis(client, db, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    response = client.get(reverse("health"))
    assert response.json() == {"database": True, "redis": False}


@pytest.mark.parametrize("address", ["/nowhere/", "/cases/999999/", "/consumers/%00/"])
def test_what_is_not_there_gets_the_page_that_says_so(client, sam, address):
    client.force_login(sam)
    response = client.get(address)
    assert response.status_code == 404
    assert b"There is nothing here" in response.content


@pytest.mark.parametrize("number", ["12/34", "12\n34", "<b>&?#%", "Zähler 7"])
def test_a_consumer_of_any_number_has_a_page_and_is_listed_with_it(client, sam, number):
    consumer = factories.ConsumerFactory(number=number)
    client.force_login(sam)
    address = reverse("consumer", args=[number])
    assert client.get(address).context["consumer"] == consumer
    assert escape(address) in client.get(reverse("consumer_search")).content.decode()
    assert client.get(reverse("api-consumer", args=[number])).json()["consumer_id"] == number


def test_the_home_page_says_that_no_worker_runs(client, sam):
    from datetime import timedelta

    from django.utils import timezone

    upload = factories.UploadFactory(status="pending")
    type(upload).objects.update(at=timezone.now() - timedelta(minutes=10))
    client.force_login(sam)
    assert b"is a worker running" in client.get(reverse("home")).content


def test_the_home_page_counts_nothing_of_other_zones(client, ines, otto, street, case):
    from django.utils import timezone

    factories.InspectionFactory(consumer=case.consumer, inspected_on=timezone.localdate())
    seen = {}
    for user in (ines, otto):
        client.force_login(user)
        page = client.get(reverse("home")).context
        seen[user] = [page["cases"]["open"], sum(page["levels"].values()), page["consumers"], page["hit_rate"]]
        seen[user] += [len(page["unassigned"]), len(page["zones"]), page["data_until"]]
    assert all(seen[ines])
    assert not any(seen[otto])


def test_the_trend_counts_what_stays_closed_and_what_visits_found(client, sam, case):
    from django.utils import timezone

    client.force_login(sam)
    close, reopen = reverse("case_close", args=[case.pk]), reverse("case_reopen", args=[case.pk])
    today = timezone.localdate()
    client.post(close, {"outcome": "bypass", "inspected_on": today})
    client.post(reopen)
    client.post(close, {"outcome": "nothing_found", "inspected_on": today})
    factories.InspectionFactory(outcome="meter_fault", inspected_on=today)
    factories.InspectionFactory(outcome="no_access", inspected_on=today)
    context = client.get(reverse("home")).context
    week = context["weeks"][0]
    assert (week.opened, week.closed, week.visits, week.finds) == (1, 1, 2, 1)
    assert context["hit_rate"].rate == 0.5
    assert context["hit_rate"].low < 0.5 < context["hit_rate"].high
