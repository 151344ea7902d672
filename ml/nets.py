"""The two networks beside the boosters, where torch is installed; without it the ensemble works with the rest."""

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from ml.config import Config
from ml.evidence import Evidence

NAMES = ("autoencoder", "lstm")
DAILY = 1440


def available() -> bool:
    return find_spec("torch") is not None


def classes() -> dict[str, type]:
    from ml.autoencoder import Autoencoder  # noqa: PLC0415 torch takes seconds to load and may not be installed
    from ml.gru import Forecaster  # noqa: PLC0415

    return {"autoencoder": Autoencoder, "lstm": Forecaster}


def fit(config: Config, evidence: Evidence, tell: Callable[[str], None]) -> dict:
    """Name to fitted network; empty without torch, and for daily readings, which have no shape to learn."""
    if not available() or evidence.interval_minutes == DAILY:
        return {}
    return {
        name: network(**config.models[name]).fit(evidence, lambda doing, name=name: tell(f"{name}: {doing}"))
        for name, network in classes().items()
    }


def scores(networks: dict, evidence: Evidence) -> dict[str, np.ndarray]:
    """Name to (N,) score; NaN for daily readings."""
    if evidence.interval_minutes == DAILY:
        return {name: np.full(len(evidence), np.nan) for name in networks}
    return {name: network.score(evidence) for name, network in networks.items()}
