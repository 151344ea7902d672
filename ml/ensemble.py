"""The detectors together: one score, what each part adds to it, and why."""

from typing import Protocol, Self

import numpy as np

from ml.config import PARTS, Config, default_config
from ml.explain import explain
from ml.features import measure
from ml.findings import Finding
from ml.isolation import IsolationDetector
from ml.rules import Rules
from ml.window import MeterWindow


class Detector(Protocol):
    """Learns from many meters, then scores meters: (M,) in 0..1, higher is more suspicious."""

    def fit(self, window: MeterWindow, outcomes: None = None) -> Self: ...

    def score(self, window: MeterWindow) -> np.ndarray: ...


class Ensemble:
    """A weighted sum of its parts, and a detector itself. No part learns from outcomes yet."""

    def __init__(self, config: Config | None = None):
        self.config = config or default_config()
        self.rules = Rules(self.config.rules["weights"])
        self.isolation = IsolationDetector(**self.config.isolation_forest)
        self.detectors: dict[str, Detector] = dict(zip(PARTS, (self.rules, self.isolation), strict=True))

    def fit(self, window: MeterWindow, outcomes: None = None) -> Self:
        """Raises ValueError when no meter of the window has enough data."""
        for detector in self.detectors.values():
            detector.fit(window, outcomes)
        return self

    def score(self, window: MeterWindow) -> np.ndarray:
        """(M,) in 0..1; 0 where there is too little data to say anything."""
        return sum(self.parts(window).values())

    def parts(self, window: MeterWindow) -> dict[str, np.ndarray]:
        """Part to the (M,) it adds to the score."""
        return {part: self.config.weights[part] * detector.score(window) for part, detector in self.detectors.items()}

    def explain(self, window: MeterWindow) -> list[Finding]:
        """A finding for each meter, in the order of the window."""
        return explain(window, measure(window), self.rules.evidence(window), self.parts(window), self.config)
