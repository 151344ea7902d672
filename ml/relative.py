"""A meter's hours as multiples of its own honest past: what the neural detectors look at."""

from dataclasses import dataclass

import numpy as np

from ml.evidence import LEAST_COVERAGE, Evidence

HOURS = 24
LEAST_USUAL_KWH = 0.005
"""An hour's usual kWh counts as at least this, so that an empty house does not divide by nothing."""
MOST_LOAD = 12.0
"""Loads above this multiple of the usual hour are cut: one register error must not outshout a year."""


@dataclass(frozen=True, eq=False)
class RelativeLoad:
    """N meters, D days, 24 civil hours."""

    load: np.ndarray
    """(N, D, 24) float32, multiples of the meter's mean hour over its reference, 0 to 12; 0 where missing."""
    seen: np.ndarray
    """(N, D, 24) bool: there is a reading behind the load."""
    level: np.ndarray
    """(N, D) float32 mean load of the hours seen that day; NaN for a day with less than half of them."""
    peer_level: np.ndarray
    """(N, D) float32 the neighbours' level, 0.1 to 10."""


def relative_load(evidence: Evidence) -> RelativeLoad:
    """The hours of a block of meters relative to their reference; without a reference, to all their days."""
    hourly, seen = hourly_kwh(evidence.kwh)
    usual = usual_hour(hourly, seen & evidence.reference[:, :, None])
    usual = np.where(usual > 0, usual, usual_hour(hourly, seen))
    load = hourly / np.maximum(usual, LEAST_USUAL_KWH)[:, None, None].astype(np.float32)
    np.clip(load, 0, MOST_LOAD, out=load)
    peers = np.nan_to_num(evidence.peer_level, nan=1, posinf=10, neginf=1)
    return RelativeLoad(load, seen, day_level(load, seen), np.clip(peers, 0.1, 10).astype(np.float32))


def hourly_kwh(kwh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, D, 24) kWh of each hour, 0 where missing, and whether it is there: half of an hour's slots must be.

    Longer intervals are spread evenly over their hours. Daily readings so become flat days: what is left to learn from
    them is the course of the levels over the week.
    """
    meters, days, slots = kwh.shape
    there = kwh >= 0
    kwh = np.where(there, kwh, np.float32(0))
    if slots == HOURS:
        return kwh, there
    if slots % HOURS == 0:
        parts = (meters, days, HOURS, slots // HOURS)
        count = there.reshape(parts).sum(3, dtype=np.float32)
        total = kwh.reshape(parts).sum(3)
    else:
        edges, hours = np.arange(slots + 1) * HOURS / slots, np.arange(HOURS + 1)
        overlap = np.minimum(edges[1:, None], hours[1:]) - np.maximum(edges[:-1, None], hours[:-1])
        share = (np.clip(overlap, 0, None) * slots / HOURS).astype(np.float32)
        count, total = there.astype(np.float32) @ share, kwh @ share
    whole = slots / HOURS
    seen = count >= LEAST_COVERAGE * whole - 1e-4
    return np.where(seen, total * np.float32(whole) / np.maximum(count, np.float32(1e-6)), 0), seen


def usual_hour(hourly: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(N,) mean kWh of the chosen (N, D, 24) hours, 0 without any."""
    return np.where(chosen, hourly, 0).sum((1, 2), dtype=np.float64) / np.maximum(chosen.sum((1, 2)), 1)


def day_level(load: np.ndarray, seen: np.ndarray) -> np.ndarray:
    count = seen.sum(2)
    return np.where(count >= LEAST_COVERAGE * HOURS, load.sum(2) / np.maximum(count, 1), np.nan).astype(np.float32)


def centre_and_spread(changes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median and scaled median deviation of (N, ...) changes over the meters, each NaN left out; 0 and 1 without any.

    Of the population that a utility has: a few thieves among them hardly move a median.
    """
    known = ~np.isnan(changes)
    some = known.any(0)
    filled = np.where(some, changes, 0)
    centre = np.nanmedian(filled, 0)
    spread = 1.4826 * np.nanmedian(np.abs(filled - centre), 0)
    return centre.astype(np.float32), np.where(some & (spread > 1e-6), spread, 1).astype(np.float32)


def mean_over(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(N, K) means of (N, W, K) values over the chosen (N, W); NaN values are left out, NaN without any."""
    chosen = chosen[..., None] & ~np.isnan(values)
    count = chosen.sum(1)
    total = np.where(chosen, values, 0).sum(1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
