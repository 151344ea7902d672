"""What validation and people say of readings, and what is counted of it. The readings stay as they were sent."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.grid.models import Meter, Zone
from apps.readings.models.columns import Channel, RealField
from apps.readings.models.readings import OfMeterQuerySet
from apps.readings.models.uploads import Upload


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
