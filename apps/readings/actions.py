"""Verbs on uploads. The raw file and its row are safe before anything else happens with them."""

import logging
import traceback
from collections.abc import Iterable
from pathlib import Path

from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from apps import claims
from apps.accounts.models import User
from apps.bell import ring
from apps.readings import files, importers, importing, progress, withdrawal
from apps.readings.guessing import guess
from apps.readings.importers.base import FileFault
from apps.readings.models import Sender, Upload, upload_path
from apps.readings.statements import Statement

log = logging.getLogger(__name__)

KEY_LENGTH = Upload._meta.get_field("idempotency_key").max_length
SETTLED_WITHOUT_READINGS = [Upload.Status.FAILED, Upload.Status.DISCARDED, Upload.Status.WITHDRAWN]


class MoveNotAllowed(Exception):
    """The upload is not in a state in which this can be done to it."""


class KeyUsedAlready(Exception):
    """The sender's key for this upload stands for one with other content."""


def receive(
    *,
    file: File | Iterable[bytes],
    name: str,
    sender: str,
    statement: dict | None = None,
    by: User | None,
    confirm: bool,
    key: str = "",
) -> tuple[Upload, bool]:
    """Keep a file and write down what it means; returns the upload and whether it is new.

    What the statement leaves open is taken from the sender's last upload, then guessed from the content. With confirm
    the file waits for import, else for a person. The same content again changes nothing, and neither does the same
    content under the same key, whatever became of it. Raises files.TooLarge, files.DiskFull and KeyUsedAlready.
    """
    chunks = file.chunks() if isinstance(file, File) else file
    with files.received(chunks) as kept:
        known = _of_key(key, kept.sha256, by) or _known(kept.sha256, by)
        if known:
            return known, False
        upload = Upload(
            name=name.replace("\0", "")[:255],
            size=kept.size,
            sha256=kept.sha256,
            by=by,
            status=Upload.Status.DRAFT,
            idempotency_key=key,
        )
        upload.sender, _created = Sender.objects.get_or_create(name=sender.strip()[:100] or _("unknown"))
        try:
            said = _guess(kept.path, upload.sender, statement, lenient=not confirm).as_dict()
        except FileFault as fault:
            upload.status, upload.error, said = Upload.Status.FAILED, str(fault), Statement(timezone="UTC").as_dict()
        # Neither the clock of NEM12 nor the way that a file can be read at all is the sender's to say.
        as_read = {name: said[name] for name in ("format", "columns", "date_order", "date_order_why")}
        fixed = {**as_read, **importers.fixed(said["format"])}
        meant = Statement(**{**said, **(statement or {}), **fixed})
        if upload.status == Upload.Status.DRAFT and (faults := meant.faults()):
            # What the sender says now and what is remembered of them need not go together.
            upload.status, upload.error = Upload.Status.FAILED, " ".join(faults.values())
        meant.put(upload)
        upload.file.name = upload_path(upload, name)
        files.move(kept, upload.file.name)
        try:
            with transaction.atomic():
                upload.save()
                if confirm and upload.status == Upload.Status.DRAFT:
                    _confirm(upload, by_person=False)
        except IntegrityError:
            # The same file or key came in twice at this very moment; the other one is the upload.
            known = _of_key(key, kept.sha256, by) or _known(kept.sha256, by)
            if known is None:
                raise
            return known, False
    return upload, True


def _of_key(key: str, sha256: str, by: User | None) -> Upload | None:
    """The upload that this person sent under the key before."""
    found = Upload.objects.filter(by=by, idempotency_key=key).first() if key else None
    if found and found.sha256 != sha256:
        raise KeyUsedAlready
    return found


def _guess(path: Path, sender: Sender, stated: dict | None = None, *, lenient: bool = False) -> Statement:
    """Raises FileFault, also where it is our fault: the file is kept, and can be tried again once we are mended."""
    try:
        return guess(path, sender.statement, stated, lenient=lenient)
    except FileFault:
        raise
    except Exception as error:
        _log("Looking at a file", error)
        raise FileFault(
            _(
                "This server could not look into the file, and no fault of it could be named. It is kept. Try again"
                " later; if it stops again, tell whoever runs this server."
            )
        ) from None


def _log(what: str, error: Exception) -> None:
    # Where it happened and no message: that may quote readings, and those stay out of the log.
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s failed: %s\n%s", what, type(error).__name__, frames)


def _known(sha256: str, by: User | None) -> Upload | None:
    """The upload that makes sending this content again needless.

    Nobody is led to what they may not see, or held up by the draft of somebody else. And an upload of somebody who
    looks after some zones took only what is theirs, so it does not stand for one of somebody who sees all.
    """
    same = Upload.objects.filter(sha256=sha256).exclude(status__in=SETTLED_WITHOUT_READINGS)
    if by is None or by.sees_everything:
        took_all = Q(by=None) | Q(by__all_zones=True) | Q(by__is_superuser=True)
        return same.filter(Q(by=by) | took_all & ~Q(status=Upload.Status.DRAFT)).first()
    return same.filter(by=by).first()


