"""The cast: Ines investigates the north zone, Otto works elsewhere, Sam supervises, Ana analyses."""

from datetime import UTC, date, datetime

import numpy as np
import pytest
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations

from ml import artifacts
from tests import factories
from tests import neighbourhood as neighbourhood_


@pytest.fixture(scope="session", autouse=True)
def _few_rows_are_deleted():
    """After a test that commits, Django truncates a hundred tables, most of them empty, and takes seconds. Constraints
    are checked at the end of the transaction, so rows go in any order."""

    def sql_flush(self, _style, tables, **_kwargs) -> list[str]:
        names = [self.quote_name(table) for table in tables]
        with connection.cursor() as cursor:
            cursor.execute("SELECT " + ", ".join(f"EXISTS (SELECT FROM {name})" for name in names))
            return [f"DELETE FROM {name}" for name, filled in zip(names, cursor.fetchone(), strict=True) if filled]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", sql_flush)
        yield


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


@pytest.fixture
def street(north, case):
    """The case's consumer and eleven neighbours on one transformer: 60 days of readings, scores, a visit, an event."""
    transformer = factories.TransformerFactory(feeder__zone=north, code="T-1")
    first_day, days = date(2026, 1, 1), 60
    evening = np.r_[np.full(18, 0.2), np.full(6, 1.0)]
    others = [factories.ConsumerFactory(zone=north, name=f"Neighbour {n}") for n in range(11)]
    for row, consumer in enumerate([case.consumer, *others]):
        meter = factories.InstallationFactory(consumer=consumer).meter
        factories.ConnectionFactory(consumer=consumer, transformer=transformer)
        kwh = np.tile(evening * (1 + row / 10), (days, 1))
        if consumer == case.consumer:
            kwh[40:] *= 0.3
            kwh[10:12] = np.nan
        factories.store_profiles(meter, first_day, kwh)
    for consumer in others[:6]:
        factories.RiskScoreFactory(consumer=consumer, run=case.score.run, score=0.75, level="high")
    case.score.reasons = [
        {"code": "zero_run", "share": 0.8, "params": {"days": 20, "since": "2026-02-10"}},
        {"code": "below_neighbours", "share": 0, "params": {"percent": 30}},
    ]
    case.score.spans = [{"first_day": "2026-02-10", "last_day": "2026-03-01", "code": "zero_run"}]
    case.score.onset_on = case.onset_on = date(2026, 2, 10)
    case.score.save()
    case.save()
    explained_by = [{"consumer": case.consumer.pk, "share": 0.6}, {"consumer": others[0].pk, "share": 0.22}]
    factories.EnergyBalanceFactory(run=case.score.run, transformer=transformer, explained_by=explained_by)
    factories.SupplyFactory(consumer=case.consumer)
    factories.InspectionFactory(consumer=case.consumer, outcome="nothing_found")
    meter = case.consumer.installations.get().meter
    meter.events.create(code="cover_opened", at=datetime(2026, 2, 10, 3, tzinfo=UTC))
    return [case.consumer, *others]


@pytest.fixture
def neighbourhood(north):
    """Consumers with stored profiles; the first one stops in the middle."""
    return neighbourhood_.store(north)


@pytest.fixture(scope="session")
def trained_model(tmp_path_factory):
    """A media folder with the files of a trained model; training once is enough for all tests."""
    media = tmp_path_factory.mktemp("media")
    artifacts.save(neighbourhood_.trained(), media / "models" / "test")
    return media


@pytest.fixture
def model(db, settings, trained_model):
    """The active model version."""
    settings.MEDIA_ROOT = trained_model
    return factories.ModelVersionFactory(folder="models/test")
