"""One evaluation: its source, its settings, and what was trained so far for the split at hand."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ml import nets
from ml.change_features import change_features
from ml.config import Config, default_config
from ml.evaluation.study import ORDINARY, Batch, Scored, Scorer, Setting, Source, score
from ml.evidence import Evidence, Neighbourhood
from ml.training import Drawn
from ml.training import _joined as joined
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

    def unsupervised(self, seed: int) -> Unsupervised:
        """The fusion of all that learns without a simulated theft, fitted to the training households."""
        return self.remembered(
            seed, "unsupervised", lambda: Unsupervised(settings=self.config.models).fit(self.population(seed))
        )

    def networks(self, seed: int) -> dict:
        """The autoencoder and the forecaster that were fitted with it; empty without torch."""
        return self.unsupervised(seed).networks_

    def plain_features(self, seed: int) -> np.ndarray:
        """(M, K) change features of the training households as they are."""
        return self.remembered(seed, "plain features", lambda: change_features(self.population(seed)))

    def training(self, seed: int) -> Drawn:
        """The source's own cases of the training households, once as they are and once more with faulty balances."""
        return self.remembered(seed, "training", lambda: self._training(seed))

    def _training(self, seed: int) -> Drawn:
        networks = self.networks(seed)
        parts = [
            Drawn(batch.features, nets.scores(networks, batch.evidence), batch.truth)
            for batch in self._training_batches(seed)
        ]
        return joined(parts)

    def _training_batches(self, seed: int) -> Iterable[Batch]:
        kinds = getattr(self.source, "known_kinds", None)
        quick = slice(None, 4) if self.quick else slice(None)
        yield from self.source.batches(seed, "train", Setting(kinds=kinds, groups=quick))
        faults = [] if self.quick or kinds is None else list(FAULTS.values())
        for number, fault in enumerate(faults):
            some = Setting(kinds, fault.faults, fault.group_size, number + 1, slice(number, None, len(faults)))
            yield from self.source.batches(seed, "train", some)

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
