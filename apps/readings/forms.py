from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.readings import files, times
from apps.readings.columns import ROLES, Columns
from apps.readings.date_order import DateOrder, Order, Why
from apps.readings.models import Sender
from apps.readings.statements import Statement


class UploadForm(forms.Form):
    file = forms.FileField(label=_("File"), allow_empty_file=True)
    sender = forms.CharField(
        label=_("Sender"),
        max_length=100,
        help_text=_("Who the file comes from. What you state about it is proposed for the sender's next file."),
        widget=forms.TextInput(attrs={"list": "senders", "autocomplete": "off", "class": "form-control"}),
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, label_suffix="", **kwargs)

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file.size > settings.UPLOAD_MAX_BYTES:
            raise forms.ValidationError(files.too_large())
        return file


class StatementForm(forms.Form):
    timezone = forms.CharField(
        label=_("Clock of the stamps"),
        max_length=64,
        help_text=_("A time zone such as Europe/London, or an offset such as +01:00. Stamps that carry their own win."),
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off", "class": "form-control"}),
    )
    stamps = forms.ChoiceField(label=_("A stamp marks"), choices=Sender.Stamps.choices)
    measures = forms.ChoiceField(label=_("Values are"), choices=Sender.Measures.choices)
    unit = forms.ChoiceField(label=_("Unit"), choices=Sender.Unit.choices)
    multiplier = forms.FloatField(
        label=_("Multiplier"), initial=1, widget=forms.NumberInput(attrs={"class": "form-control", "step": "any"})
    )

    def __init__(self, *args, columns: Columns | None = None, fixed: dict | None = None, only_events=False, **kwargs):
        super().__init__(*args, label_suffix="", **kwargs)
        self.columns = columns
        for name in ("stamps", "measures", "unit"):
            self.fields[name].widget.attrs["class"] = "form-select"
        if only_events:  # which have a time, and no amount
            for name in ("stamps", "measures", "unit", "multiplier"):
                del self.fields[name]
        for name in (fixed or {}).keys() & self.fields.keys():
            self.fields[name].disabled = True
            self.fields[name].help_text = _("As the format has it.")

    def clean(self):
        data = super().clean()
        if not self.errors:
            for name, fault in Statement(**data).faults().items():
                self.add_error(name, fault)
        if self.data.get("date_order") in Order.values and self.data["date_order"] != self.initial.get("date_order"):
            data |= DateOrder(Order(self.data["date_order"]), Why.STATED).as_dict()
        if self.columns:
            try:
                data |= self.columns.said(self.roles)
            except ValueError as fault:
                self.add_error(None, str(fault))
        return data

    @property
    def roles(self) -> list[str]:
        """What each column of the file is said to hold; what is not asked for stays as it was guessed."""
        posted = [self.data.get(field, role) for field, _name, role in self.columns.shown]
        return [role if role in ROLES else "ignored" for role in posted] + self.columns.roles[len(posted) :]

    @property
    def choices_of_columns(self) -> list[tuple[str, str, str]]:
        """(field, name, role), as posted."""
        roles = self.roles if self.is_bound else self.columns.roles
        return [(field, name, roles[place]) for place, (field, name, _role) in enumerate(self.columns.shown)]


def zone_proposals() -> list[str]:
    standard = times.offset_name(times.utility_offset_minutes())
    first = [settings.UTILITY_TIME_ZONE, standard, "UTC"]
    return [*dict.fromkeys(first), *sorted(available_timezones() - set(first))]
