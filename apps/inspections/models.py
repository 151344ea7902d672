"""What crews found. An inspection is a fact about a consumer, with or without a case; it is what models learn from."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.grid.models import Consumer


class Outcome(models.TextChoices):
    BYPASS = "bypass", _("bypass")
    METER_TAMPERING = "meter_tampering", _("meter tampering")
    ILLEGAL_CONNECTION = "illegal_connection", _("illegal connection")
    METER_FAULT = "meter_fault", _("meter fault")
    BILLING_ERROR = "billing_error", _("billing error")
    TARIFF_MISUSE = "tariff_misuse", _("tariff misuse")
    VACANT = "vacant", _("vacant")
    LEGITIMATE_CHANGE = "legitimate_change", _("legitimate change")
    NO_ACCESS = "no_access", _("no access")
    NOTHING_FOUND = "nothing_found", _("nothing found")


FINDS = (
    Outcome.BYPASS,
    Outcome.METER_TAMPERING,
    Outcome.ILLEGAL_CONNECTION,
    Outcome.METER_FAULT,
    Outcome.BILLING_ERROR,
    Outcome.TARIFF_MISUSE,
)


class InspectionQuerySet(models.QuerySet):
    def standing(self):
        """Inspections that were not taken back."""
        return self.filter(withdrawn_at=None)

    def finds(self):
        return self.standing().filter(outcome__in=FINDS)

    def visible_to(self, user):
        return self.filter(consumer__in=Consumer.objects.visible_to(user))


class Inspection(models.Model):
    consumer = models.ForeignKey(Consumer, models.PROTECT, related_name="inspections", verbose_name=_("consumer"))
    outcome = models.CharField(_("outcome"), max_length=32, choices=Outcome.choices)
    inspected_on = models.DateField(_("inspected"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="inspections", verbose_name=_("by")
    )
    note = models.TextField(_("note"), blank=True)
    recovered_kwh = models.FloatField(_("energy recovered in kWh"), null=True, blank=True)
    recorded_at = models.DateTimeField(auto_now_add=True)
    # Undo never deletes: a withdrawn inspection stays on record and no longer counts.
    withdrawn_at = models.DateTimeField(null=True, editable=False)

    objects = InspectionQuerySet.as_manager()

    class Meta:
        verbose_name = _("inspection")
        verbose_name_plural = _("inspections")
        ordering = ["-inspected_on", "-pk"]
        indexes = [models.Index(fields=["consumer", "-inspected_on"], name="inspections_of_consumer")]

    def __str__(self):
        return f"{self.get_outcome_display()} · {self.consumer}"
