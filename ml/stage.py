"""The detectors of one reading interval, trained, calibrated and fused: evidence in, judgement out.

Every part speaks the same scale before the parts are weighed: how rare its score is among honest meters (-log10 of the
share that scores higher). The weighted sum is Fisher's way of joining evidence; calibration on held-out households
turns it into a score and a chance.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from ml import nets
from ml.balance import balance_features, trust, trusted
from ml.booster import Booster, KindBooster
from ml.calibration import Chance, Tail, score_of
from ml.change_features import features_of, names
from ml.change_point import ChangePoint, find_change
from ml.day_channels import REGISTER_KWH, read_days
from ml.evidence import Evidence, without_outages
from ml.novelty import Novelty
from ml.unsupervised import Unsupervised

METER, FUSED = "meter", "fused"
"""Whether the balance of the transformer speaks: each is calibrated by itself, so that their scores compare."""
KNOW_THEFT = ("booster", "balance", "outcomes")
MOST_UNUSUAL = 1.6
"""Rarity, one meter in forty, up to which the other parts count: they tell that a change is odd, and a few honest homes
are odder than any thief."""
THEFT = "theft:"
"""Begins the names of attack families among the kinds that a case can look like."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What the detectors ask about N meters, computed once."""

    change: ChangePoint
    features: np.ndarray
    """(N, K) change features."""
    balance: np.ndarray | None
    """(N, B) balance features, NaN without a trusted sum meter; None when no meter has one."""

    def take(self, rows: np.ndarray) -> Self:
        """Of some of the meters, by index or mask."""
        change = ChangePoint(**{name: values[rows] for name, values in vars(self.change).items()})
        return replace(
            self,
            change=change,
            features=self.features[rows],
            balance=None if self.balance is None else self.balance[rows],
        )

    @property
    def balanced(self) -> np.ndarray:
        """(N,) bool: the balance speaks."""
        if self.balance is None:
            return np.zeros(len(self.features), bool)
        return ~np.isnan(self.balance).all(1)

    @property
    def trust(self) -> np.ndarray:
        """(N,) 0..1: how far the balance is believed."""
        return np.zeros(len(self.features)) if self.balance is None else trust(self.balance)

    @property
    def both(self) -> np.ndarray:
        return np.hstack([self.features, self.balance])


def see(evidence: Evidence) -> Seen:
    usual = without_outages(evidence)
    days = read_days(usual)
    change = find_change(days)
    balance = None
    if evidence.measured is not None:
        balance = balance_features(evidence)
        balance[~trusted(balance)] = np.nan
    return Seen(change, features_of(days, change, usual), balance)


