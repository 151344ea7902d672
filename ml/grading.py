"""How good a ranking is: what crews would find among the visits that they can make.

Cases are weighted, so that a few of each kind stand for a population with a declared share of thieves.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import rankdata


@dataclass(frozen=True)
class Precision:
    found: int
    visits: int
    low: float
    """Wilson interval at 95 %: it treats the visits as independent draws, so it is a little too narrow for one city."""
    high: float

    @property
    def value(self) -> float:
        return self.found / self.visits


def precision_at(scores: np.ndarray, truth: np.ndarray, share: float) -> Precision:
    """Among the best `share` of the consumers (at least one), how many are worth the visit. Ties fall by position."""
    visits = max(1, round(share * len(scores)))
    found = int(truth[np.argsort(-scores, kind="stable")[:visits]].sum())
    return Precision(found, visits, *wilson(found, visits))


def wilson(found: int, visits: int, z: float = 1.96) -> tuple[float, float]:
    share, scale = found / visits, 1 + z**2 / visits
    centre = (share + z**2 / (2 * visits)) / scale
    half = z * np.sqrt(share * (1 - share) / visits + z**2 / (4 * visits**2)) / scale
    return float(max(0, centre - half)), float(min(1, centre + half))


def auc(scores: np.ndarray, truth: np.ndarray) -> float:
    """Chance that one worth a visit ranks above one that is not, ties counting half. NaN without both."""
    positive, negative = truth.sum(), (~truth).sum()
    if not positive or not negative:
        return float("nan")
    return float((rankdata(scores)[truth].sum() - positive * (positive + 1) / 2) / (positive * negative))


@dataclass(frozen=True, eq=False)
class Places:
    """N scores from the highest to the lowest; equal scores share a place. Sorted once, weighed as often as needed."""

    scores: np.ndarray
    """(P,) the different scores, highest first."""
    place: np.ndarray
    """(N,) place of each case."""

    @classmethod
    def of(cls, scores: np.ndarray) -> "Places":
        lowest_first, place = np.unique(np.asarray(scores, float), return_inverse=True)
        return cls(lowest_first[::-1], len(lowest_first) - 1 - place.ravel())

    def weigh(self, theft: np.ndarray, weights: np.ndarray) -> "Ranking":
        """Raises ValueError when the weights leave no thieves or no honest meters."""
        thieves = np.bincount(self.place, weights * theft, len(self.scores))
        honest = np.bincount(self.place, weights * ~theft, len(self.scores))
        if not thieves.sum() or not honest.sum():
            raise ValueError("a ranking is graded on thieves and on honest meters, and one of them is missing")
        return Ranking(self, thieves, honest)


@dataclass(frozen=True, eq=False)
class Ranking:
    """A population from its highest score down, as (P,) weights of thieves and of honest meters at each place."""

    places: Places
    thieves: np.ndarray
    honest: np.ndarray

    @cached_property
    def _found(self) -> np.ndarray:
        """(P + 1,) share of all thieves down to each place, 0 first."""
        return np.concatenate([[0], np.cumsum(self.thieves)]) / self.thieves.sum()

    @cached_property
    def _alarmed(self) -> np.ndarray:
        """(P + 1,) share of all honest meters down to each place, 0 first."""
        return np.concatenate([[0], np.cumsum(self.honest)]) / self.honest.sum()

    @cached_property
    def _visited(self) -> np.ndarray:
        """(P + 1,) share of all meters down to each place, 0 first."""
        both = self.thieves + self.honest
        return np.concatenate([[0], np.cumsum(both)]) / both.sum()

    @property
    def prevalence(self) -> float:
        return float(self.thieves.sum() / (self.thieves.sum() + self.honest.sum()))

    def auc(self) -> float:
        return float(np.trapezoid(self._found, self._alarmed))

    def average_precision(self) -> float:
        """Mean precision over the thieves, each counted with all that rank as high as it or higher."""
        precision = self.prevalence * self._found[1:] / np.maximum(self._visited[1:], 1e-300)
        return float(np.diff(self._found) @ precision)

    def recall_top(self, share: float) -> float:
        """Share of the thieves among the best `share` of all meters; equal scores in proportion."""
        return float(np.interp(share, self._visited, self._found))

    def precision_top(self, share: float) -> float:
        return self.prevalence * self.recall_top(share) / share

    def detected(self, false_positive_rate: float) -> float:
        """Share of the thieves above the score that this share of the honest meters exceeds."""
        return float(self._found[self._above(false_positive_rate)])

    def threshold(self, false_positive_rate: float) -> float:
        """The score that at most this share of the honest meters exceeds."""
        return float(self.places.scores[min(self._above(false_positive_rate), len(self.places.scores) - 1)])

    def _above(self, false_positive_rate: float) -> int:
        """How many places, from the top, hold no more than this share of the honest meters."""
        return int(np.searchsorted(self._alarmed[1:], false_positive_rate + 1e-12, side="right"))

    def score_at(self, share: float) -> float:
        """The score down to which the best `share` of all meters reach."""
        at = np.searchsorted(self._visited[1:], share - 1e-12)
        return float(self.places.scores[min(at, len(self.places.scores) - 1)])

    def roc(self, points: int = 60) -> list[list[float]]:
        """[false alarms, found] from (0, 0) to (1, 1), closer together where false alarms are few."""
        grid = np.linspace(0, 1, points) ** 2
        return np.c_[grid, np.interp(grid, self._alarmed, self._found)].round(4).tolist()

    def precision_recall(self, points: int = 60) -> list[list[float]]:
        """[recall, precision], for recall above 0."""
        recall = np.linspace(1 / points, 1, points)
        at = np.searchsorted(self._found, recall - 1e-12)
        part = (recall - self._found[at - 1]) / (self._found[at] - self._found[at - 1])
        visited = self._visited[at - 1] + part * (self._visited[at] - self._visited[at - 1])
        return np.c_[recall, self.prevalence * recall / visited].round(4).tolist()


@dataclass(frozen=True)
class Calibration:
    """What a stated chance is worth, each case with its weight in the population."""

    points: list[dict[str, float]]
    """From the lowest chance up: `predicted` and `observed` share of finds, `share` of the population."""
    brier: float
    error: float
    """Mean distance between stated and observed over the points (expected calibration error)."""


def calibration(probability: np.ndarray, theft: np.ndarray, weights: np.ndarray, points: int = 10) -> Calibration:
    """The points hold equal shares of the finds, stated and real: that is where a chance is read."""
    weights = weights / weights.sum()
    order = np.argsort(probability, kind="stable")
    p, y, w = probability[order], theft[order].astype(float), weights[order]
    mass = np.cumsum(w * (p + y) + 1e-12)
    bins = np.minimum((mass / mass[-1] * points).astype(int), points - 1)
    share = np.bincount(bins, w, points)
    some = share > 0
    predicted = np.bincount(bins, w * p, points)[some] / share[some]
    observed = np.bincount(bins, w * y, points)[some] / share[some]
    rows = zip(predicted.tolist(), observed.tolist(), share[some].tolist(), strict=True)
    return Calibration(
        points=[dict(zip(("predicted", "observed", "share"), row, strict=True)) for row in rows],
        brier=float(w @ (p - y) ** 2),
        error=float(share[some] @ np.abs(predicted - observed)),
    )
