"""What is graded: our detectors, the usual recipes and plain rules, one line each in DETECTORS.

`fit` trains on the part `train` of a split and returns a scorer. Nothing here is tuned; the detectors bring their own
parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import IsolationForest

from ml.evaluation.runs import Study
from ml.evaluation.study import Scorer
from ml.evidence import Evidence, fill_gaps

FLOOR = 0.02
"""Added to levels before their logarithm is taken: half a day's standby counts as nothing."""
RAW_DAYS = 28


@dataclass(frozen=True)
class Detector:
    title: str
    learns: str
    """From what: nothing, readings (without labels), cases (the source's own simulated ones), or own simulator."""
    sees: str
    """meter, balance or both."""
    fit: Callable[[Study, int], Scorer]


def plain_rule(study: Study, seed: int) -> Scorer:
    """The frozen protocol's own rule where there is one, else ours: same idea, same 14 days."""
    level_drop = getattr(study.source, "level_drop", None)
    if level_drop is not None:
        return lambda batch: level_drop(batch.seen)
    return lambda batch: fallen_level(batch.evidence)


def fallen_level(evidence: Evidence, recent: int = 14) -> np.ndarray:
    """(N,) how far the last days lie below the meter's own reference, both against the neighbours' level."""
    daily = fill_gaps(evidence.kwh).sum(2)
    usual = _mean(daily, evidence.reference)[:, None] + 1e-3
    relative = np.log((daily / usual + FLOOR) / (evidence.peer_level + FLOOR))
    return np.nan_to_num(_mean(relative, evidence.reference) - relative[:, -recent:].mean(1))


def _mean(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return np.where(chosen, values, 0).sum(1) / np.maximum(chosen.sum(1), 1)


def chance(study: Study, seed: int) -> Scorer:
    rng = np.random.default_rng([seed, 1])
    return lambda batch: rng.random(len(batch))


def raw_forest(study: Study, seed: int) -> Scorer:
    """The textbook's isolation forest: levels, spread, extremes, zeros and the mean day of four weeks."""
    forest = IsolationForest(n_estimators=300, random_state=seed).fit(raw_features(study.population(seed)))
    return lambda batch: -forest.score_samples(raw_features(batch.evidence))


def raw_features(evidence: Evidence) -> np.ndarray:
    recent = fill_gaps(evidence.kwh)[:, -RAW_DAYS:]
    flat, daily = recent.reshape(len(recent), -1), recent.sum(2)
    extremes = (flat.mean(1), flat.std(1), flat.max(1), flat.min(1), (flat <= 0.0015).mean(1), daily.std(1))
    return np.c_[np.stack(extremes, 1), recent.mean(1)]


def change_point(study: Study, seed: int) -> Scorer:
    return lambda batch: batch.change_point.strength


# PROVISIONAL until ml.booster is there
class _Booster:
    def __init__(self, features, training, seed):
        import lightgbm  # noqa: PLC0415 provisional

        from ml.evaluation.truth import population  # noqa: PLC0415 provisional

        truth = training.truth
        rows = np.flatnonzero(truth.counted)
        weights = population(truth, 0.5)[rows]
        self.features = features
        self.model = lightgbm.LGBMClassifier(n_estimators=120, num_leaves=15, verbose=-1, n_jobs=1, random_state=seed)
        x = np.hstack([getattr(training, name) for name in features])[rows]
        self.model.fit(x, truth.theft[rows], sample_weight=weights / weights.mean())

    def __call__(self, batch):
        return self.model.predict_proba(np.hstack([getattr(batch, name) for name in self.features]))[:, 1]

    probability = __call__

    def onset(self, batch):
        return batch.change_point.day

    def families(self, batch):
        return np.tile(["reduce", "window"], (len(batch), 1))

    def importance(self):
        return dict(zip(map(str, range(5)), self.model.feature_importances_[:5].tolist(), strict=True))


TRAINERS = {
    "known": lambda training, seed: _Booster(["change"], training, seed),
    "known_fused": lambda training, seed: _Booster(["change"], training, seed),
}


def family_guesses(guesses: np.ndarray, truth, detected: np.ndarray) -> dict[str, float]:
    """Share of the detected thefts whose family is the first of (N, 2) names, or one of both."""
    chosen = detected & truth.theft & truth.counted
    right = guesses[chosen] == truth.family[chosen][:, None]
    return {"family_first_guess": float(right[:, 0].mean()), "family_in_two": float(right.any(1).mean())}


def _trained(name):
    return lambda study, seed: TRAINERS[name](study.training(seed), seed)


DETECTORS = {
    "plain_rule": Detector("plain rule", "nothing", "meter", plain_rule),
    "fallen_level": Detector(
        "plain rule, ours", "nothing", "meter", lambda study, seed: lambda batch: fallen_level(batch.evidence)
    ),
    "random": Detector("chance", "nothing", "meter", chance),
    "raw_forest": Detector("isolation forest, raw", "readings", "meter", raw_forest),
    "change_point": Detector("change point", "nothing", "meter", change_point),
    "known": Detector("booster", "cases", "meter", _trained("known")),
    "known_booster": Detector("booster", "cases", "meter", _trained("known")),
    "balance": Detector("booster", "cases", "meter", _trained("known")),
    "known_fused": Detector("booster", "cases", "meter", _trained("known_fused")),
    "shipped": Detector("booster", "cases", "meter", _trained("known_fused")),
    "shipped_fused": Detector("booster", "cases", "meter", _trained("known_fused")),
}
