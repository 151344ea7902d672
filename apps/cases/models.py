"""What people do about it: a case is work; what the crew found is an inspection."""

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from apps.detection.models import Kind, RiskLevel, RiskScore
from apps.grid.models import Consumer
from apps.inspections.models import Inspection
from apps.readings.models import LoadProfile, Upload


class CaseQuerySet(models.QuerySet):
    def visible_to(self, user):
        return self.filter(consumer__in=Consumer.objects.visible_to(user))

    def not_closed(self):
        return self.exclude(status=Case.Status.CLOSED)

    def led_to_by(self, upload: Upload):
        """Cases that opened since an upload, of consumers whose readings it brought."""
        brought = LoadProfile.objects.filter(
            meter__installations__consumer=OuterRef("consumer"),
            day__range=(upload.first_day, upload.last_day),
            upload=upload,
        )
        return self.filter(Exists(brought), opened_at__gte=upload.at)

    def for_queue(self):
        """Everything a row of the queue shows, in one query."""
        return self.select_related("consumer__zone", "assignee")


class Case(models.Model):
    class Status(models.TextChoices):
        NEW = "new", _("new")
        ASSIGNED = "assigned", _("assigned")
        VISIT = "visit", _("visit planned")
        CLOSED = "closed", _("closed")

    consumer = models.ForeignKey(Consumer, models.PROTECT, related_name="cases", verbose_name=_("consumer"))
    score = models.ForeignKey(RiskScore, models.PROTECT, related_name="cases", verbose_name=_("score"))
    # Copied from the score that opened it: the queue sorts by them, and a case keeps what it was opened for.
    level = models.CharField(_("level"), max_length=16, choices=RiskLevel.choices)
    kind = models.CharField(_("kind"), max_length=32, choices=Kind.choices, blank=True)
    risk = models.FloatField(_("risk score"))
    onset_on = models.DateField(_("since"), null=True)
    kwh_per_month = models.FloatField(_("kWh per month"))
    money_per_month = models.DecimalField(_("money per month"), max_digits=12, decimal_places=2)

    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.NEW)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="cases",
        verbose_name=_("assigned to"),
    )
    opened_at = models.DateTimeField(_("opened"), auto_now_add=True)
    closed_at = models.DateTimeField(_("closed"), null=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("closed by")
    )
    inspection = models.OneToOneField(
        Inspection, models.PROTECT, null=True, related_name="case", verbose_name=_("inspection")
    )

    objects = CaseQuerySet.as_manager()

    class Meta:
        verbose_name = _("case")
        verbose_name_plural = _("cases")
        ordering = ["-risk", "pk"]
        permissions = [("assign_case", "Can assign cases to others")]
        constraints = [
            models.UniqueConstraint(
                fields=["consumer"], condition=~Q(status="closed"), name="one_open_case_per_consumer"
            ),
            models.CheckConstraint(
                condition=Q(status="closed", closed_at__isnull=False, inspection__isnull=False)
                | (~Q(status="closed") & Q(closed_at=None, closed_by=None, inspection=None)),
                name="closed_cases_say_when_and_what_was_found",
            ),
        ]
        indexes = [
            models.Index(fields=["-risk", "id"], condition=~Q(status="closed"), name="case_queue"),
            models.Index(fields=["assignee", "-risk"], condition=~Q(status="closed"), name="case_of_assignee"),
            # The week's budget counts what was opened since Monday.
            models.Index(fields=["opened_at"], name="case_opened"),
        ]

    def __str__(self):
        return f"{self.pk}"


class CaseEvent(models.Model):
    """History is added, never edited."""

    class Verb(models.TextChoices):
        OPENED = "opened", _("opened")
        ASSIGNED = "assigned", _("assigned")
        NOTED = "noted", _("note")
        MOVED = "moved", _("moved")
        CLOSED = "closed", _("closed")
        REOPENED = "reopened", _("reopened")

    case = models.ForeignKey(Case, models.CASCADE, related_name="history")
    at = models.DateTimeField(_("at"), auto_now_add=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    verb = models.CharField(_("what"), max_length=16, choices=Verb.choices)
    detail = models.JSONField(default=dict)
    text = models.TextField(_("note"), blank=True)

    class Meta:
        ordering = ["at", "pk"]
        indexes = [models.Index(fields=["case", "at"], name="history_of_case")]
