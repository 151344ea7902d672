"""From days of standard time to days of the clock on the wall.

Load profiles are stored in standard time, so that every day has the same slots. People live by civil time: without this
move, every clock change looks like a change of habit in every household at once.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np


def slots_ahead(
    first_day: np.datetime64, days: int, interval_minutes: int, timezone: str, utc_offset_minutes: int
) -> np.ndarray:
    """(days * slots,) int: by how many slots the wall clock is ahead of standard time, at each slot's start."""
    zone, slots = ZoneInfo(timezone), 1440 // interval_minutes
    start = datetime.fromisoformat(str(first_day)).replace(tzinfo=UTC) - timedelta(minutes=utc_offset_minutes)

    def ahead_at(moment: datetime) -> int:
        offset = moment.astimezone(zone).utcoffset() // timedelta(minutes=1)
        return (offset - utc_offset_minutes) // interval_minutes

    midnights = [ahead_at(start + timedelta(days=day)) for day in range(days + 1)]
    ahead = np.repeat(midnights[:-1], slots)
    for day in np.flatnonzero(np.diff(midnights)):
        for slot in range(slots):
            moment = start + timedelta(days=int(day), minutes=slot * interval_minutes)
            ahead[day * slots + slot] = ahead_at(moment)
    return ahead


def to_civil_days(kwh: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """Move (M, D, S) kWh of standard time to civil days of the same numbers.

    The hour that the clock skips becomes NaN, the hour that it repeats becomes the mean of both. What falls off either
    end of the window is lost, so the outermost slots may be NaN. Returns `kwh` itself where nothing moves.
    """
    meters, days, slots = kwh.shape
    if slots == 1 or not ahead.any():
        return kwh
    flat = kwh.reshape(meters, -1)
    place = np.arange(days * slots) + ahead
    inside = np.flatnonzero((place >= 0) & (place < days * slots))
    source = np.full(days * slots, -1)
    source[place[inside]] = inside
    civil = flat[:, source]
    civil[:, source < 0] = np.nan
    repeated = inside[source[place[inside]] != inside]
    if len(repeated):
        first, second = flat[:, repeated], civil[:, place[repeated]]
        both = (first + second) / 2
        civil[:, place[repeated]] = np.where(np.isnan(both), np.fmax(first, second), both)
    return civil.reshape(kwh.shape)


def from_civil_days(kwh: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """The reverse, for made-up habits: (M, D, S) lived by the wall clock, as a meter in standard time stores it."""
    meters, days, slots = kwh.shape
    place = np.clip(np.arange(days * slots) + ahead, 0, days * slots - 1)
    return kwh.reshape(meters, -1)[:, place].reshape(kwh.shape)
