"""Cases that are graded, and detectors that are run over them.

A source hands out batches of cases: the frozen protocol's, on real curves, or our own simulator's on a made-up city. A
detector is trained on the part `train` of a split, scores `validation` while it is being built and `test` at the end.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ml.evaluation.truth import Truth
from ml.evidence import Evidence
from ml.stage import Seen, see
from ml.window import MeterWindow

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Batch:
    """Some cases: what a detector sees, and what is the truth. Features are computed once for all detectors."""

    evidence: Evidence
    truth: Truth
    seen: object = None
    """The protocol's own evidence about the same cases, None for made-up ones: its plain rule reads it."""
    frozen: object = None
    """The protocol's own truth."""
    kept: dict = field(default_factory=dict)
    """What was computed about these cases before; a study hands it from one pass over them to the next."""

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def features(self) -> Seen:
        """What the stages of an ensemble ask about a case."""
        return self.keep("features", lambda: see(self.evidence))

    def keep(self, name: str, compute: Callable):
        if name not in self.kept:
            self.kept[name] = compute()
        return self.kept[name]


Scorer = Callable[[Batch], np.ndarray]
"""N cases to N scores, or to N rows of anything."""


@dataclass(frozen=True, eq=False)
class Scored:
    """What several scorers said about the same cases."""

    values: dict[str, np.ndarray]
    truth: Truth
    frozen: object = None


def score(scorers: Mapping[str, Scorer], batches: Iterable[Batch]) -> Scored:
    """All cases, one batch in memory at a time. Raises ValueError for a score that is not finite."""
    values: dict[str, list[np.ndarray]] = {name: [] for name in scorers}
    truths, frozen = [], []
    for batch in batches:
        for name, scorer in scorers.items():
            value = np.asarray(scorer(batch))
            if len(value) != len(batch) or (value.dtype.kind == "f" and not np.isfinite(value).all()):
                raise ValueError(f"{name} owes one finite score for each of {len(batch)} cases")
            values[name].append(value)
        truths.append(batch.truth)
        frozen.append(batch.frozen)
    whole = None if frozen[0] is None else type(frozen[0]).concatenate(frozen)
    return Scored({name: np.concatenate(value) for name, value in values.items()}, Truth.concatenate(truths), whole)


@dataclass(frozen=True)
class Setting:
    """How cases differ from the ordinary ones."""

    kinds: Sequence[str] | None = None
    """None: all of them."""
    faults: Mapping[str, float] = field(default_factory=dict)
    """What is wrong with the balance, in the protocol's words."""
    group_size: int = 25
    draw: int = 0
    """Above 0: other cases of the same households, for training only."""
    groups: slice = field(default_factory=lambda: slice(None))
    """Some of the transformers only."""
    mornings: Sequence[int] = ()
    """For training only: each case as it was known on the morning of one of these days, if it had begun by then."""


ORDINARY = Setting()


class Source(Protocol):
    """Where cases come from, and how scores of them are graded."""

    title: str
    attacks: Sequence[str]
    look_alikes: Sequence[str]
    families: Mapping[str, str]
    """Attack to its family."""

    def batches(self, seed: int, part: str, setting: Setting = ORDINARY) -> Iterator[Batch]: ...

    def nights(self, seed: int, part: str) -> Iterator[Iterator[Batch]]:
        """Some cases after the other, each time as they were known one night after the other."""

    def window(self, seed: int, part: str, everyday: bool = False) -> MeterWindow:
        """The households of a part without labels; `everyday`: as reported, thieves and look-alikes among them."""

    def grade(
        self, scores, scored: Scored, *, threshold=None, attacks=None, resamples: int = 200, seed: int = 0
    ) -> dict:
        """{headline: {figure: {value, low, high}}, by_attack, false_alarms, identity_auc, cases, at_threshold}."""

    def threshold(self, scores, scored: Scored) -> float:
        """The score that 5 % of the honest exceed."""

    def false_alarms(self, scores, scored: Scored, look_alike: str) -> float:
        """Share of a look-alike above the score that 5 % of the other honest cases exceed."""

    def grade_delay(self, chosen_on: tuple[np.ndarray, Scored], graded: tuple[np.ndarray, Scored]) -> dict: ...

    def grade_onset(self, day: np.ndarray, scored: Scored, detected: np.ndarray) -> dict: ...
