"""One connection as an attack or an honest change sees it, and the few shapes that many of them are made of."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

HOURS = 24


@dataclass(frozen=True, eq=False)
class Home:
    """T civil days of S slots from the onset to the end, and what came before. kWh per slot, without gaps."""

    kwh: np.ndarray
    """(T, S) float32: what is consumed from the onset on, as long as nothing changes."""
    before: np.ndarray
    """(R, S) float32: the last days before the onset, four weeks or fewer; never none."""
    weekday: np.ndarray
    """(T,) 0 = Monday ... 6 = Sunday."""
    cold: np.ndarray
    """(T,) 0..1: how much heating the day's weather asks for."""
    sun: np.ndarray
    """(T,) 0..1: how much of a clear midsummer day's sun comes through."""
    another: np.ndarray
    """(T, S) float32: what another consumer uses on the same days."""

    @property
    def days(self) -> int:
        return self.kwh.shape[0]

    @property
    def slots(self) -> int:
        return self.kwh.shape[1]

    @cached_property
    def usual(self) -> float:
        """Mean kWh per slot before the onset."""
        return max(float(self.before.mean()), 1e-4)

    @cached_property
    def base(self) -> float:
        """KWh per slot of what runs day and night: the quiet slots, or for daily readings a quarter of a quiet day."""
        quiet = at_share(self.before, 0.1)
        return quiet if self.slots > 1 else 0.25 * quiet

    @cached_property
    def weekend(self) -> np.ndarray:
        """(T,) bool."""
        return self.weekday >= 5

    @property
    def hours(self) -> np.ndarray:
        """(S,) hour of the day at the middle of each slot."""
        return (np.arange(self.slots) + 0.5) * HOURS / self.slots

    def kilowatts(self, value: float) -> float:
        """KWh per slot of a load that runs all the time."""
        return value * HOURS / self.slots


def at_share(values: np.ndarray, share: float) -> float:
    """The value below which that share of the values lies; a plain partition, ten times as fast as a quantile."""
    flat = values.ravel()
    place = min(len(flat) - 1, int(share * len(flat)))
    return float(np.partition(flat, place)[place])


def part_of_day(slots: int, start: float, length: float) -> np.ndarray:
    """(S,) float32 in 0..1: how much of each slot lies in the `length` hours from `start`, around midnight too."""
    width = HOURS / slots
    begins = np.arange(slots) * width
    start %= HOURS
    length = min(length, HOURS)
    inside = np.zeros(slots)
    for turn in (0, -HOURS):
        inside += np.clip(np.minimum(begins + width, start + turn + length) - np.maximum(begins, start + turn), 0, None)
    return (inside / width).astype(np.float32)


def spells(rng: np.random.Generator, count: int, share: float, length: float) -> np.ndarray:
    """(count,) bool: on for about that share of the time, in spells of about that many entries."""
    share = min(max(share, 0.02), 0.98)
    runs = int(count / length) + 2
    on = rng.geometric(min(1.0, 1 / length), runs)
    off = rng.geometric(min(1.0, share / (length * (1 - share))), runs)
    first_on = rng.random() < share
    lengths = np.stack([on, off] if first_on else [off, on], axis=1).ravel()
    states = np.tile([first_on, not first_on], runs)
    drawn = np.repeat(states, np.minimum(lengths, count))
    if len(drawn) < count:
        drawn = np.concatenate([drawn, np.resize(drawn, count - len(drawn))])
    return drawn[:count]


def spells_of_hours(rng: np.random.Generator, days: int, slots: int, share: float, hours: float) -> np.ndarray:
    """(days, S) float32 in 0..1: spells of about that many hours; slots longer than an hour are on in part."""
    fine = max(slots, HOURS)
    on = spells(rng, days * fine, share, max(1.0, hours * fine / HOURS)).astype(np.float32)
    return on.reshape(days, slots, fine // slots).mean(2)


def wandering(rng: np.random.Generator, days: int, memory: int = 7) -> np.ndarray:
    """(days, 1) float32 noise of about unit variance that stays for about `memory` days."""
    noise = rng.standard_normal(days + memory, dtype=np.float32).cumsum()
    return ((noise[memory:] - noise[:-memory]) / np.float32(np.sqrt(memory)))[:, None]


def ramp(days: int, length: float) -> np.ndarray:
    """(days, 1) float32 from near 0 to 1 over `length` days, then 1."""
    return np.clip((np.arange(days, dtype=np.float32) + 1) / max(length, 1), 0, 1)[:, None]


def from_some_hour_on(rng: np.random.Generator, home: Home, after: np.ndarray, at_once: bool = False) -> np.ndarray:
    """(T, S) `after`, but for the first hours of the first day: nobody begins at midnight. `at_once` if it is older."""
    after = after.astype(np.float32, copy=True)
    if not at_once:
        until = rng.integers(0, home.slots)
        after[0, :until] = home.kwh[0, :until]
    return after
