"""What meters report beside their readings."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.grid.models import Meter


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
    upload = models.ForeignKey("readings.Upload", models.PROTECT, related_name="+", null=True)

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


class MeaningChange(models.Model):
    """What a code means was said otherwise, or is said no more: events that came with it wait to be looked at again."""

    source_code = models.CharField(_("code of the sender"), max_length=64)

    class Meta:
        verbose_name = _("change of an event code's meaning")
        verbose_name_plural = _("changes of event codes' meanings")

    def __str__(self):
        return self.source_code