@transaction.atomic
def confirm(*, upload: Upload, statement: dict, by: User) -> Upload:
    """Take the file as the person says it is meant. The sender's next file is proposed to mean the same."""
    upload = _locked(upload, Upload.Status.DRAFT)
    Statement(**{**Statement.of(upload).as_dict(), **statement}).put(upload)
    _confirm(upload, by_person=True)
    return upload


def _confirm(upload: Upload, *, by_person: bool) -> None:
    upload.status = Upload.Status.PENDING
    upload.save()
    # The format is found out anew from each file; in another one, units and registers may be others.
    said = Statement.of(upload).to_remember(upload.sender.statement, confirmed=by_person)
    Sender.objects.filter(pk=upload.sender_id).update(statement=said)
    ring("readings.import_pending")


@transaction.atomic
def discard(*, upload: Upload, by: User) -> Upload:
    """Put aside a draft, or a failed upload that nobody will mend. The file stays, and the same one may come again."""
    upload = _locked(upload, Upload.Status.DRAFT, Upload.Status.FAILED)
    if upload.imported_at:
        raise MoveNotAllowed  # it brought readings, and failed at being withdrawn or imported again
    upload.status = Upload.Status.DISCARDED
    upload.save(update_fields=["status"])
    return upload


@transaction.atomic
def retry(*, upload: Upload, by: User) -> Upload:
    """Give a failed upload three more attempts."""
    upload = _locked(upload, Upload.Status.FAILED)
    if _known(upload.sha256, upload.by):
        raise MoveNotAllowed
    if not upload.format:
        # It was refused at the door; what has changed since then is we.
        try:
            _guess(upload.path, upload.sender).put(upload)
        except FileFault as fault:
            upload.error = str(fault)
            upload.save(update_fields=["error"])
            return upload
    upload.status, upload.attempts, upload.error = Upload.Status.PENDING, 0, ""
    upload.save()
    ring("readings.import_pending")
    return upload


@transaction.atomic
def withdraw(*, upload: Upload, by: User) -> Upload:
    """Take back what a wrong upload brought. A worker does it in a moment; see readings.withdrawal."""
    upload = _locked(upload, Upload.Status.IMPORTED)
    upload.status, upload.attempts, upload.error = Upload.Status.PENDING, 0, ""
    upload.withdrawn_at, upload.withdrawn_by = timezone.now(), by
    upload.save(update_fields=["status", "attempts", "error", "withdrawn_at", "withdrawn_by"])
    ring("readings.import_pending")
    return upload


@transaction.atomic
def restore(*, upload: Upload, by: User) -> Upload:
    """Undo a withdrawal, or give up one that failed: the raw file is imported again."""
    upload = _locked(upload, Upload.Status.WITHDRAWN, Upload.Status.FAILED)
    if not upload.withdrawn_at or not upload.path.exists() or _known(upload.sha256, upload.by):
        raise MoveNotAllowed
    upload.status, upload.attempts, upload.error = Upload.Status.PENDING, 0, ""
    upload.withdrawn_at = upload.withdrawn_by = upload.imported_at = None
    upload.save()
    ring("readings.import_pending")
    return upload


def _locked(upload: Upload, *statuses: Upload.Status) -> Upload:
    upload = Upload.objects.select_for_update(no_key=True).get(pk=upload.pk)
    if upload.status not in statuses:
        raise MoveNotAllowed
    return upload


def import_upload(upload: Upload) -> bool:
    """Import one waiting upload, unless another worker does. True when its readings are in.

    A fault of the file fails the upload at once, with its reason. Anything else is our fault or the machine's: the
    upload waits for its next attempt, and is parked as failed after the last.
    """
    with claims.claim(upload) as claimed:
        if not claimed:
            return False
        if not claims.note_attempt(upload):
            _park(upload)
            return False
        try:
            with progress.shown(upload) as shown:
                return (withdrawal if upload.withdrawn_at else importing).run(upload, shown)
        except FileFault as fault:
            fail(upload, str(fault))
        except Exception as error:
            _log(f"Import of upload {upload.pk}", error)
            claims.reconnect()
            _park(upload)
    return False


def _park(upload: Upload) -> None:
    """Fail an upload that used up its attempts, so that the ones behind it go on."""
    upload.refresh_from_db()
    if upload.status == Upload.Status.PENDING and upload.attempts >= Upload.ATTEMPTS:
        fail(
            upload,
            _(
                "The import stopped %(attempts)d times without a fault that could be named. The file is kept. Try again"
                " later; if it stops again, tell whoever runs this server: the log names upload %(id)d."
            )
            % {"attempts": upload.attempts, "id": upload.pk},
        )


def fail(upload: Upload, error: str) -> None:
    waiting = Upload.objects.filter(pk=upload.pk, status=Upload.Status.PENDING)
    waiting.update(status=Upload.Status.FAILED, error=error)
