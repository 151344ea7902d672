"""The first screen answers "what should I do next" for each role."""

import pytest
from django.urls import reverse
from django.utils import timezone

from tests import factories


def home(client, person) -> str:
    client.force_login(person)
    return client.get(reverse("home")).content.decode()


def test_an_investigator_is_offered_the_most_suspicious_free_case(client, ines, case):
    text = home(client, ines)
    assert "You have nothing open" in text
    assert f'class="btn btn-primary" href="{reverse("case", args=[case.pk])}"' in text


def test_an_investigator_goes_on_with_a_case_of_hers_that_waits_for_no_crew(client, ines, north, case):
    case.assignee, case.status = ines, "visit"
    case.save()
    other = factories.CaseFactory(consumer__zone=north, score__score=0.8, assignee=ines, status="assigned")
    client.force_login(ines)
    assert client.get(reverse("home")).context["next_case"] == other


def test_a_supervisor_hands_out_and_sees_who_has_what(client, sam, ines, case, south):
    factories.CaseFactory(consumer__zone=south, assignee=ines, status="visit")
    text = home(client, sam)
    assert "Hand them out" in text
    client.force_login(sam)
    (load,) = client.get(reverse("home")).context["loads"]
    assert (load["name"], load["open"], load["visits"], load["late"]) == (ines.first_name or "ines", 1, 1, 0)


def test_an_analyst_is_offered_no_case_to_take(client, ana, case):
    text = home(client, ana)
    assert "Waiting for an investigator" in text
    assert "Hand them out" not in text


def test_the_weeks_say_what_was_recovered(client, sam, case):
    factories.InspectionFactory(outcome="bypass", inspected_on=timezone.localdate(), recovered_kwh=120)
    client.force_login(sam)
    assert client.get(reverse("home")).context["weeks"][0].recovered_kwh == 120


@pytest.mark.parametrize("page", ["home", "case_queue"])
def test_without_a_price_there_is_no_money(client, sam, case, north, page):
    client.force_login(sam)
    assert "30&nbsp;EUR" in client.get(reverse(page)).content.decode()
    type(north).objects.update(price_per_kwh=0)
    text = client.get(reverse(page)).content.decode()
    assert "&nbsp;EUR" not in text
    assert "has no price for a kWh yet" in text


def test_a_price_that_came_later_gives_the_case_its_worth(client, sam, case):
    type(case).objects.update(money_per_month=0, kwh_per_month=200)
    assert "60&nbsp;EUR" in home(client, sam)
