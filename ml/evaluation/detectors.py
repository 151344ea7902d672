"""What is graded: our detectors, the usual recipes and plain rules, one line each in DETECTORS.

Each is trained on the part `train` of a split and becomes a scorer. Nothing is tuned here but in config.yaml.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from sklearn.ensemble import IsolationForest

from ml.booster import Booster, KindBooster
from ml.change_features import names
from ml.ensemble import Ensemble
from ml.evaluation.runs import Study, calibrates
from ml.evaluation.study import Batch, Scorer
from ml.evaluation.truth import UNTOUCHED, Truth
from ml.evidence import Evidence, fill_gaps
from ml.novelty import Novelty
from ml.stage import FUSED, METER, THEFT, Judgement, Seen, Stage
from ml.training import Drawn, calibrate, hasty, kinds_apart

FLOOR = 0.02
"""Added to levels before their logarithm is taken: standby counts as nothing."""
RAW_DAYS = 28
ROUNDS = 5
"""Times the rounds that a utility's boosters take: a source's own cases are what is graded, so more of them pay."""


# --------------------------------------------------------------------------------------------- rules and recipes


def plain_rule(study: Study, seed: int) -> Scorer:
    """The frozen protocol's own rule where there is one, else ours: the same idea, the same 14 days."""
    level_drop = getattr(study.source, "level_drop", None)
    if level_drop is not None:
        return lambda batch: level_drop(batch.seen)
    return our_rule(study, seed)


def our_rule(study: Study, seed: int) -> Scorer:
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
    """The textbook's isolation forest: level, spread, extremes, zeros and the mean day of four weeks."""
    forest = IsolationForest(n_estimators=300, random_state=seed).fit(raw_features(study.population(seed)))
    return lambda batch: -forest.score_samples(raw_features(batch.evidence))


def raw_features(evidence: Evidence) -> np.ndarray:
    recent = fill_gaps(evidence.kwh)[:, -RAW_DAYS:]
    flat, daily = recent.reshape(len(recent), -1), recent.sum(2)
    extremes = (flat.mean(1), flat.std(1), flat.max(1), flat.min(1), (flat <= 0.0015).mean(1), daily.std(1))
    return np.c_[np.stack(extremes, 1), recent.mean(1)]


def classic(study: Study, seed: int) -> Scorer:
    """The recipe of the system's first description, as described. Raises ModuleNotFoundError without torch."""
    from ml.classic import Classic  # noqa: PLC0415 torch takes seconds to load and may not be installed

    epochs = {"autoencoder_epochs": 2, "lstm_epochs": 1} if study.quick else {}
    recipe = Classic(threads=1, **epochs).fit(study.population(seed))
    return lambda batch: recipe.score(batch.evidence)


# ------------------------------------------------------------------------------------------ without simulated theft


def change_point(study: Study, seed: int) -> Scorer:
    return lambda batch: batch.features.change.strength


def novelty(study: Study, seed: int) -> Scorer:
    forest = Novelty().fit(study.plain_features(seed))
    return lambda batch: forest.score(batch.features.features)


def network(name: str) -> Callable[[Study, int], Scorer]:
    def fit(study: Study, seed: int) -> Scorer:
        """Raises ModuleNotFoundError without torch."""
        if name not in study.networks(seed):
            raise ModuleNotFoundError("torch is not installed")
        return lambda batch: given(study, seed, batch)[name]

    return fit


def given(study: Study, seed: int, batch: Batch) -> dict[str, np.ndarray]:
    return batch.keep("given", lambda: study.given(seed, batch.evidence, batch.features))


def unsupervised(study: Study, seed: int) -> Scorer:
    """The fusion of all that needs no simulated theft, and no torch."""
    study.signs(seed)
    return lambda batch: given(study, seed, batch)["statistical"]


# ---------------------------------------------------------------------------------------------- stages as scorers


