"""How good a ranking is: what crews would find among the visits that they can make."""

from dataclasses import dataclass

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
