"""Readings that a head-end pushes: taken while it waits for the answer, by the rules and the merge of files.

A day's pushes of a sender are collected in one upload, so that they can be traced and withdrawn like a file without a
row for every push. Its file is a journal of the blocks, one on each line. Pushes that come in at the
same moment are committed together: a thousand meters that report at the full hour are a few transactions, and not a
thousand.
"""

import hashlib
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from msgspec import Raw

from apps.accounts.models import User
from apps.bell import ring_after
from apps.grid.actions import register_meters
from apps.grid.models import Meter
from apps.readings import copying, files, json_blocks, meters, partitions, times
from apps.readings.assembly import Assembler, Fallback
from apps.readings.importers.base import FileFault, Reading, Rejects
from apps.readings.merge import Merge, date_of, waited_in_vain
from apps.readings.models import Channel, HeldMeter, Sender, Upload, upload_path
from apps.readings.series import Columns, Days
from apps.readings.statements import Statement

STATEMENT = Statement(timezone="UTC", format="json_blocks")  # of the journal
PATIENCE = "5s"  # for meters that an import holds: the sender asks again, and holds up no others meanwhile
COLLECTING = "push/"  # how the keys of uploads that collect begin; nobody else's key may
# Of the meters that a push names, how many the upload brought something for already, and which upload wrote to these
# days last. By way of each meter, whatever the planner thinks: the index knows, and a month of everybody is long.
WRITTEN = """
SELECT count(*) FILTER (WHERE found.ours), max(found.latest)
FROM unnest(%(meters)s::bigint[]) AS sent (meter_id) CROSS JOIN LATERAL (
    SELECT bool_or(upload_id = %(upload)s) AS ours, max(upload_id) AS latest
    FROM readings_loadprofile profile
    WHERE profile.meter_id = sent.meter_id AND channel = ANY(%(channels)s) AND day BETWEEN %(first)s AND %(last)s
    OFFSET 0
) AS found
"""


class Declared(Assembler):
    """Blocks state their interval: none is to be found out."""

    def __init__(self, reading: Reading, interval: int):
        super().__init__(STATEMENT, reading)
        self.interval = interval

    def intervals(self, columns: Columns, fallback: Fallback) -> np.ndarray:
        return np.full(int(columns.meters[-1] - columns.meters[0]) + 1, self.interval)

    def by_width(self, found: Days, interval: int) -> Iterator[Days]:
        yield found


@dataclass(eq=False)
class Push:
    """What one request brings, and what became of it."""

    sender: str
    by: User
    names: list[str]  # of the meters
    parts: list[Days]
    rejects: Rejects
    duplicates: int
    journal: bytes
    readings: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))  # (names,) that can be taken

    upload: Upload | None = None  # None: not committed yet
    held: list[str] = field(default_factory=list)  # unknown meters whose readings wait
    waiting: int = 0  # readings of those
    registered: int = 0

    @property
    def waits_with(self) -> tuple[str, int]:
        """Pushes of whom may share a transaction."""
        return self.sender, self.by.pk

    @property
    def taken(self) -> int:
        """Readings that are stored."""
        return 0 if self.upload is None else int(self.readings.sum()) - self.waiting

    @property
    def days(self) -> int:
        return sum(len(part.days) for part in self.parts)


def take(*, body: bytes, sender: str, by: User, clock: str = "") -> Push:
    """Take a push: once this returns, its readings are committed. Raises FileFault where the body holds no blocks."""
    push = parsed(body, sender, by, clock)
    if push.parts:
        together.commit(push)
    return push


def parsed(body: bytes, sender: str, by: User, clock: str = "") -> Push:
    raw = json_blocks.raw_blocks(body)
    if not raw:
        raise FileFault(_("There is nothing in it. Send at least one block of meter, start, interval_minutes and kwh."))
    reading = Reading(Rejects(settings.PUSH_REFUSALS_TOLD))
    found = json_blocks.read(raw, reading, clock)
    parts, duplicates = [], 0
    foreign = meters.foreign(reading.names, by)
    for one in found:
        stamps = replace(reading, zoned=not one.dates_only, dates_only=one.dates_only)
        assembler = Declared(stamps, one.interval)
        columns = assembler.sorted([one.block])
        if foreign.any():
            reason = _("this meter's consumer is not in your zones")
            columns = assembler.refuse(columns, foreign[columns.meters], reason)
        parts += (replace(days, channel=one.channel) for days in assembler.days_of_meters(columns, None))
        duplicates += assembler.duplicates
    push = Push(sender, by, reading.names, parts, reading.rejects, duplicates, journal_of(raw) if parts else b"")
    push.readings = readings_by_meter(push.parts, len(push.names))
    return push


