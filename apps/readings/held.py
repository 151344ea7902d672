"""Readings that are held back for meters nobody registered: let in as soon as the meters are."""

from django.db import connection

from apps.readings.models import Upload

# A file is imported again as a whole: what of it is here already changes nothing.
RELEASE = """
UPDATE readings_upload upload SET status = %(pending)s, attempts = 0
WHERE upload.status = %(imported)s
  AND EXISTS (SELECT 1 FROM readings_heldmeter held JOIN grid_meter meter ON meter.serial = held.serial
              WHERE held.upload_id = upload.id)
"""


def release() -> int:
    """Make uploads pending again of which a held meter has been registered. How many."""
    with connection.cursor() as cursor:
        cursor.execute(RELEASE, {"pending": Upload.Status.PENDING, "imported": Upload.Status.IMPORTED})
        return cursor.rowcount
