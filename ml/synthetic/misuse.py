"""A connection used for what its contract does not cover: the meter sees it, and no energy is missing.

Power sold on to a building site, machines run at night on a household contract: consumption rises. Each takes a Home
and a generator and returns the (T, S) kWh consumed and registered. They look much like a new car or a new shift, and
crews find them far less often than the drops. `ORIGINAL` holds the five anomalies that the first description of this
project names, as it describes them: a rise above three sigma, zeros in a row, use between 2 and 5, a trend that
diverges, and twice (or half of) what the neighbours use.
"""

from collections.abc import Callable

import numpy as np

from ml.synthetic.home import Home, part_of_day, ramp, spells

Misuse = Callable[[Home, np.random.Generator], np.ndarray]


def building_site_supplied(home, rng):
    hours = part_of_day(home.slots, rng.uniform(6, 8), rng.uniform(8, 11))
    works = (rng.random(home.days) < 0.8) & (home.weekday < 6)
    extra = rng.uniform(2, 9) * home.usual * hours * works[:, None] * rng.gamma(1.0, 1.0, home.kwh.shape)
    return home.kwh + extra.astype(np.float32)


def machines_at_night(home, rng):
    hours = part_of_day(home.slots, rng.uniform(0, 2), rng.uniform(3, 5))
    nights = rng.random((home.days, 1)) < rng.uniform(0.7, 1)
    extra = rng.uniform(0.8, 4) * home.usual * hours * nights * rng.uniform(0.8, 1.2, home.kwh.shape)
    return home.kwh + extra.astype(np.float32)


def sudden_spikes(home, rng):
    """Some days far above three sigma."""
    on = spells(rng, home.days, rng.uniform(0.1, 0.5), rng.uniform(1, 4))
    on[0] = True
    hours = part_of_day(home.slots, rng.uniform(0, 24), rng.uniform(2, 12))
    return home.kwh * (1 + np.float32(rng.uniform(3, 8)) * on[:, None] * hours)


def zero_readings(home, rng):
    """Nothing at all, for weeks or for good."""
    off = np.arange(home.days) < rng.integers(10, 90)
    return np.where(off[:, None], np.float32(0), home.kwh)


def use_at_odd_hours(home, rng):
    hours = part_of_day(home.slots, 2, 3)
    extra = rng.uniform(1.5, 5) * home.usual * hours * rng.uniform(0.7, 1.3, home.kwh.shape)
    return home.kwh + extra.astype(np.float32)


def gradual_theft(home, rng):
    return home.kwh * (1 - np.float32(rng.uniform(0.4, 0.9)) * ramp(home.days, rng.uniform(30, 120)))


def unlike_neighbours(home, rng):
    """More than twice the former level, as a ratio above 2 to the neighbours asks; for some, less than half."""
    return home.kwh * np.float32(rng.choice([rng.uniform(2.2, 4), rng.uniform(0.1, 0.45)]))


MISUSE: dict[str, Misuse] = {one.__name__: one for one in (building_site_supplied, machines_at_night)}
ORIGINAL: dict[str, Misuse] = {
    "sudden_spike": sudden_spikes,
    "zero_consumption": zero_readings,
    "odd_hours": use_at_odd_hours,
    "gradual_decline": gradual_theft,
    "neighbourhood_deviation": unlike_neighbours,
}
"""By the name of its kind. What falls is taken past the meter, what rises is consumed."""
