"""Plain words for the names that detectors give: their parts, theft families, honest changes, notes, balances.

`ml` keeps the names; the wording is ours. A name that is new is shown as it is, without its underscores.
"""

from django.utils.translation import gettext_lazy as _

# Part of the ensemble → plain words, and what an analyst calls it. The names are those of ml/config.yaml.
PARTS = {
    "statistical": (
        _("clear signs"),
        _("Rules for the five kinds, against the consumer's own past and its neighbours"),
    ),
    "rules": (_("clear signs"), _("Rules for the five kinds, against the consumer's own past")),
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
}

FAMILIES = {
    "reduce": _("part of the load bypasses the meter"),
    "reduce_random": _("readings are cut by a changing factor"),
    "clip_peaks": _("large loads bypass the meter"),
    "subtract": _("a constant load bypasses the meter"),
    "window": _("the meter is bypassed at certain hours"),
    "flat": _("made-up, even readings"),
    "foreign_profile": _("readings of another meter"),
    "replay": _("old readings played again"),
    "tariff_shift": _("consumption is moved to cheap hours"),
    "on_off": _("the meter is switched off and on"),
    "intermittent": _("the meter is bypassed on some days"),
    "drift": _("less is registered little by little"),
    "heating": _("the heating bypasses the meter"),
    "zero": _("the meter stopped"),
    "mixture": _("two ways at once"),
}

# Honest changes that look alike; the simulator's own names and those of the frozen protocol.
BENIGN = {
    "untouched": _("nothing changed"),
    "vacation": _("holiday"),
    "move_out": _("moved out"),
    "new_solar": _("new solar panels"),
    "solar": _("new solar panels"),
    "electric_vehicle": _("new electric car"),
    "electric_car": _("new electric car"),
    "heat_pump": _("new heat pump"),
    "new_tenant": _("new tenant"),
    "smaller_tenant": _("new tenant who uses less"),
    "smaller_household": _("smaller household"),
    "larger_household": _("larger household"),
    "efficiency": _("saves energy"),
    "thriftier": _("saves energy"),
    "missing_readings": _("readings are missing"),
    "outage": _("power outage"),
    "fewer_appliances": _("fewer appliances"),
    "weekday_absence": _("away on workdays"),
    "load_replaced": _("an appliance moved to gas or wood"),
    "base_load_removed": _("an appliance that always ran is gone"),
    "time_of_use_shift": _("uses cheaper hours"),
    "shift_worker": _("works in shifts"),
    "weekend_trips": _("away at weekends"),
    "seasonal_decline": _("the season changes"),
    "away_for_the_season": _("away for the season"),
}

NOTES = {
    "short_reference": _("Short history: only %(days)s days stand for its usual past."),
    "no_neighbours": _("No neighbours to compare with: it is judged by its own past alone."),
    "no_balance": _(
        "No sum meter, or not all of its meters, at the transformer: no energy balance speaks for or against."
    ),
    "balance_refused": _("The transformer's energy balance is too unreliable to use here."),
    "zero_queue": _("Registers nothing: whether a contract runs decides, and not the curve."),
}

QUALITIES = {
    "good": _("reliable"),
    "clock_lag": _("reliable, the sum meter's clock was put right"),
    "foreign_meters": _("not reliable: meters seem to be recorded at the wrong transformer"),
    "noisy": _("not reliable: sum meter and meters hardly agree"),
    "too_few_days": _("not reliable: too few days"),
    "refused": _("not reliable"),
}


def word(table: dict, name: str) -> str:
    """The plain words of a name; of a part, without its meaning."""
    found = table.get(name)
    if found is None:
        return name.replace("_", " ")
    return str(found[0] if isinstance(found, tuple) else found)


def kind_word(name: str) -> str:
    """Of a simulated kind, theft or honest."""
    return word(BENIGN, name)


def notes(codes: list[str], reference_days: int) -> list[str]:
    return [word(NOTES, code) % {"days": reference_days} for code in codes]
