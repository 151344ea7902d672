from datetime import UTC, date, datetime

from django.db.backends.postgresql.psycopg_any import DateRange

from apps.cases import casefile
from tests import factories


def test_an_event_is_marked_on_the_day_that_people_there_had(street, case, ines):
    meter = case.consumer.installations.get().meter
    meter.events.all().delete()
    meter.events.create(code="cover_opened", at=datetime(2026, 6, 1, 23, 30, tzinfo=UTC))  # half past midnight
    found = casefile.evidence(case.consumer, ines, None)
    marks = casefile.chart(found, case.score)["marks"]
    assert [mark["day"] for mark in marks if mark["sort"] == "event"] == ["2026-06-02"]


def test_neighbours_of_another_zone_on_the_same_transformer_stay_unseen(street, case, ines, sam, south):
    transformer = case.consumer.connections.get().transformer
    stranger = factories.ConnectionFactory(consumer__zone=south, transformer=transformer).consumer
    assert stranger not in casefile.evidence(case.consumer, ines, None).neighbours
    assert stranger in casefile.evidence(case.consumer, sam, None).neighbours


def test_what_a_meter_reported_elsewhere_is_no_evidence_here(north, ines):
    moved, meter = date(2026, 3, 1), factories.MeterFactory()
    first = factories.InstallationFactory(meter=meter, valid=DateRange(None, moved), consumer__zone=north)
    second = factories.InstallationFactory(meter=meter, valid=DateRange(moved, None), consumer__zone=north)
    before = meter.events.create(code="cover_opened", at=datetime(2026, 2, 28, 12, tzinfo=UTC))
    after = meter.events.create(code="magnetic_field", at=datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert [one.event for one in casefile.evidence(first.consumer, ines, None).reported] == [before]
    assert [one.event for one in casefile.evidence(second.consumer, ines, None).reported] == [after]


def test_an_event_is_shown_with_its_weight_and_why_a_storm_counts_for_nothing(street, case, client, ines):
    meter = case.consumer.installations.get().meter
    magnet = meter.events.create(code="magnetic_field", at=datetime(2026, 2, 9, 3, tzinfo=UTC))
    opened = meter.events.get(code="cover_opened")
    storm = {"level": "transformer", "group": "T-1", "reported": 34, "size": 40, "minutes": 5}
    case.score.events = [
        {"id": magnet.pk, "weight": 0.42, "why": "with_change"},
        {"id": opened.pk, "weight": 0.0, "why": "together", **storm},
    ]
    case.score.save()
    meter.events.create(code="other", source_code="E17", detail="nobody knows", at=datetime(2026, 2, 8, tzinfo=UTC))
    client.force_login(ines)
    for page in (f"/cases/{case.pk}/", f"/consumers/{case.consumer.number}/"):
        text = client.get(page).content.decode()
        assert "34 of 40 meters behind transformer T-1 reported it within 5 minutes" in text
        assert "E17 · nobody knows" in text
        assert "0.42" in text
