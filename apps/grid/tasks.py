from celery import shared_task

from apps.grid.models import ReferenceImport
from apps.grid.reference import working


@shared_task(name="grid.reference_pending")
def reference_pending() -> int:
    """Check and apply the reference data that waits, oldest first. How many files."""
    done, tried = 0, []
    while reference := ReferenceImport.objects.waiting().exclude(pk__in=tried).order_by("at").first():
        tried.append(reference.pk)
        done += working.work(reference)
    return done