def readings_by_meter(parts: list[Days], names: int) -> np.ndarray:
    """(names,) how many readings of each meter were sent."""
    found = np.zeros(names, dtype=np.int64)
    for part in parts:
        found += np.bincount(part.meters, np.isfinite(part.kwh).sum(axis=1), minlength=names).astype(np.int64)
    return found


def journal_of(raw: list[Raw | bytes]) -> bytes:
    """A block on each line. Blocks that came over several lines are JSON all the same without their line breaks."""
    return b"".join(bytes(one).replace(b"\n", b" ").replace(b"\r", b" ") + b"\n" for one in raw)


class Busy(Exception):
    """An import holds meters of a push."""


class Together:
    """Commits pushes of a sender that wait at the same moment in one transaction: whoever comes first does it for all
    of them. Pushes of other senders need not wait."""

    def __init__(self):
        self.turns: defaultdict[tuple[str, int], threading.Lock] = defaultdict(threading.Lock)
        self.waiting: list[Push] = []

    def commit(self, push: Push) -> None:
        """Raises Busy."""
        self.waiting.append(push)  # a list's own operations are atomic among threads
        with self.turns[push.waits_with]:
            if push.upload is not None:
                return
            batch = self.take_with(push)
            try:
                commit(batch)
            except Exception:
                if len(batch) == 1:
                    raise
                # One of them is at fault, and the others have their own turns.
                self.waiting += [other for other in batch if other is not push]
                commit([push])

    def take_with(self, push: Push) -> list[Push]:
        """The push and those that may go with it: of the same sender, and no meter twice, so that none overrules
        another."""
        self.waiting.remove(push)
        batch, names = [push], set(push.names)
        for other in list(self.waiting):
            if other.waits_with == push.waits_with and names.isdisjoint(other.names):
                batch.append(other)
                names.update(other.names)
                self.waiting.remove(other)
        return batch


together = Together()


def commit(batch: list[Push]) -> None:
    """Merge pushes of one sender that name different meters, in one transaction. Raises Busy."""
    try:
        _commit(batch)
    except OperationalError as error:
        if not waited_in_vain(error):
            raise
        raise Busy from error


def _commit(batch: list[Push]) -> None:
    days = [part.days for push in batch for part in push.parts]
    if days:
        partitions.Months().make(np.concatenate(days))
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
        names = [name for push in batch for name, n in zip(push.names, push.readings, strict=True) if n]
        known = dict(Meter.objects.filter(serial__in=names).values_list("serial", "id"))
        upload = collecting(batch, list(known.values()))
        unknown = [name for name in names if name not in known] if settings.REGISTER_UNKNOWN_METERS else []
        ids = known | register_meters(unknown) if unknown else known
        upload.meters += len(unknown)
        upload.meters_registered += len(ids) - len(known)
        with Merge(upload.pk, sorted(ids.values())) as merge:
            for part, meter_ids in joined_by_width(batch, ids):
                merge.write(part, meter_ids)
        upload.days_new += merge.tally.new
        upload.days_changed += merge.tally.changed
        upload.days_same += merge.tally.same
        for push in batch:
            count_in(upload, push, ids)
            push.registered = sum(name in ids and name not in known for name in push.names)
        append(upload, b"".join(push.journal for push in batch))
        upload.imported_at = timezone.now()
        upload.save()
        ring_after("readings.import_pending")
    for push in batch:
        push.upload = upload


def collecting(batch: list[Push], meter_ids: list[int]) -> Upload:
    """Today's upload for the pushes of this sender, locked until the transaction ends, with these meters counted.

    What was sent later has the last word, and the order of uploads says what that is. After a file has brought some of
    these days, and after a withdrawal, another upload collects.
    """
    sender, by, day = batch[0].sender, batch[0].by, date_of(times.today())
    begin = f"{COLLECTING}{day}/"
    todays = Upload.objects.filter(by=by, sender__name=sender, idempotency_key__startswith=begin)
    upload, turn = todays.select_for_update(of=["self"], no_key=True).order_by("-pk").first(), 1
    if upload is not None:
        known, latest = written(batch, upload, meter_ids)
        if upload.status == Upload.Status.IMPORTED and (latest <= upload.pk or collects(latest)):
            upload.meters += len(meter_ids) - known
            return upload
        turn += int(upload.idempotency_key.split("/")[2])
    upload = begun(sender, by, f"{begin}{turn}/{sender}", day)
    upload.meters += len(meter_ids)
    return upload


