"""The months of the partitioned load profiles.

`CREATE TABLE ... PARTITION OF` waits for every open reader while new readers queue behind it. A month is therefore made
as an ordinary table and attached, in a short transaction of its own that gives up quickly and tries again.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import numpy as np
from django.db import OperationalError, connection, transaction

LOCK_TIMEOUT = "2s"
TRIES = 15


class Months:
    """The months that stand, as far as they are asked for. Call `make` outside the transaction that fills them, and
    inside of it `make_beside`."""

    def __init__(self) -> None:
        self.made = existing_months()

    def make(self, days: np.ndarray) -> None:
        """Months of these days since 1970."""
        for month in sorted(months_of(days) - self.made):
            attach(month)
            self.made.add(month)

    def make_beside(self, days: np.ndarray) -> None:
        """By a connection of its own: what is made in a transaction is made for others only at its end."""
        if not months_of(days) <= self.made:
            with ThreadPoolExecutor(1) as beside:
                beside.submit(self._make_and_disconnect, days).result()

    def _make_and_disconnect(self, days: np.ndarray) -> None:
        try:
            self.make(days)
        finally:
            connection.close()  # that of this thread


def months_of(days: np.ndarray) -> set[date]:
    return set(np.unique(days.astype("datetime64[D]").astype("datetime64[M]")).tolist())


def existing_months() -> set[date]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT right(inhrelid::regclass::text, 6) FROM pg_inherits"
            " WHERE inhparent = 'readings_loadprofile'::regclass"
        )
        return {date(int(name[:4]), int(name[4:]), 1) for (name,) in cursor.fetchall()}


def name_of(month: date) -> str:
    return f"readings_loadprofile_{month:%Y%m}"


def size(month: date) -> tuple[int, int]:
    """Rows and bytes of a month."""
    with connection.cursor() as cursor:
        name = name_of(month)
        cursor.execute(f"SELECT count(*), pg_total_relation_size('{name}') FROM {name}")  # noqa: S608 our own name
        return cursor.fetchone()


def attach(month: date) -> None:
    _when_nobody_reads(_attach, month)


def drop(month: date) -> None:
    """Forget a month with everything in it."""
    _when_nobody_reads(_drop, month)


def _when_nobody_reads(change: Callable[[date], None], month: date) -> None:
    for attempt in range(1, TRIES + 1):
        try:
            return change(month)
        except OperationalError as error:
            # Somebody reads through all months right now; every wait holds up later readers, so keep it short.
            if attempt == TRIES or getattr(error.__cause__, "sqlstate", None) != "55P03":
                raise
    return None


def _drop(month: date) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        cursor.execute(f"DROP TABLE {name_of(month)}")


def _attach(month: date) -> None:
    following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    name = name_of(month)
    with transaction.atomic(), connection.cursor() as cursor:
        # One maker at a time: a second one waits here and finds the month made.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('readings_loadprofile'))")
        cursor.execute("SELECT to_regclass(%s)", [name])
        if cursor.fetchone()[0]:
            return
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        # The check spares the scan that ATTACH would make, and goes once the bounds say the same.
        cursor.execute(
            f"CREATE TABLE {name} (LIKE readings_loadprofile INCLUDING DEFAULTS INCLUDING INDEXES,"
            f" CONSTRAINT in_month CHECK (day >= '{month}' AND day < '{following}'))"
        )
        cursor.execute(
            f"ALTER TABLE readings_loadprofile ATTACH PARTITION {name} FOR VALUES FROM ('{month}') TO ('{following}')"
        )
        cursor.execute(f"ALTER TABLE {name} DROP CONSTRAINT in_month")
