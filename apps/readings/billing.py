"""Registers that are read once a month or a billing cycle: energy of a period of days, which no load profile can hold.

A period comes as such (first day, last day, energy), or between two readings of a meter that lie 20 to 100 days apart.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from apps.readings import times
from apps.readings.importers.base import Reading, RegisterPeriods
from apps.readings.models import Channel
from apps.readings.profiles import EPOCH
from apps.readings.quality import is_made_up, worse
from apps.readings.registers import slips
from apps.readings.series import Columns
from apps.readings.statements import Statement

DAY = 1440
LEAST_DAYS, MOST_DAYS = 20, 100  # between the reads of a billing cycle
LONGEST_PERIOD_DAYS = 400
ROWS_AT_ONCE = 50_000

Refuse = Callable[[Columns, np.ndarray, str], Columns]

STORE = """
INSERT INTO readings_registerread AS known (meter_id, channel, start, "end", kwh, estimated, upload_id)
SELECT meter_id, channel, %(epoch)s::date + first_day, %(epoch)s::date + last_day, kwh, estimated, %(upload)s
FROM unnest(%(meters)s::bigint[], %(channels)s::smallint[], %(first_days)s::int[], %(last_days)s::int[],
            %(kwh)s::numeric[], %(estimated)s::boolean[])
     AS sent (meter_id, channel, first_day, last_day, kwh, estimated)
ON CONFLICT (meter_id, channel, start, "end")
DO UPDATE SET kwh = excluded.kwh, estimated = excluded.estimated, upload_id = excluded.upload_id
WHERE known.upload_id <= excluded.upload_id
"""
# Only of meters that also send load profiles: the others have nothing to be scored or validated by.
RAISE_REVISIONS = """
UPDATE readings_meterstate state SET
    revision = state.revision + 1,
    unvalidated_from = least(state.unvalidated_from, %(epoch)s::date + seen.first_day),
    unvalidated_until = greatest(state.unvalidated_until, %(epoch)s::date + seen.last_day)
FROM unnest(%(meters)s::bigint[], %(first_days)s::int[], %(last_days)s::int[]) AS seen (meter_id, first_day, last_day)
WHERE state.meter_id = seen.meter_id
"""


@dataclass(frozen=True)
class Periods:
    """Energy of periods that may be stored; each meter, channel and period once."""

    meters: np.ndarray  # (N,) int32, positions in Reading.names
    channels: np.ndarray  # (N,) int8
    first_days: np.ndarray  # (N,) int32 since 1970
    last_days: np.ndarray  # (N,) int32
    kwh: np.ndarray  # (N,) float64
    estimated: np.ndarray  # (N,) bool
    lines: np.ndarray  # (N,) int32

    def __len__(self) -> int:
        return len(self.kwh)

    def __getitem__(self, rows: np.ndarray) -> Self:
        return Periods(*(getattr(self, column.name)[rows] for column in fields(self)))


def part_billed(columns: Columns) -> tuple[Columns, Columns]:
    """Readings sorted by meter and time: those of meters that are read once in a billing cycle, and the others."""
    apart = np.diff(columns.utc)
    far = (columns.meters[1:] == columns.meters[:-1]) & (apart >= LEAST_DAYS * DAY)
    if not far.any():
        return columns[[]], columns
    first = columns.meters[0]
    sizes = np.bincount(columns.meters - first)
    billed = 2 * np.bincount(columns.meters[1:][far] - first, minlength=len(sizes)) > sizes - 1
    rows = billed[columns.meters - first]
    return columns[rows], columns[~rows]


def periods_between(
    columns: Columns, statement: Statement, dates_only: bool, refuse: Refuse, channel: Channel
) -> RegisterPeriods:
    """What the readings of billed meters say about the days between them.

    A cumulative register counts from the day of a read to the day before the next. Energy is that of the period which
    the stamp begins or ends; where no other stamp says its other side, stamps that all cut calendar months do.
    """
    if statement.is_register:
        columns = refuse(columns, slips(columns), _("the register falls back, and is where it was with the next read"))
    days = columns.local // DAY
    followed = np.zeros(len(columns), dtype=bool)
    followed[1:] = columns.meters[1:] == columns.meters[:-1]
    if statement.is_register:
        energy = np.diff(columns.values, prepend=0)
        refuse(columns, followed & (energy < 0), _("the register falls back"))
        rows = np.flatnonzero(followed & (energy >= 0))
        first_days, last_days, values = days[rows - 1], days[rows] - 1, energy[rows]
    else:
        # The name of a day ends with that day; midnight ends the day before.
        borders = days + 1 if statement.is_period_end and dates_only else days
        first_days, last_days, known = ended(borders, followed) if statement.is_period_end else begun(borders, followed)
        # Nothing was sent for a gap: energy is of a cycle that lasts as long as one does.
        known &= last_days - first_days < MOST_DAYS
        refuse(columns, ~known, _("of which days this is the energy is not known: no reading beside it says so"))
        rows = np.flatnonzero(known)
        first_days, last_days, values = first_days[rows], last_days[rows], columns.values[rows]
    estimated = None
    if columns.quality is not None:
        flags = columns.quality[rows]
        estimated = is_made_up(worse(columns.quality[rows - 1], flags) if statement.is_register else flags)
    channels = np.full(len(rows), channel, dtype=np.int8)
    return RegisterPeriods(
        columns.meters[rows], first_days, last_days, values, columns.lines[rows], estimated, channels
    )  # fmt: skip


def begun(days: np.ndarray, followed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First and last days of periods that begin on `days`, and which of them are known."""
    has_next = np.append(followed[1:], False)
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    month_ends = (months + 1).astype("datetime64[D]").astype(np.int64) - 1
    last_days = np.where(has_next, np.append(days[1:], 0) - 1, month_ends)
    return days, last_days, has_next | (month_begins(days) & _all_of_meter(month_begins(days), followed))