class Learned:
    """A trained stage of the ensemble; without `balanced`, as if no transformer had a sum meter."""

    def __init__(self, stage: Stage, given: Callable[[Batch], dict[str, np.ndarray]], balanced: bool):
        self.stage, self.given, self.balanced = stage, given, balanced

    def seen(self, batch: Batch) -> Seen:
        return batch.features if self.balanced else replace(batch.features, balance=None)

    def __call__(self, batch: Batch) -> np.ndarray:
        """How rare the fused evidence is among honest meters."""
        seen = self.seen(batch)
        evidence, _shares = self.stage.fuse(self.stage.rarities(self.stage.scores(seen, self.given(batch))), seen.trust)
        fused = seen.balanced & (FUSED in self.stage.tails)
        rarity = self.stage.tails[METER].rarity(evidence)
        return np.where(fused, self.stage.tails[FUSED].rarity(evidence), rarity) if fused.any() else rarity

    def judge(self, batch: Batch) -> Judgement:
        return self.stage.judge(self.seen(batch), self.given(batch))

    def probability(self, batch: Batch) -> np.ndarray:
        return self.judge(batch).probability

    def onset(self, batch: Batch) -> np.ndarray:
        return self.judge(batch).change.day

    def families(self, batch: Batch) -> np.ndarray:
        """(N, 2) str: the attack families that fit best."""
        classes = np.array(self.stage.kinds.classes)
        thefts = np.flatnonzero(np.char.startswith(classes, THEFT))
        order = np.argsort(-self.judge(batch).kinds[:, thefts], 1)[:, :2]
        return np.char.replace(classes[thefts][order], THEFT, "")

    def importance(self) -> dict[str, float]:
        return self.stage.booster.importance(names())


class Shipped(Learned):
    """The ensemble as a utility gets it: its own score, ties and all."""

    def __call__(self, batch: Batch) -> np.ndarray:
        return self.judge(batch).score


def train_known(study: Study, seed: int, drawn: Drawn, whole: bool = True) -> dict[str, Learned]:
    """The ensemble's stage, trained on the source's own cases instead of on our simulator's.

    Not `whole`: half the rounds at twice the rate, and kinds are not told apart. As good, for tables with many models.
    """
    judges = calibrates(drawn.truth, seed)
    taught, shown = drawn.take(~judges), drawn.take(judges)
    settings = study.config.models
    boost = {**settings["booster"], "rounds": ROUNDS * settings["booster"]["rounds"]}
    boost = boost if whole else hasty(boost)
    booster, fused = _boosters(boost, taught)
    stage = Stage(
        weights=dict(study.config.weights),
        booster=booster,
        novelty=Novelty(n_estimators=settings["isolation_forest"]["n_estimators"]).fit(study.plain_features(seed)),
        kinds=kinds_apart(settings["kinds"], drawn) if whole else KindBooster(),
        fused=fused,
    )
    calibrate(stage, shown)
    # What their scores mean is known now, so the households that calibrated may teach as well.
    stage.booster, stage.fused = _boosters(boost, drawn)

    def said(batch: Batch) -> dict[str, np.ndarray]:
        return given(study, seed, batch)

    return {"known": Learned(stage, said, False), "known_fused": Learned(stage, said, True)}


def _boosters(settings: dict, drawn: Drawn) -> tuple[Booster, Booster | None]:
    truth, weight = drawn.truth, even_weights(drawn.truth)
    rows = np.flatnonzero(truth.counted)
    booster = Booster(**settings).fit(drawn.seen.features[rows], truth.theft[rows], weight[rows])
    rows = np.flatnonzero(drawn.seen.balanced & truth.counted)
    if not len(rows):
        return booster, None
    return booster, Booster(**settings).fit(drawn.seen.both[rows], truth.theft[rows], weight[rows])


def even_weights(truth: Truth) -> np.ndarray:
    """(N,) with mean 1: half for thefts, a quarter for honest changes, a quarter for what was left alone."""
    parts = np.where(truth.theft, 0, np.where(truth.kind == UNTOUCHED, 2, 1))
    count = np.bincount(parts, truth.counted, minlength=3)
    return (np.array([0.5, 0.25, 0.25]) / np.maximum(count, 1))[parts] * truth.counted.sum()


