"""A zone in the query of a list: by code or name, and refused where nobody knows it."""

import pytest

from apps.accounts.models import User
from tests import factories

pytestmark = pytest.mark.django_db
LISTS = [
    "validation-hits", "register-reads", "cases", "grid/consumers", "grid/feeders", "grid/transformers",
]  # fmt: skip


@pytest.fixture
def desk(client, ines: User, north, south):
    for zone in (north, south):
        factories.ConsumerFactory(number=f"C-{zone.code}", zone=zone)
    client.force_login(ines)
    return client


@pytest.mark.parametrize("address", LISTS)
@pytest.mark.parametrize("wrong", ["nowhere", "SOUTH", "nowhere\0"])
def test_a_zone_that_one_does_not_see_is_refused_with_those_that_one_sees(desk, address, wrong):
    answer = desk.get(f"/api/v1/{address}", {"zone": wrong})
    assert answer.status_code == 400
    assert answer.json()["zone"] == [f"“{wrong.replace(chr(0), '')}” is no zone that you see. There are: NORTH."]


@pytest.mark.parametrize("address", LISTS)
@pytest.mark.parametrize("zone", ["NORTH", "north", "", " NORTH "])
def test_a_zone_may_be_named_by_its_code_or_name(desk, address, zone):
    assert desk.get(f"/api/v1/{address}", {"zone": zone}).status_code == 200


def test_only_what_lies_in_the_zone_is_listed(desk, sam):
    desk.force_login(sam)
    found = {zone: desk.get("/api/v1/grid/consumers", {"zone": zone}).json() for zone in ("NORTH", "South", "")}
    assert [[one["number"] for one in page["results"]] for page in found.values()] == [
        ["C-NORTH"],
        ["C-SOUTH"],
        ["C-NORTH", "C-SOUTH"],
    ]


def test_a_name_that_two_zones_have_is_asked_for_by_code(desk, sam):
    for code in ("A", "B"):
        factories.ZoneFactory(code=code, name="Twin")
    desk.force_login(sam)
    answer = desk.get("/api/v1/grid/consumers?zone=twin").json()
    assert answer["zone"] == ["Several zones are called “twin”: say which by its code (A, B)."]