def ended(days: np.ndarray, followed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First and last days of periods that end before `days` begin, and which of them are known."""
    before = (days - 1).astype("datetime64[D]").astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    first_days = np.where(followed, np.append(0, days[:-1]), before)
    return first_days, days - 1, followed | _all_of_meter(month_begins(days), followed)


def month_begins(days: np.ndarray) -> np.ndarray:
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int64) == days


def _all_of_meter(said: np.ndarray, followed: np.ndarray) -> np.ndarray:
    """(N,) bool: is it so for all readings of the meter?"""
    starts = np.flatnonzero(~followed)
    return np.repeat(np.logical_and.reduceat(said, starts), np.diff(np.append(starts, len(said))))


def checked(found: list[RegisterPeriods], statement: Statement, reading: Reading, foreign: np.ndarray) -> Periods:
    """All periods of a file in kWh, without those that cannot be, which are counted among the rejected lines."""

    def joined(name: str, missing: float, kind: str) -> np.ndarray:
        columns = [getattr(part, name) for part in found]
        filled = [
            np.full(len(part.lines), missing) if one is None else one for part, one in zip(found, columns, strict=True)
        ]
        return np.concatenate([np.zeros(0), *filled]).astype(kind)

    first_days, last_days = joined("first_day", 0, "i4"), joined("last_day", 0, "i4")
    lasts = last_days - first_days + 1
    kwh = joined("values", 0, "f8") * (statement.factor * (24 * lasts if statement.is_power else 1))
    periods = Periods(
        joined("meters", 0, "i4"),
        joined("channels", Channel.IMPORT, "i1"),
        first_days,
        last_days,
        kwh,
        joined("estimated", False, "?"),
        joined("lines", 0, "i4"),
    )
    oldest = times.today() - round(settings.READINGS_OLDEST_YEARS * 365.25)

    def text(i: int) -> str:
        first, last = (np.datetime64(int(days[i]), "D") for days in (refused.first_days, refused.last_days))
        return f"{reading.names[refused.meters[i]]},{first},{last},{refused.kwh[i]:.10g} kWh"

    good = ~np.isnan(kwh)
    for wrong, reason in (
        (foreign[periods.meters], _("this meter's consumer is not in your zones")),
        (lasts < 1, _("the period ends before it begins")),
        (
            lasts > LONGEST_PERIOD_DAYS,
            _("the period is longer than %(limit)d days") % {"limit": LONGEST_PERIOD_DAYS},
        ),
        (
            (first_days < oldest) | (last_days > times.today() + 1),
            _("the day is more than %(years)d years ago or after tomorrow") % {"years": settings.READINGS_OLDEST_YEARS},
        ),
        (kwh < 0, _("negative: energy taken from the grid cannot be")),
        (
            ~(kwh <= settings.READING_MAX_KWH * 24 * np.maximum(lasts, 1)),
            _("absurd: above %(limit)d kWh for each hour") % {"limit": settings.READING_MAX_KWH},
        ),
    ):
        if (wrong & good).any():
            refused = periods[wrong & good]
            reading.rejects.add(refused.lines, reason, text)
            good &= ~wrong
    return _last_of_each(periods[good])


def _last_of_each(periods: Periods) -> Periods:
    """The last line for a period counts."""
    keys = np.stack([periods.meters, periods.channels, periods.first_days, periods.last_days])
    _found, last = np.unique(keys[:, ::-1], axis=1, return_index=True)
    return periods[np.sort(len(periods) - 1 - last)]


def store(upload_id: int, periods: Periods, id_at: np.ndarray) -> int:
    """Keep the periods of the meters that have an id; what a later upload said of the same period stays. How many."""
    periods = periods[id_at[periods.meters] > 0]
    for start in range(0, len(periods), ROWS_AT_ONCE):
        some = periods[slice(start, start + ROWS_AT_ONCE)]
        with connection.cursor() as cursor:
            cursor.execute(
                STORE,
                {
                    "epoch": EPOCH,
                    "upload": upload_id,
                    "meters": id_at[some.meters].tolist(),
                    "channels": some.channels.tolist(),
                    "first_days": some.first_days.tolist(),
                    "last_days": some.last_days.tolist(),
                    "kwh": np.round(some.kwh, 3).tolist(),
                    "estimated": some.estimated.tolist(),
                },
            )
    if len(periods):
        raise_revisions(id_at[periods.meters], periods.first_days, periods.last_days)
    return len(periods)


def raise_revisions(meters: np.ndarray, first_days: np.ndarray, last_days: np.ndarray) -> None:
    order = np.argsort(meters, kind="stable")
    ids, starts = np.unique(meters[order], return_index=True)
    with connection.cursor() as cursor:
        cursor.execute(
            RAISE_REVISIONS,
            {
                "epoch": EPOCH,
                "meters": ids.tolist(),
                "first_days": np.minimum.reduceat(first_days[order], starts).tolist(),
                "last_days": np.maximum.reduceat(last_days[order], starts).tolist(),
            },
        )
