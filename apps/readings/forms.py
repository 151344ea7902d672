from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.readings import files, times
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

    def __init__(self, *args, **kwargs):
        super().__init__(*args, label_suffix="", **kwargs)
        for name in ("stamps", "measures", "unit"):
            self.fields[name].widget.attrs["class"] = "form-select"

    def clean(self):
        data = super().clean()
        if not self.errors:
            for name, fault in Statement(**data).faults().items():
                self.add_error(name, fault)
        return data


def zone_proposals() -> list[str]:
    standard = times.offset_name(times.utility_offset_minutes())
    first = [settings.UTILITY_TIME_ZONE, standard, "UTC"]
    return [*dict.fromkeys(first), *sorted(available_timezones() - set(first))]
