"""Something that another process does in the meantime, with a connection of its own."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from django.db import connection

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def meanwhile(work: Callable) -> Future:
    """Begins the work, and comes back once it is done or waits for a lock."""

    def run():
        try:
            return work()
        finally:
            connection.close()

    pool = ThreadPoolExecutor(1)
    future = pool.submit(run)
    pool.shutdown(wait=False)
    until = time.monotonic() + 5
    while not future.done() and time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # or a transaction sees what it saw when it first looked
            cursor.execute(WAITING)
            if cursor.fetchone()[0]:
                break
        time.sleep(0.02)
    return future
