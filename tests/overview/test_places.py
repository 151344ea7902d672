import json

import pytest
from django.contrib.gis.geos import LineString, MultiLineString, Point
from django.urls import reverse

from tests import factories

HERE = "9,50,9.1,50.1"


def features(client, **query) -> list[dict]:
    response = client.get(reverse("map_data"), query)
    assert response.status_code == 200, response.content
    return json.loads(response.content)["features"]


@pytest.mark.parametrize(
    "query",
    [
        {"layer": "consumers"},
        {"layer": "consumers", "box": "5,45,15,55"},
        {"layer": "consumers", "box": "9.1,50,9,50.1"},
        {"layer": "consumers", "box": "nan,50,9,50.1"},
        {"layer": "consumers", "box": "here"},
        {"layer": "consumers", "box": HERE, "level": "awful"},
        {"layer": "consumers", "box": HERE, "since": "yesterday"},
        {"layer": "consumers", "box": HERE, "since": "2026-02-31"},
        {"layer": "countries"},
    ],
)
def test_a_map_is_refused_what_makes_no_sense(client, sam, query):
    client.force_login(sam)
    response = client.get(reverse("map_data"), query)
    assert response.status_code == 400
    assert response.json()["error"]


def test_the_map_shows_consumers_with_their_level(client, ines, case):
    client.force_login(ines)
    (one,) = features(client, box=HERE)
    assert one["geometry"] == {"type": "Point", "coordinates": [9.05, 50.05]}
    assert one["properties"]["number"] == case.consumer.number
    assert one["properties"]["level"] == "critical"


def test_the_map_shows_nothing_of_other_zones(client, otto, street):
    client.force_login(otto)
    for layer in ["consumers", "transformers", "feeders"]:
        assert features(client, layer=layer, box=HERE) == []
    assert [zone["properties"]["code"] for zone in features(client, layer="zones")] == ["SOUTH"]


def test_feeders_are_drawn_in_their_zone_only(client, ines, otto, north):
    factories.FeederFactory(code="F-NORTH", zone=north, path=MultiLineString(LineString((9, 50), (9.1, 50.1))))
    drawn = {}
    for user in (ines, otto):
        client.force_login(user)
        drawn[user] = b"F-NORTH" in client.get(reverse("map_data"), {"layer": "feeders"}).content
    assert drawn == {ines: True, otto: False}


def test_the_map_narrows_by_level_and_day(client, sam, street):
    client.force_login(sam)
    assert len(features(client, box=HERE, level="high")) == 6
    assert len(features(client, box=HERE, level=["high", "critical"])) == 7
    assert len(features(client, box=HERE, since="2026-02-20")) == 6


def test_zones_and_transformers_count_what_fits(client, sam, street):
    client.force_login(sam)
    (zone,) = features(client, layer="zones", level="critical")
    assert zone["properties"] | {"code": "", "name": ""} == {
        "code": "",
        "name": "",
        "consumers": 12,
        "fitting": 1,
        "hot": 7,
    }
    (transformer,) = features(client, layer="transformers", box=HERE, level="high")
    pk = street[0].connections.get().transformer_id
    assert transformer["properties"] == {"pk": pk, "code": "T-1", "consumers": 12, "fitting": 6, "hot": 7}


def numbers(client, **query) -> list[str]:
    page = client.get(reverse("consumer_search"), query).context["page"]
    return [consumer.number for consumer in page]


def test_consumers_are_found_by_meter_name_and_address(client, sam, north):
    meant = factories.ConsumerFactory(number="C-77", name="Ada Stone", address="4 Mill Lane")
    factories.InstallationFactory(consumer=meant, meter__serial="XY-1234")
    factories.ConsumerFactory()
    client.force_login(sam)
    for text in ["c-77", "stone", "mill lane", "y-123"]:
        assert numbers(client, q=text) == ["C-77"]


def test_consumers_are_found_around_a_point_and_in_a_box(client, sam, north):
    factories.ConsumerFactory(number="near", place=Point(9.050, 50.050))
    factories.ConsumerFactory(number="far", place=Point(9.060, 50.050))  # 715 m to the east
    factories.ConsumerFactory(number="nowhere", place=None)
    client.force_login(sam)
    assert numbers(client, near="9.05,50.05", within=700) == ["near"]
    assert sorted(numbers(client, near="9.05,50.05", within=730)) == ["far", "near"]
    assert numbers(client, box="9.055,50,9.1,50.1") == ["far"]
    assert numbers(client, placed="no") == ["nowhere"]


@pytest.mark.parametrize("query", [{"near": "here"}, {"near": "9.05,95"}, {"box": "1,2,3"}, {"within": "-5"}])
def test_a_place_that_is_none_is_said_and_not_a_500(client, sam, query):
    client.force_login(sam)
    response = client.get(reverse("consumer_search"), query)
    assert response.status_code == 200
    assert response.context["filter"].form.errors
