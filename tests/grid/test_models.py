"""Links are valid in time: what the database refuses, and what it lets follow one after the other."""

import pytest
from django.db import IntegrityError, models

from tests import factories

UNTIL_JUNE, FROM_JUNE, FROM_MAY = ("2026-01-01", "2026-06-01"), ("2026-06-01", None), ("2026-05-01", None)
LINKS = [
    (factories.InstallationFactory, "meter", factories.MeterFactory),
    (factories.InstallationFactory, "consumer", factories.ConsumerFactory),
    (factories.SupplyFactory, "contract", factories.ContractFactory),
    (factories.SupplyFactory, "consumer", factories.ConsumerFactory),
    (factories.ConnectionFactory, "consumer", factories.ConsumerFactory),
]


@pytest.mark.parametrize(("link", "name", "thing"), LINKS)
def test_a_link_may_follow_another_from_the_day_on_which_that_ends(db, link, name, thing):
    shared = {name: thing()}
    link(**shared, valid=UNTIL_JUNE)
    link(**shared, valid=FROM_JUNE)


@pytest.mark.parametrize(("link", "name", "thing"), LINKS)
def test_the_database_refuses_two_links_at_once(db, link, name, thing):
    shared = {name: thing()}
    link(**shared, valid=UNTIL_JUNE)
    with pytest.raises(IntegrityError):
        link(**shared, valid=FROM_MAY)


def test_a_transformer_feeds_many_consumers_at_once(db):
    transformer = factories.TransformerFactory()
    factories.ConnectionFactory(transformer=transformer)
    factories.ConnectionFactory(transformer=transformer)
    assert transformer.connections.count() == 2


def test_a_meter_is_closed_and_never_deleted(db):
    with pytest.raises(models.ProtectedError):
        factories.MeterFactory().delete()
