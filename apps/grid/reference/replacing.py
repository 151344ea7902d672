"""A consumer's meter is replaced: an import of one or two links, and undone like one."""

from datetime import date, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.grid.models import Consumer, Meter, ReferenceImport
from apps.grid.reference.actions import receive_rows

DAYS_AHEAD = 366  # that the exchange of a meter may be written down before it happens


def replacement_faults(*, consumer: Consumer, serial: str, on: date) -> dict[str, str]:
    """Field → why this meter cannot follow the consumer's present one on that day. Whose it is now, the import says."""
    faults = {}
    current = consumer.installations.current().select_related("meter").first()
    meter = Meter.objects.filter(serial=serial).first()
    if current and current.meter.serial == serial:
        faults["serial"] = _("This is the meter that is there now.")
    elif meter and meter.kind == Meter.Kind.SUM:
        faults["serial"] = _("This is the sum meter of a transformer.")
    elif meter and meter.closed_on and meter.closed_on <= on:
        faults["serial"] = _("This meter was closed on %(day)s.") % {"day": date_format(meter.closed_on, "j M Y")}
    if current and current.valid.lower and on <= current.valid.lower:
        faults["on"] = _("The meter that is there now came on %(day)s: choose a later day.") % {
            "day": date_format(current.valid.lower, "j M Y")
        }
    elif on > timezone.localdate() + timedelta(days=DAYS_AHEAD):
        faults["on"] = _("This day is more than a year ahead.")
    return faults


def why_not(found: ReferenceImport) -> str:
    """Why an exchange failed, for a person who sees no file and no rows of one."""
    if not found.refused_lines:
        return found.error
    reason = found.refused_lines[0][1]
    for row in range(1, found.rows + 1):
        reason = reason.removeprefix(_("object %(n)d: ") % {"n": row})
    return reason[:1].upper() + reason[1:] + "."


def replace_meter(
    *,
    consumer: Consumer,
    serial: str,
    on: date,
    by: User,
    last_register_kwh=None,
    first_register_kwh=None,
) -> ReferenceImport:
    """A consumer's meter ends on a day and another begins: an import of one or two links, and undone like one. The
    caller has asked for `replacement_faults`."""
    current = consumer.installations.current().select_related("meter").first()
    rows = []
    if current:
        old = {"meter": current.meter.serial, "consumer": consumer.number, "until": on.isoformat()}
        if last_register_kwh is not None:
            old["last_register_kwh"] = str(last_register_kwh)
        rows.append(old)
    new = {"meter": serial, "consumer": consumer.number, "from": on.isoformat()}
    if first_register_kwh is not None:
        new["first_register_kwh"] = str(first_register_kwh)
    return receive_rows(
        rows=[*rows, new],
        kind=ReferenceImport.Kind.INSTALLATIONS,
        name=_("Meter of %(consumer)s") % {"consumer": consumer.number},
        by=by,
        strict=True,
    )
