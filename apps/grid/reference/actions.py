"""Verbs on imports of reference data. The file and its row are safe before anything else happens with them."""

import errno
import hashlib
import json
import logging
import time
import traceback
from collections.abc import Iterable
from datetime import date, timedelta
from functools import cached_property

from django.conf import settings
from django.core.files.base import ContentFile
from django.db import DatabaseError, connection, connections, transaction
from django.db.models import Case, F, Value, When
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from apps import claims
from apps.accounts.models import User
from apps.bell import ring
from apps.faults import FileFault
from apps.grid.models import Consumer, Meter, ReferenceImport
from apps.grid.reference import applying, journal, kinds, planning, showing, sources, staging
from apps.grid.reference.plan import CHANGE, CREATE, SAME, Plan
from apps.grid.reference.sources import Source

log = logging.getLogger(__name__)

Status = ReferenceImport.Status
TASK = "grid.reference_pending"
ROWS_UNDONE_AT_ONCE = 2000
ABOUT_FILE = ("source", "label", "size")  # of a preview, what does not depend on how the file is meant
DAYS_AHEAD = 366  # that the exchange of a meter may be written down before it happens


class MoveNotAllowed(Exception):
    """The import is not in a state in which this can be done to it."""


class Busy(Exception):
    """Another import is being applied at this moment."""


class NotKept(Exception):
    """The file was not kept. The message tells a person why."""


def received(chunks: Iterable[bytes]) -> bytes:
    """A file in memory: reference data is small beside readings. Raises NotKept."""
    parts, size = [], 0
    for chunk in chunks:
        size += len(chunk)
        if size > settings.REFERENCE_MAX_BYTES:
            raise NotKept(too_large())
        parts.append(chunk)
    return b"".join(parts)


def too_large() -> str:
    limit = f"{settings.REFERENCE_MAX_BYTES / 1e6:,.6g}"
    return _("The file is larger than the %(limit)s MB that are taken at once. Send it in parts.") % {"limit": limit}


def receive(
    *,
    content: bytes,
    name: str,
    sender: str,
    by: User,
    kind: str = "",
    columns: dict[str, str] | None = None,
    as_of: date | None = None,
    strict: bool = False,
    confirm: bool = False,
) -> ReferenceImport:
    """Keep a file and find out what it holds. With confirm it is applied, else checked for a person to look at.

    Kind and columns that are not stated are those of the sender's last file with these columns, then guessed. A small
    file is worked on at once, a large one by a worker. Raises NotKept.
    """
    reference = ReferenceImport(
        name=name.replace("\0", "")[:255] or _("file"),
        sender=" ".join(sender.replace("\0", "").split())[:100] or by.get_username(),
        by=by,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        as_of=as_of or timezone.localdate(),
        strict=strict,
        status=Status.PENDING if confirm else Status.CHECKING,
    )
    try:
        reference.file.save("file", ContentFile(content), save=False)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise NotKept(
            _("This server's disk is full: the file was not kept. Tell whoever runs the server, and send it again.")
        ) from error
    try:
        source = _opened(reference)
        reference.format = source.format
        reference.kind, reference.columns = proposal(source, reference, kind, columns)
        reference.preview = {"source": showing.cells_of(source), "label": source.label, "size": source.size}
    except FileFault as fault:
        reference.status, reference.error = Status.FAILED, str(fault)
    reference.save()
    _start(reference)
    return reference


def _opened(reference: ReferenceImport) -> Source:
    """Raises FileFault, also where it is our fault: the file is kept."""
    try:
        return sources.open_source(reference.path)
    except FileFault:
        raise
    except Exception as error:
        _log("Looking at a file of reference data", error)
        raise FileFault(
            _("This server could not look into the file, and no fault of it could be named. Tell whoever runs it.")
        ) from None


def proposal(
    source: Source, reference: ReferenceImport, kind: str, columns: dict[str, str] | None
) -> tuple[str, dict[str, str]]:
    """Kind and columns: as stated, else as the sender's last file of this sort was meant, else as the names suggest."""
    if columns:
        return kind or _best_kind(columns), columns
    remembered = (
        ReferenceImport.objects.visible_to(reference.by)
        .filter(
            sender=reference.sender, status__in=[Status.APPLIED, Status.UNDONE], columns__has_any_keys=_all_fields()
        )
        .order_by("-at")
    )
    if kind:
        remembered = remembered.filter(kind=kind)
    guessed, mapping = kinds.guess(source.columns, source.shape_type)
    if kind and kind != guessed:
        guessed, mapping = kind, kinds.mapping_of(kinds.KINDS[kind], source.columns, source.shape_type)
    for last, meant, had in remembered.values_list("kind", "columns", "preview__source")[:20]:
        if set(meant.values()) <= set(source.columns) and (kind or last == guessed or not guessed):
            return last, meant | of_new_columns(source, last, meant, {name for name, _cells in had or []})
    return guessed, mapping


def of_new_columns(source: Source, kind: str, meant: dict[str, str], had: set[str]) -> dict[str, str]:
    """What columns hold that the sender's last file did not have, by field."""
    new = kinds.mapping_of(kinds.KINDS[kind], [name for name in source.columns if name not in had], source.shape_type)
    places = {"lon", "lat", "place"} if {"lon", "lat", "place"} & meant.keys() else set()
    return {name: column for name, column in new.items() if name not in meant.keys() | places}


def _all_fields() -> list[str]:
    return sorted({one.name for kind in kinds.KINDS.values() for one in kind.fields})


