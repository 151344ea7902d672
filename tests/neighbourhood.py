"""A neighbourhood small enough to score in milliseconds, with one consumer that stops in the middle."""

from datetime import date

import numpy as np

from apps.grid.models import Consumer, Transformer, Zone
from ml.config import default_config
from ml.ensemble import Ensemble
from ml.window import MeterWindow
from tests import factories

FIRST_DAY = date(2026, 1, 5)
DAYS, METERS = 84, 32
STOPS_ON = 50


def curves(seed: int = 0, stopped: bool = True) -> np.ndarray:
    """(METERS, DAYS, 24) kWh with an evening peak, each consumer at a level of its own; the first one stops."""
    rng = np.random.default_rng(seed)
    hours = 0.3 + np.exp(-(((np.arange(24) - 19) / 3) ** 2))
    level = rng.uniform(0.5, 2, (METERS, 1, 1))
    kwh = (level * hours * rng.uniform(0.8, 1.2, (METERS, DAYS, 24))).astype(np.float32)
    if stopped:
        kwh[0, STOPS_ON:] = 0
    return kwh


def trained() -> Ensemble:
    """Fitted on a neighbourhood like the stored one, not on that one."""
    window = MeterWindow(
        meters=np.arange(METERS).astype(str),
        kwh=curves(seed=1, stopped=False),
        first_day=np.datetime64(FIRST_DAY),
        interval_minutes=60,
        peer_group=np.arange(METERS) % 2,
        contract_active=np.ones((METERS, DAYS), dtype=bool),
    )
    return Ensemble(default_config().quick()).fit(window)


def store(zone: Zone, days: int = DAYS) -> list[Consumer]:
    """Consumers on two transformers with that many days of stored profiles, in the order of the curves."""
    kwh = curves()[:, :days]
    transformers = [factories.TransformerFactory(feeder__zone=zone) for _ in range(2)]
    consumers = []
    for row in range(METERS):
        fitted = factories.InstallationFactory(consumer__zone=zone)
        factories.ConnectionFactory(consumer=fitted.consumer, transformer=transformers[row % 2])
        factories.SupplyFactory(consumer=fitted.consumer)
        factories.store_profiles(fitted.meter, FIRST_DAY, kwh[row])
        consumers.append(fitted.consumer)
    return consumers


def hang_sum_meters(kwh: np.ndarray | None = None, loss: float = 0.04) -> list:
    """Sum meters at the two transformers of the stored neighbourhood, which measure what is really used and the loss.

    Returns the transformers. The first consumer of the curves stops registering and goes on using.
    """
    used = curves(stopped=False) if kwh is None else kwh
    transformers = list(Transformer.objects.order_by("pk"))
    for row, transformer in enumerate(transformers):
        transformer.sum_meter = factories.MeterFactory(kind="sum")
        transformer.save()
        factories.store_profiles(transformer.sum_meter, FIRST_DAY, used[row::2].sum(0) * (1 + loss))
    return transformers
