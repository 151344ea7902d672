"""Honest changes that look like theft: what is consumed, and truly registered, from the onset on.

Each takes a Home and a generator and returns (T, S) kWh. The ranges overlap those of the attacks on purpose: who steals
a fifth and who saves a fifth can have the same curve.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ml.synthetic.home import Home, at_share, part_of_day, ramp, spells, wandering

Change = Callable[[Home, np.random.Generator], np.ndarray]


def change(name: str, home: Home, rng: np.random.Generator) -> np.ndarray:
    """What is consumed from the onset on."""
    return np.maximum(LOOK_ALIKES[name](home, rng), 0)


# ------------------------------------------------------------------------------------------------ nobody there


def vacation(home, rng):
    """One to four weeks, not always over when the window ends; some go away twice."""
    away = np.arange(home.days) < rng.integers(6, 30)
    if rng.random() < 0.2:
        start = rng.integers(14, 60)
        away |= (np.arange(home.days) >= start) & (np.arange(home.days) < start + rng.integers(4, 15))
    return np.where(away[:, None], _empty(home, rng), home.kwh)


def moved_out(home, rng):
    """Nothing, what stands by, or a refrigerator; before that, some empty the place over days."""
    left = rng.choice(["nothing", "standby", "base"], p=[0.15, 0.35, 0.5])
    if left == "nothing":
        after = np.zeros_like(home.kwh)
    elif left == "standby":
        after = np.minimum(home.kwh, np.float32(home.kilowatts(rng.uniform(0.002, 0.03))))
    else:
        after = _empty(home, rng)
    leaving = ramp(home.days, rng.choice([1, rng.uniform(2, 12)]))
    return home.kwh + leaving * (after - home.kwh)


def weekend_trips(home, rng):
    """Away at most weekends, some from Friday on."""
    gone = home.weekend if rng.random() < 0.7 else home.weekday >= 4
    gone = gone & (rng.random(home.days) < rng.uniform(0.6, 1))
    return np.where(gone[:, None], _empty(home, rng), home.kwh)


def second_home(home, rng):
    """From now on somebody is here on some weekends only, or for some days in some weeks."""
    here = home.weekend if rng.random() < 0.6 else np.ones(home.days, bool)
    here = here & spells(rng, home.days, rng.uniform(0.2, 0.7), 6)
    return np.where(here[:, None], home.kwh, _empty(home, rng))


def away_on_workdays(home, rng):
    """A new job: on workdays nobody is at home in the daytime, or all week in another town."""
    hours = part_of_day(home.slots, rng.uniform(6, 9.5), rng.uniform(6, 12) if rng.random() < 0.75 else 24)
    gone = (~home.weekend)[:, None] & (rng.random((home.days, 1)) < rng.uniform(0.8, 1))
    return home.kwh + gone * hours * (_empty(home, rng) - home.kwh)


def somebody_away(home, rng):
    """One of several is away for some weeks, or for good."""
    gone = np.arange(home.days) < rng.integers(10, 120)
    return np.where(gone[:, None], _thinned(home, rng, rng.uniform(0.15, 0.6)), home.kwh)


def closed_days(home, rng):
    """Closed, or out, on one to three fixed days of the week."""
    closed = np.isin(home.weekday, rng.choice(7, int(rng.integers(1, 4)), replace=False))
    return np.where(closed[:, None], _empty(home, rng), home.kwh)


def school_holidays(home, rng):
    """Weeks with the children at home in the daytime, or half of the house away."""
    weeks = np.arange(home.days) < rng.integers(7, 45)
    if rng.random() < 0.6:
        day = part_of_day(home.slots, rng.uniform(8, 11), rng.uniform(5, 10))
        more = home.usual * rng.uniform(0.2, 0.9) * day * rng.gamma(4, 0.25, (home.days, 1))
        late = np.roll(home.kwh, max(1, home.slots // 24) if home.slots > 1 else 0, axis=1)
        return np.where(weeks[:, None], late + more.astype(np.float32), home.kwh)
    return np.where(weeks[:, None], _thinned(home, rng, rng.uniform(0.2, 0.6)), home.kwh)


# ---------------------------------------------------------------------------------------------- other people


def new_tenant(home, rng):
    """Another household's habits at another level; some homes stand empty for a while before."""
    level = np.exp(rng.normal(-0.15, 0.5)) * home.usual / _mean(home.another)
    after = home.another * np.float32(np.clip(level, 0, 20))
    empty = np.arange(home.days) < rng.choice([0, int(rng.integers(2, 30))])
    return np.where(empty[:, None], _empty(home, rng), after)


