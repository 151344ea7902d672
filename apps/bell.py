"""The bell: tells a worker that there is something to do. Nothing depends on it; the timetable finds the same work."""

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

# A worker waits for its broker as long as it takes; whoever rings has a person waiting. A connection of its own for
# each ring, as a kept one would be shared with code that has time.
IN_A_HURRY = {
    "max_retries": 1,
    "interval_start": 0,
    "socket_connect_timeout": 0.4,
    "socket_timeout": 0.4,
}


def ring(step: str) -> None:
    """Call a step once the transaction has committed. A broker that is down delays the step, never a request."""
    transaction.on_commit(lambda: _ring(step))


def _ring(step: str) -> None:
    try:
        with current_app.connection_for_write(transport_options=IN_A_HURRY) as connection:
            current_app.send_task(step, connection=connection, ignore_result=True)
    except (OperationalError, OSError) as error:
        log.warning("%s was not rung (%s); the timetable will", step, type(error).__name__)
