"""Clocks. Stamps come in somebody's civil time; days are stored in the utility's standard time, a fixed offset."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings

OFFSET = re.compile(r"^(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?$")
YEARS_BACK = 60
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Zone:
    """A clock as steps: from `since[k]` (UTC minutes since 1970) on it shows UTC + `offsets[k]` minutes."""

    since: np.ndarray  # (K,) int64, the first reaches back beyond every reading
    offsets: np.ndarray  # (K,) int64

    @property
    def is_fixed(self) -> bool:
        return len(self.offsets) == 1


def zone(name: str) -> Zone:
    """`UTC`, `+10:00` or an IANA name such as `Europe/London`. Raises ValueError for anything else."""
    if name in {"UTC", "Z"}:
        return _fixed(0)
    offset = OFFSET.match(name)
    if offset:
        minutes = int(offset[2]) * 60 + int(offset[3] or 0)
        if minutes > 14 * 60 or int(offset[3] or 0) > 59:
            raise ValueError(name)
        return _fixed(minutes if offset[1] == "+" else -minutes)
    return _iana(name, date.today().year)


def _fixed(offset: int) -> Zone:
    return Zone(np.array([np.iinfo(np.int32).min]), np.array([offset]))


@lru_cache(maxsize=32)
def _iana(name: str, year: int) -> Zone:
    try:
        info = ZoneInfo(name)
    except Exception:  # zoneinfo lets through whatever the file system says to an odd name
        raise ValueError(name) from None
    moment, end = datetime(year - YEARS_BACK, 1, 1, tzinfo=UTC), datetime(year + 2, 1, 1, tzinfo=UTC)
    since, offsets = [np.iinfo(np.int32).min], [_offset(info, moment)]
    while moment < end:
        following = moment + timedelta(days=7)
        if _offset(info, following) != offsets[-1]:
            since.append(_change(info, moment, following))
            offsets.append(_offset(info, EPOCH + timedelta(minutes=since[-1])))
        moment = following
    return Zone(np.array(since), np.array(offsets))


def _offset(info: ZoneInfo, moment: datetime) -> int:
    return int(moment.astimezone(info).utcoffset().total_seconds() // 60)


def _change(info: ZoneInfo, before: datetime, after: datetime) -> int:
    """The UTC minute since 1970 in which the offset changes."""
    low, high = (int((moment - EPOCH).total_seconds() // 60) for moment in (before, after))
    old = _offset(info, before)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(info, EPOCH + timedelta(minutes=middle)) == old else (low, middle)
    return high


def utility_zone() -> Zone:
    return zone(settings.UTILITY_TIME_ZONE)


def utility_offset_minutes() -> int:
    """What the utility's standard time is ahead of UTC: the smaller of its offsets since a year ago."""
    clock, now = utility_zone(), int(datetime.now(UTC).timestamp()) // 60
    # A change of the law is older than that: Istanbul has had one offset since 2016, and another before.
    return int(clock.offsets[np.searchsorted(clock.since, now - 366 * 1440, side="right") - 1 :].min())


def offset_name(minutes: int) -> str:
    sign = "+" if minutes >= 0 else "-"
    return f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}" if minutes else "UTC"


def today() -> int:
    """The utility's day, in days since 1970."""
    now = int(datetime.now(UTC).timestamp()) // 60
    return (now + utility_offset_minutes()) // 1440


def to_utc(minutes: np.ndarray, repeats: np.ndarray, clock: Zone) -> tuple[np.ndarray, np.ndarray]:
    """Minutes that a clock showed to UTC, and which of them it never showed (skipped in spring).

    `repeats` (N,) bool says that the same meter gave the same stamp before: in the hour that the clock shows twice
    in autumn, that is the second time round.
    """
    if clock.is_fixed:
        return minutes - np.int32(clock.offsets[0]), np.zeros(0, dtype=bool)
    before, after = clock.offsets[:-1], clock.offsets[1:]
    # Beyond both the gap and the overlap of a change, the new offset holds without doubt.
    settled = clock.since[1:] + np.maximum(before, after)
    step = np.searchsorted(settled, minutes, side="right")
    coming = np.minimum(step, len(before) - 1)  # the next change
    unsettled = (step < len(before)) & (minutes >= clock.since[1:][coming] + np.minimum(before, after)[coming])
    skipped = unsettled & (after > before)[coming]
    second_time = unsettled & (after < before)[coming] & repeats
    utc = minutes - clock.offsets[step + second_time]
    return utc.astype(np.int32), skipped


def day_starts(days: np.ndarray, clock: Zone) -> np.ndarray:
    """(N,) int64, when these civil days begin, in UTC minutes since 1970. Where a clock skips midnight, its change."""
    minutes = days.astype(np.int64) * 1440
    return to_utc(minutes, np.zeros(len(minutes), dtype=bool), clock)[0].astype(np.int64)


def day_minutes(days: np.ndarray, clock: Zone) -> np.ndarray:
    """(N,) int64, how long these civil days are: 1380 or 1500 where the clock is changed by an hour."""
    return day_starts(days.astype(np.int64) + 1, clock) - day_starts(days, clock)


def to_local(utc: np.ndarray, clock: Zone) -> np.ndarray:
    return (utc + clock.offsets[np.searchsorted(clock.since, utc, side="right") - 1]).astype(np.int32)
