"""A street of ordinary homes to change one at a time, and an ensemble fitted on a small city."""

import numpy as np
import pytest

from ml.config import default_config
from ml.ensemble import Ensemble
from ml.synthetic.city import generate_city
from ml.window import MeterWindow

SUSPECT = 7
"""The row of a street that a test changes."""


def make_window(kwh, **changes) -> MeterWindow:
    kwh = np.asarray(kwh, np.float32)
    given = {
        "meters": np.array([f"M{row:03d}" for row in range(len(kwh))]),
        "kwh": kwh,
        "first_day": np.datetime64("2026-01-05"),
        "interval_minutes": 1440 // kwh.shape[2] if kwh.shape[2] else 60,
        "peer_group": np.zeros(len(kwh), int),
        "contract_active": np.ones(kwh.shape[:2], bool),
    }
    return MeterWindow(**given | changes)


def make_street(homes=20, days=120, slots=24, seed=3) -> np.ndarray:
    """(homes, days, slots) kWh of ordinary homes: an evening peak, noise, and a cold spell that all of them feel."""
    rng = np.random.default_rng(seed)
    hours = (np.arange(slots) + 0.5) * 24 / slots
    habit = 0.3 + np.exp(-0.5 * ((hours - 19) / 2) ** 2)
    cold = 1 + 0.2 * np.sin(np.arange(days) / 20)
    kwh = (
        rng.uniform(6, 14, (homes, 1, 1))
        * habit
        / habit.sum()
        * cold[:, None]
        * rng.gamma(8, 1 / 8, (homes, days, slots))
    )
    return np.round(kwh * rng.gamma(30, 1 / 30, (homes, days, 1)), 3).astype(np.float32)


@pytest.fixture
def street():
    return make_street()


@pytest.fixture(scope="session")
def small_city():
    return generate_city(1, consumers=300, days=120)


@pytest.fixture(scope="session")
def ensemble(small_city):
    """Quickly trained: what it finds says that the parts work together, not how good the shipped settings are."""
    return Ensemble(default_config().quick()).fit(small_city.window())


@pytest.fixture
def finding(ensemble, street):
    """What the ensemble says about the suspect, once a test has changed its curve."""
    return lambda **changes: ensemble.explain(make_window(street, **changes))[SUSPECT]
