"""One evaluation: its source, its settings, and what was trained so far for the split at hand."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ml import nets
from ml.change_features import change_features
from ml.config import Config, default_config
from ml.evaluation.study import ORDINARY, Batch, Scored, Scorer, Setting, Source, score
from ml.evaluation.truth import Truth
from ml.evidence import Evidence, Neighbourhood, without_outages
from ml.stage import Seen
from ml.training import Drawn, joined
from ml.unsupervised import Unsupervised

FAULTS: dict[str, Setting] = {
    "none": ORDINARY,
    "3 foreign meters": Setting(faults={"foreign_meters": 3}),
    "clock 30 min off": Setting(faults={"clock_lag_slots": 1}),
    "noise 2 %": Setting(faults={"noise": 0.02}),
    "20 % thieves": Setting(faults={"theft_share": 0.2}),
    "groups of 10": Setting(group_size=10),
    "groups of 60": Setting(group_size=60),
}

MORNINGS = (38, 45, 49, 53, 58, 63, 68, 73, 78, 84)
"""Of the days on which training sees cases as they were known then: a detector is asked every night."""
CALIBRATING = 5
"""One in so many training households calibrates."""


@dataclass(eq=False)
class Study:
    source: Source
    part: str = "validation"
    """The graded part; `test` only for figures that are reported."""
    quick: bool = False
    progress: Callable[[str], None] = print
    resamples: int = 200
    config: Config = field(default_factory=default_config)
    _memory: dict = field(default_factory=dict)

    def population(self, seed: int) -> Evidence:
        """The training households as their meters report: some steal, nobody says which."""
        return self.remembered(seed, "population", lambda: self._evidence(seed))

    def _evidence(self, seed: int) -> Evidence:
        window = self.source.window(seed, "train", everyday=True)
        return Neighbourhood(window).evidence(slice(0, len(window)))

    def signs(self, seed: int) -> Unsupervised:
        """How unusual changes are among honest ones, learned from the training households."""
        return self.remembered(seed, "signs", lambda: Unsupervised(networks=False).fit(self.population(seed)))

    def networks(self, seed: int) -> dict:
        """The autoencoder and the forecaster, fitted to the training households; empty without torch."""
        return self.remembered(
            seed, "networks", lambda: nets.fit(self.config, self.population(seed), lambda doing: None)
        )

    def given(self, seed: int, evidence: Evidence, seen: Seen) -> dict[str, np.ndarray]:
        """What those parts of a stage say that look at the readings themselves."""
        return {"statistical": self.signs(seed).score(evidence, seen.features)} | nets.scores(
            self.networks(seed), evidence
        )

    def plain_features(self, seed: int) -> np.ndarray:
        """(M, K) change features of the training households as they are."""
        return self.remembered(seed, "plain features", lambda: change_features(without_outages(self.population(seed))))

    def training(self, seed: int) -> Drawn:
        """The source's own cases of the training households, once as they are and once more with faulty balances."""
        return self.remembered(seed, "training", lambda: self._training(seed))

    def _training(self, seed: int) -> Drawn:
        return joined([self._drawn(seed, batch) for batch in self._training_batches(seed)])

    def _drawn(self, seed: int, batch: Batch) -> Drawn:
        """The parts that look at the readings are asked only where they calibrate: they teach nothing."""
        rows = np.flatnonzero(calibrates(batch.truth, seed))
        said = self.given(seed, batch.evidence.take(rows), batch.features.take(rows))
        given = {part: np.full(len(batch), np.nan) for part in said}
        for part, values in said.items():
            given[part][rows] = values
        return Drawn(batch.features, given, batch.truth)

    def _training_batches(self, seed: int) -> Iterable[Batch]:
        kinds = getattr(self.source, "known_kinds", None)
        quick = slice(None, 4) if self.quick else slice(None)
        yield from self.source.batches(seed, "train", Setting(kinds=kinds, groups=quick))
        faults = [] if self.quick or kinds is None else list(FAULTS.values())
        for number, fault in enumerate(faults):
            some = Setting(kinds, fault.faults, fault.group_size, number + 1, slice(number, None, len(faults)))
            yield from self.source.batches(seed, "train", some)
        if faults:
            yield from self.source.batches(seed, "train", Setting(kinds, draw=len(faults) + 1, mornings=MORNINGS))

    def graded(self, seed: int, setting: Setting = ORDINARY) -> Iterable[Batch]:
        """The cases to grade. Features of the ordinary ones are kept from pass to pass."""
        if setting is not ORDINARY:
            yield from self.source.batches(seed, self.part, setting)
            return
        kept = self.remembered(seed, "features of graded cases", list)
        for number, batch in enumerate(self.source.batches(seed, self.part)):
            if number == len(kept):
                kept.append({})
            yield replace(batch, kept=kept[number])

    def scored(self, seed: int, scorers: Mapping[str, Scorer], setting: Setting = ORDINARY) -> Scored:
        return score(scorers, self.graded(seed, setting))

    def remembered(self, seed: int, name: str, make: Callable):
        """What was made before for this seed; that of other seeds is let go, it would fill the memory."""
        for old in [key for key in self._memory if key[0] != seed]:
            del self._memory[old]
        if (seed, name) not in self._memory:
            self.progress(f"split {seed}: {name}")
            self._memory[seed, name] = make()
        return self._memory[seed, name]


def calibrates(truth: Truth, seed: int) -> np.ndarray:
    """(N,) bool: of a fifth of the training households, which teach nothing."""
    return truth.household % CALIBRATING == seed % CALIBRATING