def _best_kind(columns: dict[str, str]) -> str:
    fitting = [kind.name for kind in kinds.KINDS.values() if columns.keys() <= kind.by_name.keys()]
    return next(iter(fitting), "")


@transaction.atomic
def state(
    *, reference: ReferenceImport, kind: str, columns: dict[str, str], as_of: date, strict: bool, confirm: bool
) -> ReferenceImport:
    """Take a draft as a person says it is meant: check it again, or apply it."""
    reference = _locked(reference, Status.DRAFT)
    reference.kind, reference.columns, reference.as_of, reference.strict = kind, columns, as_of, strict
    reference.status = Status.PENDING if confirm else Status.CHECKING
    reference.attempts, reference.error, reference.fraction, reference.doing = 0, "", 0, ""
    reference.save()
    return reference


def restate(**stated) -> ReferenceImport:
    reference = state(**stated)
    _start(reference)
    return reference


@transaction.atomic
def discard(*, reference: ReferenceImport) -> ReferenceImport:
    reference = _locked(reference, Status.DRAFT, Status.FAILED)
    reference.status = Status.DISCARDED
    reference.save(update_fields=["status"])
    return reference


def undo(*, reference: ReferenceImport, by: User) -> ReferenceImport:
    """Make everything as it was before the import, unless something later changed it: then `error` says what."""
    with transaction.atomic():
        reference = _locked(reference, Status.APPLIED)
        reference.status, reference.undone_by, reference.attempts, reference.error = Status.UNDOING, by, 0, ""
        reference.fraction, reference.doing = 0, ""
        reference.save()
    _start(reference, large=reference.created > ROWS_UNDONE_AT_ONCE)
    return reference


def replacement_faults(*, consumer: Consumer, serial: str, on: date) -> dict[str, str]:
    """Field → why this meter cannot follow the consumer's present one on that day. Whose it is now, the import says."""
    faults = {}
    current = consumer.installations.current().select_related("meter").first()
    meter = Meter.objects.filter(serial=serial).first()
    if current and current.meter.serial == serial:
        faults["serial"] = _("This is the meter that is there now.")
    elif meter and meter.kind == Meter.Kind.SUM:
        faults["serial"] = _("This is the sum meter of a transformer.")
    elif meter and meter.closed_on and meter.closed_on <= on:
        faults["serial"] = _("This meter was closed on %(day)s.") % {"day": date_format(meter.closed_on, "j M Y")}
    if current and current.valid.lower and on <= current.valid.lower:
        faults["on"] = _("The meter that is there now came on %(day)s: choose a later day.") % {
            "day": date_format(current.valid.lower, "j M Y")
        }
    elif on > timezone.localdate() + timedelta(days=DAYS_AHEAD):
        faults["on"] = _("This day is more than a year ahead.")
    return faults


def replace_meter(
    *,
    consumer: Consumer,
    serial: str,
    on: date,
    by: User,
    last_register_kwh=None,
    first_register_kwh=None,
) -> ReferenceImport:
    """A consumer's meter ends on a day and another begins: an import of one or two links, and undone like one. The
    caller has asked for `replacement_faults`."""
    current = consumer.installations.current().select_related("meter").first()
    rows = []
    if current:
        old = {"meter": current.meter.serial, "consumer": consumer.number, "until": on.isoformat()}
        if last_register_kwh is not None:
            old["last_register_kwh"] = str(last_register_kwh)
        rows.append(old)
    new = {"meter": serial, "consumer": consumer.number, "from": on.isoformat()}
    if first_register_kwh is not None:
        new["first_register_kwh"] = str(first_register_kwh)
    return receive_rows(
        rows=[*rows, new],
        kind=ReferenceImport.Kind.INSTALLATIONS,
        name=_("Meter of %(consumer)s") % {"consumer": consumer.number},
        by=by,
        strict=True,
    )


def receive_rows(*, rows: list[dict], kind: str, name: str, by: User, sender: str = "", **more) -> ReferenceImport:
    """Objects whose members have our own names: kept as a file and applied like one."""
    content = json_lines(rows)
    return receive(
        content=content, name=name, sender=sender or by.get_username(), by=by, kind=kind, confirm=True, **more
    )


def json_lines(rows: list[dict]) -> bytes:
    """One object a line, so that a reason names it."""
    return ("[\n" + ",\n".join(json.dumps(row, ensure_ascii=True) for row in rows) + "\n]").encode()


def _locked(reference: ReferenceImport, *statuses: str) -> ReferenceImport:
    reference = ReferenceImport.objects.select_for_update(no_key=True).get(pk=reference.pk)
    if reference.status not in statuses:
        raise MoveNotAllowed
    return reference


def _start(reference: ReferenceImport, large: bool = False) -> None:
    if reference.is_settled:
        return
    size = reference.preview.get("size", reference.size)
    if size <= settings.REFERENCE_INLINE_BYTES and not large:
        work(reference, waits=False)
        reference.refresh_from_db()
    if not reference.is_settled:
        ring(TASK)


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
        if not waiting.update(attempts=F("attempts") + 1):
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
            _log(f"Import of reference data {reference.pk}", error)
            claims.reconnect()
            _park(reference)
        finally:
            progress.close()
    return False


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


def _log(what: str, error: Exception) -> None:
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
    error = _("%(count)d rows are refused, so nothing was taken. Line %(line)d: %(reason)s.") % {
        "count": found["refused"],
        "line": line,
        "reason": reason,
    }
    found |= {"status": Status.FAILED, "error": error, "created": 0, "changed": 0, "same": 0}
    ReferenceImport.objects.filter(pk=reference.pk, status=Status.PENDING).update(**found)


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