def smaller_tenant(home, rng):
    """One person where a family lived."""
    return home.another * np.float32(rng.uniform(0.15, 0.75) * home.usual / _mean(home.another))


def smaller_household(home, rng):
    """Somebody left for good, and took appliances along."""
    return _thinned(home, rng, rng.uniform(0.12, 0.6))


def bigger_family(home, rng):
    """More of everything, and more at the hours of another household."""
    more = np.float32(rng.uniform(0.05, 0.6))
    other = home.another * np.float32(home.usual / _mean(home.another))
    return home.kwh * (1 + more * np.float32(rng.uniform(0, 1))) + more * np.float32(rng.uniform(0, 1)) * other


# ------------------------------------------------------------------------------------------------ new equipment


def new_solar(home, rng):
    """Panels serve the bright hours; what they send out counts on another register."""
    return np.maximum(home.kwh - _made_by_sun(home, rng), 0)


def solar_with_battery(home, rng):
    """What the panels make beyond the day's need serves the evening, up to the battery's size."""
    made = _made_by_sun(home, rng)
    over = np.clip(made - home.kwh, 0, None).sum(1, keepdims=True)
    stored = np.minimum(over * 0.9, rng.uniform(2, 12))
    left = np.clip(home.kwh - made, 0, None)
    # From the evening of a day to the next morning; kept within the day, so that days can be drawn by themselves.
    order = (np.arange(home.slots) - int(17 / 24 * home.slots)) % home.slots
    by_evening = left[:, np.argsort(order)]
    served = np.clip(stored - (np.cumsum(by_evening, axis=1) - by_evening), 0, by_evening)
    return (by_evening - served)[:, order]


def electric_car(home, rng):
    """Charged at home some nights a week; a plain socket, a wall box, or one on a timer."""
    power = home.kilowatts(rng.choice([2.3, 3.6, 7.2, 11.0], p=[0.2, 0.3, 0.4, 0.1]))
    start = rng.choice([0.5, 1.0, 2.0, 17.5, 18.5, 20.0, 22.0])
    charges = rng.random(home.days) < rng.uniform(0.2, 0.85)
    wanted = rng.gamma(3, rng.uniform(1.5, 5), home.days) * charges
    if home.slots == 1:
        return home.kwh + wanted[:, None].astype(np.float32)
    begins = np.round((start + rng.normal(0, rng.choice([0.05, 1.0]), home.days)) * home.slots / 24)
    since = (np.arange(home.slots) - begins[:, None]) % home.slots
    return home.kwh + np.clip(wanted[:, None] - since * power, 0, power).astype(np.float32)


def heat_pump(home, rng):
    """Follows the cold, by day more than by night where it is set back."""
    hours = 1 - part_of_day(home.slots, 22, 7) * rng.uniform(0, 0.8)
    cycles = 0.7 + 0.6 * rng.random(home.kwh.shape, dtype=np.float32)
    water = part_of_day(home.slots, rng.choice([4, 13, 22]), 2) * rng.uniform(0, 1.5)
    return (
        home.kwh
        + (home.kilowatts(rng.uniform(0.3, 2)) * home.cold[:, None] * hours * cycles).astype(np.float32)
        + np.float32(home.kilowatts(0.5)) * water.astype(np.float32)
    )


def air_conditioning(home, rng):
    """Afternoons and evenings of bright days; some let it run all night."""
    hours = part_of_day(home.slots, rng.uniform(11, 16), rng.uniform(5, 14))
    runs = np.clip(home.sun * rng.uniform(0.8, 1.6) - rng.uniform(0, 0.3), 0, 1) * (
        rng.random(home.days) < rng.uniform(0.5, 1)
    )
    cycles = 0.6 + 0.8 * rng.random(home.kwh.shape, dtype=np.float32)
    return home.kwh + (home.kilowatts(rng.uniform(0.4, 2)) * runs[:, None] * hours * cycles).astype(np.float32)


