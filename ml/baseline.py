"""The plain rule that every detector has to beat: the last 14 days against the own past and the neighbours."""

from typing import Self

import numpy as np

from ml.features import measure
from ml.window import MeterWindow


class PlainRule:
    def fit(self, window: MeterWindow, outcomes: None = None) -> Self:
        return self

    def score(self, window: MeterWindow) -> np.ndarray:
        """(M,) in 0..1: the share by which the level fell; 0 where it rose or is not known."""
        return 1 - np.exp(np.minimum(measure(window).feature("level_14"), 0))
