"""Gradient boosting trained on simulated theft against honest changes: known patterns, without a single label.

LightGBM, because its models are plain text: nothing that is loaded can run code.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

import lightgbm
import numpy as np


@dataclass(frozen=True)
class BoosterConfig:
    rounds: int = 500
    learning_rate: float = 0.05
    leaves: int = 31
    least_in_leaf: int = 30
    feature_share: float = 0.3
    case_share: float = 0.8
    ridge: float = 5.0
    seed: int = 0
    threads: int = 2

    def as_lightgbm(self) -> dict:
        return {
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": self.least_in_leaf,
            "feature_fraction": self.feature_share,
            "bagging_fraction": self.case_share,
            "bagging_freq": 1,
            "lambda_l2": self.ridge,
            "max_bin": 127,
            "seed": self.seed,
            "num_threads": self.threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }


def _as_saved(model: lightgbm.Booster) -> lightgbm.Booster:
    """By way of its text, which rounds the last digit: a model scores the same before and after it was saved."""
    return lightgbm.Booster(model_str=model.model_to_string())


class Booster:
    """Tells theft from honest cases by their features, (N, K) float32 with NaN where unknown."""

    def __init__(self, **settings):
        self.config = BoosterConfig(**settings)

    def fit(self, features: np.ndarray, theft: np.ndarray, weight: np.ndarray | None = None) -> Self:
        """Raises ValueError without both thieves and honest cases."""
        if theft.all() or not theft.any():
            raise ValueError("a booster learns from thieves and honest cases; one of them is missing")
        data = lightgbm.Dataset(features, theft.astype(np.int8), weight=weight, free_raw_data=True)
        model = lightgbm.train(
            {"objective": "binary", **self.config.as_lightgbm()}, data, num_boost_round=self.config.rounds
        )
        self.model_ = _as_saved(model)
        return self

    def score(self, features: np.ndarray) -> np.ndarray:
        """(N,) log odds."""
        if not len(features):
            return np.zeros(0)
        return self.model_.predict(features, raw_score=True, num_threads=self.config.threads)

    def importance(self, names: Sequence[str]) -> dict[str, float]:
        """Share of the gain that each feature brought."""
        gain = self.model_.feature_importance("gain")
        return dict(zip(names, (gain / max(gain.sum(), 1e-9)).tolist(), strict=True))

    def state(self) -> tuple[dict, str]:
        """Settings for JSON, and the model as LightGBM's text."""
        return asdict(self.config), self.model_.model_to_string()

    @classmethod
    def from_state(cls, settings: dict, text: str) -> Self:
        booster = cls(**settings)
        booster.model_ = lightgbm.Booster(model_str=text)
        return booster


class KindBooster:
    """Which attack family, or which honest change, a case looks like most."""

    def __init__(self, classes: Sequence[str] = (), **settings):
        self.classes = list(classes)
        self.config = BoosterConfig(**settings)

    def fit(self, features: np.ndarray, kind: np.ndarray) -> Self:
        """`kind` is (N,) str; raises ValueError when there are fewer than two."""
        self.classes, code = np.unique(kind, return_inverse=True)
        self.classes = self.classes.tolist()
        if len(self.classes) < 2:
            raise ValueError("telling kinds apart needs two of them")
        weight = (1 / np.bincount(code))[code] * len(code) / len(self.classes)
        model = lightgbm.train(
            {"objective": "multiclass", "num_class": len(self.classes), **self.config.as_lightgbm()},
            lightgbm.Dataset(features, code, weight=weight),
            num_boost_round=self.config.rounds,
        )
        self.model_ = _as_saved(model)
        return self

    def shares(self, features: np.ndarray) -> np.ndarray:
        """(N, classes) that sum to 1."""
        if not len(features):
            return np.zeros((0, len(self.classes)))
        return self.model_.predict(features, num_threads=self.config.threads)

    def state(self) -> tuple[dict, str]:
        return {"classes": self.classes, **asdict(self.config)}, self.model_.model_to_string()

    @classmethod
    def from_state(cls, settings: dict, text: str) -> Self:
        booster = cls(**settings)
        booster.model_ = lightgbm.Booster(model_str=text)
        return booster
