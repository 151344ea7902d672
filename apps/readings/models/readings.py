"""What meters measured: load profiles, reads of registers, and how often each meter's readings changed."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from apps.grid.models import Meter, Zone
from apps.readings.models.columns import Channel, RealField
from apps.readings.models.uploads import Upload


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