def efficient_appliances(home, rng):
    """5 to 35 % less, of everything or mostly of the peaks or of the base."""
    saved = np.float32(rng.uniform(0.05, 0.35))
    steadily = np.minimum(home.kwh, np.float32(home.base * rng.uniform(1, 2)))
    tilt = np.float32(rng.uniform(-1, 1))
    return home.kwh - saved * (home.kwh + tilt * (home.kwh - 2 * steadily))


def new_lamps(home, rng):
    """Less in the dark hours only."""
    dark = np.maximum(part_of_day(home.slots, 16, 8), part_of_day(home.slots, 5.5, 2.5))
    return home.kwh - np.minimum(home.kwh * 0.6, home.usual * rng.uniform(0.08, 0.6) * dark).astype(np.float32)


def gas_instead(home, rng):
    """Cooking, hot water or heating no longer by electricity: many of the high loads are gone."""
    above = at_share(home.before, rng.uniform(0.45, 0.85))
    gone = rng.uniform(0.4, 1) * (rng.random(home.kwh.shape, dtype=np.float32) < rng.uniform(0.5, 1))
    return home.kwh - np.clip(home.kwh - above, 0, None) * gone.astype(np.float32)


def base_load_removed(home, rng):
    """An old freezer, an aquarium, a server: less day and night."""
    gone = rng.uniform(0.15, 1.0) * home.base + rng.uniform(0, 0.15) * home.usual
    cycles = 1 + rng.uniform(0.05, 0.4) * rng.standard_normal(home.kwh.shape, dtype=np.float32)
    return np.clip(home.kwh - np.clip(gone * cycles, 0, None), 0.05 * home.kwh, home.kwh).astype(np.float32)


def meter_replaced(home, rng):
    """A new meter counts a few per cent more or less than the old one did."""
    return home.kwh * np.float32(1 + rng.uniform(0.005, 0.05) * rng.choice([-1, 1]))


# -------------------------------------------------------------------------------------------------- other habits


def home_office(home, rng):
    """At home on some or all workdays."""
    day = part_of_day(home.slots, rng.uniform(7.5, 9.5), rng.uniform(6, 10))
    here = ~home.weekend & (rng.random(home.days) < rng.uniform(0.4, 1))
    more = home.usual * rng.uniform(0.2, 1.2) * rng.gamma(3, 1 / 3, home.kwh.shape)
    return home.kwh + (here[:, None] * day * more).astype(np.float32)


def cheap_hours_used(home, rng):
    """On a time-of-use tariff, washing, hot water and charging wait for the cheap hours."""
    dear = part_of_day(home.slots, rng.uniform(6, 17), rng.uniform(3, 12))
    cheap = part_of_day(home.slots, rng.uniform(21, 26), rng.uniform(4, 8))
    later = np.clip(home.kwh - np.float32(home.base), 0, None) * dear * np.float32(rng.uniform(0.2, 0.9))
    return home.kwh - later + later.sum(1, keepdims=True) * cheap / max(float(cheap.sum()), 1e-6)


