"""Isolation forest on the change features: combinations of changes that few meters show, less energy before more.

Liu, Ting and Zhou 2008. It knows no theft, only what is rare among the meters that it was fitted on, so it also sees
attacks that nobody has thought of. Features are put on a common scale first; a gap counts as a meter like most.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
from sklearn.ensemble import IsolationForest

from ml.change_features import names

LESS = ("last14_level", "last14_own_level", "last14_peak", "since_q950", "since_hour_q1")
"""Features that fall when energy goes missing, in part of the day or all of it."""
LESS_WEIGHT = 0.5
NOT_A_CHANGE = ("change_place", "change_days", "change_by", "usual", "reference_", "last_year")
"""Beginnings of features that say how a meter is, or when it changed, not how much."""
NOT_A_SIZE = ("scan_centre", "scan_hours", "_shift")
SPREADS = 6.0
"""Features are cut at this many spreads from the middle."""
STEEPNESS = 20.0
"""Stretches the forest's scores, which lie between .3 and .8, to the scale of the features."""


@dataclass(frozen=True)
class Trees:
    """A fitted isolation forest as arrays: T trees of up to K nodes, so that no pickle is needed to keep it."""

    left: np.ndarray
    """(T, K) int32 node for features at or under the threshold; a leaf names itself."""
    right: np.ndarray
    column: np.ndarray
    threshold: np.ndarray
    depth: np.ndarray
    """(T, K) float32 expected depth of a row that ends in this leaf."""
    usual_depth: float
    steps: int
    """Most steps from a root to a leaf."""

    @classmethod
    def of(cls, forest: IsolationForest) -> Self:
        trees = [estimator.tree_ for estimator in forest.estimators_]
        most = max(tree.node_count for tree in trees)
        left, right = (np.tile(np.arange(most, dtype=np.int32), (len(trees), 1)) for _ in range(2))
        column = np.zeros((len(trees), most), np.int32)
        threshold, depth = (np.zeros((len(trees), most), np.float32) for _ in range(2))
        for at, (tree, columns) in enumerate(zip(trees, forest.estimators_features_, strict=True)):
            inner = np.flatnonzero(tree.children_left >= 0)
            left[at, inner], right[at, inner] = tree.children_left[inner], tree.children_right[inner]
            column[at, inner] = columns[tree.feature[inner]]
            # Rows are float32: a threshold rounded down sends the same rows to the left.
            exact = tree.threshold[inner]
            rounded = exact.astype(np.float32)
            threshold[at, inner] = np.where(rounded > exact, np.nextafter(rounded, np.float32(-np.inf)), rounded)
            steps = np.zeros(tree.node_count)
            for node in inner:  # a parent comes before its children
                steps[[tree.children_left[node], tree.children_right[node]]] = steps[node] + 1
            depth[at, : tree.node_count] = steps + average_depth(tree.n_node_samples)
        most_steps = max(tree.max_depth for tree in trees)
        return cls(left, right, column, threshold, depth, float(average_depth(forest.max_samples_)), most_steps)

    def score(self, rows: np.ndarray) -> np.ndarray:
        """(N,) 0 to 1 of (N, F) float32 rows: how soon random cuts set a row apart; about .5 for most."""
        total = np.zeros(len(rows), np.float32)
        every = np.arange(len(rows))
        for left, right, column, threshold, depth in zip(
            self.left, self.right, self.column, self.threshold, self.depth, strict=True
        ):
            node = np.zeros(len(rows), np.int32)
            for _ in range(self.steps):
                node = np.where(rows[every, column[node]] <= threshold[node], left[node], right[node])
            total += depth[node]
        return 2 ** (-total / len(self.left) / max(self.usual_depth, 1e-9))


def average_depth(rows: np.ndarray | int) -> np.ndarray:
    """Mean depth of an unsuccessful search in a random binary tree of that many rows (Liu et al., equation 1)."""
    rows = np.asarray(rows, float)
    many = 2 * (np.log(np.maximum(rows - 1, 1)) + np.euler_gamma) - 2 * (rows - 1) / np.maximum(rows, 1)
    return np.where(rows > 2, many, np.where(rows == 2, 1.0, 0.0))


class Novelty:
    """Fit on (N, K) change features of unlabelled meters, NaN where unknown; higher scores are more suspicious."""

    def __init__(self, n_estimators: int = 200, max_samples: int = 256, seed: int = 0, columns: Sequence[str] = ()):
        self.n_estimators, self.max_samples, self.seed = n_estimators, max_samples, seed
        self.columns = list(columns or names())

    def fit(self, features: np.ndarray) -> Self:
        """Raises ValueError without a meter to learn from."""
        if not len(features):
            raise ValueError("no meter to learn from")
        known = np.where(np.isnan(features).all(0), 0, features)
        low, self.middle_, high = np.nanquantile(known, [0.16, 0.5, 0.84], axis=0).astype(np.float32)
        self.spread_ = np.maximum((high - low) / 2, 1e-3 * np.maximum(np.abs(self.middle_), 1))
        rows = self.scaled(features)[:, self._used]
        forest = IsolationForest(
            n_estimators=self.n_estimators, max_samples=min(self.max_samples, len(rows)), random_state=self.seed
        )
        self.trees_ = Trees.of(forest.fit(rows))
        self.usual_ = float(np.median(self.trees_.score(rows)))
        return self

    def score(self, features: np.ndarray) -> np.ndarray:
        """(N,) about 0 for a meter like most."""
        scaled = self.scaled(features)
        rare = STEEPNESS * (self.trees_.score(scaled[:, self._used]) - self.usual_)
        return rare - LESS_WEIGHT * scaled[:, self._less].mean(1)

    def scaled(self, features: np.ndarray) -> np.ndarray:
        """(N, K) in spreads from the middle of the fitted meters, 0 where unknown."""
        scaled = np.nan_to_num((features - self.middle_) / self.spread_)
        return np.clip(scaled, -SPREADS, SPREADS).astype(np.float32)

    @property
    def _used(self) -> list[int]:
        return [
            at
            for at, name in enumerate(self.columns)
            if not name.startswith(NOT_A_CHANGE) and not name.endswith(NOT_A_SIZE)
        ]

    @property
    def _less(self) -> list[int]:
        return [self.columns.index(name) for name in LESS]

    def state(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Settings for JSON, and arrays by name."""
        trees = asdict(self.trees_)
        settings = {
            "n_estimators": self.n_estimators,
            "max_samples": self.max_samples,
            "seed": self.seed,
            "columns": self.columns,
            "usual": self.usual_,
            "usual_depth": trees.pop("usual_depth"),
            "steps": trees.pop("steps"),
        }
        return settings, trees | {"middle": self.middle_, "spread": self.spread_}

    @classmethod
    def from_state(cls, settings: dict, arrays: dict[str, np.ndarray]) -> Self:
        settings, arrays = dict(settings), dict(arrays)
        usual, depth, steps = (settings.pop(name) for name in ("usual", "usual_depth", "steps"))
        detector = cls(**settings)
        detector.usual_, detector.middle_, detector.spread_ = usual, arrays.pop("middle"), arrays.pop("spread")
        detector.trees_ = Trees(**arrays, usual_depth=depth, steps=steps)
        return detector
