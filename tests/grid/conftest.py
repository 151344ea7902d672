from datetime import date

import pytest
from django.contrib.gis.geos import Point
from django.db.backends.postgresql.psycopg_any import DateRange

from apps.grid.models import ReferenceImport, Transformer, Zone
from apps.grid.reference import actions
from tests import factories

ZONES = "zone,name\nNORTH,North\nWEST,West\n"
FEEDERS = "feeder,zone\nF-1,NORTH\nF-2,WEST\n"
TRANSFORMERS = "transformer,feeder,kva,lon,lat\nT-1,F-1,400,9.05,50.05\nT-2,F-2,250,8.95,50.02\n"
CONSUMERS = (
    "consumer,name,address,zone,meter,installed_on,transformer,contract,tariff,lon,lat\n"
    "C-1,Ann,Mill Lane 1,NORTH,M-1,2024-01-01,T-1,K-1,home,9.01,50.01\n"
    "C-2,Bo,Mill Lane 2,NORTH,M-2,,T-1,K-2,home,9.02,50.02\n"
)


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def give(sam):
    """Takes a file as Sam sends it, and applies it."""

    def give(content: str | bytes, confirm=True, by=sam, **stated) -> ReferenceImport:
        content = content.encode() if isinstance(content, str) else content
        sender = stated.pop("sender", "register")
        return actions.receive(content=content, name="a.csv", sender=sender, by=by, confirm=confirm, **stated)

    return give


@pytest.fixture
def grid(north):
    """What the files above bring: two zones with a feeder and a transformer each, and two consumers in the north."""
    Zone.objects.unassigned()  # tests that empty the database leave it without
    zones = [north, factories.ZoneFactory(code="WEST", name="West")]
    for n, (zone, place) in enumerate(zip(zones, [Point(9.05, 50.05), Point(8.95, 50.02)], strict=True), 1):
        feeder = factories.FeederFactory(code=f"F-{n}", zone=zone)
        factories.TransformerFactory(code=f"T-{n}", feeder=feeder, place=place, capacity_kva=[400, 250][n - 1])
    transformer = Transformer.objects.get(code="T-1")
    always = DateRange(None, None)
    for n, (name, since) in enumerate([("Ann", date(2024, 1, 1)), ("Bo", None)], 1):
        consumer = factories.ConsumerFactory(
            number=f"C-{n}", name=name, address=f"Mill Lane {n}", zone=north, place=Point(9 + n / 100, 50 + n / 100)
        )
        factories.InstallationFactory(consumer=consumer, meter__serial=f"M-{n}", valid=DateRange(since, None))
        factories.ConnectionFactory(consumer=consumer, transformer=transformer, valid=always)
        factories.SupplyFactory(consumer=consumer, contract__number=f"K-{n}", contract__tariff="home", valid=always)
