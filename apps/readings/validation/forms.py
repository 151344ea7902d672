"""How the rules are set in one place, and what they would hit there."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from django import forms
from django.db import connection, transaction
from django.db.models import Count
from django.utils.translation import gettext_lazy as _

from apps.grid.models import Consumer, Zone
from apps.readings.models import MeterState, ReadingEdit, ValidationRule
from apps.readings.validation import checking, limits, running
from apps.readings.validation.limits import Setting
from apps.readings.validation.rules import BY_NAME, RULES, Rule

TRIED_METERS = 300
TRIED_DAYS = 28


@dataclass(frozen=True)
class Part:
    """A rule's fields, and what holds where they are left empty."""

    rule: Rule
    inherited: Setting
    enabled: forms.BoundField
    limits: list[forms.BoundField]


@dataclass(frozen=True)
class Tried:
    rule: Rule
    days: int
    meters: int
    days_now: int  # with the settings that are stored


@dataclass(frozen=True)
class Trial:
    rules: list[Tried]
    meters: int  # that were tried, of
    of: int
    days: int = TRIED_DAYS


class RulesForm(forms.Form):
    """A switch and the limits of each rule; what is left empty is as everywhere, or as built in."""

    def __init__(self, data=None, *, zone: Zone | None):
        super().__init__(data)
        self.zone = zone
        self.stored = list(ValidationRule.objects.all())
        own = {row.rule: row for row in self.stored if row.zone_id == (zone and zone.pk)}
        everywhere = [row for row in self.stored if row.zone_id is None and zone is not None]
        self.inherited = limits.settings_of_zones([], everywhere)[None]
        for rule in RULES:
            row = own.get(rule.name)
            self.fields[f"{rule.name}-enabled"] = forms.ChoiceField(
                choices=self.switch(rule),
                required=False,
                initial="" if row is None or row.enabled is None else ("on" if row.enabled else "off"),
                label=rule.label,
            )
            for limit in rule.limits:
                self.fields[f"{rule.name}-{limit.name}"] = forms.FloatField(
                    required=False,
                    min_value=limit.least,
                    max_value=limit.most,
                    initial=row and row.limits.get(limit.name),
                    label=limit.label,
                    widget=forms.NumberInput(
                        attrs={
                            "class": "form-control",
                            "step": "any",
                            "placeholder": f"{self.inherited[rule.name].limits[limit.name]:g}",
                        }
                    ),
                )

    def switch(self, rule: Rule) -> list[tuple[str, str]]:
        on = self.inherited[rule.name].enabled
        if self.zone is None:
            inherited = _("built in: on")
        else:
            inherited = _("as everywhere: on") if on else _("as everywhere: off")
        return [("", inherited), ("on", _("on")), ("off", _("off"))]

    def parts(self) -> list[Part]:
        return [
            Part(
                rule,
                self.inherited[rule.name],
                self[f"{rule.name}-enabled"],
                [self[f"{rule.name}-{limit.name}"] for limit in rule.limits],
            )
            for rule in RULES
        ]

    def rows(self) -> list[ValidationRule]:
        """What is said of this place, unsaved; a rule of which nothing is said has no row."""
        rows = []
        for rule in RULES:
            said = {limit.name: self.cleaned_data[f"{rule.name}-{limit.name}"] for limit in rule.limits}
            said = {name: value for name, value in said.items() if value is not None}
            switch = self.cleaned_data[f"{rule.name}-enabled"]
            if said or switch:
                enabled = switch == "on" if switch else None
                rows.append(ValidationRule(zone=self.zone, rule=rule.name, enabled=enabled, limits=said))
        return rows

    @transaction.atomic
    def save(self) -> bool:
        """Set the rules, and have the days of the place validated once more. False: nothing was to be set."""
        with connection.cursor() as cursor:  # two people who set rules at once would both add them
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('readings.rules'))")
        known = ValidationRule.objects.filter(zone=self.zone)
        wanted = self.rows()
        if said(known) == said(wanted):
            return False
        known.delete()
        ValidationRule.objects.bulk_create(wanted)
        running.validate_again(self.zone and self.zone.pk)
        return True

    def tried(self) -> Trial | None:
        """What these settings would hit in the last weeks, on a sample of the meters; None where nothing came yet."""
        states = MeterState.objects.all()
        if self.zone:
            states = states.filter(meter__in=limits.meters_in(self.zone.pk))
        usual = states.values_list("interval_minutes").annotate(many=Count("pk")).order_by("-many").first()
        if usual is None:
            return None
        interval, many = usual
        ids = list(states.filter(interval_minutes=interval).order_by("meter_id").values_list("meter_id", flat=True))
        sample = ids[:: -(-many // TRIED_METERS)]
        waiting = running.waiting(list(MeterState.objects.filter(pk__in=sample).order_by("meter_id")), interval)
        last = int(waiting.last.max())
        waiting = replace(
            waiting,
            checked_from=np.full(len(sample), last - TRIED_DAYS + 1),
            checked_until=np.full(len(sample), last),
        )
        elsewhere = [row for row in self.stored if row.zone_id != (self.zone and self.zone.pk)]
        place = self.zone and self.zone.pk
        now, tried = checking.dry_run(waiting, place, [self.stored, [*elsewhere, *self.rows()]])
        return Trial(
            [Tried(BY_NAME[name], *tried[name], now[name][0]) for name in tried if BY_NAME[name].find],
            meters=len(sample),
            of=many,
        )


def said(rows: Iterable[ValidationRule]) -> dict:
    return {row.rule: (row.enabled, row.limits) for row in rows}


class EditForm(forms.Form):
    """What a person says of a day; the meter is the one that measured the consumer on it."""

    day = forms.DateField(label=_("Day"))
    verb = forms.ChoiceField(choices=ReadingEdit.Verb.choices, label=_("What"))
    note = forms.CharField(max_length=200, required=False, label=_("Why"))

    def __init__(self, *args, consumer: Consumer, **kwargs):
        super().__init__(*args, **kwargs)
        self.consumer = consumer

    def clean(self) -> dict:
        data = super().clean()
        if day := data.get("day"):
            link = self.consumer.installations.filter(valid__contains=day).select_related("meter").first()
            if link is None:
                raise forms.ValidationError(_("No meter measured this consumer on that day."))
            data["meter"] = link.meter
        return data
