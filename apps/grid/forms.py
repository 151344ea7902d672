from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.grid.models import Consumer, Zone


class AssignZoneForm(forms.Form):
    """Ticked consumers, or with `everybody` all that the search on the page found."""

    zone = forms.ModelChoiceField(queryset=Zone.objects.none(), label=_("Zone"), empty_label=_("Choose a zone"))
    consumers = forms.ModelMultipleChoiceField(queryset=Consumer.objects.none(), required=False)
    everybody = forms.BooleanField(required=False, label=_("All that were found"))

    def __init__(self, *args, user: User, found, **kwargs):
        super().__init__(*args, **kwargs)
        self.found = found
        self.fields["zone"].queryset = Zone.objects.visible_to(user).exclude(code=Zone.UNASSIGNED).defer("area")
        self.fields["consumers"].queryset = found

    def clean(self):
        if not self.cleaned_data.get("consumers") and not self.cleaned_data.get("everybody"):
            raise forms.ValidationError(_("Tick at least one consumer."))
        return self.cleaned_data

    @property
    def chosen(self):
        return self.found if self.cleaned_data["everybody"] else self.cleaned_data["consumers"]
