"""What the models think: model versions and their training, scoring runs in shards, the risk scores and energy balances
that they leave behind."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from apps.grid.models import Consumer, Transformer, Zone


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
    # How it did on what its training held back (ml/evaluation/held_out.py names the keys); empty where nothing was.
    held_out = models.JSONField(_("held-out evaluation"), default=dict)
    activated_at = models.DateTimeField(_("activated"), null=True)
    activated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("activated by")
    )

    unusable = models.TextField(
        _("unusable"), blank=True, help_text=_("Why this software cannot score with it any more; empty while it can.")
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


class Training(models.Model):
    """Somebody's wish for another model version, and how far a worker has come with it."""

    class Status(models.TextChoices):
        PENDING = "pending", _("pending")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    ATTEMPTS = 3  # a training that kills its worker every time is parked

    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("asked for by")
    )
    asked_at = models.DateTimeField(_("asked for"), auto_now_add=True)
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.TextField(_("error"), blank=True)
    fraction = models.FloatField(default=0)
    doing = models.CharField(max_length=100, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    version = models.OneToOneField(ModelVersion, models.PROTECT, null=True, related_name="training")

    class Meta:
        verbose_name = _("training")
        verbose_name_plural = _("trainings")
        constraints = [
            # It takes minutes and a whole processor: whoever asks while one waits, asks for that one.
            models.UniqueConstraint(fields=["status"], condition=Q(status="pending"), name="one_pending_training"),
        ]

    def __str__(self):
        return f"{self.pk}"


class Evaluation(models.Model):
    """A report of `python -m ml evaluate`, as it was loaded: what detectors of one release are worth on known data."""

    name = models.CharField(_("name"), max_length=200)
    loaded_at = models.DateTimeField(_("loaded"), auto_now_add=True)
    model_version = models.ForeignKey(
        ModelVersion,
        models.CASCADE,
        null=True,
        related_name="evaluations",
        verbose_name=_("model version"),
        help_text=_("Empty: a report on the detectors of this release, and not on one trained version."),
    )
    report = models.JSONField(_("report"))

    class Meta:
        verbose_name = _("evaluation")
        verbose_name_plural = _("evaluations")
        ordering = ["-loaded_at", "-pk"]

    def __str__(self):
        return self.name


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
    probability = models.FloatField(_("probability of a find"), null=True)  # None: nothing calibrates it
    families = models.JSONField(default=list)  # [{family, share}]: the attacks that fit best, the best first
    benign = models.JSONField(null=True)  # {name, share}: the honest change that fits best
    missing_kwh = models.FloatField(_("kWh missing since the onset"), default=0)
    before_kwh = models.FloatField(_("kWh a day before the onset"), null=True)
    after_kwh = models.FloatField(_("kWh a day since the onset"), null=True)
    reference_days = models.PositiveIntegerField(_("days of reference"), default=0)
    notes = models.JSONField(default=list)  # codes of what the score could not rest on, worded by words.py
    # [{id, weight, why, ...}]: events of the meter and what they were worth, newest first, worded by words.py
    events = models.JSONField(default=list)
    zero_days = models.PositiveIntegerField(_("days without any use, up to the last one"), default=0)
    data_from = models.DateField(_("data from"), null=True)
    data_until = models.DateField(_("data until"), null=True)

    objects = RiskScoreQuerySet.as_manager()

    class Meta:
        verbose_name = _("risk score")
        verbose_name_plural = _("risk scores")
        permissions = [("predict", "Can ask for the score of a curve that is not stored")]
        constraints = [models.UniqueConstraint(fields=["run", "consumer"], name="one_score_per_run_and_consumer")]
        indexes = [
            models.Index(fields=["consumer", "-run"], name="scores_of_consumer"),
            # The zero-consumption queue asks for few of many.
            models.Index(fields=["zero_days"], condition=Q(zero_days__gt=0), name="scores_of_zero_days"),
        ]


class Standing(models.Model):
    """The score that stands for a consumer, and the revision of its readings that the score saw."""

    consumer = models.OneToOneField(Consumer, models.PROTECT, primary_key=True, related_name="standing")
    score = models.OneToOneField(RiskScore, models.CASCADE, related_name="standing")
    scored_revision = models.PositiveBigIntegerField()


class EnergyBalanceQuerySet(models.QuerySet):
    def visible_to(self, user):
        if user.sees_everything:
            return self
        return self.filter(transformer__feeder__zone__in=Zone.objects.visible_to(user))

    def latest(self):
        """The newest balance of every transformer."""
        newer = EnergyBalance.objects.filter(transformer=OuterRef("transformer"), run__gt=OuterRef("run"))
        return self.filter(~Exists(newer))

    def reliable(self):
        return self.filter(quality__in=EnergyBalance.RELIABLE)


class EnergyBalance(models.Model):
    """What a transformer delivered against what its meters reported, as one run saw it."""

    RELIABLE = ("", "good", "clock_put_right")

    run = models.ForeignKey(ScoringRun, models.CASCADE, related_name="balances")
    transformer = models.ForeignKey(Transformer, models.PROTECT, related_name="balances", verbose_name=_("transformer"))
    meters = models.PositiveIntegerField(_("meters"))
    days = models.PositiveIntegerField(_("days"))  # so many of the last ones are summed below
    data_until = models.DateField(_("data until"))
    delivered_kwh = models.FloatField(_("delivered, kWh"))
    reported_kwh = models.FloatField(_("reported, kWh"))
    expected_loss_kwh = models.FloatField(_("technical loss expected, kWh"))
    unexplained_kwh = models.FloatField(_("unexplained, kWh"))
    quality = models.CharField(_("quality"), max_length=32, blank=True)  # a code, worded by words.py
    since = models.DateField(_("since"), null=True)
    explained_by = models.JSONField(default=list)  # [{consumer, share}]: consumer ids, weightiest first
    by_day = models.JSONField(default=dict)  # {first_day, delivered, reported, expected_loss}: lists, null for unknown

    objects = EnergyBalanceQuerySet.as_manager()

    class Meta:
        verbose_name = _("energy balance")
        verbose_name_plural = _("energy balances")
        constraints = [models.UniqueConstraint(fields=["run", "transformer"], name="one_balance_per_run")]
        indexes = [models.Index(fields=["transformer", "-run"], name="balances_of_transformer")]

    @property
    def share(self) -> float | None:
        """Of what was delivered, how much nobody reported and no wire lost."""
        return self.unexplained_kwh / self.delivered_kwh if self.delivered_kwh > 0 else None

    @property
    def is_reliable(self) -> bool:
        return self.quality in self.RELIABLE

    @property
    def unexplained_kwh_per_day(self) -> float:
        return self.unexplained_kwh / self.days if self.days else 0.0
