"""What the consumers of a made-up city really use: weather, season, weekdays, habits by the clock on the wall.

Everything is random in the way that real curves are: days cluster, levels drift over weeks, people go away. The spread
was set beside the UK households, so that an honest meter here changes about as much as an honest meter there.
"""

import numpy as np

from ml.synthetic.weather import Climate, autoregressive

HOUSEHOLD, SHOP, INDUSTRY = "household", "shop", "industry"
DAILY_KWH = {HOUSEHOLD: 9.0, SHOP: 28.0, INDUSTRY: 150.0}


def make_habits(rng: np.random.Generator, kinds: np.ndarray, slots: int) -> np.ndarray:
    """(M, 2, slots) share of the day's kWh by slot of civil time, on workdays and at weekends."""
    hours = (np.arange(slots) + 0.5) * 24 / slots
    rows = len(kinds)

    def bump(centre: float, spread: float, width: float, height: np.ndarray, later: float) -> np.ndarray:
        at = centre + rng.normal(0, spread, (rows, 1, 1)) + np.array([0, later]).reshape(1, 2, 1)
        away = (hours - at + 12) % 24 - 12
        return height.reshape(rows, 1, 1) * np.exp(-0.5 * (away / width) ** 2)

    home = (
        rng.uniform(0.25, 0.6, (rows, 1, 1))
        + bump(7.4, 0.9, 1.0, rng.uniform(0.2, 1.5, rows), 1.5)
        + bump(13.0, 1.5, 2.0, rng.uniform(0, 0.7, rows), 0)
        + bump(19.2, 1.1, 1.9, rng.uniform(1.0, 2.4, rows), 0)
    )
    opens, closes = rng.uniform(7, 10, (rows, 1, 1)), rng.uniform(17, 22, (rows, 1, 1))
    trade = 0.35 + 2.0 / (1 + np.exp(-2 * (hours - opens))) / (1 + np.exp(2 * (hours - closes)))
    trade = np.repeat(trade, 2, axis=1)
    trade[:, 1] *= rng.uniform(0.25, 1.0, (rows, 1))
    habits = np.where((kinds == HOUSEHOLD)[:, None, None], home, trade)
    return (habits / habits[:, :1].sum(axis=2, keepdims=True)).astype(np.float32)


def make_loads(
    rng: np.random.Generator, kinds: np.ndarray, habits: np.ndarray, climate: Climate
) -> tuple[np.ndarray, np.ndarray]:
    """What is used, by civil days: ((M, D, S) kWh, (M,) usual kWh a day)."""
    rows, days, slots = len(kinds), len(climate.celsius), habits.shape[2]
    median = np.array([DAILY_KWH[kind] for kind in kinds])
    usual = median * np.exp(rng.normal(0, 0.5, rows))
    spread = rng.uniform(0.08, 0.28, (rows, 1))
    cold = np.clip(15 - climate.celsius, 0, None) / 10
    # Most heat with gas and feel only the pumps and the longer evenings; one in five heats with electricity.
    heating = np.where(rng.random(rows) < 0.2, rng.uniform(0.2, 0.7, rows), rng.uniform(0.0, 0.12, rows))
    level = np.exp(spread * autoregressive(rng, (rows, days), 0.35) + _drift(rng, rows, days, 0.013)) * (
        1 + heating[:, None] * (cold - cold.mean())
    )
    level *= np.where(_away(rng, rows, days) & (kinds == HOUSEHOLD)[:, None], rng.uniform(0.12, 0.4, (rows, 1)), 1)
    kwh = _wandering_habits(rng, habits, climate.weekend)
    # Appliances come in lumps, the shorter the slot the lumpier; a refrigerator and what stands by run beneath them.
    lumps = np.exp(rng.normal(0, 0.6, (rows, 1, 1))) * np.where(kinds == HOUSEHOLD, 1.2, 10)[:, None, None]
    shape = (lumps * 24 / slots).astype(np.float32)
    kwh *= rng.standard_gamma(np.broadcast_to(shape, kwh.shape), dtype=np.float32) / shape
    base = (rng.beta(2, 6, (rows, 1)) * np.exp(_drift(rng, rows, days, 0.012))).astype(np.float32)
    kwh *= 1 - np.clip(base, 0, 0.8)[:, :, None]
    kwh += base[:, :, None] / slots
    kwh *= (usual[:, None] * np.clip(level, 0.05, None)).astype(np.float32)[:, :, None]
    return kwh, usual


def _drift(rng: np.random.Generator, rows: int, days: int, daily: float) -> np.ndarray:
    """(rows, days) random walk around 0; how far its steps go differs from row to row."""
    return np.cumsum(rng.normal(0, 1, (rows, days)), axis=1) * rng.gamma(1.5, daily / 1.5, (rows, 1))


def _wandering_habits(rng: np.random.Generator, habits: np.ndarray, weekend: np.ndarray) -> np.ndarray:
    """(rows, D, slots) share of each day: habits wander between a consumer's own and those of an hour or two later."""
    later = max(1, habits.shape[2] // 12)
    weight = 1 / (1 + np.exp(-rng.normal(-1, 1.5, (len(habits), 1)) - _drift(rng, len(habits), len(weekend), 0.12)))
    own = habits[:, weekend.astype(int)]
    return own + weight.astype(np.float32)[:, :, None] * (np.roll(own, later, axis=2) - own)


def _away(rng: np.random.Generator, rows: int, days: int) -> np.ndarray:
    """(rows, days) bool: about one household in three goes away once, for two to nine days."""
    start = rng.integers(0, days, (rows, 1))
    length = rng.integers(2, 10, (rows, 1)) * (rng.random((rows, 1)) < 0.35)
    day = np.arange(days)
    return (day >= start) & (day < start + length)
