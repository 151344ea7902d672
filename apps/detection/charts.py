"""What pages draw of one consumer: its days, the band of its neighbours, and its hours by day on civil time."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from django.conf import settings

from apps.detection.windows import Fitted, cut_to_links, joined
from apps.grid.models import Installation
from apps.readings import profiles, times
from apps.readings.models import Channel
from ml.calendar import slots_ahead, to_civil_days

CHART_DAYS = 371
FEWEST_PEERS = 3
LEAST_DAYS_BEFORE = 28


@dataclass(frozen=True)
class Curve:
    """Arrays of D days from `first_day`; NaN where nothing is known."""

    first_day: date
    daily: np.ndarray  # (D,) kWh of days of which at least half came, brought to whole days: they can be compared
    came: np.ndarray  # (D,) kWh as it came, however little of the day
    hours: np.ndarray  # (2, D) how many hours came, and how many the day has on the clock
    made_up: np.ndarray  # (D, 24) kWh that came as estimated or edited, or (D, 1) without hours; NaN everywhere else
    hourly: np.ndarray | None  # (D, 24) kWh by hours of the clock on the wall; None for readings longer than an hour
    exported: np.ndarray  # (D,) kWh given to the grid, NaN where nothing says so
    band: np.ndarray | None  # (3, D) kWh: quartiles of the neighbours, brought to this consumer's usual size

    @property
    def last_day(self) -> date:
        return self.first_day + timedelta(days=len(self.daily) - 1)

    def usual_days(self, onset: date | None) -> tuple[float, float] | None:
        """Median kWh a day before and since the onset; None where one of them is not known."""
        since = (onset - self.first_day).days if onset else 0
        if not 0 < since < len(self.daily):
            return None
        before, after = _median(self.daily[np.newaxis, :since])[0], _median(self.daily[np.newaxis, since:])[0]
        return (float(before), float(after)) if np.isfinite(before + after) else None

    def mean_days(self, onset: date | None) -> tuple[np.ndarray, np.ndarray] | None:
        """(24,) mean kWh of each hour over the days before the onset, and since; None where one is not known.

        At most so many days before as there are since, and four weeks at least: a year of seasons is no usual day.
        """
        since = (onset - self.first_day).days if onset else 0
        if self.hourly is None or not 0 < since < len(self.daily):
            return None
        most = max(len(self.daily) - since, LEAST_DAYS_BEFORE)
        before, after = _mean_of_hours(self.hourly[max(since - most, 0) : since]), _mean_of_hours(self.hourly[since:])
        return (before, after) if np.isfinite(before).any() and np.isfinite(after).any() else None

    def incomplete(self) -> list[tuple[int, float, float]]:
        """Place of each day of which a part came, how many hours that is, and of how many."""
        came, whole = self.hours
        places = np.flatnonzero((came > 0) & (came < whole))
        return [(int(day), float(came[day]), float(whole[day])) for day in places]

    def made_up_places(self) -> list[tuple[int, float]]:
        """Place among all hours, or among the days where there are no hours, and kWh."""
        return [
            (int(place), round(float(self.made_up.flat[place]), 3))
            for place in np.flatnonzero(np.isfinite(self.made_up))
        ]

    def for_page(self) -> dict:
        """As json_script takes it."""
        return {
            "first_day": self.first_day.isoformat(),
            "daily": profiles.chart_values(np.round(self.came, 2)),
            "incomplete": self.incomplete(),
            "made_up": self.made_up_places(),
            "hourly": None if self.hourly is None else profiles.chart_values(np.round(self.hourly, 3)),
            "exported": profiles.chart_values(np.round(self.exported, 2)) if np.isfinite(self.exported).any() else None,
            "band": None if self.band is None else profiles.chart_values(np.round(self.band, 2)),
        }


def curve(consumer_id: int, links: list[Installation], onset: date | None) -> Curve | None:
    """The last CHART_DAYS of a consumer; None without any reading.

    `links` are the consumer's and its neighbours', each with `meter.state` at hand.
    """
    states = ((link, link.meter.state) for link in links if hasattr(link.meter, "state"))
    fitted = cut_to_links(
        (link.consumer_id, link.meter_id, link.valid, state.first_day, state.last_day, state.interval_minutes)
        for link, state in states
    )
    own = [link for link in fitted if link.consumer_id == consumer_id]
    if not own:
        return None
    last_day = max(link.last_day for link in own)
    first_day = max(min(link.first_day for link in own), last_day - timedelta(days=CHART_DAYS - 1))
    civil, made_up = read_own(own, first_day, last_day)
    slots = civil.shape[1]
    daily = day_totals(civil)
    others = [link for link in fitted if link.consumer_id != consumer_id]
    band = neighbours_band(read(others, first_day, last_day, slots=1)[:, :, 0], daily, first_day, onset)
    found = np.isfinite(civil).sum(axis=1)
    return Curve(
        first_day=first_day,
        daily=daily,
        came=in_parts(civil, 1)[:, 0],
        hours=np.stack([found, slots_of_the_clock(first_day, len(civil), slots)]) * 24 / slots,
        made_up=in_parts(made_up, 24 if slots >= 24 else 1),
        hourly=by_hour(civil),
        exported=read_exported(own, first_day, last_day),
        band=band,
    )


def read_own(own: list[Fitted], first_day: date, last_day: date) -> tuple[np.ndarray, np.ndarray]:
    """(D, S) kWh by the clock on the wall: all that came, and of it what no meter said."""
    # In summer the clock's first hour lies on the standard day before.
    before = first_day - timedelta(days=1)
    meter_ids = [link.meter_id for link in own]
    rows = list(profiles.stored_rows(meter_ids, before, last_day))
    came, measured = (
        profiles.window_of(rows, meter_ids, before, last_day, measured_only=only) for only in (False, True)
    )
    came, measured = (on_civil_days(by_consumer(own, window)[0], before)[1:] for window in (came, measured))
    return came, np.where(np.isnan(measured), came, np.nan)


def read_exported(own: list[Fitted], first_day: date, last_day: date) -> np.ndarray:
    """(D,) kWh by the clock on the wall."""
    before = first_day - timedelta(days=1)
    window = profiles.read_window([link.meter_id for link in own], before, last_day, channel=Channel.EXPORT)
    return in_parts(on_civil_days(by_consumer(own, window)[0], before)[1:], 1)[:, 0]


def read(fitted: list[Fitted], first_day: date, last_day: date, slots: int | None = None) -> np.ndarray:
    """(consumers, D, S) kWh in order of first appearance."""
    return by_consumer(
        fitted, profiles.read_window([link.meter_id for link in fitted], first_day, last_day, slots=slots)
    )


def by_consumer(fitted: list[Fitted], stored: profiles.Window) -> np.ndarray:
    """(consumers, D, S) kWh in order of first appearance; a replaced meter's days and its successor's share a row."""
    consumer_ids = dict.fromkeys(link.consumer_id for link in fitted)
    rows = {consumer_id: row for row, consumer_id in enumerate(consumer_ids)}
    return joined(fitted, stored.kwh, rows, stored.first_day)


def on_civil_days(kwh: np.ndarray, first_day: date) -> np.ndarray:
    """(D, S) of standard time to (D, S) of the clock on the wall."""
    days, slots = kwh.shape
    offset = times.utility_offset_minutes()
    ahead = slots_ahead(np.datetime64(first_day, "D"), days, 1440 // slots, settings.UTILITY_TIME_ZONE, offset)
    return to_civil_days(kwh[np.newaxis], ahead)[0]


def slots_of_the_clock(first_day: date, days: int, slots: int) -> np.ndarray:
    """(D,) how many slots each civil day has: the hour that the clock skips in spring is nobody's to send."""
    # A day more on both sides: what falls off there is not skipped.
    whole = on_civil_days(np.ones((days + 2, slots)), first_day - timedelta(days=1))
    return np.isfinite(whole[1:-1]).sum(axis=1)


