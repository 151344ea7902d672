"""Puts a made-up city into the database: the demo's ground, and a place to try things. Readings take the same way in
as a utility's own: a file, an upload, the import."""

import io
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from django.contrib.gis.geos import LineString, MultiLineString, MultiPolygon, Point, Polygon
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateRange

from apps.accounts.models import User
from apps.grid.models import Connection, Consumer, Contract, Feeder, Installation, Meter, Supply, Transformer, Zone
from apps.inspections.models import Inspection
from apps.readings import actions as readings
from apps.readings.models import MeterEvent, Upload
from ml.synthetic.city import City, generate_city

SENDER = "Aldermoor head-end"
PRICES = (0.29, 0.31, 0.33)  # per kWh, zone by zone


def is_loaded() -> bool:
    return Transformer.objects.exists()


def load(
    *, seed: int, consumers: int, days: int, last_day: np.datetime64, by: User, say: Callable[[str], None]
) -> None:
    """Generate the city, write its ground in one transaction, then import its readings."""
    say(f"Making up a city of {consumers} consumers and {days} days")
    city = generate_city(seed, consumers=consumers, days=days, first_day=last_day - (days - 1))
    say("Writing zones, feeders, transformers, consumers, contracts and past inspections")
    with transaction.atomic():
        write_ground(city)
    say(f"Importing {np.isfinite(city.kwh).sum() + city.transformer_kwh.size:,} readings")
    upload, _is_new = readings.receive(
        file=ContentFile(parquet(city)),
        name=f"{city.name.lower()}-{city.first_day}.parquet",
        sender=SENDER,
        statement={"timezone": "UTC", "stamps": "start", "unit": "kWh", "multiplier": 1, "measures": "interval"},
        by=by,
        confirm=True,
    )
    readings.import_upload(upload)
    upload.refresh_from_db()
    if upload.status != Upload.Status.IMPORTED:
        raise RuntimeError(f"The city's readings were not imported: {upload.error}")


def write_ground(city: City) -> None:
    zones = Zone.objects.bulk_create(
        Zone(
            code=zone.name.upper().replace(" ", "-"),
            name=zone.name,
            area=MultiPolygon(Polygon(zone.ring)),
            price_per_kwh=PRICES[index % len(PRICES)],
        )
        for index, zone in enumerate(city.zones)
    )
    feeders = Feeder.objects.bulk_create(
        Feeder(code=feeder.name, zone=zones[feeder.zone], path=MultiLineString(LineString(feeder.line)))
        for feeder in city.feeders
    )
    sum_meters = Meter.objects.bulk_create(
        Meter(serial=transformer.sum_meter, kind=Meter.Kind.SUM) for transformer in city.transformers
    )
    transformers = Transformer.objects.bulk_create(
        Transformer(
            code=transformer.name,
            feeder=feeders[transformer.feeder],
            place=Point(transformer.place),
            capacity_kva=250,
            sum_meter=sum_meter,
        )
        for transformer, sum_meter in zip(city.transformers, sum_meters, strict=True)
    )
    consumers = Consumer.objects.bulk_create(
        Consumer(
            number=consumer.number,
            name=consumer.name,
            address=consumer.address,
            kind=consumer.kind,
            zone=zones[consumer.zone],
            place=Point(consumer.place),
        )
        for consumer in city.consumers
    )
    write_links(city, consumers, transformers)
    Inspection.objects.bulk_create(
        Inspection(consumer=consumers[visit.consumer], outcome=visit.outcome, inspected_on=visit.day)
        for visit in city.inspections
    )


def write_links(city: City, consumers: list[Consumer], transformers: list[Transformer]) -> None:
    meters = Meter.objects.bulk_create(Meter(serial=meter.serial, closed_on=meter.until_day) for meter in city.meters)
    Installation.objects.bulk_create(
        Installation(meter=row, consumer=consumers[meter.consumer], valid=DateRange(meter.from_day, meter.until_day))
        for meter, row in zip(city.meters, meters, strict=True)
    )
    contracts = Contract.objects.bulk_create(Contract(number=contract.number) for contract in city.contracts)
    Supply.objects.bulk_create(
        Supply(
            consumer=consumers[contract.consumer],
            contract=row,
            valid=DateRange(contract.from_day, contract.until_day),
            status=Supply.Status.ACTIVE,
        )
        for contract, row in zip(city.contracts, contracts, strict=True)
    )
    # Fed from the same transformer since the first contract that is on file.
    since = {contract.consumer: contract.from_day for contract in reversed(city.contracts)}
    Connection.objects.bulk_create(
        Connection(
            consumer=consumers[index],
            transformer=transformers[consumer.transformer],
            valid=DateRange(since[index], None),
        )
        for index, consumer in enumerate(city.consumers)
    )
    serials = {meter.serial: meter for meter in meters}
    MeterEvent.objects.bulk_create(
        (MeterEvent(meter=serials[event.meter], code=event.code, at=event.at) for event in city.events),
        ignore_conflicts=True,
    )


def parquet(city: City) -> bytes:
    """The city's readings as a head-end would send them: rows are times, columns are meters."""
    kwh = np.concatenate([city.kwh, city.transformer_kwh])
    columns = kwh.reshape(len(kwh), -1)
    slots = np.arange(columns.shape[1]) * np.timedelta64(city.interval_minutes, "m")
    serials = [meter.serial for meter in city.meters] + [one.sum_meter for one in city.transformers]
    table = pa.table(
        {
            "timestamp": city.first_day.astype("datetime64[s]") + slots,
            **{serial: pa.array(column, from_pandas=True) for serial, column in zip(serials, columns, strict=True)},
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()
