"""What the consumers of a made-up city really use: weather, seasons, holidays, appliances, habits by the wall clock.

Everything is random in the way that real curves are: days cluster, levels drift over weeks, people go away. The spread
was set beside the UK households, so that an honest meter here changes about as much as an honest meter there.
"""

import numpy as np

from ml.synthetic.home import Home
from ml.synthetic.look_alikes import change
from ml.synthetic.weather import Climate, autoregressive

HOUSEHOLD, SHOP, INDUSTRY = "household", "shop", "industry"
DAILY_KWH = {HOUSEHOLD: 9.0, SHOP: 28.0, INDUSTRY: 150.0}
EQUIPMENT = {
    HOUSEHOLD: {
        **{"new_solar": 0.08, "solar_with_battery": 0.02, "electric_car": 0.07, "heat_pump": 0.05},
        **{"air_conditioning": 0.03, "cheap_hours_used": 0.05},
    },
    SHOP: {"new_solar": 0.06, "air_conditioning": 0.3},
    INDUSTRY: {"new_solar": 0.15, "heat_pump": 0.1},
}
"""What some have had from the start, and how many of them."""
QUANTILES = 256


def make_loads(
    rng: np.random.Generator, kinds: np.ndarray, slots: int, climate: Climate, free: np.ndarray, holidays: np.ndarray
) -> np.ndarray:
    """(M, D, S) float32 kWh used, by civil days. `free` are the days without work, `holidays` those without school."""
    is_home = kinds == HOUSEHOLD
    usual = np.array([DAILY_KWH[kind] for kind in kinds]) * np.exp(rng.normal(0, 0.5, len(kinds)))
    habits = make_habits(rng, kinds, slots)
    level = _levels(rng, kinds, climate, free, holidays)
    kwh = _wandering_habits(rng, habits, free)
    # Appliances come in lumps, the shorter the slot the lumpier.
    lumps = np.exp(rng.normal(0, 0.5, (len(kinds), 1, 1))) * np.where(is_home, 2.8, 10)[:, None, None]
    shape = np.broadcast_to((lumps * 24 / slots).astype(np.float32), kwh.shape)
    chance = rng.standard_gamma(shape, dtype=np.float32) / shape
    chance[:, :, 1:] += rng.uniform(0.4, 1.1, (len(kinds), 1, 1)).astype(np.float32) * (chance[:, :, :-1] - 1)
    kwh *= np.maximum(chance, 0, out=chance)
    del chance
    # Of a home's use, a part is a few heavy appliances a day: cooker, kettle, washing machine, shower.
    heavy = (rng.beta(2.5, 5.5, (len(kinds), 1, 1)) * is_home[:, None, None]).astype(np.float32)
    kwh *= 1 - heavy
    kwh[is_home] += heavy[is_home] * _heavy_appliances(rng, habits[is_home], free)
    # Beneath runs what stands by, and a refrigerator that cycles.
    base = np.clip(rng.beta(3, 6.5, (len(kinds), 1)) * np.exp(_drift(rng, len(kinds), len(free), 0.012)), 0, 0.8)
    base = base.astype(np.float32)[:, :, None]
    kwh *= 1 - base
    kwh += base * _base_load(rng, len(kinds), len(free), slots)
    kwh *= (usual[:, None] * level).astype(np.float32)[:, :, None]
    _equip(rng, kwh, kinds, climate)
    return kwh


