"""What meters said: uploads, the load profiles that they brought, meter events. Facts only; opinions live above."""

from pathlib import Path

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from apps.grid.models import Meter, Zone


class RealField(models.FloatField):
    """Single precision: Django's FloatField is double, which doubles the largest table."""

    def db_type(self, connection):
        return "real"


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


class Channel(models.IntegerChoices):
    IMPORT = 1, _("import")
    EXPORT = 2, _("export")


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


class ProfileColumns(models.Model):
    """One meter, channel and day: `kwh` has 1440 / interval slots as sent, NaN where nothing was sent."""

    meter = models.ForeignKey(Meter, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    channel = models.SmallIntegerField(choices=Channel.choices)
    day = models.DateField()
    kwh = ArrayField(RealField())
    quality = ArrayField(models.SmallIntegerField(), null=True)
    estimated_kwh = ArrayField(RealField(), null=True)
    upload = models.ForeignKey(Upload, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")

    class Meta:
        abstract = True


class LoadProfile(ProfileColumns):
    """Partitioned by month (see the migration). No foreign keys in the database: measured, they cost two thirds of the
    speed of a bulk load. The merge checks meters set-wise and meters are never deleted."""

    pk = models.CompositePrimaryKey("meter", "channel", "day")

    class Meta:
        verbose_name = _("load profile")
        verbose_name_plural = _("load profiles")


class LoadProfileRevision(ProfileColumns):
    """A row as it was before a later upload replaced it, so that the upload can be undone."""

    replaced_by = models.ForeignKey(Upload, models.DO_NOTHING, db_constraint=False, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["meter", "channel", "day"], name="revision_of_profile")]


class OfMeterQuerySet(models.QuerySet):
    """Rows that say something about a `meter` on a `day`."""

    first_day = "day"

    def located(self):
        """With `zone`, where the meter measured that day, and `fitted`, the installation at its consumer."""
        that_day = Q(meter__installations__valid__contains=models.F(self.first_day))
        return self.annotate(fitted=models.FilteredRelation("meter__installations", condition=that_day)).annotate(
            zone=Coalesce("fitted__consumer__zone", "meter__transformer__feeder__zone")
        )

    def visible_to(self, user):
        if user.sees_everything:
            return self.located()
        return self.located().filter(zone__in=Zone.objects.visible_to(user).values("pk"))


class RegisterReadQuerySet(OfMeterQuerySet):
    first_day = "start"


class RegisterRead(models.Model):
    """Energy over a period between two reads of a register, such as a month on a bill. Many meters never say more."""

    meter = models.ForeignKey(Meter, models.PROTECT, related_name="register_reads", verbose_name=_("meter"))
    channel = models.SmallIntegerField(_("channel"), choices=Channel.choices, default=Channel.IMPORT)
    start = models.DateField(_("from"))  # first day of the period
    end = models.DateField(_("until"))  # last day of it
    kwh = models.DecimalField(_("kWh"), max_digits=14, decimal_places=3)
    estimated = models.BooleanField(_("estimated by the sender"), default=False)
    upload = models.ForeignKey(Upload, models.PROTECT, related_name="+")

    objects = RegisterReadQuerySet.as_manager()

    class Meta:
        verbose_name = _("register read")
        verbose_name_plural = _("register reads")
        ordering = ["meter", "start"]
        constraints = [
            models.UniqueConstraint(fields=["meter", "channel", "start", "end"], name="one_register_read_per_period"),
            models.CheckConstraint(condition=Q(end__gte=models.F("start")), name="register_read_lasts_a_day"),
        ]

    def __str__(self):
        return f"{self.meter} · {self.start} – {self.end}"


class ValidationRule(models.Model):
    """How a named check of readings behaves in a zone, where it differs from what is built in. No zone: everywhere."""

    zone = models.ForeignKey(Zone, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("zone"))
    rule = models.CharField(_("rule"), max_length=32)
    enabled = models.BooleanField(_("enabled"), null=True, blank=True)  # null: as everywhere, or as built in
    limits = models.JSONField(_("limits"), default=dict, blank=True)

    class Meta:
        verbose_name = _("validation rule")
        verbose_name_plural = _("validation rules")
        constraints = [
            models.UniqueConstraint(fields=["zone", "rule"], nulls_distinct=False, name="one_setting_per_zone_and_rule")
        ]

    def __str__(self):
        return self.rule


class ValidationHit(models.Model):
    """Days of a meter at which a named rule caught something. The readings themselves stay as they were sent."""

    meter = models.ForeignKey(Meter, models.PROTECT, related_name="validation_hits", verbose_name=_("meter"))
    channel = models.SmallIntegerField(_("channel"), choices=Channel.choices, default=Channel.IMPORT)
    rule = models.CharField(_("rule"), max_length=32)
    day = models.DateField(_("day"))  # the first
    last_day = models.DateField(_("last day"))
    first_slot = models.PositiveSmallIntegerField(null=True)  # null: the day as a whole
    slots = models.PositiveIntegerField(default=0)  # that many readings of the first day
    value = models.FloatField(_("value"), null=True)  # what was measured against the limit
    limit = models.FloatField(_("limit"), null=True)

    objects = OfMeterQuerySet.as_manager()

    class Meta:
        verbose_name = _("validation hit")
        verbose_name_plural = _("validation hits")
        ordering = ["-last_day", "meter"]
        indexes = [
            models.Index(fields=["meter", "channel", "day"], name="hit_of_meter_and_day"),
            models.Index(fields=["rule", "last_day"], name="hit_of_rule"),
            models.Index(fields=["-last_day", "-day", "id"], name="hit_newest_first"),
            models.Index(fields=["day"], name="hit_by_first_day"),
        ]


class HitCountQuerySet(models.QuerySet):
    def visible_to(self, user):
        if user.sees_everything:
            return self
        return self.filter(zone__in=Zone.objects.visible_to(user).values("pk"))


class HitCount(models.Model):
    """How many hits of a rule begin and end on a day in a zone; null: of meters that stood nowhere."""

    zone = models.ForeignKey(Zone, models.CASCADE, null=True, related_name="+", verbose_name=_("zone"))
    rule = models.CharField(_("rule"), max_length=32)
    day = models.DateField(_("day"))
    begun = models.PositiveIntegerField()
    ended = models.PositiveIntegerField()

    objects = HitCountQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "zone", "rule"], nulls_distinct=False, name="one_count_per_day_zone_and_rule"
            )
        ]


