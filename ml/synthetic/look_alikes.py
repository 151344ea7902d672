"""Honest changes that look like theft: `change(true, rng, usual, climate, kwh_of_another) -> true`.

Arrays are (days, slots) kWh of civil days from the onset to the end of the window; `climate` covers the same days.
"""

from collections.abc import Callable

import numpy as np

from ml.synthetic.load import Climate

Change = Callable[[np.ndarray, np.random.Generator, float, Climate, np.ndarray], np.ndarray]


def _hours(slots: int) -> np.ndarray:
    return (np.arange(slots) + 0.5) * 24 / slots


def vacation(true, rng, usual, climate, another):
    """A long one, and not always over when the window ends."""
    away = np.arange(len(true)) < rng.integers(10, 40)
    return np.where(away[:, None], _empty_home(true, rng), true)


def new_tenant(true, rng, usual, climate, another):
    return another * rng.uniform(0.35, 1.5) * usual / max(another.mean() * another.shape[1], 0.1)


def smaller_household(true, rng, usual, climate, another):
    return true * rng.uniform(0.5, 0.85)


def larger_household(true, rng, usual, climate, another):
    return true * rng.uniform(1.2, 1.8)


def thriftier(true, rng, usual, climate, another):
    """New lamps and appliances: less, a little more of it week by week."""
    return true * (1 - rng.uniform(0.1, 0.35) * np.clip(np.arange(len(true)) / rng.uniform(5, 40), 0, 1))[:, None]


def solar(true, rng, usual, climate, another):
    """Own panels serve the middle of the day; what they send out is on another channel."""
    slots = true.shape[1]
    sun = np.clip(np.cos((_hours(slots) - 13) * np.pi / 11), 0, None)
    made = rng.uniform(1.5, 4.0) * 24 / slots * climate.sunshine[:, None] * sun * rng.uniform(0.6, 1, true.shape)
    return np.maximum(true - made, 0)


def electric_car(true, rng, usual, climate, another):
    slots = true.shape[1]
    start = rng.choice([0.5, 1.0, 18.0, 22.0]) + rng.normal(0, 0.3, (len(true), 1))
    since = (_hours(slots) - start) % 24
    plugged = (since < rng.uniform(1.5, 4, (len(true), 1))) & (rng.random((len(true), 1)) < rng.uniform(0.3, 0.8))
    return true + plugged * rng.choice([3.6, 7.0]) * 24 / slots


def heat_pump(true, rng, usual, climate, another):
    cold = np.clip(16 - climate.celsius, 0, None)[:, None]
    return true + rng.uniform(0.5, 1.2) * cold / true.shape[1] * rng.uniform(0.7, 1.3, true.shape)


def shift_worker(true, rng, usual, climate, another):
    return np.roll(true, int(rng.uniform(6, 14) / 24 * true.shape[1]), axis=1)


def move_out(true, rng, usual, climate, another):
    """Nothing but perhaps a refrigerator; the contract ends, sometimes late (see city)."""
    return np.minimum(true, rng.choice([0, 0, 0.04]) * 24 / true.shape[1])


def away_for_the_season(true, rng, usual, climate, another):
    return _empty_home(true, rng)


def _empty_home(true: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Only what runs day and night is left: a quarter to once and a half of the quiet hours before."""
    base = np.quantile(true, 0.1) * rng.uniform(0.25, 1.5)
    return np.minimum(true, base * rng.uniform(0.6, 1.4, true.shape))


LOOK_ALIKES: tuple[Change, ...] = (
    *(vacation, vacation, new_tenant, new_tenant, smaller_household, smaller_household, larger_household, thriftier),
    *(thriftier, solar, electric_car, electric_car, heat_pump, shift_worker, move_out, move_out, away_for_the_season),
)
