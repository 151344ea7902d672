from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.cases.filters import investigators
from apps.cases.models import Case
from apps.grid.models import Zone
from apps.inspections.models import FINDS, Outcome

_NO_FINDS = [outcome for outcome in Outcome if outcome not in FINDS]


class Person(forms.ModelChoiceField):
    def label_from_instance(self, user: User) -> str:
        return user.get_full_name() or user.username


class AssignForm(forms.Form):
    """An empty choice gives the case back to the queue."""

    to = Person(queryset=User.objects.none(), required=False, empty_label=_("Nobody"), label=_("Assign to"))

    def __init__(self, *args, people, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["to"].queryset = people


class BulkAssignForm(AssignForm):
    cases = forms.ModelMultipleChoiceField(queryset=Case.objects.none())

    def __init__(self, *args, visible, **kwargs):
        super().__init__(*args, people=investigators(), **kwargs)
        self.fields["to"].required = True
        self.fields["cases"].queryset = visible.not_closed().select_related("consumer__zone")

    def clean(self):
        to, cases = self.cleaned_data.get("to"), self.cleaned_data.get("cases")
        if to and cases:
            looked_after = set(Zone.objects.visible_to(to).values_list("pk", flat=True))
            foreign = sorted({str(case.consumer.zone) for case in cases if case.consumer.zone_id not in looked_after})
            if foreign:
                raise forms.ValidationError(
                    _("%(person)s does not look after %(zones)s."),
                    params={"person": self.fields["to"].label_from_instance(to), "zones": ", ".join(foreign)},
                )
        return self.cleaned_data


class NoteForm(forms.Form):
    text = forms.CharField(label=_("Note"), max_length=10_000, widget=forms.Textarea(attrs={"rows": 2}))


class MoveForm(forms.Form):
    to = forms.ChoiceField(choices=[choice for choice in Case.Status.choices if choice[0] != Case.Status.CLOSED])


class CloseForm(forms.Form):
    outcome = forms.ChoiceField(
        label=_("What did the crew find?"),
        choices=[
            ("", _("Choose an outcome")),
            (_("A find"), [(outcome.value, outcome.label) for outcome in FINDS]),
            (_("No find"), [(outcome.value, outcome.label) for outcome in _NO_FINDS]),
        ],
    )
    inspected_on = forms.DateField(
        label=_("Visited on"),
        initial=timezone.localdate,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    recovered_kwh = forms.FloatField(label=_("Energy recovered, kWh"), required=False, min_value=0, max_value=1e9)
    note = forms.CharField(label=_("Note"), required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 3}))

    def clean_inspected_on(self):
        day = self.cleaned_data["inspected_on"]
        if day > timezone.localdate():
            raise forms.ValidationError(_("A visit in the future cannot have an outcome yet."))
        return day
