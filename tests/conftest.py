"""The cast: Ines investigates the north zone, Otto works elsewhere, Sam supervises, Ana analyses."""

import pytest

from tests import factories


@pytest.fixture
def north(db):
    return factories.ZoneFactory(code="NORTH")


@pytest.fixture
def south(db):
    return factories.ZoneFactory(code="SOUTH")


@pytest.fixture
def ines(north):
    return factories.UserFactory(username="ines", roles=["Investigators"], zones=[north])


@pytest.fixture
def otto(south):
    return factories.UserFactory(username="otto", roles=["Investigators"], zones=[south])


@pytest.fixture
def sam(db):
    return factories.UserFactory(username="sam", roles=["Supervisors"], all_zones=True)


@pytest.fixture
def ana(db):
    return factories.UserFactory(username="ana", roles=["Analysts"], all_zones=True)


@pytest.fixture
def consumer(north):
    return factories.ConsumerFactory(number="C-00001", zone=north)


@pytest.fixture
def case(consumer):
    return factories.CaseFactory(consumer=consumer)
