"""Ways in which a simulation could give itself away: models that must know nothing, and do.

Each probe sees one thing that must not tell theft from honest change. On the graded part its AUC must be .50; where it
is not, the other figures of that run do not count.
"""

from collections.abc import Callable

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from ml.evaluation.study import Batch
from ml.evaluation.truth import UNTOUCHED, Truth, population
from ml.evidence import Evidence
from ml.grading import Places

WATT_HOUR = 0.001
OFF_COUNT = 0.05
"""Counts of the register beyond which a reading does not lie on its grain."""


def missingness(evidence: Evidence) -> np.ndarray:
    """(N, K) where readings are missing, and nothing of what was read."""
    missing = np.isnan(evidence.kwh)
    by_day = missing.mean(2)
    weeks = [by_day[:, start : start + 7].mean(1) for start in range(0, evidence.days, 7)]
    starts = (missing.reshape(len(missing), -1)[:, 1:] & ~missing.reshape(len(missing), -1)[:, :-1]).sum(1)
    return np.stack([by_day.mean(1), (by_day == 1).sum(1), starts, by_day[:, -14:].mean(1), *weeks], 1)


def grain(evidence: Evidence) -> np.ndarray:
    """(N, K) what is left of the readings beyond whole counts of the meter's own register, before and after."""
    watt_hours = evidence.kwh.astype(np.float64) / WATT_HOUR
    past = watt_hours[:, :28].reshape(len(watt_hours), -1)
    whole = np.nanmax(np.abs(past - np.round(past)), 1, initial=0, where=~np.isnan(past)) < OFF_COUNT
    counts = watt_hours / np.where(whole, 1.0, 0.5)[:, None, None]
    rest = np.abs(counts - np.round(counts))
    columns = []
    for days in (slice(None, 28), slice(-28, None)):
        part = rest[:, days].reshape(len(rest), -1)
        known = np.maximum((~np.isnan(part)).sum(1), 1)
        columns += [np.nansum(part, 1) / known, np.nansum(part > OFF_COUNT, 1) / known]
    # The last digits of a float say how large it is, and that is not the question here.
    return np.round(np.stack(columns, 1), 3)


PROBES: dict[str, Callable[[Evidence], np.ndarray]] = {"missingness": missingness, "grain": grain}


def learn(features: np.ndarray, truth: Truth, seed: int = 0) -> HistGradientBoostingClassifier:
    """A small booster: if it finds nothing there is nothing to find."""
    rows = np.flatnonzero(truth.counted)
    model = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.1, random_state=seed)
    weights = population(truth, prevalence=0.5)[rows]
    return model.fit(features[rows], truth.theft[rows], sample_weight=weights / weights.mean())


def probe_auc(scores: np.ndarray, truth: Truth) -> float:
    """Theft against untouched: look-alikes such as missing readings may well be known by their gaps."""
    honest = truth.kind == UNTOUCHED
    chosen = np.flatnonzero(honest | (truth.theft & truth.counted))
    return Places.of(scores[chosen]).weigh(truth.theft[chosen], population(truth.take(chosen))).auc()


def shuffled(truth: Truth, seed: int) -> Truth:
    """The same cases with the labels dealt anew."""
    rows = np.random.default_rng(seed).permutation(len(truth))
    dealt = truth.take(rows)
    return Truth(dealt.kind, dealt.theft, dealt.family, dealt.onset, truth.household, dealt.missing_kwh)


def shared_meters(first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    """Curves of (M, D, S) kWh that occur on both sides of a split, and how alike the closest two others are."""

    def standard(kwh):
        flat = np.nan_to_num(kwh.reshape(len(kwh), -1).astype(np.float64))
        flat -= flat.mean(1, keepdims=True)
        return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)

    likeness = standard(first) @ standard(second).T
    return {"pairs_alike": int((likeness > 0.999).sum()), "closest": float(likeness.max())}


def gathered(batches, probes=PROBES) -> tuple[dict[str, np.ndarray], Truth]:
    """What every probe sees of all cases."""
    seen: dict[str, list[np.ndarray]] = {name: [] for name in probes}
    truths = []
    for batch in batches:
        _add(batch, probes, seen)
        truths.append(batch.truth)
    return {name: np.concatenate(values) for name, values in seen.items()}, Truth.concatenate(truths)


def _add(batch: Batch, probes, seen) -> None:
    for name, probe in probes.items():
        seen[name].append(probe(batch.evidence))
