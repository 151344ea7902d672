"""The bell: tells a worker that there is something to do. Nothing depends on it; the timetable finds the same work."""

import logging
import time

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
MOMENT_SECONDS = 0.3
SILENCE_SECONDS = 10  # after a call that did not get through: not every push waits for a broker that is away
_called_until: dict[str, float] = {}  # step → when the call that is on its way arrives; of this process


def ring(step: str, in_seconds: float = 0) -> None:
    """Call a step once the transaction has committed. A broker that is down delays the step, never a request."""
    transaction.on_commit(lambda: _ring(step, in_seconds))


def ring_after(step: str) -> None:
    """Call the step that follows this one, whose work was done elsewhere, such as in a web process.

    For what may happen a thousand times a second: calls within a moment become one, at the end of that moment.
    """
    steps = current_app.conf.pipeline_steps
    following = steps[steps.index(step) + 1]
    transaction.on_commit(lambda: _ring_once(following))


def _ring_once(step: str) -> None:
    now = time.monotonic()
    # The step that was called begins only after the moment, and so after the commit that this call is about.
    if now < _called_until.get(step, 0):
        return
    _called_until[step] = now + SILENCE_SECONDS
    if _ring(step, MOMENT_SECONDS):
        _called_until[step] = now + MOMENT_SECONDS


def _ring(step: str, in_seconds: float = 0) -> bool:
    try:
        with current_app.connection_for_write(transport_options=IN_A_HURRY) as connection:
            current_app.send_task(step, connection=connection, ignore_result=True, countdown=in_seconds or None)
    except (OperationalError, OSError) as error:
        log.warning("%s was not rung (%s); the timetable will", step, type(error).__name__)
        return False
    return True
