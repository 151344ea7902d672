"""A neighbourhood small enough to score in milliseconds, with one consumer that stops in the middle."""

from datetime import date

import numpy as np
import pytest

from apps.detection import training
from tests import factories

FIRST_DAY = date(2026, 1, 5)
DAYS, METERS = 84, 32


def curves(seed: int = 0) -> np.ndarray:
    """(METERS, DAYS, 24) kWh with an evening peak, each consumer at a level of its own."""
    rng = np.random.default_rng(seed)
    hours = 0.3 + np.exp(-(((np.arange(24) - 19) / 3) ** 2))
    level = rng.uniform(0.5, 2, (METERS, 1, 1))
    return (level * hours * rng.uniform(0.8, 1.2, (METERS, DAYS, 24))).astype(np.float32)


@pytest.fixture
def neighbourhood(north):
    """Consumers on two transformers with stored profiles; the first stops on the 50th day. Ordered as created."""
    kwh = curves()
    kwh[0, 50:] = 0
    transformers = [factories.TransformerFactory(feeder__zone=north) for _ in range(2)]
    consumers = []
    for row in range(METERS):
        fitted = factories.InstallationFactory(consumer__zone=north)
        factories.ConnectionFactory(consumer=fitted.consumer, transformer=transformers[row % 2])
        factories.SupplyFactory(consumer=fitted.consumer)
        factories.store_profiles(fitted.meter, FIRST_DAY, kwh[row])
        consumers.append(fitted.consumer)
    return consumers


@pytest.fixture
def model(neighbourhood, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return training.train_first()