class Estimate(models.Model):
    """How the estimates of a meter's days were made. The values themselves are LoadProfile.estimated_kwh."""

    class Method(models.TextChoices):
        LINEAR = "linear", _("straight line between its neighbours")
        HISTORY = "history", _("same weekday and time of the last three weeks")

    meter = models.ForeignKey(Meter, models.PROTECT, related_name="estimates", verbose_name=_("meter"))
    channel = models.SmallIntegerField(_("channel"), choices=Channel.choices, default=Channel.IMPORT)
    method = models.CharField(_("method"), max_length=16, choices=Method.choices)
    day = models.DateField(_("day"))
    slots = models.PositiveIntegerField()
    kwh = models.FloatField(_("kWh"))

    objects = OfMeterQuerySet.as_manager()

    class Meta:
        verbose_name = _("estimate")
        verbose_name_plural = _("estimates")
        ordering = ["-day", "meter"]
        indexes = [models.Index(fields=["meter", "channel", "day"], name="estimate_of_meter_and_day")]


class ReadingEdit(models.Model):
    """What a person said of a meter's day, and the flags and estimates as they were before. `kwh` is never edited."""

    class Verb(models.TextChoices):
        SUSPECT = "suspect", _("marked as suspect")
        SUBSTITUTE = "substitute", _("substituted by an estimate")

    meter = models.ForeignKey(Meter, models.PROTECT, related_name="edits", verbose_name=_("meter"))
    channel = models.SmallIntegerField(_("channel"), choices=Channel.choices, default=Channel.IMPORT)
    day = models.DateField(_("day"))
    verb = models.CharField(_("what was done"), max_length=16, choices=Verb.choices)
    note = models.CharField(_("why"), max_length=200, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("by"))
    at = models.DateTimeField(_("at"), auto_now_add=True)
    # Whose readings were edited: those of a later upload are others, and undoing leaves them alone.
    upload = models.ForeignKey(Upload, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    quality_before = ArrayField(models.SmallIntegerField(), null=True)
    estimated_kwh_before = ArrayField(RealField(), null=True)
    undone_at = models.DateTimeField(_("undone"), null=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", null=True, verbose_name=_("undone by")
    )

    objects = OfMeterQuerySet.as_manager()

    class Meta:
        verbose_name = _("edit of readings")
        verbose_name_plural = _("edits of readings")
        ordering = ["-at"]
        indexes = [models.Index(fields=["meter", "channel", "day"], name="edit_of_meter_and_day")]
        constraints = [
            models.CheckConstraint(
                condition=Q(undone_at=None, undone_by=None) | Q(undone_at__isnull=False, undone_by__isnull=False),
                name="undone_edit_says_when_and_by_whom",
            )
        ]


class ValidationShard(models.Model):
    """Meters that one worker validates at a time; gone once their days are counted. What fails three times stays."""

    class Status(models.TextChoices):
        PENDING = "pending", _("pending")
        DONE = "done", _("done")  # hits and estimates are stored; the days' completeness is still to be counted
        FAILED = "failed", _("failed")

    ATTEMPTS = 3

    meter_ids = ArrayField(models.BigIntegerField())
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    first_day = models.DateField(null=True)  # of what was done
    last_day = models.DateField(null=True)
    hit_days = ArrayField(models.DateField(), default=list)  # on which hits begin or end otherwise than before


class Completeness(models.Model):
    """How many readings came of those that the meters of a zone should have sent for a day."""

    zone = models.ForeignKey(Zone, models.CASCADE, related_name="+", verbose_name=_("zone"))
    day = models.DateField(_("day"))
    meters = models.PositiveIntegerField(_("meters"))
    silent = models.PositiveIntegerField(_("meters without any reading"))
    expected = models.PositiveBigIntegerField(_("expected readings"))
    came = models.PositiveBigIntegerField(_("readings that came"))

    class Meta:
        verbose_name = _("completeness")
        verbose_name_plural = _("completeness")
        constraints = [models.UniqueConstraint(fields=["zone", "day"], name="one_completeness_per_zone_and_day")]
        indexes = [models.Index(fields=["day"], name="completeness_by_day")]


class MeterState(models.Model):
    """How often a meter's readings changed. What was scored at an older revision is pending: no clock decides."""

    meter = models.OneToOneField(Meter, models.PROTECT, primary_key=True, related_name="state")
    revision = models.PositiveBigIntegerField(default=0)
    validated_revision = models.PositiveBigIntegerField(default=0)
    # The days that changed since the last validation; whoever raises the revision widens them.
    unvalidated_from = models.DateField(null=True)
    unvalidated_until = models.DateField(null=True)
    # Of the curve of its last whole week: meters with one key sent the same curve. Null: there is no such week.
    week_key = models.BigIntegerField(null=True)
    # Of where it stood and when, as validation last saw it; null: it has not looked yet.
    stays = models.BigIntegerField(null=True)
    first_day = models.DateField()
    last_day = models.DateField()
    # The coarsest interval that its days came in: meters are compared only with meters that say as much as they do.
    interval_minutes = models.PositiveSmallIntegerField()

    class Meta:
        indexes = [
            # The validating worker's question: which meters changed since they were validated.
            models.Index(
                fields=["unvalidated_from"],
                condition=Q(revision__gt=models.F("validated_revision")),
                name="unvalidated",
            ),
            models.Index(fields=["week_key"], condition=Q(week_key__isnull=False), name="state_by_week_key"),
        ]


class MeterEvent(models.Model):
    """Something the meter reported beside its readings. Evidence, never a verdict."""

    class Code(models.TextChoices):
        """One vocabulary for what DLMS/IDIS numbers, CIM types and vendors' words say."""

        COVER_OPENED = "cover_opened", _("cover opened")
        COVER_CLOSED = "cover_closed", _("cover closed")
        TERMINAL_COVER_OPENED = "terminal_cover_opened", _("terminal cover opened")
        TERMINAL_COVER_CLOSED = "terminal_cover_closed", _("terminal cover closed")
        MAGNETIC_FIELD = "magnetic_field", _("strong magnetic field")
        MAGNETIC_FIELD_GONE = "magnetic_field_gone", _("magnetic field gone")
        TAMPER_SUSPECTED = "tamper_suspected", _("tampering suspected")
        REVERSE_ROTATION = "reverse_rotation", _("reverse rotation")
        CURRENTS_UNEQUAL = "currents_unequal", _("phase and neutral current unequal")
        CURRENT_WITHOUT_VOLTAGE = "current_without_voltage", _("current in absence of voltage")
        LOAD_SIDE_VOLTAGE = "load_side_voltage", _("voltage behind an open switch")
        UNEXPECTED_EXPORT = "unexpected_export", _("unexpected export of energy")
        LOGIN_FAILED = "login_failed", _("failed log-ins")
        CONFIGURATION_CHANGED = "configuration_changed", _("configuration changed")
        KEY_CHANGED = "key_changed", _("key changed")
        DECRYPTION_FAILED = "decryption_failed", _("decryption failed")
        REPLAY_ATTACK = "replay_attack", _("replayed message")
        SUB_METER_FRAUD = "sub_meter_fraud", _("fraud attempt at a sub-meter")
        DISCONNECTED = "disconnected", _("disconnected")
        CONNECTED = "connected", _("connected")
        POWER_OUTAGE = "power_outage", _("power outage")
        POWER_RESTORED = "power_restored", _("power restored")
        CLOCK_SET = "clock_set", _("clock set")
        CLOCK_INVALID = "clock_invalid", _("clock invalid")
        BATTERY_LOW = "battery_low", _("battery low")
        LOG_CLEARED = "log_cleared", _("event log cleared")
        MEASUREMENT_FAULT = "measurement_fault", _("measurement system error")
        OTHER = "other", _("other")

    meter = models.ForeignKey(Meter, models.PROTECT, related_name="events", verbose_name=_("meter"))
    code = models.CharField(_("event"), max_length=32, choices=Code.choices)
    at = models.DateTimeField(_("at"))
    # As the sender spelled it, such as "40" or "3.12.0.257": a code that nobody knew yet can be mapped later.
    source_code = models.CharField(_("code of the sender"), max_length=64, blank=True)
    detail = models.CharField(_("detail"), max_length=200, blank=True)
    upload = models.ForeignKey(Upload, models.PROTECT, related_name="+", null=True)

    class Meta:
        verbose_name = _("meter event")
        verbose_name_plural = _("meter events")
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(
                fields=["meter", "code", "source_code", "at"], name="one_event_per_meter_code_and_time"
            )
        ]
        indexes = [models.Index(fields=["at"], name="event_by_time")]

    def __str__(self):
        return f"{self.words} · {self.meter}"

    @property
    def words(self) -> str:
        """What happened; of a code that nobody knows, as the sender spelled it."""
        if self.code == self.Code.OTHER and self.source_code:
            return " · ".join(said for said in (self.source_code, self.detail) if said)
        return self.get_code_display()


class EventMeaning(models.Model):
    """What this utility says that a sender's code means; it goes before what we know."""

    source_code = models.CharField(_("code of the sender"), max_length=64, unique=True)
    code = models.CharField(_("event"), max_length=32, choices=MeterEvent.Code.choices)

    class Meta:
        verbose_name = _("meaning of an event's code")
        verbose_name_plural = _("meanings of events' codes")
        ordering = ["source_code"]

    def __str__(self):
        return f"{self.source_code} = {self.get_code_display()}"
