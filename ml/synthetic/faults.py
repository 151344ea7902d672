"""What goes wrong between a consumption and a reading: registers, gaps, and sum meters that measure something else.

None of it may tell theft from honesty, so all of it falls on every kind of case alike.
"""

from dataclasses import dataclass

import numpy as np

STEPS = (0.1, 0.01, 0.001, 0.0005)
"""KWh per count of common registers, the coarse ones first."""


def register_steps(kwh: np.ndarray, sample: int = 3000) -> np.ndarray:
    """(M,) kWh per count of each meter's register, as its own (M, ...) readings show it; 0 where none fits."""
    steps = np.zeros(len(kwh), np.float32)
    for row, curve in enumerate(kwh):
        seen = curve[curve > 0]
        seen = seen[:: max(1, len(seen) // sample)].astype(float)
        if len(seen):
            steps[row] = next((step for step in STEPS if _fits(seen, step)), 0)
    return steps


def _fits(seen: np.ndarray, step: float) -> bool:
    """Whether nearly all are whole counts, as far as single precision can tell."""
    off = np.abs(seen / step - np.round(seen / step)) * step
    return np.mean(off < 0.02 * step + 2e-7 * seen) > 0.98


def as_registered(kwh: np.ndarray, step: float) -> np.ndarray:
    """In whole counts of the register; unchanged with a step of 0."""
    if not step:
        return kwh
    counts = np.float32(round(1 / step))  # to divide by it gives the same bits as reading the decimals does
    return np.round(kwh * counts) / counts


def draw_gaps(rng: np.random.Generator, days: int, slots: int, heavy: bool) -> np.ndarray:
    """(days, S) bool: some hours or a day or two missing, or, for a heavy case, runs of days as well."""
    gaps = np.zeros(days * slots, bool)
    for _ in range(rng.integers(1, 5)):
        start, length = rng.integers(days * slots), rng.uniform(0.05, 2) * slots
        gaps[start : start + max(1, int(length))] = True
    if heavy:
        for _ in range(rng.integers(1, 4)):
            start, length = rng.integers(days * slots), rng.uniform(2, 0.12 * days + 3) * slots
            gaps[start : start + int(length)] = True
        gaps |= rng.random(days * slots) < rng.uniform(0, 0.08)
    return gaps.reshape(days, slots)


@dataclass(frozen=True)
class BalanceFault:
    """How one transformer's sum meter and the list of its meters differ from the truth."""

    lag: int = 0
    """Slots by which the sum meter's clock is late; negative: early."""
    noise: float = 0.003
    """Standard deviation of the sum meter's error in each slot, as a share."""
    gain: float = 1.0
    unlisted: int = 0
    """Meters that the transformer feeds but that are filed elsewhere."""
    foreign: int = 0
    """Meters filed here that another transformer feeds."""


def draw_fault(rng: np.random.Generator, slots: int, faulty: float) -> BalanceFault:
    """A sound transformer, or with the chance `faulty` one with some of the faults, of which several may meet."""
    if rng.random() >= faulty:
        return BalanceFault(noise=rng.uniform(0.002, 0.006), gain=rng.normal(1, 0.003))
    most = slots // 24
    lag = int(rng.integers(1, most + 1) * rng.choice([-1, 1])) if most and rng.random() < 0.35 else 0
    wrong = int(rng.integers(1, 4)) if rng.random() < 0.5 else 0
    unlisted = int(rng.integers(0, wrong + 1))
    return BalanceFault(
        lag=lag,
        noise=float(np.exp(rng.uniform(np.log(0.002), np.log(0.03)))),
        gain=rng.normal(1, 0.01),
        unlisted=unlisted,
        foreign=wrong - unlisted,
    )


def delayed(kwh: np.ndarray, lag: int) -> np.ndarray:
    """(D, S) kWh written down `lag` slots late; the ends wrap around."""
    return np.roll(kwh.reshape(-1), lag).reshape(kwh.shape) if lag else kwh


def technical_loss(delivered: np.ndarray, share: float | np.ndarray) -> np.ndarray:
    """(..., D, S) kWh lost on the way to (..., D, S): a third of the share always (iron), the rest with the square."""
    mean = delivered.mean(axis=(-2, -1), keepdims=True)
    square = np.maximum((delivered**2).mean(axis=(-2, -1), keepdims=True), 1e-9)
    return share * mean * (1 / 3 + 2 / 3 * delivered**2 / square)