def plain_rule(features: np.ndarray) -> np.ndarray:
    """(N,) what every detector has to beat: how far the last 14 days lie below the own past and the neighbours, or how
    much of them reads zero."""
    column = {name: at for at, name in enumerate(names())}
    less = -np.nan_to_num(features[:, column["last14_level"]])
    zero = np.nan_to_num(features[:, column["last14_zero"]])
    return np.maximum(less, 1.5 * zero)


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a stage thinks of N meters."""

    score: np.ndarray
    """(N,) 0..1."""
    probability: np.ndarray
    """(N,) calibrated chance of a find."""
    parts: dict[str, np.ndarray]
    """Part to the (N,) it adds to the score."""
    kinds: np.ndarray
    """(N, classes) share of each family and honest change."""
    change: ChangePoint
    balanced: np.ndarray
    """(N,) bool."""
    ranks: dict[str, np.ndarray]
    """Part to the (N,) share of honest meters that score lower."""

    @classmethod
    def concatenate(cls, some: "list[Judgement]") -> Self:
        def joined(name):
            return np.concatenate([getattr(one, name) for one in some])

        def by_part(name):
            return {part: np.concatenate([getattr(one, name)[part] for one in some]) for part in getattr(some[0], name)}

        changes = {name: np.concatenate([getattr(one.change, name) for one in some]) for name in vars(some[0].change)}
        return cls(
            score=joined("score"),
            probability=joined("probability"),
            parts=by_part("parts"),
            kinds=joined("kinds"),
            change=ChangePoint(**changes),
            balanced=joined("balanced"),
            ranks=by_part("ranks"),
        )

    def silenced(self, rows: np.ndarray) -> Self:
        """With nothing to say about the meters of a mask: scores of 0."""

        def quiet(values):
            return np.where(rows, 0, values)

        parts = {part: quiet(values) for part, values in self.parts.items()}
        return replace(self, score=quiet(self.score), probability=quiet(self.probability), parts=parts)


@dataclass
class Stage:
    weights: dict[str, float]
    booster: Booster
    novelty: Novelty
    kinds: KindBooster
    fused: Booster | None = None
    outcomes: Booster | None = None
    tails: dict[str, Tail] = field(default_factory=dict)
    """Part to the rarity of its scores among honest meters; `meter` and `fused` are the weighted evidence's."""
    signs: Unsupervised | None = None
    """The statistical part: how unusual a change is among honest changes. None for daily readings, which have no shape;
    there the plain rule speaks."""
    chances: dict[str, Chance] = field(default_factory=dict)

    def given(self, networks: dict, evidence: Evidence, seen: Seen) -> dict[str, np.ndarray]:
        """The (N,) scores of those parts that look at the readings themselves."""
        found = nets.scores(networks, evidence)
        if self.signs is not None:
            # A meter that never registered anything did not change: its lines and caps are no signs.
            found["statistical"] = np.where(_ever_used(evidence), self.signs.score(evidence, seen.features), np.nan)
        return found

    def scores(self, seen: Seen, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Part to its own (N,) scores, on its own scale; NaN where it has nothing to say."""
        found = {
            "statistical": plain_rule(seen.features),
            "isolation_forest": self.novelty.score(seen.features),
            **given,
            "booster": self.booster.score(seen.features),
        }
        if self.fused is not None and seen.balance is not None:
            balance = np.full(len(seen.features), np.nan)
            rows = seen.balanced
            balance[rows] = self.fused.score(seen.both[rows])
            found["balance"] = balance
        if self.outcomes is not None:
            found["outcomes"] = self.outcomes.score(seen.features)
        return found

    def rarities(self, scores: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {part: self.tails[part].rarity(values) for part, values in scores.items() if part in self.tails}

    def fuse(
        self, rarities: Mapping[str, np.ndarray], believed: np.ndarray | float = 1.0
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """(N,) weighted evidence, and the share of each part in it. A balance counts as far as it is `believed`, (N,)
        in 0..1: it may be no worse for a meter than no balance at all."""
        weight = {part: self.weights[part] * ~np.isnan(values) for part, values in rarities.items()}
        if "balance" in weight:
            weight["balance"] = weight["balance"] * believed
        weighed = {part: weight[part] * np.nan_to_num(_as_said(part, values)) for part, values in rarities.items()}
        evidence = sum(weighed.values())
        shares = {part: values / np.maximum(evidence, 1e-12) for part, values in weighed.items()}
        return evidence / np.maximum(sum(weight.values()), 1e-12), shares

    def judge(self, seen: Seen, given: Mapping[str, np.ndarray]) -> Judgement:
        rarities = self.rarities(self.scores(seen, given))
        evidence, shares = self.fuse(rarities, seen.trust)
        balanced = seen.balanced if FUSED in self.chances else np.zeros(len(evidence), bool)
        score, probability = np.zeros(len(evidence)), np.zeros(len(evidence))
        for mode, rows in ((METER, ~balanced), (FUSED, balanced)):
            if rows.any():
                score[rows] = score_of(self.tails[mode].rarity(evidence[rows]))
                probability[rows] = self.chances[mode].of(evidence[rows])
        return Judgement(
            score=score,
            probability=probability,
            parts={part: score * share for part, share in shares.items()},
            kinds=self.kinds.shares(seen.features),
            change=seen.change,
            balanced=balanced,
            ranks={part: 1 - 10 ** -np.nan_to_num(values) for part, values in rarities.items()},
        )


def _as_said(part: str, rarity: np.ndarray) -> np.ndarray:
    return rarity if part in KNOW_THEFT else np.minimum(rarity, MOST_UNUSUAL)


def _ever_used(evidence: Evidence) -> np.ndarray:
    """(N,) bool: more than the zeros of a register, at least once in the reference."""
    return ((evidence.kwh > REGISTER_KWH) & evidence.reference[:, :, None]).any((1, 2))
