"""Verbs on imports of reference data. The file and its row are safe before anything else happens with them."""

import errno
import hashlib
import json
from collections.abc import Iterable
from datetime import date, timedelta

from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.bell import ring
from apps.faults import FileFault
from apps.grid.models import ReferenceImport
from apps.grid.reference import kinds, showing, sources
from apps.grid.reference.sources import Source
from apps.grid.reference.working import MoveNotAllowed, log_fault, work

Status = ReferenceImport.Status
TASK = "grid.reference_pending"
ROWS_UNDONE_AT_ONCE = 2000
JUST_NOW = timedelta(seconds=10)


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
    dry_run: bool = False,
) -> ReferenceImport:
    """Keep a file and find out what it holds. With confirm it is applied, else checked for a person to look at, or
    for a program that only asks (dry_run).

    Kind and columns that are not stated are those of the sender's last file with these columns, then guessed. A small
    file is worked on at once, a large one by a worker. Raises NotKept.
    """
    reference = ReferenceImport(
        name=name.replace("\0", "")[:255],
        sender=" ".join(sender.replace("\0", "").split())[:100] or by.get_username(),
        by=by,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        as_of=as_of or timezone.localdate(),
        strict=strict,
        dry_run=dry_run,
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
    reference.name = reference.name or _name_of(reference)
    reference.save()
    _start(reference)
    return reference


def _name_of(reference: ReferenceImport) -> str:
    """For a body that came without a name."""
    what = capfirst(reference.get_kind_display() or _("file"))
    return _("%(what)s from %(sender)s") % {"what": what, "sender": reference.sender}


def _opened(reference: ReferenceImport) -> Source:
    """Raises FileFault, also where it is our fault: the file is kept."""
    try:
        return sources.open_source(reference.path)
    except FileFault:
        raise
    except Exception as error:
        log_fault("Looking at a file of reference data", error)
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


def check_again(*, reference: ReferenceImport) -> ReferenceImport:
    """A draft that somebody looks at, held against what is known by now."""
    if reference.status != Status.DRAFT or not _may_be_outdated(reference):
        return reference
    try:
        return restate(
            reference=reference,
            kind=reference.kind,
            columns=reference.columns,
            as_of=reference.as_of,
            strict=reference.strict,
            confirm=False,
        )
    except MoveNotAllowed:  # somebody else was faster
        reference.refresh_from_db()
        return reference


def _may_be_outdated(reference: ReferenceImport) -> bool:
    """Was another import applied or taken back since? Of a small file, which takes no time, others may also have
    changed something by hand."""
    since = reference.compared_at
    if since is None or (_is_small(reference) and timezone.now() - since > JUST_NOW):
        return True
    return ReferenceImport.objects.filter(Q(applied_at__gt=since) | Q(undone_at__gt=since)).exists()


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
    if _is_small(reference) and not large:
        work(reference, waits=False)
        reference.refresh_from_db()
    if not reference.is_settled:
        ring(TASK)


def _is_small(reference: ReferenceImport) -> bool:
    return reference.preview.get("size", reference.size) <= settings.REFERENCE_INLINE_BYTES
