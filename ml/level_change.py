"""How far the last weeks fell below a meter's own past and its neighbours, as evidence in 0..1."""

from typing import Self

import numpy as np

from ml.features import measure
from ml.rules import between
from ml.window import MeterWindow


class LevelChange:
    """The plain rule's figure, weighed by how much the meter's level wanders anyway. Needs no learning."""

    def fit(self, window: MeterWindow, outcomes: None = None) -> Self:
        return self

    def score(self, window: MeterWindow) -> np.ndarray:
        measures = measure(window)
        fallen = -np.maximum(measures.feature("level_14"), measures.feature("level_28"))
        return between(fallen, 0.15, 0.8) * between(-measures.feature("step_strength"), 1.0, 2.5)
