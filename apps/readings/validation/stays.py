"""Meters that moved: their days at each consumer are a curve of its own, so that nobody is held against the habits of
whom the meter measured before."""

from dataclasses import replace

import numpy as np
from django.db import connection

from apps.readings.profiles import EPOCH
from apps.readings.validation.rules import Curves

MOVES = """
SELECT meter_id, lower(valid) - %(epoch)s
FROM (SELECT meter_id, consumer_id, valid, lag(consumer_id) OVER (PARTITION BY meter_id ORDER BY valid) AS before
      FROM grid_installation WHERE meter_id = ANY(%(meters)s)) AS installed
WHERE before <> consumer_id ORDER BY 1, 2
"""
# Days between two consumers, which a meter spent on a shelf or a test bench.
AWAY = """
SELECT meter_id, since - %(epoch)s, until - %(epoch)s
FROM (SELECT meter_id, upper(valid) AS since, lead(lower(valid)) OVER (PARTITION BY meter_id ORDER BY valid) AS until
      FROM grid_installation WHERE meter_id = ANY(%(meters)s)) AS installed
WHERE since < until
"""


def away(meters: np.ndarray, days: np.ndarray) -> np.ndarray:
    """(M, D) bool: the meter measured nobody, as it had before and would again. What is missing then is no gap."""
    found = np.zeros((len(meters), len(days)), bool)
    for meter, since, until in asked(AWAY, meters):
        found[np.searchsorted(meters, meter)] |= (days >= since) & (days < until)
    return found


def parted(curves: Curves, meters: np.ndarray, first: int) -> tuple[Curves, np.ndarray]:
    """The curves of `meters` (M,) from the day `first` on, with a row for each consumer that a meter was at; and (N,)
    which of the meters each row is of. When a meter began and ended says nothing of these rows."""
    days = curves.kwh.shape[1]
    cuts: dict[int, list[int]] = {}
    for meter, day in asked(MOVES, meters):
        if 0 < day - first < days:
            cuts.setdefault(int(np.searchsorted(meters, meter)), []).append(day - first)
    if not cuts:
        return curves, np.arange(len(meters))
    stays = [
        (row, since, until) for row, own in cuts.items() for since, until in zip([0, *own], [*own, days], strict=True)
    ]
    of = np.r_[np.setdiff1d(np.arange(len(meters)), list(cuts)), [row for row, _since, _until in stays]].astype(int)
    since, until = np.zeros(len(of), int), np.full(len(of), days)
    since[-len(stays) :], until[-len(stays) :] = np.array(stays)[:, 1:].T
    here = (np.arange(days) >= since[:, None]) & (np.arange(days) < until[:, None])
    kwh = curves.kwh[of]
    kwh[~here] = np.nan
    return replace(curves, kwh=kwh, checked=curves.checked[of] & here), of


def asked(query: str, meters: np.ndarray) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"meters": meters.tolist(), "epoch": EPOCH})
        return cursor.fetchall()
