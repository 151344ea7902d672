"""How far an import has come, written outside of its transaction so that a page sees it at once."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connections

from apps.readings.models import Upload

log = logging.getLogger(__name__)
SECONDS_BETWEEN = 0.3

# After a power cut nobody needs to know how far an import was, which then begins anew.
NOT_SYNCED = "SET synchronous_commit TO off"
SAVE = """
INSERT INTO readings_uploadprogress (upload_id, fraction, doing, at) VALUES (%s, %s, %s, now())
ON CONFLICT (upload_id) DO UPDATE SET fraction = excluded.fraction, doing = excluded.doing, at = excluded.at
"""


class Progress:
    def __init__(self, upload: Upload):
        self.upload = upload
        self.connection = connections.create_connection("default")
        self.said_at = 0.0

    def say(self, fraction: float, doing: str) -> None:
        """A page that does not move is a pity; an import that fails because of it would be a fault."""
        if self.connection is None or time.monotonic() - self.said_at < SECONDS_BETWEEN:
            return
        try:
            with self.connection.cursor() as cursor:
                if not self.said_at:
                    cursor.execute(NOT_SYNCED)
                cursor.execute(SAVE, [self.upload.pk, fraction, doing[:64]])
        except DatabaseError as error:
            log.info("Progress of upload %d is not shown (%s)", self.upload.pk, type(error).__name__)
            self.close()
        self.said_at = time.monotonic()

    def close(self) -> None:
        if self.connection:
            self.connection.close()
        self.connection = None


@contextmanager
def shown(upload: Upload) -> Iterator[Progress]:
    progress = Progress(upload)
    try:
        yield progress
    finally:
        progress.close()
