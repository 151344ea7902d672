from datetime import date

from django.db.backends.postgresql.psycopg_any import DateRange
from django.urls import reverse

from tests import factories


def silent(days=20, **more):
    return factories.RiskScoreFactory(zero_days=days, **more).consumer


def listed(client, contract):
    rows = client.get(reverse("zero_queue"), {"contract": contract}).context["rows"]
    return dict(rows)


def test_the_contract_decides_where_a_meter_without_use_is_listed(client, sam):
    runs, ended, suspended, unknown, too_short = silent(), silent(), silent(), silent(), silent(days=3)
    factories.SupplyFactory(consumer=runs)
    factories.SupplyFactory(consumer=ended, valid=DateRange(date(2020, 1, 1), date(2026, 1, 1)))
    factories.SupplyFactory(consumer=suspended, status="suspended")
    factories.SupplyFactory(consumer=too_short)
    client.force_login(sam)
    assert set(listed(client, "active")) == {runs}
    assert set(listed(client, "ended")) == {ended, suspended}
    assert set(listed(client, "unknown")) == {unknown}
    assert set(listed(client, "nonsense")) == {runs}


def test_the_days_of_nothing_end_with_the_data(client, sam):
    consumer = silent(days=20, data_until=date(2026, 4, 30))
    client.force_login(sam)
    assert listed(client, "unknown") == {consumer: date(2026, 4, 11)}


def test_meters_of_other_zones_are_not_listed(client, otto, north):
    silent(consumer__zone=north)
    client.force_login(otto)
    assert listed(client, "unknown") == {}
