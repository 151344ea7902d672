from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.grid.models import Consumer, ReferenceImport
from apps.grid.reference import actions, kinds, replacing, values

SELECT = {"class": "form-select"}
CONTROL = {"class": "form-control"}
PREFIX = "column_"


class ReferenceUploadForm(forms.Form):
    file = forms.FileField(label=_("File"), allow_empty_file=True)
    sender = forms.CharField(
        label=_("Sender"),
        max_length=100,
        help_text=_("Where the file comes from. How its columns were meant is proposed for the sender's next file."),
        widget=forms.TextInput(attrs={"list": "senders", "autocomplete": "off", **CONTROL}),
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, label_suffix="", **kwargs)

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file.size > settings.REFERENCE_MAX_BYTES:
            raise forms.ValidationError(actions.too_large())
        return file


class MeaningForm(forms.Form):
    """What a file holds, and in which of its columns."""

    kind = forms.ChoiceField(label=_("The file holds"), widget=forms.Select(attrs=SELECT))
    as_of = forms.DateField(
        label=_("As of"),
        help_text=_("A link that changes, such as a consumer's meter, changes on this day where no column says when."),
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", **CONTROL}),
    )
    strict = forms.BooleanField(
        label=_("All or nothing"), required=False, widget=forms.CheckboxInput(attrs={"class": "form-check-input"})
    )

    def __init__(self, reference: ReferenceImport, data=None):
        initial = {"kind": reference.kind, "as_of": reference.as_of, "strict": reference.strict}
        super().__init__(data, initial=initial, label_suffix="", auto_id="meaning_%s")
        self.fields["kind"].choices = [("", _("Choose"))] * (not reference.kind) + [
            (kind.name, kind.label) for kind in kinds.KINDS.values()
        ]
        self.kind = kinds.KINDS.get(data.get("kind", "") if data else reference.kind)
        self.cells = dict(reference.preview.get("source", []))
        columns = list(self.cells)
        # Another kind has other fields: what was chosen for the last one says nothing about them.
        self.columns = reference.columns
        if data and self.kind and self.kind.name != reference.kind:
            self.columns = kinds.mapping_of(self.kind, columns)
            self.data = {key: value for key, value in data.items() if not key.startswith(PREFIX)}
        for one in self.kind.fields if self.kind else ():
            name = PREFIX + one.name
            self.fields[name] = forms.ChoiceField(
                label=one.label,
                required=False,
                choices=[("", "–"), *((column, column) for column in columns)],
                initial=self.columns.get(one.name, ""),
                widget=forms.Select(attrs=SELECT),
            )
            if data and name not in self.data and self.columns.get(one.name):
                self.data = {**dict(self.data.items()), name: self.columns[one.name]}

    def mapping_fields(self):
        """Each bound field, whether a row needs it, and some cells of its column."""
        for one in self.kind.fields if self.kind else ():
            field = self[PREFIX + one.name]
            yield field, one.required, ", ".join(self.cells.get(field.value(), []))

    def stated(self) -> dict:
        data = self.cleaned_data
        columns = {
            name.removeprefix(PREFIX): column for name, column in data.items() if name.startswith(PREFIX) and column
        }
        return {"kind": data["kind"], "as_of": data["as_of"], "strict": data["strict"], "columns": columns}


class ReplaceMeterForm(forms.Form):
    serial = forms.CharField(
        label=_("Serial number of the new meter"),
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "off", **CONTROL}),
    )
    on = forms.DateField(
        label=_("Day of the change"),
        help_text=_("From this day on, the readings of the new meter count."),
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", **CONTROL}),
    )
    last_register_kwh = forms.DecimalField(
        label=_("Final register value of the old meter in kWh"),
        max_digits=14,
        decimal_places=3,
        min_value=0,
        required=False,
        widget=forms.NumberInput(attrs={"step": "any", **CONTROL}),
    )
    first_register_kwh = forms.DecimalField(
        label=_("First register value of the new meter in kWh"),
        max_digits=14,
        decimal_places=3,
        min_value=0,
        required=False,
        widget=forms.NumberInput(attrs={"step": "any", **CONTROL}),
    )

    def __init__(self, consumer: Consumer, *args, **kwargs):
        super().__init__(*args, initial={"on": timezone.localdate()}, label_suffix="", **kwargs)
        self.consumer = consumer
        self.current = consumer.installations.current().select_related("meter").first()

    def clean_serial(self):
        serial = " ".join(self.cleaned_data["serial"].split())
        if values.UNPRINTABLE.search(serial):
            raise forms.ValidationError(_("It holds a character that cannot be printed."))
        return serial

    def clean(self):
        data = super().clean()
        if {"serial", "on"} <= data.keys():
            faults = replacing.replacement_faults(consumer=self.consumer, serial=data["serial"], on=data["on"])
            for name, reason in faults.items():
                self.add_error(name, reason)
        return data
