"""Readings that are pushed as JSON to a real web server, counted to commit, with the client on the same machine."""

import json
import time

import numpy as np

from bench import scratch
from bench.bench_live import new_key, web
from bench.http import post_all

METERS, PUSHES, SLOTS = 10_000, 6, 24
SINGLE = 2000  # meters that push an hour each
AT_ONCE = 64


def run() -> list[dict]:
    with scratch.database():
        set_up()
        key = new_key()
        days = [str(np.datetime64("today") - 10 + day) for day in range(PUSHES + 1)]
        bodies = [push_of(METERS, day) for day in days]
        with web() as address:
            post_all(address, "/api/v1/readings", key, bodies[:1], 1)  # meters and months are known from then on
            alone = seconds_of(address, key, bodies[1 : 1 + PUSHES // 2], 1)
            together = seconds_of(address, key, bodies[1 + PUSHES // 2 :], 2)
            hours = [hour_of(meter, days[-1]) for meter in range(SINGLE)]
            single = seconds_of(address, key, hours, AT_ONCE)
            as_one = seconds_of(address, key, [b'{"readings":[' + b",".join(hours) + b"]}"], 1)
        readings = METERS * SLOTS * PUSHES // 2
        floor = readings / copy_seconds(days[1 : 1 + PUSHES // 2])
    size = f"{len(bodies[0]) / 1e6:.1f} MB"
    return [
        figure(
            f"JSON blocks by HTTP to commit, pushes of {METERS * SLOTS:,} readings ({size})", readings / alone, floor
        ),
        figure("  the same over two connections", readings / together, floor),
        {
            "name": f"{SINGLE:,} pushes of one hour of one meter, {AT_ONCE} at a time; floor: the same as one push",
            "value": single,
            "unit": "s",
            "floor": as_one,
            "ratio": single / as_one,
        },
    ]


def figure(name: str, value: float, floor: float) -> dict:
    return {"name": name, "value": value, "unit": "readings/s", "floor": floor, "ratio": value / floor}


def set_up() -> None:
    """Whom the key belongs to."""
    from django.contrib.auth.models import Group  # noqa: PLC0415 Django was set up only now

    from apps.accounts.models import User  # noqa: PLC0415

    User.objects.create(username="head-end", all_zones=True).groups.add(Group.objects.get(name="Systems"))


def push_of(meters: int, day: str) -> bytes:
    kwh = np.random.default_rng(1).gamma(1.2, 0.35, (meters, SLOTS)).round(3).tolist()
    start = f"{day}T00:00:00Z"
    blocks = [
        {"meter": f"M-{meter:06}", "start": start, "interval_minutes": 1440 // SLOTS, "kwh": values}
        for meter, values in enumerate(kwh)
    ]
    return json.dumps({"readings": blocks}, separators=(",", ":")).encode()


def hour_of(meter: int, day: str) -> bytes:
    start = f"{np.datetime64(day) + 3}T00:00:00Z"
    return json.dumps({"meter": f"M-{meter:06}", "start": start, "interval_minutes": 60, "kwh": 0.4}).encode()


def seconds_of(address: str, key: str, bodies: list[bytes], connections: int) -> float:
    began = time.perf_counter()
    post_all(address, "/api/v1/readings", key, bodies, connections)
    return time.perf_counter() - began


def copy_seconds(days: list[str]) -> float:
    """Binary COPY of the rows of these days into the emptied table, committed."""
    from datetime import date  # noqa: PLC0415

    from django.db import connection, transaction  # noqa: PLC0415

    from apps.grid.models import Meter  # noqa: PLC0415
    from apps.readings import copying, profiles  # noqa: PLC0415
    from apps.readings.series import Days  # noqa: PLC0415

    ids = list(Meter.objects.values_list("id", flat=True))
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    stored = sorted(profiles.stored_rows(ids, first, last), key=lambda rows: rows.meter_id)
    meters = np.concatenate([np.full(len(rows.days), rows.meter_id) for rows in stored])
    rows = Days(meters, np.concatenate([one.days for one in stored]), np.concatenate([one.kwh for one in stored]))
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE readings_loadprofile")
    began = time.perf_counter()
    with transaction.atomic():
        copying.load_profiles(rows, meters, 1)
    return time.perf_counter() - began
