"""Plain words for the names that detectors give: their parts, theft families, honest changes, notes, balances.

`ml` keeps the names; the wording is ours. A name that is new is shown as it is, without its underscores.
"""

import re

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ml.synthetic.words import FAMILY_WORDS, WORDS

# Part of the ensemble → plain words, and what an analyst calls it. The names are those of ml/config.yaml.
PARTS = {
    "statistical": (
        _("clear signs"),
        _("Rules for the five kinds, against the consumer's own past and its neighbours"),
    ),
    "isolation_forest": (
        _("unusual combination"),
        _("Isolation forest: how rare its changes are among all consumers, taken together"),
    ),
    "autoencoder": (
        _("unlike its own weeks"),
        _("Autoencoder: the weeks since the change no longer have the shape of those before"),
    ),
    "lstm": (
        _("stopped following its past"),
        _("GRU: less is registered day after day than its own past foretells"),
    ),
    "booster": (
        _("looks like theft and not like a change of life"),
        _("Gradient boosting, trained on simulated thefts against honest look-alikes"),
    ),
    "balance": (
        _("the transformer's gap moves with it"),
        _("Energy balance: what the transformer delivers beyond what its meters report follows this meter"),
    ),
    "outcomes": (_("like what crews found before"), _("Gradient boosting, trained on the outcomes of inspections")),
    "events": (
        _("the meter reported it"),
        _("Events of the meter, such as an opened cover, which nobody's visit and no neighbour explains"),
    ),
}

FAMILIES = FAMILY_WORDS

# Simulated changes, theft and honest ones; first the names of the frozen protocol that our own simulator has not.
KINDS = {
    "untouched": _("nothing changed"),
    "missing_readings": _("readings are missing"),
    "clip_peaks": _("nothing counted above a limit"),
    "began_before_scale": _("began before the first reading: part bypassed"),
    "began_before_phase_bypass": _("began before the first reading: one phase bypassed"),
    "move_out": _("moved out"),
    "solar": _("new solar panels"),
    **WORDS,
}

NOTES = {
    "short_reference": _("Short history: only %(days)s days stand for its usual past."),
    "no_neighbours": _("No neighbours to compare with: it is judged by its own past alone."),
    "no_balance": _(
        "No sum meter, or not all of its meters, at the transformer: no energy balance speaks for or against."
    ),
    "balance_refused": _("The transformer's energy balance is too unreliable to use here."),
    "chance_without_events": _("The chance of a find rests on the curve alone: what the meter reported is not in it."),
    "zero_queue": _("Registers nothing: whether a contract runs decides, and not the curve."),
}

# Why an event counts as it does: the names of ml/events.py, and `with_change`.
WHY_EVENTS = {
    "weightless": _("context, counts for nothing"),
    "together": _("%(reported)s of %(size)s meters %(where)s reported it %(when)s: a common cause, no tamper"),
    "visited": _("our people were there: counts for nothing"),
    "settled": _("before an inspection: answered by it"),
    "after_outage": _("the power had been away: counts for nothing"),
    "routine": _("opened and closed within the hour, as fitters do: counts little"),
    "counts": _("counts, and fades with time"),
    "with_change": _("counts in full: the curve changed at the same time"),
}
WHERE = {
    "transformer": _("behind transformer %(group)s"),
    "feeder": _("on feeder %(group)s"),
    "zone": _("in zone %(group)s"),
}

# Why a balance is not to be trusted: the reasons of the gate in ml/balance.
QUALITIES = {
    "": _("reliable"),
    "good": _("reliable"),
    "clock_put_right": _("reliable, with the sum meter's clock put right"),
    "clock_lag": _("not reliable: the sum meter does not follow its meters"),
    "mapping_wrong": _("not reliable: meters seem to be recorded at the wrong transformer"),
    "too_noisy": _("not reliable: sum meter and meters hardly agree"),
    "too_few_days": _("not reliable: too few days"),
    "no_sum_meter": _("no readings of the sum meter"),
}

# How a training tells how far it has come (ml/training.py) → the same in the reader's language.
DOING = (
    (r"readings", _("reads what is stored")),
    (r"networks", _("prepares the networks")),
    (r"autoencoder: epoch (?P<at>\d+) of (?P<of>\d+)", _("learns the shape of weeks: pass %(at)s of %(of)s")),
    (r"lstm: epoch (?P<at>\d+) of (?P<of>\d+)", _("learns how days follow days: pass %(at)s of %(of)s")),
    (r"(?P<count>[\d,]+) simulated cases", _("simulates theft and honest changes: %(count)s cases")),
    (r"boosters for (?P<minutes>\d+)-minute readings", _("learns to tell them apart in %(minutes)s-minute readings")),
    (r"evaluation", _("grades itself on meters that taught nothing")),
    (r"boosters from all meters", _("learns from those meters too")),
)


def word(table: dict, name: str) -> str:
    """The plain words of a name; of a part, without its meaning."""
    found = table.get(name)
    if found is None:
        return name.replace("_", " ")
    found = found[0] if isinstance(found, tuple) else found
    # What ml marks for translation is still English; what is lazy already knows its language.
    return gettext(found) if isinstance(found, str) else str(found)


def doing(told: str) -> str:
    """How far a training has come; what has no words is shown as it is."""
    for pattern, said in DOING:
        if found := re.match(pattern, told):
            return str(said) % found.groupdict()
    return told


def event_note(kept: dict) -> str:
    """Why an event counts as it does, as a score keeps it."""
    params = {name: kept.get(name, "") for name in ("reported", "size")}
    if kept["why"] == "together":
        minutes = kept["minutes"]
        params["where"] = word(WHERE, kept["level"]) % {"group": kept["group"]}
        params["when"] = (
            gettext("within %(hours)d hours") % {"hours": -(-minutes // 60)}
            if minutes > 90
            else ngettext("within %(minutes)d minute", "within %(minutes)d minutes", minutes) % {"minutes": minutes}
            if minutes
            else gettext("in the same minute")
        )
    return word(WHY_EVENTS, kept["why"]) % params


def notes(codes: list[str], reference_days: int) -> list[str]:
    return [word(NOTES, code) % {"days": reference_days} for code in codes]
