import pytest
from django.urls import reverse

from tests import factories
from tests.overview.test_pages import text_of


def words_of(response) -> str:
    return " ".join(text_of(response.content.decode()).replace("&nbsp;", " ").split())


def test_the_list_begins_with_the_transformer_that_loses_most_and_names_who_explains_it(client, ines, street, case):
    small = factories.EnergyBalanceFactory(
        transformer__feeder__zone=case.consumer.zone, transformer__code="T-small", unexplained_kwh=2.8
    )
    client.force_login(ines)
    response = client.get(reverse("balance_list"))
    assert [row.transformer.code for row in response.context["rows"]] == ["T-1", small.transformer.code]
    assert f"{case.consumer.number} 60 %" in words_of(response)


def test_only_the_newest_balance_of_a_transformer_counts(client, ines, street, case):
    transformer = case.consumer.connections.get().transformer
    factories.EnergyBalanceFactory(transformer=transformer, unexplained_kwh=0, run=factories.ScoringRunFactory())
    client.force_login(ines)
    (row,) = client.get(reverse("balance_list")).context["rows"]
    assert row.balance.found.unexplained_kwh == 0


def test_a_transformer_of_another_zone_is_neither_listed_nor_found(client, otto, street, case):
    client.force_login(otto)
    assert client.get(reverse("balance_list")).context["rows"] == []
    transformer = case.consumer.connections.get().transformer_id
    assert client.get(reverse("balance", args=[transformer])).status_code == 404
    assert client.get(reverse("api-balances")).json()["results"] == []


@pytest.mark.parametrize("page", ["case", "consumer", "balance"])
def test_the_gap_and_who_explains_it_is_said_in_words(client, ines, street, case, page):
    addresses = {
        "case": case.pk,
        "consumer": case.consumer.number,
        "balance": case.consumer.connections.get().transformer_id,
    }
    client.force_login(ines)
    text = words_of(client.get(reverse(page, args=[addresses[page]])))
    assert "It delivers 10.0 kWh a day (10 %) that no meter reports" in text
    assert "These 2 meters explain 82 % of it" in text


def test_who_is_of_another_zone_stays_unnamed(client, ines, south, case):
    stranger = factories.ConsumerFactory(zone=south)
    factories.EnergyBalanceFactory(
        transformer__feeder__zone=case.consumer.zone, explained_by=[{"consumer": stranger.pk, "share": 0.9}]
    )
    client.force_login(ines)
    assert stranger.number not in client.get(reverse("balance_list")).content.decode()
    assert client.get(reverse("api-balances")).json()["results"][0]["explained_by"] == []


def test_a_balance_that_is_not_reliable_says_so(client, ines, case):
    balance = factories.EnergyBalanceFactory(transformer__feeder__zone=case.consumer.zone, quality="mapping_wrong")
    client.force_login(ines)
    assert "wrong transformer" in words_of(client.get(reverse("balance", args=[balance.transformer_id])))
    assert client.get(reverse("balance_list") + "?quality=reliable").context["rows"] == []
