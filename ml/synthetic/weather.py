"""Made-up weather: what heating, cooling and panels follow, day by day."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Climate:
    celsius: np.ndarray
    """(D,) mean of the day."""
    sunshine: np.ndarray
    """(D,) 0..1, how much of a clear midsummer day's sun comes through."""
    weekday: np.ndarray
    """(D,) 0 = Monday ... 6 = Sunday."""

    @property
    def weekend(self) -> np.ndarray:
        """(D,) bool."""
        return self.weekday >= 5

    @property
    def cold(self) -> np.ndarray:
        """(D,) 0..1: how much heating the day asks for; nothing from 16 degrees on, all of it at -4."""
        return np.clip((16 - self.celsius) / 20, 0, 1).astype(np.float32)


def make_climate(rng: np.random.Generator, first_day: np.datetime64, days: int, southern: bool = False) -> Climate:
    calendar = first_day + np.arange(days)
    of_year = (calendar - calendar.astype("M8[Y]")).astype(int) + (183 if southern else 0)
    season = np.cos(2 * np.pi * (of_year - 20) / 365.25)
    celsius = 10 - 7 * season + 2.2 * autoregressive(rng, (days,), 0.8)
    sunshine = np.clip((0.55 - 0.4 * season) * (0.65 + 0.25 * autoregressive(rng, (days,), 0.4)), 0.03, 1)
    return Climate(celsius, sunshine.astype(np.float32), (calendar.astype(int) + 3) % 7)


def autoregressive(rng: np.random.Generator, shape: tuple[int, ...], memory: float) -> np.ndarray:
    """Noise of unit variance along the last axis, each day keeping `memory` of the day before; float32."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    for day in range(1, shape[-1]):
        noise[..., day] = memory * noise[..., day - 1] + np.sqrt(1 - memory**2) * noise[..., day]
    return noise