def collects(upload_id: int) -> bool:
    return Upload.objects.filter(pk=upload_id, idempotency_key__startswith=COLLECTING).exists()


def begun(sender: str, by: User, key: str, day: date) -> Upload:
    # The place of the journal, which has no content yet that could name it.
    place = hashlib.sha256(f"{key} of {by.pk}".encode()).hexdigest()
    made = Upload(by=by, name=_("pushed on %(day)s") % {"day": day}, size=0, sha256=place, idempotency_key=key)
    made.sender, _created = Sender.objects.get_or_create(name=sender)
    for name, value in STATEMENT.as_dict().items():
        setattr(made, name, value)
    made.status, made.file.name = Upload.Status.IMPORTED, upload_path(made, "")
    Upload.objects.bulk_create([made], ignore_conflicts=True)  # another process may begin it at the same moment
    return Upload.objects.select_for_update(no_key=True).get(by=by, idempotency_key=key)


def written(batch: list[Push], upload: Upload, meter_ids: list[int]) -> tuple[int, int]:
    """How many of the meters this upload has brought something for, and which upload wrote last to their days."""
    days = [day for push in batch for part in push.parts for day in (part.days.min(), part.days.max())]
    first, last = date_of(min(days)), date_of(max(days))
    with connection.cursor() as cursor:
        params = {
            "meters": meter_ids,
            "upload": upload.pk,
            "channels": list(Channel.values),
            "first": min(first, upload.first_day or first),
            "last": max(last, upload.last_day or last),
        }
        cursor.execute(WRITTEN, params)
        known, latest = cursor.fetchone()
    return known, latest or 0


def joined_by_width(batch: list[Push], ids: dict[str, int]) -> Iterator[tuple[Days, np.ndarray]]:
    """The days of all pushes, those of one channel and number of slots together, with (R,) ids of their meters."""
    widths: dict[tuple[int, int, int], list[tuple[Days, np.ndarray]]] = {}
    for push in batch:
        id_at = np.array([ids.get(name, 0) for name in push.names], dtype=np.int64)
        seen: Counter[tuple[int, int]] = Counter()
        for part in push.parts:
            meter_ids = id_at[part.meters]
            taken = meter_ids > 0
            sort = part.channel, part.kwh.shape[1]
            # Two parts of one push may name the same day, one by its date and one by a moment: one after the other.
            widths.setdefault((*sort, seen[sort]), []).append((part[taken], meter_ids[taken]))
            seen[sort] += 1
    for found in widths.values():
        parts, meter_ids = zip(*found, strict=True)
        yield joined(parts), np.concatenate(meter_ids)


def joined(parts: tuple[Days, ...]) -> Days:
    """Parts of one channel and number of slots as one."""
    if len(parts) == 1:
        return parts[0]
    quality = None
    if any(part.quality is not None for part in parts):
        quality = np.concatenate(
            [np.zeros(part.kwh.shape, np.int8) if part.quality is None else part.quality for part in parts]
        )
    columns = (np.concatenate([getattr(part, name) for part in parts]) for name in ("meters", "days", "kwh"))
    return Days(*columns, quality, parts[0].channel)


def count_in(upload: Upload, push: Push, ids: dict[str, int]) -> None:
    taken = np.array([name in ids for name in push.names])
    push.held = [name for name, n in zip(push.names, push.readings, strict=True) if n and name not in ids]
    upload.readings += int(push.readings[taken].sum())
    upload.duplicates += push.duplicates
    if push.rejects.count and upload.rejected < settings.REJECTED_LINES_KEPT:
        copying.rejected_lines(upload.pk, push.rejects.kept)
    upload.rejected += push.rejects.count
    for part in push.parts:
        first, last = date_of(part.days.min()), date_of(part.days.max())
        upload.first_day = min(upload.first_day or first, first)
        upload.last_day = max(upload.last_day or last, last)
    for name in push.held:
        waiting = int(push.readings[push.names.index(name)])
        push.waiting += waiting
        held, _created = HeldMeter.objects.get_or_create(upload=upload, serial=name, defaults={"readings": 0})
        HeldMeter.objects.filter(pk=held.pk).update(readings=F("readings") + waiting)


def append(upload: Upload, blocks: bytes) -> None:
    """Add to the journal, safe on disk before the transaction commits. What a transaction left that never committed
    lies behind the size that the upload knows, and is overwritten. Raises files.DiskFull."""
    files.overwrite(upload.path, upload.size, blocks)
    upload.size += len(blocks)