def shift_worker(home, rng):
    """Lives half a day later, give or take some hours; some by turns of a week."""
    moved = np.roll(home.kwh, int(rng.uniform(5, 19) / 24 * home.slots), axis=1)
    if rng.random() < 0.6:
        return moved
    turn = (np.arange(home.days) // 7 + int(rng.integers(2))) % 2 == 0
    return np.where(turn[:, None], moved, home.kwh)


def gradual_saving(home, rng):
    """A little less week by week."""
    return home.kwh * (1 - np.float32(rng.uniform(0.05, 0.4)) * ramp(home.days, rng.uniform(14, 100)))


def heating_ended(home, rng):
    """The heating season ends over some weeks: the warmer, the less; where fans and pumps go too, of everything."""
    lost = np.float32(rng.uniform(0.15, 0.7)) * ramp(home.days, rng.uniform(5, 60))
    lost = np.clip(lost * (1 + 0.2 * wandering(rng, home.days, 4)), 0, 0.9)
    stays = np.float32(home.base * rng.choice([0, 1]))
    return home.kwh - np.clip(home.kwh - stays, 0, None) * lost


def renovation(home, rng):
    """Rooms stand empty while machines run by turns; afterwards as before, with new appliances."""
    works = np.arange(home.days) < rng.integers(14, 70)
    day = (
        part_of_day(home.slots, 8, rng.uniform(7, 10)) * (spells(rng, home.days, 0.5, 3) & (home.weekday < 6))[:, None]
    )
    tools = home.kilowatts(rng.uniform(0.3, 2)) * day * rng.gamma(0.7, 1, home.kwh.shape)
    during = _thinned(home, rng, rng.uniform(0.2, 0.9)) + tools.astype(np.float32)
    return np.where(works[:, None], during, home.kwh * np.float32(rng.uniform(0.75, 1.05)))


def outage(home, rng):
    """The supply fails for hours or days, for everybody on the transformer (see `cases` and `city`)."""
    kwh = home.kwh.copy()
    flat = kwh.reshape(-1)
    start = rng.integers(0, home.slots)
    hours = rng.choice([rng.uniform(1, 12), rng.uniform(12, 72)])
    length = max(1, int(hours * home.slots / 24))
    flat[start : start + length] = 0
    return kwh


# --------------------------------------------------------------------------------------------------- two at once


def two_changes(home, rng):
    """A new tenant with a car, somebody who left and saves: the second at once or later."""
    first, second = rng.choice(_MIXABLE, 2, replace=False)
    kwh = np.maximum(LOOK_ALIKES[first](home, rng), 0).astype(np.float32)
    later = int(rng.integers(0, max(1, home.days // 2))) if rng.random() < 0.5 else 0
    rest = replace(
        home,
        kwh=kwh[later:],
        weekday=home.weekday[later:],
        cold=home.cold[later:],
        sun=home.sun[later:],
        another=home.another[later:],
    )
    return np.concatenate([kwh[:later], LOOK_ALIKES[second](rest, rng)])


def _empty(home: Home, rng: np.random.Generator) -> np.ndarray:
    """(T, S) what is left with nobody there: part of the quiet hours, with a refrigerator's cycles; never nothing."""
    base = max(home.base, home.kilowatts(0.01)) * rng.uniform(0.25, 1.3)
    cycles = 1 + rng.uniform(0.1, 0.5) * rng.standard_normal(home.kwh.shape, dtype=np.float32)
    return np.minimum(home.kwh, base * np.clip(cycles, 0.3, None)).astype(np.float32)


def _thinned(home: Home, rng: np.random.Generator, share: float) -> np.ndarray:
    """(T, S) with about that share less: everything in part, and some of the use above the base not at all."""
    of_all = rng.uniform(0.2, 1)
    above = np.clip(home.kwh - np.float32(home.base), 0, None)
    gone = rng.random(home.kwh.shape, dtype=np.float32) < share * (1 - of_all) * 1.3
    return (home.kwh - above * gone) * np.float32(1 - share * of_all)


def _made_by_sun(home: Home, rng: np.random.Generator) -> np.ndarray:
    """(T, S) kWh of 0.5 to 6 kW of panels that look somewhere between east and west."""
    day = 8 + 7 * np.clip(home.sun[:, None], 0, 1)
    fine = np.arange(max(home.slots, 24)) * 24 / max(home.slots, 24) + 0.5 * 24 / max(home.slots, 24)
    height = np.clip(np.cos((fine - rng.uniform(11.5, 14.5)) * np.pi / day), 0, None)
    height *= np.abs(fine - 13) < 8
    height = height.reshape(home.days, home.slots, -1).mean(2)
    clouds = 1 - rng.uniform(0.1, 0.7) * rng.random(home.kwh.shape, dtype=np.float32)
    return (home.kilowatts(rng.uniform(0.5, 6)) * 0.8 * home.sun[:, None] * height * clouds).astype(np.float32)


def _mean(kwh: np.ndarray) -> float:
    return max(float(kwh.mean()), 1e-4)


LOOK_ALIKES: dict[str, Change] = {
    one.__name__: one
    for one in (
        *(vacation, moved_out, weekend_trips, second_home, away_on_workdays, somebody_away, closed_days),
        *(school_holidays, new_tenant, smaller_tenant, smaller_household, bigger_family, new_solar),
        *(solar_with_battery, electric_car, heat_pump, air_conditioning, efficient_appliances, new_lamps, gas_instead),
        *(base_load_removed, meter_replaced, home_office, cheap_hours_used, shift_worker, gradual_saving),
        *(heating_ended, renovation, outage, two_changes),
    )
}
_MIXABLE = sorted(set(LOOK_ALIKES) - {"two_changes", "outage", "moved_out", "meter_replaced"})
