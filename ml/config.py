"""Reads config.yaml."""

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import yaml

from ml.findings import KINDS, LEVELS

PARTS = ("rules", "isolation_forest")


@dataclass(frozen=True)
class Config:
    """Settings of an ensemble; stored with it, so a saved model keeps the settings that it was fitted with."""

    weights: dict[str, float]
    """Part to its share of the score; sums to 1."""
    thresholds: dict[str, float]
    """Level to the least score that reaches it."""
    rules: dict
    isolation_forest: dict

    def __post_init__(self):
        if set(self.weights) != set(PARTS) or abs(sum(self.weights.values()) - 1) > 1e-9:
            raise ValueError(f"weights must name {', '.join(PARTS)} and sum to 1")
        if min(self.weights.values()) < 0:
            raise ValueError("weights must not be negative")
        steps = [self.thresholds.get(level) for level in LEVELS]
        if None in steps or steps != sorted(steps) or not 0 <= steps[0] <= steps[-1] <= 1:
            raise ValueError(f"thresholds must rise from {LEVELS[0]} to {LEVELS[-1]} within 0..1")
        kinds = self.rules["weights"]
        if set(kinds) != set(KINDS) or not all(0 <= weight <= 1 for weight in kinds.values()):
            raise ValueError(f"rules.weights must be within 0..1 for {', '.join(KINDS)}")

    def level_of(self, score: float) -> str:
        """Scores below every threshold are low as well: there is nothing lower to say."""
        reached = [level for level in LEVELS if score >= self.thresholds[level]]
        return reached[-1] if reached else LEVELS[0]

    def as_dict(self) -> dict:
        return asdict(self)


@cache
def default_config() -> Config:
    return Config(**yaml.safe_load((Path(__file__).parent / "config.yaml").read_text(encoding="utf-8")))
