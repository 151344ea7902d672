"""Plain words for the change features, named in ml/change_features.py by which days, and what of them."""

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

WHOLE = {
    "change_strength": _("strength of the likeliest change"),
    "change_runner_up": _("strength of the second likeliest change"),
    "change_days": _("days since the likeliest change"),
    "change_place": _("place of the likeliest change in the history"),
    "usual": _("usual consumption"),
    "lowest_week": _("its lowest week"),
    "highest_week": _("its highest week"),
    "last_year": _("against the same weeks of last year"),
    "all_trend": _("trend over all days"),
}
DAYS = {
    "last7": _("last 7 days"),
    "last14": _("last 14 days"),
    "last28": _("last 28 days"),
    "since": _("since the change"),
    "reference": _("usual past"),
    "change_by": _("share in the change"),
    "two_states": _("days of two kinds"),
}
MEASURES = {
    "level": _("level against the neighbours"),
    "own_level": _("own level"),
    "base": _("base load"),
    "low": _("low half of the readings"),
    "median": _("middle reading"),
    "peak": _("highest reading of the day"),
    "zero": _("share of zeros"),
    "rough": _("steps from reading to reading"),
    "flat": _("spread within the day"),
    "equal": _("repeated readings"),
    "likeness": _("likeness to its own day"),
    "night_noise": _("unrest at night"),
    "block_0": _("hours 0 to 4"),
    "block_1": _("hours 4 to 8"),
    "block_2": _("hours 8 to 12"),
    "block_3": _("hours 12 to 16"),
    "block_4": _("hours 16 to 20"),
    "block_5": _("hours 20 to 24"),
    "slope": _("mean day, scaled"),
    "intercept": _("mean day, shifted down"),
    "fit": _("mean day, shape"),
    "shifted": _("mean day, moved by hours"),
    "shift": _("by how many hours the day moved"),
    "reversed": _("mean day, turned around"),
    "hour_min": _("hour that fell most"),
    "hour_q1": _("hours that fell, lower quarter"),
    "hour_median": _("middle hour"),
    "hour_q3": _("hours that fell, upper quarter"),
    "hour_max": _("hour that rose most"),
    "hour_unrest": _("unevenness between hours"),
    "noon": _("noon against other hours"),
    "evening": _("evening against other hours"),
    "night": _("night against other hours"),
    "morning": _("morning against other hours"),
    "floor_rise": _("lowest hours"),
    "peak_hours": _("its peak hours against others"),
    "scan_depth": _("hours that fell together, how far"),
    "scan_contrast": _("hours that fell together, how clearly"),
    "scan_hours": _("hours that fell together, how many"),
    "scan_centre": _("hours that fell together, when"),
    "scan_zero": _("hours that fell together, zeros in them"),
    "workday_gap": _("workdays against weekends"),
    "floor_gap": _("lowest hour"),
    "q_slope": _("high readings fell more than low ones"),
    "q_bend": _("readings fell unevenly"),
    "at_top": _("readings at the highest value"),
    "near_top": _("readings near the highest value"),
    "repeats": _("values that return"),
    "past_at_top": _("before: readings at the highest value"),
    "past_near_top": _("before: readings near the highest value"),
    "past_repeats": _("before: values that return"),
    "at_top_count": _("how many readings at the highest value"),
    "none_above": _("readings missing above a limit"),
    "gap_strength": _("hours with a gap, how clearly"),
    "gap_hours": _("hours with a gap, how many"),
    "gap_centre": _("hours with a gap, when"),
    "rise_strength": _("hours that rose, how clearly"),
    "trend": _("trend"),
    "trend_base": _("trend of the base load"),
    "memory": _("how far a day follows the day before"),
    "steps": _("steps from day to day"),
    "noise": _("spread between days"),
}


def word(name: str) -> str:
    """Of a feature; a name that is new is shown as it is, without its underscores."""
    if name in WHOLE:
        return str(WHOLE[name])
    for prefix, days in DAYS.items():
        if name.startswith(f"{prefix}_"):
            return f"{_measure(name.removeprefix(f'{prefix}_'))} · {days}"
    return name.replace("_", " ")


def _measure(name: str) -> str:
    if name in MEASURES:
        return str(MEASURES[name])
    if name.startswith("q") and name[1:].isdecimal():
        return gettext("reading that %(share)s %% stay below") % {"share": f"{int(name[1:]) / 10:g}"}
    if name.startswith("spread_"):
        return gettext("spread between days: %(what)s") % {"what": _measure(name.removeprefix("spread_"))}
    if name.startswith("quiet_"):
        what = _measure(name.removeprefix("quiet_").replace("min", "hour_min").replace("max", "hour_max"))
        return gettext("quiet readings: %(what)s") % {"what": what}
    if "_with_" in name:
        one, other = name.split("_with_")
        return gettext("%(one)s moving with %(other)s") % {"one": _measure(one), "other": _measure(other)}
    return name.replace("_", " ")
