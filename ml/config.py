"""Reads config.yaml."""

from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import yaml

from ml.findings import KINDS, LEVELS

PARTS = ("statistical", "isolation_forest", "autoencoder", "lstm", "booster", "balance")
"""Those that every ensemble weighs; `outcomes` joins them once crews have found enough."""
MODELS = ("isolation_forest", "autoencoder", "lstm", "booster", "kinds")


@dataclass(frozen=True)
class Config:
    """Settings of an ensemble; stored with it, so a saved model keeps the settings that it was fitted with."""

    data: dict
    models: dict[str, dict]
    """Parameters of each model."""
    training: dict
    """How many simulated cases the boosters learn from."""
    ensemble: dict
    """weights: part to its share of the evidence; sums to 1."""
    alerts: dict
    """thresholds: level to the least score that reaches it."""
    rules: dict

    def __post_init__(self):
        if set(self.weights) != set(PARTS) or abs(sum(self.weights.values()) - 1) > 1e-9:
            raise ValueError(f"ensemble.weights must name {', '.join(PARTS)} and sum to 1")
        if min(self.weights.values()) < 0:
            raise ValueError("ensemble.weights must not be negative")
        if missing := set(MODELS) - set(self.models):
            raise ValueError(f"models lacks {', '.join(sorted(missing))}")
        steps = [self.thresholds.get(level) for level in LEVELS]
        if None in steps or steps != sorted(steps) or not 0 <= steps[0] <= steps[-1] <= 1:
            raise ValueError(f"alerts.thresholds must rise from {LEVELS[0]} to {LEVELS[-1]} within 0..1")
        kinds = self.rules["weights"]
        if set(kinds) != set(KINDS) or not all(0 <= weight <= 1 for weight in kinds.values()):
            raise ValueError(f"rules.weights must be within 0..1 for {', '.join(KINDS)}")

    @property
    def weights(self) -> dict[str, float]:
        return self.ensemble["weights"]

    @property
    def thresholds(self) -> dict[str, float]:
        return self.alerts["thresholds"]

    def level_of(self, score: float) -> str:
        """Scores below every threshold are low as well: there is nothing lower to say."""
        reached = [level for level in LEVELS if score >= self.thresholds[level]]
        return reached[-1] if reached else LEVELS[0]

    def quick(self) -> "Config":
        """Learns from little in seconds: for tests and first looks, never for crews."""
        models = {name: dict(settings) for name, settings in self.models.items()}
        # One thread: threads that wait for each other cost more than they save on so little.
        models["autoencoder"] |= {"epochs": 2, "threads": 1}
        models["lstm"] |= {"epochs": 2, "threads": 1}
        models["booster"] |= {"rounds": 40, "learning_rate": 0.2, "leaves": 15, "threads": 1}
        models["kinds"] |= {"rounds": 3, "leaves": 7, "threads": 1}
        models["isolation_forest"]["n_estimators"] = 50
        return replace(
            self,
            models=models,
            training=self.training | {"meters": 200, "cases": 1500, "meters_for_signs": 60, "lengths": [35]},
        )

    def as_dict(self) -> dict:
        return asdict(self)


@cache
def default_config() -> Config:
    return Config(**yaml.safe_load((Path(__file__).parent / "config.yaml").read_text(encoding="utf-8")))
