"""What the models think: model versions, scoring runs in shards, and the risk scores that they leave behind."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.grid.models import Consumer


class RiskLevel(models.TextChoices):
    CRITICAL = "critical", _("critical")
    HIGH = "high", _("high")
    MEDIUM = "medium", _("medium")
    LOW = "low", _("low")
    UNSCORED = "unscored", _("not scored")


class Kind(models.TextChoices):
    SUDDEN_SPIKE = "sudden_spike", _("sudden spike")
    ZERO_CONSUMPTION = "zero_consumption", _("zero consumption")
    ODD_HOURS = "odd_hours", _("odd hours")
    GRADUAL_DECLINE = "gradual_decline", _("gradual decline")
    NEIGHBOURHOOD_DEVIATION = "neighbourhood_deviation", _("unlike its neighbours")


class ModelVersion(models.Model):
    class Status(models.TextChoices):
        CANDIDATE = "candidate", _("candidate")
        ACTIVE = "active", _("active")
        RETIRED = "retired", _("retired")

    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.CANDIDATE)
    folder = models.CharField(_("folder"), max_length=100, help_text=_("Below MEDIA_ROOT; holds the model's files."))
    trained_at = models.DateTimeField(_("trained"), auto_now_add=True)
    trained_on = models.JSONField(_("trained on"), default=dict)
    activated_at = models.DateTimeField(_("activated"), null=True)
    activated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("activated by")
    )

    class Meta:
        verbose_name = _("model version")
        verbose_name_plural = _("model versions")
        ordering = ["-trained_at"]
        constraints = [
            models.UniqueConstraint(fields=["status"], condition=Q(status="active"), name="one_active_model"),
        ]

    def __str__(self):
        return f"{self.pk}"


class ScoringRun(models.Model):
    """One pass over everything that was pending when it began."""

    model_version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="runs")
    started_at = models.DateTimeField(_("started"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    consumers = models.PositiveIntegerField(_("consumers"), default=0)

    class Meta:
        verbose_name = _("scoring run")
        verbose_name_plural = _("scoring runs")
        ordering = ["-started_at"]

    @property
    def seconds(self) -> float | None:
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else None


class ScoringShardQuerySet(models.QuerySet):
    def parked(self):
        """Given up after three attempts, until somebody asks for another; what a former model stumbled over is past."""
        return self.filter(status=ScoringShard.Status.FAILED, run__model_version__status=ModelVersion.Status.ACTIVE)


class ScoringShard(models.Model):
    """Consumers that one worker scores at once: whole neighbourhoods, because neighbours are compared."""

    class Status(models.TextChoices):
        PENDING = "pending", _("pending")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    ATTEMPTS = 3

    run = models.ForeignKey(ScoringRun, models.CASCADE, related_name="shards")
    consumer_ids = ArrayField(models.BigIntegerField())
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.TextField(_("error"), blank=True)

    objects = ScoringShardQuerySet.as_manager()

    class Meta:
        verbose_name = _("scoring shard")
        verbose_name_plural = _("scoring shards")
        indexes = [models.Index(fields=["run"], condition=Q(status="pending"), name="shard_pending")]


class RiskScoreQuerySet(models.QuerySet):
    def visible_to(self, user):
        return self.filter(consumer__in=Consumer.objects.visible_to(user))

    def current(self):
        """The score of every consumer that stands now."""
        return self.filter(standing__isnull=False)


class RiskScore(models.Model):
    """What one run thought of one consumer, and why. Windows end at the last reading, never at today."""

    run = models.ForeignKey(ScoringRun, models.CASCADE, related_name="scores")
    consumer = models.ForeignKey(Consumer, models.PROTECT, related_name="risk_scores", verbose_name=_("consumer"))
    score = models.FloatField(_("score"), null=True)
    level = models.CharField(_("level"), max_length=16, choices=RiskLevel.choices)
    kind = models.CharField(_("kind"), max_length=32, choices=Kind.choices, blank=True)
    parts = models.JSONField(default=dict)  # contribution of each part; they add up to the score
    reasons = models.JSONField(default=list)  # [{code, share, params}], worded by reasons.py
    spans = models.JSONField(default=list)  # [{first_day, last_day, code}]: the days that drove the score
    onset_on = models.DateField(_("since"), null=True)
    kwh_missing_per_month = models.FloatField(_("kWh missing per month"), default=0)
    data_from = models.DateField(_("data from"), null=True)
    data_until = models.DateField(_("data until"), null=True)

    objects = RiskScoreQuerySet.as_manager()

    class Meta:
        verbose_name = _("risk score")
        verbose_name_plural = _("risk scores")
        permissions = [("predict", "Can ask for the score of a curve that is not stored")]
        constraints = [models.UniqueConstraint(fields=["run", "consumer"], name="one_score_per_run_and_consumer")]
        indexes = [models.Index(fields=["consumer", "-run"], name="scores_of_consumer")]


class Standing(models.Model):
    """The score that stands for a consumer, and the revision of its readings that the score saw."""

    consumer = models.OneToOneField(Consumer, models.PROTECT, primary_key=True, related_name="standing")
    score = models.OneToOneField(RiskScore, models.CASCADE, related_name="standing")
    scored_revision = models.PositiveBigIntegerField()
