"""What each reason says to a person. The sentences are message ids: pages translate them, then fill in the params."""

from collections.abc import Callable

from ml.findings import Reason


def _(text: str) -> str:
    """Marks a sentence for makemessages; the pages translate, this library does not."""
    return text


SENTENCES: dict[str, str] = {
    "drop_neighbours_steady": _("Uses %(percent)s %% less than before since %(since)s; neighbours did not change."),
    "drop_beyond_neighbours": _(
        "Uses %(percent)s %% less than before since %(since)s; neighbours changed by %(neighbour_percent)s %%."
    ),
    "drop_no_neighbours": _(
        "Uses %(percent)s %% less than before since %(since)s; there are no neighbours to compare with."
    ),
    "gradual_decline": _(
        "Has registered less and less since about %(since)s, %(percent)s %% less by now than its neighbours explain."
    ),
    "part_of_day_hidden": _(
        "In its emptiest hours it registers %(percent)s %% less than before, while the rest of the day stayed."
    ),
    "peaks_capped": _("Each day's peak now stops near %(kwh)s kWh a reading, %(before_kwh)s kWh before."),
    "zero_run": _("Has registered nothing for %(days)s days, since %(since)s; no end of a contract is on file."),
    "zero_days": _("Registered nothing on %(days)s of the last %(of)s days; no end of a contract is on file."),
    "zero_hours": _("%(percent)s %% of its recent readings are zero, %(before_percent)s %% before."),
    "always_zero": _("Has registered nothing at all for %(days)s days; an empty home looks the same."),
    "odd_hours": _("Uses %(factor)s times as much as before between 2 and 5 in the morning, since about %(since)s."),
    "spike": _("Peaks on %(days)s of the last %(of)s days were above three sigma, up to %(kwh)s kWh a reading."),
    "fits_family": _("The way its days changed fits this theft better than any honest change: %(family)s."),
    "balance_follows": _("Its transformer delivers more than its meters register, and the gap fits this meter."),
    "unusual_combination": _("Its changes taken together are rarer than those of %(percent)s %% of meters."),
    "above_neighbours": _("Uses %(factor)s times what its neighbours use."),
    "below_neighbours": _("Uses %(percent)s %% of what its neighbours use."),
    "empty_home": _("An empty home looks the same: the peaks are gone, what runs day and night still runs."),
    "no_contract": _("No supply contract since %(since)s, which explains that little or nothing is used."),
    "use_without_contract": _("Still uses %(kwh)s kWh a day though no supply contract runs since %(since)s."),
    "too_little_data": _("Too little data to score: %(days)s days with readings, %(needed)s are needed."),
}


def sentence(reason: Reason, translate: Callable[[str], str] = _) -> str:
    """The reason in words. Raises KeyError on a code that is not known."""
    return translate(SENTENCES[reason.code]) % reason.params
