"""Pages that follow what happens: 204 while there is nothing new, else the part alone, with its next question."""

import re

import pytest
from django.urls import reverse

from apps.cases import actions
from tests import factories


def ask(client, address: str, page: str):
    """What the page asks for after a moment."""
    asked = re.search(r'data-live hx-get="([^"]+)"', page)[1].replace("&amp;", "&")
    assert asked.startswith(address)
    return client.get(asked, headers={"HX-Request": "true"})


@pytest.mark.parametrize("name", ["home", "case_queue", "case", "consumer"])
def test_a_page_is_told_when_something_is_new_and_only_then(client, sam, street, case, name):
    client.force_login(sam)
    address = reverse(name, args={"case": [case.pk], "consumer": [case.consumer.number]}.get(name, []))
    page = client.get(address).content.decode()
    assert ask(client, address, page).status_code == 204
    actions.note(case=case, text="seen at the door", by=sam)
    part = ask(client, address, page)
    assert part.status_code == 200
    assert "<html" not in part.content.decode()
    assert "HX-Replace-Url" not in part.headers
    assert ask(client, address, part.content.decode()).status_code == 204


@pytest.mark.parametrize("name", ["home", "case", "consumer"])
def test_another_score_is_on_the_page_at_its_next_question(client, sam, street, case, name):
    client.force_login(sam)
    address = reverse(name, args={"case": [case.pk], "consumer": [case.consumer.number]}.get(name, []))
    page = client.get(address).content.decode()
    factories.RiskScoreFactory(consumer=case.consumer, run=factories.ScoringRunFactory(), level="medium", score=0.4)
    part = ask(client, address, page)
    assert part.status_code == 200
    assert "medium" in part.content.decode()


def test_the_queue_keeps_its_filters_while_it_follows(client, sam, case):
    client.force_login(sam)
    address = reverse("case_queue") + "?level=critical&sort=-score"
    page = client.get(address).content.decode()
    actions.note(case=case, text="seen", by=sam)
    part = ask(client, address.split("?")[0], page).content.decode()
    assert "level=critical" in part
    assert part.count("seen=") == 1
    assert 'action="/cases/?level=critical' in part


def test_who_may_not_see_a_case_is_not_told_whether_it_changes(client, otto, case):
    client.force_login(otto)
    asked = client.get(reverse("case", args=[case.pk]) + "?seen=v1", headers={"HX-Request": "true"})
    assert asked.status_code == 404
