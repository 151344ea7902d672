"""What was sent: files, who sends them, what became of them and of their lines."""

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.readings.date_order import Order, Why
from apps.readings.models.columns import RealField
from apps.readings.models.events import MeterEvent


class Sender(models.Model):
    """Who sends files, and what their files mean: the statement of the last upload is the proposal for the next."""

    class Stamps(models.TextChoices):
        START = "start", _("start of the period")
        END = "end", _("end of the period")

    class Measures(models.TextChoices):
        INTERVAL = "interval", _("energy of each interval")
        REGISTER = "register", _("cumulative register")

    class Unit(models.TextChoices):
        WH = "Wh", "Wh"
        KWH = "kWh", "kWh"
        MWH = "MWh", "MWh"
        KW = "kW", _("kW (mean power of the interval)")

    name = models.CharField(_("name"), max_length=100, unique=True)
    statement = models.JSONField(default=dict, editable=False)

    class Meta:
        verbose_name = _("sender")
        verbose_name_plural = _("senders")
        ordering = ["name"]

    def __str__(self):
        return self.name


def upload_path(upload, filename):
    """The file's own name is somebody's text: it is kept in a field and never becomes a path."""
    return f"uploads/{upload.sha256[:2]}/{upload.sha256}"


class UploadQuerySet(models.QuerySet):
    def visible_to(self, user):
        """An upload may hold anybody's readings: only its sender and those who see all zones may look inside."""
        if user.sees_everything:
            return self
        return self.filter(by=user)

    def pending(self):
        return self.filter(status=Upload.Status.PENDING)

    def with_progress(self):
        return self.select_related("progress", "sender", "by")


class Upload(models.Model):
    class Status(models.TextChoices):
        DRAFT = "draft", _("waiting for your confirmation")
        PENDING = "pending", _("waiting for import")
        IMPORTED = "imported", _("imported")
        FAILED = "failed", _("failed")
        DISCARDED = "discarded", _("discarded")
        WITHDRAWN = "withdrawn", _("withdrawn")

    ATTEMPTS = 3  # a file that kills its worker every time is parked, and the ones behind it go on

    sender = models.ForeignKey(Sender, models.PROTECT, related_name="uploads", verbose_name=_("sender"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="uploads", null=True, verbose_name=_("uploaded by")
    )
    at = models.DateTimeField(_("uploaded"), auto_now_add=True)
    name = models.CharField(_("file"), max_length=255)
    file = models.FileField(upload_to=upload_path, max_length=200)
    size = models.PositiveBigIntegerField(_("size in bytes"))
    sha256 = models.CharField(max_length=64)

    format = models.CharField(_("format"), max_length=32, blank=True)
    timezone = models.CharField(_("time zone"), max_length=64)
    stamps = models.CharField(_("stamps mark"), max_length=8, choices=Sender.Stamps.choices)
    measures = models.CharField(_("values are"), max_length=8, choices=Sender.Measures.choices)
    unit = models.CharField(_("unit"), max_length=8, choices=Sender.Unit.choices)
    multiplier = models.FloatField(_("multiplier"), default=1)
    # Column of the file by what it holds ("meter", "time", "value", ...), where a person corrected the guess.
    columns = models.JSONField(_("columns"), default=dict, blank=True)
    # Which number of a date such as 3/4/2026 is the month, and how that is known; empty where no date is unclear.
    date_order = models.CharField(_("order of dates"), max_length=16, choices=Order.choices, blank=True)
    date_order_why = models.CharField(max_length=16, choices=Why.choices, blank=True)
    # What a machine calls this request, so that a repeated one is recognised without its content.
    idempotency_key = models.CharField(max_length=128, blank=True, editable=False)

    status = models.CharField(_("status"), max_length=16, choices=Status.choices)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.TextField(_("error"), blank=True)
    imported_at = models.DateTimeField(_("imported"), null=True)
    readings = models.PositiveBigIntegerField(_("readings"), default=0)
    days_new = models.PositiveIntegerField(_("new days"), default=0)
    days_changed = models.PositiveIntegerField(_("changed days"), default=0)
    days_same = models.PositiveIntegerField(_("days already known"), default=0)
    meters = models.PositiveIntegerField(_("meters"), default=0)
    meters_registered = models.PositiveIntegerField(_("newly registered meters"), default=0)
    duplicates = models.PositiveBigIntegerField(_("repeated lines"), default=0)
    rejected = models.PositiveBigIntegerField(_("rejected lines"), default=0)
    first_day = models.DateField(_("first day"), null=True)
    last_day = models.DateField(_("last day"), null=True)
    register_reads = models.PositiveIntegerField(_("register reads"), default=0)
    events = models.PositiveIntegerField(_("meter events"), default=0)
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True)
    withdrawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", null=True, verbose_name=_("withdrawn by")
    )

    objects = UploadQuerySet.as_manager()

    class Meta:
        verbose_name = _("upload")
        verbose_name_plural = _("uploads")
        ordering = ["-at"]
        constraints = [
            # The same file twice changes nothing; a file that failed or was discarded may be tried again. Of each
            # person, since what one person's upload may take is not what another's may.
            models.UniqueConstraint(
                fields=["sha256", "by"],
                condition=~Q(status__in=["failed", "discarded", "withdrawn"]),
                nulls_distinct=False,
                name="one_upload_per_file_and_person",
            ),
            models.UniqueConstraint(
                fields=["by", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="one_upload_per_person_and_key",
            ),
        ]
        indexes = [
            # The worker's question every minute: what is pending, oldest first.
            models.Index(fields=["at"], condition=Q(status="pending"), name="upload_pending"),
        ]

    def __str__(self):
        return self.name

    @property
    def path(self) -> Path:
        return Path(self.file.path)

    @property
    def is_settled(self) -> bool:
        return self.status not in {self.Status.DRAFT, self.Status.PENDING}

    @property
    def unknown_events(self) -> list[dict]:
        """Codes of events that it brought and nobody knows, with how often each came; most often first, ten of them."""
        unknown = MeterEvent.objects.filter(upload=self, code=MeterEvent.Code.OTHER).order_by()
        counted = unknown.values("source_code").annotate(count=models.Count("pk"))
        return list(counted.order_by("-count", "source_code")[:10])


class UploadProgress(models.Model):
    """How far an import has come. Its own row, written outside the import's transaction, so that a page can see it."""

    upload = models.OneToOneField(Upload, models.CASCADE, primary_key=True, related_name="progress")
    fraction = RealField(default=0)
    doing = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField(auto_now=True)


class RejectedLine(models.Model):
    upload = models.ForeignKey(Upload, models.CASCADE, related_name="rejected_lines")
    line = models.PositiveBigIntegerField(_("line"))
    reason = models.CharField(_("reason"), max_length=300)
    text = models.CharField(_("content"), max_length=200, blank=True)

    class Meta:
        ordering = ["line"]
        indexes = [models.Index(fields=["upload", "line"], name="rejected_line_of_upload")]


class HeldMeter(models.Model):
    """Which unknown meters a file named while registering them by itself is switched off, and how much waits."""

    upload = models.ForeignKey(Upload, models.CASCADE, related_name="held")
    serial = models.CharField(_("meter"), max_length=64)
    readings = models.PositiveBigIntegerField(_("readings"))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["upload", "serial"], name="one_held_meter_per_upload")]
