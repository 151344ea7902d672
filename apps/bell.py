"""The bell: tells a worker that there is something to do. Nothing depends on it; the timetable finds the same work."""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def ring(step: str) -> None:
    """Call a step once the transaction has committed. A broker that is down delays the step, never a request."""
    transaction.on_commit(lambda: _ring(step))


def _ring(step: str) -> None:
    try:
        current_app.send_task(step, ignore_result=True)
    except (OperationalError, OSError) as error:
        log.warning("%s was not rung (%s); the timetable will", step, type(error).__name__)
