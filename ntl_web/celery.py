"""The pipeline, top to bottom. Each step finds its own pending work in the database and may run twice without harm.

A step that did something rings the next at once. The timetable runs every step each minute, so that a crashed worker, a
lost message or an emptied Redis needs no repair.
"""

import os

from celery import Celery
from celery.signals import task_success
from django.conf import settings

from apps.bell import ring

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ntl_web.settings")

STEPS = [
    "readings.import_pending",  # Upload → LoadProfile, MeterEvent, rejected lines
    "detection.score_pending",  # readings newer than their score → RiskScore
    "cases.open_pending",  # high and critical scores, up to the visit budget → Case
]

# These lead to no next step and no score waits for them: each has its own place in the timetable, beside the steps.
VALIDATION = "readings.validate_pending"  # days that changed → ValidationHit, estimates, completeness
VALIDATION_WAITS_SECONDS = 10  # after an import: the scores that somebody waits for take both processes of a worker
MEANINGS = "readings.learn_pending"  # what codes of events mean, said otherwise → MeterEvent
TRAINING = "detection.train_pending"  # a wish for another model → ModelVersion

# Files of reference data that are too large to be answered at once; readings do not wait for them.
REFERENCE = "grid.reference_pending"  # ReferenceImport → zones, feeders, transformers, meters, consumers

app = Celery("ntl_web")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.pipeline_steps = STEPS  # for the bell
app.conf.beat_schedule = {
    # A message that waited for a whole round is no use: the next one is there already.
    step: {
        "task": step,
        "schedule": settings.PIPELINE_EVERY_SECONDS,
        "options": {"expires": 0.9 * settings.PIPELINE_EVERY_SECONDS},
    }
    for step in [*STEPS, VALIDATION, MEANINGS, REFERENCE, TRAINING]
}


@task_success.connect
def ring_next(sender, result, **kwargs):
    """A step answers how much it did; something is a reason to look at the next step now."""
    if sender.name in STEPS[:-1] and result:
        ring(STEPS[STEPS.index(sender.name) + 1])
        if sender.name == STEPS[0]:
            ring(VALIDATION, VALIDATION_WAITS_SECONDS)
