import pyarrow as pa
from celery import shared_task

from apps.readings import actions, events, held
from apps.readings.models import Upload
from apps.readings.validation import running

# Arrow loads pandas, where that is installed, at its first conversion: a worker that starts has time for it.
pa.array([0])


@shared_task(name="readings.import_pending")
def import_pending() -> int:
    """Import what waits, oldest first. How many uploads were imported or withdrawn."""
    held.release()
    imported, tried = 0, []
    # One at a time: what was confirmed meanwhile comes along, and what another worker has taken is passed by.
    while upload := Upload.objects.pending().exclude(pk__in=tried).order_by("at").first():
        tried.append(upload.pk)
        imported += actions.import_upload(upload)
    return imported


@shared_task(name=running.STEP)
def validate_pending() -> int:
    """Validate the days that changed. How many meters were validated."""
    return running.validate_pending()


@shared_task(name=events.STEP)
def learn_pending() -> int:
    """Apply what was said of events' codes to the events that came. How many have another meaning."""
    return events.learn_pending()
