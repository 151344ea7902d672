"""Each factory states only what a row requires. No random values, so a failure repeats."""

from datetime import date

import factory
import numpy as np
from django.contrib.auth.models import Group
from django.contrib.gis.geos import MultiPolygon, Point, Polygon
from django.db.backends.postgresql.psycopg_any import DateRange

from apps.accounts.models import User
from apps.cases.models import Case
from apps.detection.models import EnergyBalance, ModelVersion, RiskScore, ScoringRun, Standing
from apps.grid.models import (
    Connection,
    Consumer,
    Contract,
    Feeder,
    Installation,
    Meter,
    ReferenceImport,
    Supply,
    Transformer,
    Zone,
    ZoneAssignment,
)
from apps.inspections.models import Inspection, Outcome
from apps.readings import partitions
from apps.readings.models import Channel, LoadProfile, MeterState, ReadingEdit, Sender, Upload, ValidationHit

ALWAYS = DateRange(date(2010, 1, 1), None)


class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user{n}")
    password = factory.django.Password("demo")

    @factory.post_generation
    def roles(self, create, names, **kwargs):
        for name in names or []:
            self.groups.add(Group.objects.get(name=name))

    @factory.post_generation
    def zones(self, create, zones, **kwargs):
        for zone in zones or []:
            ZoneAssignment.objects.create(user=self, zone=zone)


class ZoneFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Zone
        django_get_or_create = ("code",)

    code = "NORTH"
    name = factory.LazyAttribute(lambda zone: zone.code.title())
    area = MultiPolygon(Polygon.from_bbox((9.0, 50.0, 9.1, 50.1)))
    price_per_kwh = "0.30"


class FeederFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Feeder

    code = factory.Sequence(lambda n: f"F-{n}")
    zone = factory.SubFactory(ZoneFactory)


class TransformerFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Transformer

    code = factory.Sequence(lambda n: f"T-{n}")
    feeder = factory.SubFactory(FeederFactory)
    place = Point(9.05, 50.05)


class MeterFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Meter

    serial = factory.Sequence(lambda n: f"M-{n:05}")


class ConsumerFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Consumer

    number = factory.Sequence(lambda n: f"C-1{n:05}")
    zone = factory.SubFactory(ZoneFactory)
    place = Point(9.05, 50.05)


class InstallationFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Installation

    meter = factory.SubFactory(MeterFactory)
    consumer = factory.SubFactory(ConsumerFactory)
    valid = ALWAYS


class ConnectionFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Connection

    consumer = factory.SubFactory(ConsumerFactory)
    transformer = factory.SubFactory(TransformerFactory)
    valid = ALWAYS


class ContractFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Contract

    number = factory.Sequence(lambda n: f"K-{n:05}")


class SupplyFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Supply

    consumer = factory.SubFactory(ConsumerFactory)
    contract = factory.SubFactory(ContractFactory)
    valid = ALWAYS


class ReferenceImportFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = ReferenceImport

    by = factory.SubFactory(UserFactory)
    sender = "register"
    name = "consumers.csv"
    size = 1
    sha256 = factory.Sequence(lambda n: f"{n:064x}")
    kind = "consumers"
    as_of = date(2026, 5, 1)
    status = ReferenceImport.Status.DISCARDED


class SenderFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Sender
        django_get_or_create = ("name",)

    name = "head-end"


class UploadFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Upload

    sender = factory.SubFactory(SenderFactory)
    name = "readings.csv"
    size = 1
    sha256 = factory.Sequence(lambda n: f"{n:064x}")
    timezone = "UTC"
    stamps = "start"
    measures = "interval"
    unit = "kWh"
    status = Upload.Status.IMPORTED


class ValidationHitFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = ValidationHit

    meter = factory.SubFactory(MeterFactory)
    rule = "zeros"
    day = date(2026, 3, 1)
    last_day = factory.SelfAttribute("day")
    value = 3.0
    limit = 3.0


class ReadingEditFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = ReadingEdit

    meter = factory.SubFactory(MeterFactory)
    day = date(2026, 3, 1)
    verb = "suspect"
    by = factory.SubFactory(UserFactory)
    upload = factory.SubFactory(UploadFactory)


class ModelVersionFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = ModelVersion
        django_get_or_create = ("status",)

    status = ModelVersion.Status.ACTIVE
    folder = "models/test"


class ScoringRunFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = ScoringRun

    model_version = factory.SubFactory(ModelVersionFactory)


class RiskScoreFactory(factory.django.DjangoModelFactory):
    """A score that stands."""

    class Meta:
        model = RiskScore
        skip_postgeneration_save = True

    run = factory.SubFactory(ScoringRunFactory)
    consumer = factory.SubFactory(ConsumerFactory)
    score = 0.95
    level = "critical"
    kind = "gradual_decline"
    parts = {"booster": 0.6, "isolation_forest": 0.35}
    onset_on = date(2026, 3, 1)
    kwh_missing_per_month = 100.0
    data_from = date(2026, 1, 1)
    data_until = date(2026, 4, 30)

    @factory.post_generation
    def stands(self, create, extracted, **kwargs):
        if extracted is not False:
            Standing.objects.update_or_create(consumer=self.consumer, defaults={"score": self, "scored_revision": 1})


class EnergyBalanceFactory(factory.django.DjangoModelFactory):
    """28 days of 100 kWh, of which 10 are lost and nobody knows where."""

    class Meta:
        model = EnergyBalance

    run = factory.SubFactory(ScoringRunFactory)
    transformer = factory.SubFactory(TransformerFactory)
    meters = 12
    days = 28
    data_until = date(2026, 3, 1)
    delivered_kwh = 2800.0
    reported_kwh = 2408.0
    expected_loss_kwh = 112.0
    unexplained_kwh = 280.0
    quality = "good"
    since = date(2026, 2, 10)
    by_day = {"first_day": "2026-02-28", "delivered": [100, 100], "reported": [86, None], "expected_loss": [4, None]}


class CaseFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Case

    consumer = factory.SubFactory(ConsumerFactory)
    score = factory.SubFactory(RiskScoreFactory, consumer=factory.SelfAttribute("..consumer"))
    level = factory.SelfAttribute("score.level")
    kind = factory.SelfAttribute("score.kind")
    risk = factory.SelfAttribute("score.score")
    onset_on = factory.SelfAttribute("score.onset_on")
    kwh_per_month = 100.0
    money_per_month = "30.00"


class InspectionFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Inspection

    consumer = factory.SubFactory(ConsumerFactory)
    outcome = Outcome.BYPASS
    inspected_on = date(2026, 4, 1)


def store_profiles(meter: Meter, first_day: date, kwh: np.ndarray) -> None:
    """Write a meter's days (D, S) kWh as if an upload had brought them."""
    upload = UploadFactory()
    days = [date.fromordinal(first_day.toordinal() + offset) for offset in range(len(kwh))]
    partitions.Months().make(np.array(days, dtype="datetime64[D]").astype(np.int64))
    LoadProfile.objects.bulk_create(
        LoadProfile(meter=meter, channel=Channel.IMPORT, day=day, kwh=row.tolist(), upload=upload)
        for day, row in zip(days, kwh, strict=True)
    )
    MeterState.objects.update_or_create(
        meter=meter,
        defaults={
            "revision": 1,
            "first_day": days[0],
            "last_day": days[-1],
            "interval_minutes": 1440 // kwh.shape[1],
        },
    )
