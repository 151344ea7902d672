"""Which worker imports an upload. The claim falls with the worker that holds it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import DatabaseError, connection
from django.db.models import F

from apps.readings.models import Upload


@contextmanager
def claim(upload: Upload) -> Iterator[bool]:
    """Whether this process may import the upload now; while the block runs nobody else may.

    A session lock, not the row's: attempts must be committed before the work starts, and a commit would let go of a
    row lock. The server drops the lock with the connection. Should the connection be lost and somebody else claim the
    upload while this process works on, the status that the import reads under the row's lock decides.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext('readings_upload'), %s)", [upload.pk])
        claimed = cursor.fetchone()[0]
    try:
        yield claimed
    finally:
        # On a lost connection there is nothing to let go of.
        with suppress(DatabaseError):
            if claimed:
                cursor = connection.cursor()
                cursor.execute("SELECT pg_advisory_unlock(hashtext('readings_upload'), %s)", [upload.pk])


def note_attempt(upload: Upload) -> bool:
    """Count one more attempt, in a commit of its own. False when the upload waits no more or had all its attempts."""
    waiting = Upload.objects.filter(pk=upload.pk, status=Upload.Status.PENDING, attempts__lt=Upload.ATTEMPTS)
    return waiting.update(attempts=F("attempts") + 1) == 1
