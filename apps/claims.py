"""Which worker works on a waiting item (an upload, a scoring shard). The claim falls with the worker that holds it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import DatabaseError, connection
from django.db.models import F, Model


@contextmanager
def claim(item: Model) -> Iterator[bool]:
    """Whether this process may work on the item now; while the block runs nobody else may.

    A session lock, not the row's: attempts must be committed before the work starts, and a commit would let go of a
    row lock. The server drops the lock with the connection. Should the connection be lost and somebody else claim the
    item while this process works on, the status that the work reads under the row's lock decides.
    """
    key = [item._meta.db_table, item.pk]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s), %s)", key)
        claimed = cursor.fetchone()[0]
    try:
        yield claimed
    finally:
        # On a lost connection there is nothing to let go of.
        with suppress(DatabaseError):
            if claimed:
                cursor = connection.cursor()
                cursor.execute("SELECT pg_advisory_unlock(hashtext(%s), %s)", key)


def note_attempt(item: Model) -> bool:
    """Count one more attempt, in a commit of its own. False when the item waits no more or had all its attempts."""
    waiting = type(item).objects.filter(pk=item.pk, status=item.Status.PENDING, attempts__lt=item.ATTEMPTS)
    return waiting.update(attempts=F("attempts") + 1) == 1


def reconnect() -> None:
    """After a fault: the database may have gone and come back, and what is still to be written needs it."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
