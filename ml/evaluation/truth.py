"""What graded cases really were, and what each of them weighs in a population."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

UNTOUCHED = "untouched"
IDENTITY = "identity"
BEGAN_BEFORE = "began_before"
"""Theft from the first day on, and the beginning of such kinds' names: shown, but not counted in the headline."""
PREVALENCE = 0.05
"""Declared share of thieves among all meters."""
LOOK_ALIKE_SHARE = 0.15


@dataclass(frozen=True, eq=False)
class Truth:
    """One entry for each of N cases. Never seen by a detector."""

    kind: np.ndarray
    """str: untouched, the name of an attack, or of a legitimate look-alike."""
    theft: np.ndarray
    """bool"""
    family: np.ndarray
    """str, of an attack; '' for honest cases."""
    onset: np.ndarray
    """int, first changed civil day; -1 if untouched."""
    household: np.ndarray
    """int: cases of one household are not independent, so intervals draw households."""
    missing_kwh: np.ndarray
    """Energy that the meter did not report; 0 for honest cases."""

    def __len__(self) -> int:
        return len(self.kind)

    def take(self, rows: np.ndarray) -> Self:
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def of(cls, cases) -> Self:
        """Of anything with these arrays, `ml.synthetic.cases.Cases` for one, without what a detector saw."""
        truth = cls(*(np.asarray(getattr(cases, field.name)) for field in fields(cls)))
        older = truth.theft & (truth.onset <= 0) & truth.counted
        return replace(truth, kind=np.where(older, BEGAN_BEFORE, truth.kind)) if older.any() else truth

    @classmethod
    def concatenate(cls, truths: Sequence[Self]) -> Self:
        return cls(*(np.concatenate([getattr(truth, field.name) for truth in truths]) for field in fields(cls)))

    @property
    def counted(self) -> np.ndarray:
        """(N,) bool: in the headline; not the leak test, and not theft without an honest past."""
        return (self.kind != IDENTITY) & ~np.char.startswith(self.kind.astype(str), BEGAN_BEFORE)

    def attacks(self) -> list[str]:
        return np.unique(self.kind[self.theft & self.counted]).tolist()

    def look_alikes(self) -> list[str]:
        return np.unique(self.kind[~self.theft & self.counted & (self.kind != UNTOUCHED)]).tolist()


def population(truth: Truth, prevalence: float = PREVALENCE, counts: np.ndarray | None = None) -> np.ndarray:
    """(N,) weights that sum to 1: attacks alike and together `prevalence`, look-alikes alike and 15 % together.

    `counts` says how often each case was drawn in a resample. Kinds that nobody was drawn of weigh nothing.
    """
    counts = truth.counted.astype(float) if counts is None else counts * truth.counted
    kinds, code = np.unique(truth.kind, return_inverse=True)
    total = np.bincount(code, counts, len(kinds))
    is_theft = np.bincount(code, truth.theft, len(kinds)) > 0
    there = total > 0
    untouched = there & (kinds == UNTOUCHED)
    share = np.zeros(len(kinds))
    for group, whole in (
        (there & is_theft, prevalence),
        (there & ~is_theft & ~untouched, LOOK_ALIKE_SHARE),
        (untouched, 1 - prevalence - LOOK_ALIKE_SHARE),
    ):
        share[group] = whole / max(group.sum(), 1)
    weights = counts * (share / np.maximum(total, 1e-12))[code]
    return weights / max(weights.sum(), 1e-12)


def resamples(truth: Truth, draws: int, seed: int):
    """Yields (N,) counts: how often each case's household was drawn, households drawn with replacement."""
    households, number = np.unique(truth.household, return_inverse=True)
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        times = np.bincount(rng.integers(len(households), size=len(households)), minlength=len(households))
        yield times[number].astype(float)
