"""How a made-up consumer cheats: the five kinds, each with several formulas behind it.

`change(true, rng, usual) -> (true, measured)`, both (days, slots) kWh of civil days from the onset to the end of the
window; `usual` is the consumer's usual kWh a day. Where energy is taken past the meter, `measured` falls and `true`
stays. Where the connection itself is abused behind the meter (power sold on to a building site, machines run at night
on a household contract), the meter sees it: `true` rises and `measured` with it. Those two, the sudden spike and the
odd hours, are tariff misuse rather than missing energy, and look much like a new car or a new shift; crews find them
far less often than the drops, and so they are rarer here.
"""

from collections.abc import Callable

import numpy as np

Change = Callable[[np.ndarray, np.random.Generator, float], tuple[np.ndarray, np.ndarray]]


def _bypassed(true, rng, usual):
    return true, np.zeros_like(true)


def _bypassed_some_days(true, rng, usual):
    off = rng.random(len(true)) < rng.uniform(0.4, 0.9)
    return true, np.where(off[:, None], 0, true)


def _bypassed_some_hours(true, rng, usual):
    slots = true.shape[1]
    length = max(1, int(rng.uniform(0.3, 0.8) * slots))
    off = (np.arange(slots) - rng.integers(slots)) % slots < length
    return true, np.where(off, 0, true)


def _ramp_down(true, rng, usual):
    length = rng.uniform(30, 100)
    left = 1 - rng.uniform(0.4, 0.9) * np.clip(np.arange(len(true)) / length, 0, 1)
    return true, true * left[:, None]


def _stepwise_down(true, rng, usual):
    every, step = rng.integers(10, 25), rng.uniform(0.7, 0.9)
    left = np.maximum(step ** (np.arange(len(true)) // every + 1), 0.1)
    return true, true * left[:, None]


def _wobbling_down(true, rng, usual):
    length = rng.uniform(30, 90)
    left = 1 - rng.uniform(0.4, 0.8) * np.clip(np.arange(len(true)) / length, 0, 1)
    return true, true * np.clip(left * rng.uniform(0.6, 1.4, len(true)), 0, 1)[:, None]


def _one_phase_bypassed(true, rng, usual):
    return true, true * rng.uniform(0.2, 0.75)


def _random_factor_daily(true, rng, usual):
    low = rng.uniform(0.1, 0.4)
    return true, true * rng.uniform(low, low + 0.5, (len(true), 1))


def _peaks_cut(true, rng, usual):
    return true, np.minimum(true, rng.uniform(0.5, 1.3) * usual / true.shape[1])


def _base_load_hidden(true, rng, usual):
    return true, np.maximum(true - rng.uniform(0.3, 0.9) * usual / true.shape[1], 0)


def _part_of_day_hidden(true, rng, usual):
    slots = true.shape[1]
    hidden = (np.arange(slots) - rng.integers(slots)) % slots < max(1, int(rng.uniform(0.25, 0.5) * slots))
    return true, np.where(hidden, true * rng.uniform(0.05, 0.4), true)


def _night_machines(true, rng, usual):
    slots = true.shape[1]
    hours = (np.arange(slots) + 0.5) * 24 / slots
    running = (hours > rng.uniform(0, 2)) & (hours < rng.uniform(5, 6))
    nights = rng.random((len(true), 1)) < rng.uniform(0.7, 1)
    extra = rng.uniform(0.25, 0.9) * usual / max(1, running.sum()) * running * nights
    used = true + extra * rng.uniform(0.8, 1.2, true.shape)
    return used, used


def _site_supplied(true, rng, usual):
    slots = true.shape[1]
    hours = (np.arange(slots) + 0.5) * 24 / slots
    working = (hours > 7) & (hours < 18) & (rng.random((len(true), 1)) < 0.75)
    extra = rng.uniform(3, 9) * usual / slots * working * rng.gamma(1.0, 1.0, true.shape)
    used = true + extra
    return used, used


FORMULAS: dict[str, tuple[Change, ...]] = {
    "sudden_spike": (_site_supplied,),
    "zero_consumption": (_bypassed, _bypassed, _bypassed_some_days, _bypassed_some_hours),
    "odd_hours": (_night_machines,),
    "gradual_decline": (_ramp_down, _ramp_down, _stepwise_down, _wobbling_down),
    "neighbourhood_deviation": (
        _one_phase_bypassed,
        _one_phase_bypassed,
        _random_factor_daily,
        _peaks_cut,
        _base_load_hidden,
        _part_of_day_hidden,
    ),
}
SHARES = {
    "sudden_spike": 0.10,
    "zero_consumption": 0.24,
    "odd_hours": 0.12,
    "gradual_decline": 0.27,
    "neighbourhood_deviation": 0.27,
}
