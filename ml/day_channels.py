"""What each day of each meter looked like, against the meter's own reference and its neighbours.

A channel is an (N, D) array, one number a day; the change detectors look for where the channels stop being what they
were. Logarithms of ratios are used for energy, so that halving counts alike in a flat and in a factory.
"""

from dataclasses import dataclass

import numpy as np

from ml.evidence import LEAST_COVERAGE, Evidence, fill_gaps, mean_over

FLOOR = 0.02
"""Of the usual level, added to both sides of a ratio: what is far below it counts as nothing."""
REGISTER_KWH = 0.0006
"""Readings up to this are zeros of a register that counts in Wh or half Wh."""
LOG_LIMIT = 4.0
BLOCKS = 6
"""Parts of the day, four hours each."""
CHANNELS = (
    *("level", "base", "low", "median", "peak", "zero", "rough", "flat", "equal", "likeness", "night_noise"),
    *(f"block_{block}" for block in range(BLOCKS)),
)


@dataclass(frozen=True, eq=False)
class Days:
    """N meters over D civil days. NaN where a day is not seen; channels that an interval cannot show are all NaN."""

    seen: np.ndarray
    """(N, D) bool: enough readings that day."""
    reference: np.ndarray
    """(N, D) bool: seen days of the reference; a meter without any has them all."""
    weekend: np.ndarray
    """(D,) bool."""
    filled: np.ndarray
    """(N, D, S) float32 kWh, gaps filled with the meter's median of the slot."""
    usual: np.ndarray
    """(N,) mean kWh per slot in the reference."""
    profile: np.ndarray
    """(N, 2, P) mean kWh per slot by part of the day (P = 24 hours, or S if that is less), workdays and weekends."""
    hourly: np.ndarray
    """(N, D, P) mean kWh per slot in each part of the day."""
    channels: dict[str, np.ndarray]
    """Name to (N, D) float32."""
    own_level: np.ndarray
    """(N, D) log of the day's energy against the own usual, the neighbours not taken out."""


def read_days(evidence: Evidence) -> Days:
    kwh, slots = evidence.kwh, evidence.slots
    there = kwh >= 0
    count = there.sum(2)
    seen = count >= max(1, LEAST_COVERAGE * slots)
    filled = np.clip(fill_gaps(kwh), 0, 1e5)
    weekend = evidence.weekday >= 5
    reference = evidence.reference & seen
    reference[~reference.any(1)] = seen[~reference.any(1)]

    day_mean = filled.mean(2)
    usual = mean_over(day_mean, reference) + 1e-4
    hourly = _hourly(filled)
    profile = _profile(hourly, reference, weekend)
    expected = profile[:, weekend.astype(int)]
    expected_level = expected.mean(2)
    own_level = _log_ratio(day_mean, expected_level, FLOOR * usual[:, None])
    peers = np.log((evidence.peer_level + FLOOR) / (1 + FLOOR))
    level = own_level - peers
    channels = {"level": level}
    channels |= _distribution(filled, usual, peers)
    channels |= _texture(filled, there, hourly, expected, usual)
    channels |= _blocks(hourly, expected, usual, peers)
    for name in CHANNELS:
        values = channels.get(name)
        if values is None:
            channels[name] = np.full(seen.shape, np.nan, np.float32)
        else:
            channels[name] = np.where(seen, values, np.float32(np.nan)).astype(np.float32)
    return Days(
        seen=seen,
        reference=reference,
        weekend=weekend,
        filled=filled,
        usual=usual,
        profile=profile,
        hourly=hourly,
        channels={name: channels[name] for name in CHANNELS},
        own_level=np.where(seen, own_level, np.nan).astype(np.float32),
    )


def profile_over(values: np.ndarray, days: np.ndarray) -> np.ndarray:
    """(N, P) mean of (N, D, P) values over each meter's (N, D) chosen days; 0 without any."""
    weight = days.astype(np.float32)
    return (weight[:, None, :] @ values)[:, 0] / np.maximum(weight.sum(1, keepdims=True), 1)


def _log_ratio(now: np.ndarray, before: np.ndarray, floor: np.ndarray) -> np.ndarray:
    return np.clip(np.log((now + floor) / (before + floor)), -LOG_LIMIT, LOG_LIMIT)


def _hourly(filled: np.ndarray) -> np.ndarray:
    rows, days, slots = filled.shape
    return filled.reshape(rows, days, 24, slots // 24).mean(3) if slots > 24 and slots % 24 == 0 else filled


def _profile(hourly: np.ndarray, reference: np.ndarray, weekend: np.ndarray) -> np.ndarray:
    overall = profile_over(hourly, reference)
    kinds = []
    for days in (~weekend, weekend):
        enough = (reference & days).sum(1) >= 4
        kinds.append(np.where(enough[:, None], profile_over(hourly, reference & days), overall))
    return np.stack(kinds, 1)


def _distribution(filled: np.ndarray, usual: np.ndarray, peers: np.ndarray) -> dict[str, np.ndarray]:
    """Low, middle and high readings of the day, against the usual mean; not for daily readings."""
    slots = filled.shape[2]
    if slots < 4:
        return {}
    ranked = np.sort(filled, axis=2)
    scale = usual[:, None]

    def against_usual(values):
        return np.log((values + FLOOR * scale) / ((1 + FLOOR) * scale)) - peers

    return {
        "base": against_usual(ranked[:, :, slots // 8]),
        "low": against_usual(ranked[:, :, : slots // 2].mean(2)),
        "median": against_usual(ranked[:, :, slots // 2]),
        "peak": against_usual(ranked[:, :, -1]),
    }


def _texture(filled, there, hourly, expected, usual) -> dict[str, np.ndarray]:
    """Zeros, unrest, flatness, repeated readings, likeness to the own profile."""
    slots = filled.shape[2]
    zero = ((filled <= REGISTER_KWH) & there).sum(2) / np.maximum(there.sum(2), 1)
    if slots < 4:
        return {"zero": zero}
    mean = filled.mean(2) + 0.05 * usual[:, None]
    step = np.abs(np.diff(filled, axis=2))
    night = filled[:, :, : max(2, slots // 4)]
    night_step = np.abs(np.diff(night, axis=2)).mean(2)
    pairs = there[:, :, 1:] & there[:, :, :-1]
    repeated = (step <= REGISTER_KWH) & (filled[:, :, 1:] > REGISTER_KWH) & pairs
    centred, own = hourly - hourly.mean(2, keepdims=True), expected - expected.mean(2, keepdims=True)
    size = np.sqrt((centred**2).sum(2) * (own**2).sum(2))
    return {
        "zero": zero,
        "rough": np.log(step.mean(2) / mean + 0.05),
        "flat": np.log(filled.std(2) / mean + 0.05),
        "equal": repeated.sum(2) / np.maximum(pairs.sum(2), 1),
        "likeness": np.where(size > 1e-9, (centred * own).sum(2) / np.maximum(size, 1e-9), 0),
        "night_noise": np.log(night_step / (night.mean(2) + FLOOR * usual[:, None]) + 0.03),
    }


def _blocks(hourly, expected, usual, peers) -> dict[str, np.ndarray]:
    parts = hourly.shape[2]
    if parts % BLOCKS:
        return {}
    shape = (*hourly.shape[:2], BLOCKS, parts // BLOCKS)
    now, before = hourly.reshape(shape).mean(3), expected.reshape(shape).mean(3)
    floor = 0.1 * usual[:, None, None]
    ratio = _log_ratio(now, before, floor) - peers[:, :, None]
    return {f"block_{block}": ratio[:, :, block] for block in range(BLOCKS)}