def day_totals(kwh: np.ndarray) -> np.ndarray:
    """(D,) kWh. A day with at least half of its readings counts as a whole one, at the mean of those it has."""
    found = np.isfinite(kwh).sum(axis=1)
    total = np.nansum(kwh, axis=1) * kwh.shape[1] / np.maximum(found, 1)
    return np.where(2 * found >= kwh.shape[1], total, np.nan)


def in_parts(kwh: np.ndarray, parts: int) -> np.ndarray:
    """(D, S) to (D, parts): sums of what is there, NaN where nothing is."""
    kwh = kwh.reshape(len(kwh), parts, -1)
    return np.where(np.isfinite(kwh).any(axis=2), np.nansum(kwh, axis=2), np.nan)


def by_hour(kwh: np.ndarray) -> np.ndarray | None:
    days, slots = kwh.shape
    return None if slots < 24 else kwh.reshape(days, 24, -1).sum(axis=2)


def neighbours_band(others: np.ndarray, own: np.ndarray, first_day: date, onset: date | None) -> np.ndarray | None:
    """(3, D) quartiles of others (N, D), each scaled so that its usual day is as large as the consumer's own was.

    Usual is the median of the days before the onset, or of all days where none is known. None for too few neighbours.
    """
    before = np.ones(len(own), dtype=bool)
    if onset and onset > first_day:
        before[(onset - first_day).days :] = False
    usual, own_usual = _median(others[:, before]), _median(own[np.newaxis, before])
    comparable = usual > 0
    if comparable.sum() < FEWEST_PEERS or not own_usual[0] > 0:
        return None
    relative = others[comparable] / usual[comparable, np.newaxis] * own_usual[0]
    enough = np.isfinite(relative).sum(axis=0) >= FEWEST_PEERS
    band = np.full((3, len(own)), np.nan)
    band[:, enough] = np.nanquantile(relative[:, enough], [0.25, 0.5, 0.75], axis=0)
    return band


def _median(kwh: np.ndarray) -> np.ndarray:
    """(N,) median of each row's readings, NaN for a row without any; numpy would warn of those."""
    medians = np.full(len(kwh), np.nan)
    known = np.isfinite(kwh).any(axis=1)
    medians[known] = np.nanmedian(kwh[known], axis=1)
    return medians


def _mean_of_hours(hourly: np.ndarray) -> np.ndarray:
    """(24,) means over (D, 24), NaN for an hour without any reading."""
    found = np.isfinite(hourly)
    return np.where(found.any(0), np.nansum(hourly, 0) / np.maximum(found.sum(0), 1), np.nan)