def make_habits(rng: np.random.Generator, kinds: np.ndarray, slots: int) -> np.ndarray:
    """(M, 2, slots) share of the day's kWh by slot of civil time, on workdays and on free days."""
    hours = (np.arange(slots) + 0.5) * 24 / slots
    rows = len(kinds)

    def bump(centre: float, spread: float, width: float, height: np.ndarray, later: float) -> np.ndarray:
        at = centre + rng.normal(0, spread, (rows, 1, 1)) + np.array([0, later]).reshape(1, 2, 1)
        away = (hours - at + 12) % 24 - 12
        return height.reshape(rows, 1, 1) * np.exp(-0.5 * (away / width) ** 2)

    home = (
        rng.uniform(0.02, 0.2, (rows, 1, 1))
        + bump(7.4, 0.9, 1.0, rng.uniform(0.2, 1.5, rows), 1.5)
        + bump(13.0, 1.5, 2.0, rng.uniform(0, 0.7, rows), 0)
        + bump(19.2, 1.1, 1.9, rng.uniform(1.0, 2.4, rows), 0)
    )
    opens, closes = rng.uniform(6, 10, (rows, 1, 1)), rng.uniform(16.5, 22, (rows, 1, 1))
    trade = 0.35 + 2.0 / (1 + np.exp(-2 * (hours - opens))) / (1 + np.exp(2 * (hours - closes)))
    trade = np.repeat(trade, 2, axis=1)
    closed = rng.random((rows, 1)) < np.where(kinds == INDUSTRY, 0.7, 0.4)[:, None]
    trade[:, 1] *= rng.uniform(0.4, 1.0, (rows, 1))
    trade[:, 1] = np.where(closed, 0.3 * rng.uniform(0.7, 1.1, (rows, 1)), trade[:, 1])
    habits = np.where((kinds == HOUSEHOLD)[:, None, None], home, trade)
    return (habits / habits[:, :1].sum(axis=2, keepdims=True)).astype(np.float32)


def _levels(
    rng: np.random.Generator, kinds: np.ndarray, climate: Climate, free: np.ndarray, holidays: np.ndarray
) -> np.ndarray:
    """(M, D) each day's use beside the usual one: chance, slow drift, cold, absences, closures."""
    rows, days = len(kinds), len(free)
    is_home = kinds == HOUSEHOLD
    spread = rng.uniform(0.05, 0.17, (rows, 1))
    # Most heat with gas and feel only the pumps and the longer evenings; one in five heats with electricity.
    heating = np.where(rng.random(rows) < 0.2, rng.uniform(0.4, 1.4, rows), rng.uniform(0.0, 0.3, rows))
    level = np.exp(spread * autoregressive(rng, (rows, days), 0.35) + _drift(rng, rows, days, 0.013))
    level *= 1 + heating[:, None] * (climate.cold - climate.cold.mean())
    absent = _away(rng, rows, free, holidays) & is_home[:, None]
    level *= np.where(absent, rng.uniform(0.12, 0.4, (rows, 1)), 1)
    company = free[None] & is_home[:, None] & (rng.random((rows, days)) < 0.06)
    level *= np.where(company, rng.uniform(1.2, 1.8, (rows, days)), 1)
    closure = rng.integers(0, max(1, days - 14), (rows, 1))
    day = np.arange(days)
    closed = (day >= closure) & (day < closure + 12) & (~is_home & (rng.random(rows) < 0.3 * days / 365))[:, None]
    return np.clip(level * np.where(closed, 0.3, 1), 0.05, None)


def _away(rng: np.random.Generator, rows: int, free: np.ndarray, holidays: np.ndarray) -> np.ndarray:
    """(rows, D) bool: a household goes away about once in five months, sooner when schools are closed."""
    days = len(free)
    wanted = np.where(holidays, 3.0, 1.0)
    day = np.arange(days)
    gone = np.zeros((rows, days), bool)
    for _ in range(max(1, round(days / 90))):
        start = rng.choice(days, (rows, 1), p=wanted / wanted.sum())
        length = rng.integers(2, 13, (rows, 1)) * (rng.random((rows, 1)) < min(0.35, 0.5 * days / 90))
        gone |= (day >= start) & (day < start + length)
    return gone