def without(drawn: Drawn, kinds: list[str]) -> Drawn:
    return drawn.take(~np.isin(drawn.truth.kind, kinds))


def known(name: str) -> Callable[[Study, int], Scorer]:
    def fit(study: Study, seed: int) -> Scorer:
        both = study.remembered(seed, "known stage", lambda: train_known(study, seed, study.training(seed)))
        return both[name]

    return fit


def booster_alone(study: Study, seed: int) -> Scorer:
    stage = DETECTORS["known"].fit(study, seed).stage
    return lambda batch: stage.booster.score(batch.features.features)


def train_permuted(study: Study, drawn: Drawn, dealt: Truth) -> Scorer:
    """A booster that was told wrong labels: what it finds was never about theft."""
    rows = np.flatnonzero(dealt.counted)
    settings = hasty(study.config.models["booster"])
    booster = Booster(**settings).fit(drawn.seen.features[rows], dealt.theft[rows], even_weights(dealt)[rows])
    return lambda batch: booster.score(batch.features.features)


def balance_alone(study: Study, seed: int) -> Scorer:
    """Where the balance may not speak, the score is that of an ordinary meter."""
    drawn = study.training(seed)
    rows = np.flatnonzero(drawn.seen.balanced & drawn.truth.counted)
    weight, theft = even_weights(drawn.truth)[rows], drawn.truth.theft[rows]
    booster = Booster(**study.config.models["booster"]).fit(drawn.seen.balance[rows], theft, weight)
    usual = float(np.median(booster.score(drawn.seen.balance[rows])[~theft]))
    return lambda batch: np.where(batch.features.balanced, booster.score(batch.features.balance), usual)


def shipped(balanced: bool) -> Callable[[Study, int], Scorer]:
    def fit(study: Study, seed: int) -> Scorer:
        ensemble = study.remembered(seed, "ensemble", lambda: _ensemble(study, seed))
        stage = ensemble.stages[study.source.interval_minutes]

        def said(batch: Batch) -> dict[str, np.ndarray]:
            return batch.keep(
                "given to what ships", lambda: stage.given(ensemble.networks, batch.evidence, batch.features)
            )

        return Shipped(stage, said, balanced)

    return fit


def _ensemble(study: Study, seed: int) -> Ensemble:
    """Of one interval only: the stages for longer ones are never asked here."""
    config = replace(study.config, training=study.config.training | {"intervals": []})
    return Ensemble(config).fit(study.source.window(seed, "train", everyday=True))


# ----------------------------------------------------------------------------------------------------- the register


@dataclass(frozen=True)
class Detector:
    learns: str
    """From what: nothing, readings (without labels), cases (the source's simulated ones), or our own simulator."""
    fit: Callable[[Study, int], Scorer]


DETECTORS: dict[str, Detector] = {
    "plain_rule": Detector("nothing", plain_rule),
    "fallen_level": Detector("nothing", our_rule),
    "random": Detector("nothing", chance),
    "raw_forest": Detector("readings", raw_forest),
    "classic": Detector("readings", classic),
    "autoencoder": Detector("readings", network("autoencoder")),
    "gru": Detector("readings", network("lstm")),
    "change_point": Detector("nothing", change_point),
    "isolation_forest": Detector("readings", novelty),
    "unsupervised": Detector("readings", unsupervised),
    "known_booster": Detector("cases", booster_alone),
    "known": Detector("cases", known("known")),
    "balance": Detector("cases", balance_alone),
    "known_fused": Detector("cases", known("known_fused")),
    "shipped": Detector("own simulator", shipped(balanced=False)),
    "shipped_fused": Detector("own simulator", shipped(balanced=True)),
}


def family_guesses(guesses: np.ndarray, truth: Truth, detected: np.ndarray) -> dict[str, float]:
    """Share of the detected thefts whose family is the first of (N, 2) names, or one of both."""
    chosen = detected & truth.theft & truth.counted
    right = guesses[chosen] == truth.family[chosen][:, None]
    return {"family_first_guess": float(right[:, 0].mean()), "family_in_two": float(right.any(1).mean())}
