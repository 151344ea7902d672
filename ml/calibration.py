"""From scores of any scale to one that means something: how rare among honest meters, and how likely a find."""

from typing import Self

import numpy as np

from ml.evaluation.truth import PREVALENCE

QUANTILES = np.concatenate([np.linspace(0, 0.9, 46), np.linspace(0.9, 0.99, 19)[1:]])
TAIL_FROM = 0.97
MOST_RARE = 6.0
SCORE_AT = {1.0: 0.0, 0.10: 0.3, 0.05: 0.5, 0.02: 0.7, 0.005: 0.9, 0.0001: 0.99, 1e-6: 1.0}
"""Share of honest meters that score higher, to the score: the thresholds of the levels are false-alarm rates."""


class Tail:
    """How rare a score is among honest meters, as -log10 of the share that scores higher: 1 is one in ten.

    Up to 99 % by quantiles of honest scores, beyond by an exponential tail (the mean excess over a high threshold).
    """

    def fit(self, honest: np.ndarray, weight: np.ndarray | None = None) -> Self:
        """Raises ValueError without any honest score."""
        if not len(honest):
            raise ValueError("rarity is measured among honest scores, and there are none")
        order = np.argsort(honest)
        ranked = honest[order].astype(float)
        weight = np.ones(len(honest)) if weight is None else weight[order]
        at = (np.cumsum(weight) - weight / 2) / weight.sum()
        self.values_ = np.interp(QUANTILES, at, ranked)
        start = float(np.interp(TAIL_FROM, at, ranked))
        above = ranked > start
        excess = np.average(ranked[above] - start, weights=weight[above]) if above.any() else 0.0
        # Equal scores at the top have no excess; then a step of the usual spread counts as ten times rarer.
        self.scale_ = float(max(excess, 0.05 * (ranked.std() + 1e-9), 1e-9))
        return self

    def rarity(self, scores: np.ndarray) -> np.ndarray:
        """(N,) in 0..MOST_RARE, rising with the score."""
        scores = np.asarray(scores, float)
        # A step between equal quantiles would jump; a hair of slope keeps the order of the scores.
        values = self.values_ + np.arange(len(self.values_)) * 1e-9
        inside = -np.log10(1 - np.interp(scores, values, QUANTILES))
        beyond = np.maximum(scores - values[-1], 0) / (self.scale_ * np.log(10))
        return np.clip(inside + beyond, 0, MOST_RARE)

    def state(self) -> dict:
        return {"values": self.values_.tolist(), "scale": self.scale_}

    @classmethod
    def from_state(cls, state: dict) -> Self:
        tail = cls()
        tail.values_, tail.scale_ = np.array(state["values"], float), float(state["scale"])
        return tail


def score_of(rarity: np.ndarray) -> np.ndarray:
    """(N,) 0..1 from how rare the fused evidence is among honest meters."""
    shares = np.array(list(SCORE_AT))
    return np.interp(rarity, -np.log10(shares), list(SCORE_AT.values()))


class Chance:
    """The calibrated chance of a find at the declared prevalence: a logistic curve over the fused evidence."""

    def fit(self, fused: np.ndarray, theft: np.ndarray, weight: np.ndarray) -> Self:
        """Newton's method on the weighted likelihood, with a whisper of a prior so that separable cases end."""
        x = np.stack([np.ones_like(fused), fused], 1)
        at = np.array([np.log(PREVALENCE / (1 - PREVALENCE)), 0.0])
        for _step in range(50):
            chance = 1 / (1 + np.exp(-x @ at))
            slope = x.T @ (weight * (theft - chance)) - 1e-5 * at
            curve = (x * (weight * chance * (1 - chance))[:, None]).T @ x + 1e-5 * np.eye(2)
            step = np.linalg.solve(curve, slope)
            at = at + np.clip(step, -2, 2)
            if np.abs(step).max() < 1e-8:
                break
        self.intercept_, self.slope_ = float(at[0]), float(max(at[1], 0))
        return self

    def of(self, fused: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-(self.intercept_ + self.slope_ * np.asarray(fused, float))))

    def state(self) -> dict:
        return {"intercept": self.intercept_, "slope": self.slope_}

    @classmethod
    def from_state(cls, state: dict) -> Self:
        chance = cls()
        chance.intercept_, chance.slope_ = float(state["intercept"]), float(state["slope"])
        return chance