def _heavy_appliances(rng: np.random.Generator, habits: np.ndarray, free: np.ndarray) -> np.ndarray:
    """(M, D, S) of a mean day's 1: a few runs of appliances a day, at the hours of the habits, up to two hours long."""
    rows, days, slots = len(habits), len(free), habits.shape[2]
    often = rng.uniform(2, 10, (rows, 1))
    runs = rng.poisson(np.broadcast_to(often, (rows, days)))
    of_day = np.repeat(np.arange(rows * days), runs.ravel())
    row, day = np.divmod(of_day, days)
    mass = np.cumsum(habits / habits.sum(2, keepdims=True), axis=2)
    chance = (np.arange(QUANTILES) + 0.5) / QUANTILES
    slot_at = np.array([[np.searchsorted(one, chance) for one in both] for both in mass]).astype(np.int16)
    slot = slot_at[row, free[day].astype(int), rng.integers(0, QUANTILES, len(row))]
    kwh = rng.gamma(2.0, 0.5, len(row)) / often[row, 0]
    long = np.clip(rng.gamma(1.5, 0.5, len(row)) * slots / 24, 1, 2 * slots / 24)  # in slots, 2 hours at most
    total = np.zeros(rows * days * slots)
    for later in range(int(np.ceil(2 * slots / 24))):
        part = np.clip(long - later, 0, 1) / long
        on = np.flatnonzero(part)
        at = np.minimum(of_day[on] * slots + np.minimum(slot[on], slots - 1) + later, len(total) - 1)
        total += np.bincount(at, kwh[on] * part[on], len(total))
    return total.reshape(rows, days, slots).astype(np.float32)


def _base_load(rng: np.random.Generator, rows: int, days: int, slots: int) -> np.ndarray:
    """(rows, D, S) of a mean day's 1: what stands by, and a refrigerator that is on for a part of each cycle."""
    period = rng.uniform(40, 100, (rows, 1)).astype(np.float32) / 1440 * slots  # in slots
    share = rng.uniform(0.25, 0.5, (rows, 1)).astype(np.float32)
    cycles = np.arange(days * slots + 1, dtype=np.float32) / period + rng.random((rows, 1), dtype=np.float32)
    whole = np.floor(cycles)
    ran = whole + np.minimum((cycles - whole) / share, 1)  # in cycles
    fridge = np.diff(ran, axis=1) * period
    fridge *= rng.uniform(0.2, 0.8, (rows, 1)).astype(np.float32)
    fridge += 1 - fridge.mean(1, keepdims=True)
    return np.maximum(fridge, 0).reshape(rows, days, slots) / np.float32(slots)


def _equip(rng: np.random.Generator, kwh: np.ndarray, kinds: np.ndarray, climate: Climate) -> None:
    """In place: panels, cars, heat pumps that were there from the first day."""
    for kind, equipment in EQUIPMENT.items():
        rows = np.flatnonzero(kinds == kind)
        for name, share in equipment.items():
            for row in rows[rng.random(len(rows)) < share]:
                home = Home(kwh[row], kwh[row, :28], climate.weekday, climate.cold, climate.sunshine, kwh[row])
                kwh[row] = change(name, home, rng)
    water = np.flatnonzero((kinds == HOUSEHOLD) & (rng.random(len(kinds)) < 0.1))
    for row in water:  # heated at night, by a timer
        slots = kwh.shape[2]
        power = rng.uniform(1.5, 3) * 24 / slots
        wanted = rng.gamma(6, rng.uniform(0.3, 0.9), (len(climate.cold), 1))
        since = (np.arange(slots) - int(rng.choice([0.5, 1, 2, 23]) * slots / 24)) % slots
        kwh[row] += np.clip(wanted - since * power, 0, power).astype(np.float32)


def _drift(rng: np.random.Generator, rows: int, days: int, daily: float) -> np.ndarray:
    """(rows, days) random walk around 0; how far its steps go differs from row to row, and a year bends it back."""
    steps = rng.normal(0, 1, (rows, days)) * rng.gamma(1.5, daily / 1.5, (rows, 1))
    walk = np.empty_like(steps)
    at = np.zeros(rows)
    for day in range(days):
        at = 0.996 * at + steps[:, day]
        walk[:, day] = at
    return walk


def _wandering_habits(rng: np.random.Generator, habits: np.ndarray, free: np.ndarray) -> np.ndarray:
    """(rows, D, slots) share of each day: habits wander between a consumer's own and those of an hour or two later."""
    later = max(1, habits.shape[2] // 12) if habits.shape[2] > 1 else 0
    weight = 1 / (1 + np.exp(-rng.normal(-1, 1.5, (len(habits), 1)) - _drift(rng, len(habits), len(free), 0.12)))
    own = habits[:, free.astype(int)]
    moved = np.roll(own, later, axis=2)
    moved -= own
    moved *= weight.astype(np.float32)[:, :, None]
    moved += own
    return moved
