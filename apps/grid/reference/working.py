"""What is done with an import of reference data that waits: check it, apply it, take it back, say how far it came."""

import logging
import time
import traceback
from functools import cached_property

from django.db import DatabaseError, connection, connections, transaction
from django.db.models import Case, F, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps import claims
from apps.faults import FileFault
from apps.grid.models import ReferenceImport
from apps.grid.reference import applying, journal, kinds, planning, showing, sources, staging
from apps.grid.reference.plan import CHANGE, CREATE, SAME, Plan

log = logging.getLogger(__name__)

Status = ReferenceImport.Status
ABOUT_FILE = ("source", "label", "size")  # of a preview, what does not depend on how the file is meant


class MoveNotAllowed(Exception):
    """The import is not in a state in which this can be done to it."""


class Busy(Exception):
    """Another import is being applied at this moment."""


def work(reference: ReferenceImport, waits: bool = True) -> bool:
    """Check, apply or take back one waiting import, unless somebody else does. True when that was done.

    While another one is applied, a worker waits; a request with a person behind it leaves it to the worker.

    A fault of the file is told at once; anything else is our fault or the machine's, and the import waits for its next
    attempt until it has had all of them.
    """
    with claims.claim(reference) as claimed:
        if not claimed:
            return False
        waiting = ReferenceImport.objects.waiting().filter(pk=reference.pk, attempts__lt=ReferenceImport.ATTEMPTS)
        if not waiting.update(attempts=F("attempts") + 1, compared_at=timezone.now()):
            _park(reference)
            return False
        reference.refresh_from_db()
        progress = Progress(reference)
        try:
            with transaction.atomic():
                return _work(reference, progress, waits)
        except Busy:
            ReferenceImport.objects.filter(pk=reference.pk).update(attempts=F("attempts") - 1)
        except FileFault as fault:
            _settle_fault(reference, str(fault))
        except journal.CannotUndo as reason:
            ReferenceImport.objects.waiting().filter(pk=reference.pk).update(
                status=Status.APPLIED, error=str(reason), undone_by=None
            )
        except Exception as error:
            log_fault(f"Import of reference data {reference.pk}", error)
            claims.reconnect()
            _park(reference)
        finally:
            progress.close()
    return False


def _work(reference: ReferenceImport, progress: "Progress", waits: bool) -> bool:
    applies = reference.status == Status.PENDING
    if applies or reference.status == Status.UNDOING:
        _one_at_a_time(waits)
    if reference.status == Status.UNDOING:
        return _undo(reference, progress)
    kind = kinds.KINDS.get(reference.kind)
    if kind is None:
        raise FileFault(_("What the file holds is not recognised from its columns: say what it holds."))
    progress.say(0.02, _("Reading the file"))
    source = sources.open_source(reference.path)
    count, refused = staging.stage(source, kind, reference.columns, progress)
    progress.say(0.55, _("Comparing"))
    plan = Plan(kind, reference.by, reference.as_of, source, refused)
    planning.make(plan)
    found = {
        "rows": count,
        "created": plan.counts[CREATE],
        "changed": plan.counts[CHANGE],
        "same": plan.counts[SAME],
        "refused": refused.count,
        "refused_lines": sorted(refused.kept),
        "error": "",
        "preview": about_file(reference) | showing.preview(plan),
    }
    if applies:
        if refused.count and (reference.strict or not sum(plan.counts.values())):
            _fail(reference, found)
            return True
        applying.apply(plan, reference, progress)
        found |= {"status": Status.APPLIED, "applied_at": timezone.now()}
    else:
        found |= {"status": Status.DRAFT}
    if not ReferenceImport.objects.filter(pk=reference.pk, status=reference.status).update(**found):
        raise MoveNotAllowed
    return True


