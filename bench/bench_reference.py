"""100,000 consumers with meter, transformer, contract and place from one CSV, beside inserting the same rows unchecked.

The floor is COPY of the very file into a temporary table and one INSERT ... SELECT for each of the six tables
with its keys, and the rule that nobody has two at once; nothing is parsed, compared, refused or noted for an undo.
"""

import time

from bench import alone, scratch

CONSUMERS = 100_000
HEADER = "consumer,name,address,kind,zone,meter,installed_on,transformer,contract,tariff,contract_start,lon,lat"
PLAIN = """
CREATE TEMPORARY TABLE plain (
    consumer text, name text, address text, kind text, zone text, meter text, installed_on date, transformer text,
    contract text, tariff text, contract_start date, lon float8, lat float8
) ON COMMIT DROP
"""
FLOOR = [
    "INSERT INTO grid_meter (serial, kind) SELECT meter, 'consumer' FROM plain",
    "INSERT INTO grid_contract (number, tariff) SELECT contract, tariff FROM plain",
    "INSERT INTO grid_consumer (number, name, address, kind, zone_id, place) SELECT consumer, p.name, address, kind,"
    " z.id, ST_SetSRID(ST_MakePoint(lon, lat), 4326) FROM plain p JOIN grid_zone z ON z.code = zone",
    "INSERT INTO grid_installation (meter_id, consumer_id, valid) SELECT m.id, c.id, daterange(installed_on, NULL)"
    " FROM plain p JOIN grid_meter m ON m.serial = meter JOIN grid_consumer c ON c.number = consumer ORDER BY c.id",
    "INSERT INTO grid_connection (transformer_id, consumer_id, valid) SELECT t.id, c.id, daterange(NULL, NULL)"
    " FROM plain p JOIN grid_transformer t ON t.code = transformer JOIN grid_consumer c ON c.number = consumer"
    " ORDER BY c.id",
    "INSERT INTO grid_supply (contract_id, consumer_id, status, valid) SELECT k.id, c.id, 'active',"
    " daterange(contract_start, NULL) FROM plain p JOIN grid_contract k ON k.number = contract"
    " JOIN grid_consumer c ON c.number = consumer ORDER BY c.id",
]


def run() -> list[dict]:
    with scratch.database():
        from apps.accounts.models import User  # noqa: PLC0415 Django was set up only now

        by = User.objects.create(username="bench", is_superuser=True)
        for content in network():
            seconds_of(content, by)
        content = consumers()
        floor = seconds_of_floor(content)
        taken = seconds_of(content, by)
        peak = alone.peak_memory_mb()
        again = seconds_of(content, by)
        changed = seconds_of(content.replace(",household,", ",shop,", CONSUMERS // 10), by)
        undone, taken_back = seconds_of_undo(), seconds_of_undo()
    return [
        figure(f"Reference data: {CONSUMERS:,} new consumers with all links, file to commit", taken, floor),
        figure("  the same file again, nothing to change", again),
        figure("  the same file, a tenth of it changed", changed),
        figure("  taking back that tenth", undone),
        figure("  taking back all of them", taken_back),
        {"name": "  peak memory", "value": peak, "unit": "MB", "floor": None, "ratio": None},
    ]


def figure(name: str, seconds: float, floor: float | None = None) -> dict:
    return {"name": name, "value": seconds, "unit": "s", "floor": floor, "ratio": floor and floor / seconds}


def network() -> list[str]:
    return [
        "zone,name\n" + "".join(f"Z{n},Zone {n}\n" for n in range(20)),
        "feeder,zone\n" + "".join(f"F{n},Z{n % 20}\n" for n in range(200)),
        "transformer,feeder,kva,lon,lat\n" + "".join(f"T{n},F{n % 200},400,{9 + n / 1e4},50.1\n" for n in range(2000)),
    ]


def consumers() -> str:
    rows = (
        f"C-{n:06},Person {n},Mill Lane {n % 99},household,Z{n % 20},M-{n:08},2024-01-{n % 28 + 1:02},T{n % 2000},"
        f"K-{n},home,2023-11-01,{9 + n / 1e6:.6f},{50 + n % 1000 / 1e4:.6f}"
        for n in range(CONSUMERS)
    )
    return "\n".join([HEADER, *rows]) + "\n"


def seconds_of_floor(content: str) -> float:
    from django.db import connection, transaction  # noqa: PLC0415

    with transaction.atomic(), connection.cursor() as cursor:
        started = time.perf_counter()
        cursor.execute(PLAIN)
        with cursor.copy("COPY plain FROM STDIN (FORMAT CSV, HEADER)") as copy:
            copy.write(content)
        cursor.execute("ANALYZE plain")
        for statement in [*FLOOR, "SET CONSTRAINTS ALL IMMEDIATE"]:
            cursor.execute(statement)
        taken = time.perf_counter() - started
        transaction.set_rollback(True)
    vacuum()
    return taken


def seconds_of(content: str, by) -> float:
    from apps.grid.reference import actions  # noqa: PLC0415

    started = time.perf_counter()
    found = actions.receive(content=content.encode(), name="c.csv", sender="bench", by=by, confirm=True)
    actions.work(found)  # a small file is done already
    taken = time.perf_counter() - started
    found.refresh_from_db()
    if (found.status, found.refused) != ("applied", 0):
        raise RuntimeError(f"{found.status}: {found.error} {found.refused_lines[:3]}")
    vacuum()
    return taken


def seconds_of_undo() -> float:
    from apps.grid.models import ReferenceImport  # noqa: PLC0415
    from apps.grid.reference import actions  # noqa: PLC0415

    applied = ReferenceImport.objects.filter(status="applied", kind="consumers")
    found = applied.exclude(created=0, changed=0).order_by("-pk")[0]
    started = time.perf_counter()
    found = actions.undo(reference=found, by=found.by)
    actions.work(found)
    taken = time.perf_counter() - started
    found.refresh_from_db()
    if found.status != "undone":
        raise RuntimeError(found.error)
    vacuum()
    return taken


def vacuum() -> None:
    """As the server does by itself in a quieter hour."""
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