def _undo(reference: ReferenceImport, progress: "Progress") -> bool:
    progress.say(0.3, _("Taking back"))
    journal.undo(reference)
    waiting = ReferenceImport.objects.filter(pk=reference.pk, status=Status.UNDOING)
    return waiting.update(status=Status.UNDONE, undone_at=timezone.now()) == 1


def _fail(reference: ReferenceImport, found: dict) -> None:
    line, reason, _text = found["refused_lines"][0]
    error = ngettext(
        "%(count)d row is refused, so nothing was taken. %(place)s.",
        "%(count)d rows are refused, so nothing was taken. %(place)s.",
        found["refused"],
    ) % {
        "count": found["refused"],
        # Of objects the reason names the place itself.
        "place": _("Line %(line)d: %(reason)s") % {"line": line, "reason": reason}
        if reference.format == "csv"
        else reason[:1].upper() + reason[1:],
    }
    found |= {"status": Status.FAILED, "error": error, "created": 0, "changed": 0, "same": 0}
    ReferenceImport.objects.filter(pk=reference.pk, status=Status.PENDING).update(**found)


def _settle_fault(reference: ReferenceImport, error: str) -> None:
    """A draft stays one: with other columns chosen it may be readable. What was to be applied has failed."""
    waiting = ReferenceImport.objects.waiting().filter(pk=reference.pk)
    is_check = reference.status == Status.CHECKING
    waiting.update(
        status=Status.DRAFT if is_check else Status.FAILED,
        error=error,
        preview=about_file(reference),
        refused_lines=[],
        **dict.fromkeys(["created", "changed", "same", "refused"], 0),
    )


def about_file(reference: ReferenceImport) -> dict:
    return {key: reference.preview[key] for key in ABOUT_FILE if key in reference.preview}


def _park(reference: ReferenceImport) -> None:
    waiting = ReferenceImport.objects.waiting().filter(pk=reference.pk, attempts__gte=ReferenceImport.ATTEMPTS)
    waiting.update(
        status=Case(When(status=Status.UNDOING, then=Value(Status.APPLIED)), default=Value(Status.FAILED)),
        error=_(
            "This stopped %(attempts)d times without a fault that could be named. The file is kept; tell whoever runs"
            " this server: the log names import %(id)d."
        )
        % {"attempts": ReferenceImport.ATTEMPTS, "id": reference.pk},
    )


def log_fault(what: str, error: Exception) -> None:
    # Where it happened and no message: that may quote somebody's name or address.
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s failed: %s\n%s", what, type(error).__name__, frames)


def _one_at_a_time(waits: bool) -> None:
    """Imports of reference data follow one another: each is planned on what the one before has written. Raises Busy."""
    with connection.cursor() as cursor:
        if waits:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('grid.reference'))")
            return
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('grid.reference'))")
        if not cursor.fetchone()[0]:
            raise Busy


class Progress:
    """How far an import has come, written beside its transaction so that a page sees it at once."""

    FIRST_AFTER = 1.0  # seconds; what is done sooner needs no progress
    BETWEEN = 0.5

    def __init__(self, reference: ReferenceImport):
        self.reference = reference
        self.said_at = time.monotonic() + self.FIRST_AFTER - self.BETWEEN

    @cached_property
    def connection(self):
        return connections.create_connection("default")

    def say(self, fraction: float, doing: str) -> None:
        if time.monotonic() - self.said_at < self.BETWEEN:
            return
        try:
            with self.connection.cursor() as cursor:
                # Never waits: a page that does not move is a pity, an import that hangs would be a fault.
                cursor.execute("SET lock_timeout = '50ms'")
                cursor.execute(
                    "UPDATE grid_referenceimport SET fraction = %s, doing = %s WHERE id = %s",
                    [fraction, doing[:64], self.reference.pk],
                )
        except DatabaseError as error:
            log.info("Progress of import %d is not shown (%s)", self.reference.pk, type(error).__name__)
        self.said_at = time.monotonic()

    def close(self) -> None:
        if "connection" in self.__dict__:
            self.connection.close()
