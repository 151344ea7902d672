"""One model's own evaluation, on cases that its training held back: what the analytics page shows.

The same shape comes out of the big evaluation (`ml.evaluation.summary`). JSON types only, no NaN.
"""

from collections.abc import Callable, Mapping

import numpy as np

from ml.evaluation.truth import LOOK_ALIKE_SHARE, PREVALENCE, UNTOUCHED, Truth, population, resamples
from ml.grading import Places, Ranking, calibration

HEADLINE: dict[str, Callable[[Ranking], float]] = {
    "auc": Ranking.auc,
    "average_precision": Ranking.average_precision,
    "precision_top5": lambda ranking: ranking.precision_top(0.05),
    "recall_top10": lambda ranking: ranking.recall_top(0.10),
    "detected_fpr1": lambda ranking: ranking.detected(0.01),
    "detected_fpr5": lambda ranking: ranking.detected(0.05),
}
VISITED = 0.05
"""Share of the meters that crews visit, for the confusion matrix."""
BUDGETS = (0.01, 0.02, 0.05, 0.10)
NOMINAL = 0.05
"""Share of the honest meters that alarm, for the tables by kind."""
FEATURES_SHOWN = 20


def held_out(
    scores: np.ndarray,
    cases,
    *,
    data: str,
    probability: np.ndarray | None = None,
    plain: np.ndarray | None = None,
    importance: Mapping[str, float] | None = None,
    draws: int = 200,
    seed: int = 0,
) -> dict:
    """Grade (N,) scores, and a plain rule's `plain` scores beside them, on N cases.

    `cases` has the arrays of `Truth`. `data` names the cases for a reader. `probability` is the stated chance of a
    find, (N,) in 0..1. `importance` is the weight of each feature, any scale. Raises ValueError without both thieves
    and honest meters among the cases.
    """
    truth = Truth.of(cases)
    weights = population(truth)
    ranking = Places.of(scores).weigh(truth.theft, weights)
    return {
        "data": data,
        "cases": int(truth.counted.sum()),
        "households": len(np.unique(truth.household)),
        "prevalence": PREVALENCE,
        "look_alike_share": LOOK_ALIKE_SHARE,
        "headline": headline(scores, truth, draws, seed),
        "plain_rule": None if plain is None else headline(plain, truth, draws, seed),
        "roc": ranking.roc(),
        "precision_recall": ranking.precision_recall(),
        "confusion": confusion(ranking),
        "budget": budget(scores, truth),
        "by_attack": by_attack(scores, truth, plain),
        "by_look_alike": by_look_alike(scores, truth, plain),
        "calibration": None if probability is None else _calibration(probability, truth, weights),
        "importance": importance_table(importance),
    }


def headline(scores: np.ndarray, truth: Truth, draws: int = 200, seed: int = 0) -> dict[str, dict[str, float]]:
    """{figure: {value, low, high}}: 95 % intervals over households, as wide as nothing without draws."""
    places = Places.of(scores)
    ranking = places.weigh(truth.theft, population(truth))
    value = {figure: compute(ranking) for figure, compute in HEADLINE.items()}
    samples = []
    for counts in resamples(truth, draws, seed):
        drawn = population(truth, counts=counts)
        if drawn[truth.theft].any() and drawn[~truth.theft].any():
            ranking = places.weigh(truth.theft, drawn)
            samples.append([compute(ranking) for compute in HEADLINE.values()])
    bounds = np.quantile(samples, [0.025, 0.975], axis=0) if samples else np.array([list(value.values())] * 2)
    return {
        figure: {"value": float(value[figure]), "low": float(low), "high": float(high)}
        for figure, low, high in zip(HEADLINE, *bounds, strict=True)
    }


def confusion(ranking: Ranking, visited: float = VISITED) -> dict[str, float]:
    """Per 1,000 meters when the best `visited` share of them gets a visit."""
    thieves, found = ranking.prevalence, ranking.prevalence * ranking.recall_top(visited)
    return {
        "visited_share": visited,
        "score": ranking.score_at(visited),
        "found": 1000 * found,
        "missed": 1000 * (thieves - found),
        "visited_in_vain": 1000 * (visited - found),
        "left_alone": 1000 * (1 - thieves - visited + found),
    }


def budget(scores: np.ndarray, truth: Truth, shares: tuple[float, ...] = BUDGETS) -> list[dict[str, float]]:
    """What a fixed number of visits finds: share of visits and of thieves, and of the energy that is missing."""
    weights = population(truth)
    ranking = Places.of(scores).weigh(truth.theft, weights)
    stolen = np.where(truth.theft, truth.missing_kwh, 0)
    order = np.argsort(-np.asarray(scores, float), kind="stable")
    visited = np.concatenate([[0], np.cumsum(weights[order])])
    energy = np.concatenate([[0], np.cumsum((weights * stolen)[order])])
    return [
        {
            "visited_share": share,
            "precision": ranking.precision_top(share),
            "recall": ranking.recall_top(share),
            "energy_share": float(np.interp(share, visited, energy) / max(energy[-1], 1e-9)),
            "kwh_per_visit": float(np.interp(share, visited, energy) / share),
        }
        for share in shares
    ]


def by_attack(scores: np.ndarray, truth: Truth, plain: np.ndarray | None = None) -> list[dict]:
    """Each attack against the mix of honest meters: AUC, and detected while 5 % of the honest alarm."""
    rows = []
    for kind in np.unique(truth.kind[truth.theft]).tolist():
        chosen = truth.kind == kind
        row = {"kind": kind, "family": str(truth.family[chosen][0]), "cases": int(chosen.sum())}
        row |= _against_honest(scores, truth, chosen)
        if plain is not None:
            row["plain_rule"] = _against_honest(plain, truth, chosen)["detected"]
        rows.append(row)
    return rows


def _against_honest(scores, truth: Truth, chosen: np.ndarray) -> dict[str, float]:
    honest = population(truth) * ~truth.theft
    ranking = Places.of(scores).weigh(truth.theft, np.where(chosen, 1 / chosen.sum(), honest))
    return {"auc": ranking.auc(), "detected": ranking.detected(NOMINAL)}


def by_look_alike(scores: np.ndarray, truth: Truth, plain: np.ndarray | None = None) -> list[dict]:
    """Share of each honest kind that alarms while 5 % of the honest mix do."""

    def alarms(values: np.ndarray) -> np.ndarray:
        return values > Places.of(values).weigh(truth.theft, population(truth)).threshold(NOMINAL)

    ours, rule = alarms(np.asarray(scores, float)), None if plain is None else alarms(np.asarray(plain, float))
    rows = []
    for kind in [UNTOUCHED, *truth.look_alikes()]:
        chosen = truth.kind == kind
        if chosen.any():
            row = {"kind": kind, "cases": int(chosen.sum()), "false_alarms": float(ours[chosen].mean())}
            rows.append(row if rule is None else row | {"plain_rule": float(rule[chosen].mean())})
    return rows


def _calibration(probability: np.ndarray, truth: Truth, weights: np.ndarray) -> dict:
    found = calibration(np.asarray(probability, float), truth.theft, weights)
    never = PREVALENCE * (1 - PREVALENCE)
    return {
        "prevalence": PREVALENCE,
        "points": found.points,
        "brier": found.brier,
        "brier_without_model": never,
        "error": found.error,
    }


def importance_table(importance: Mapping[str, float] | None) -> list[dict]:
    """The weightiest features, as shares of all."""
    if not importance:
        return []
    whole = sum(importance.values()) or 1
    weightiest = sorted(importance.items(), key=lambda item: -item[1])[:FEATURES_SHOWN]
    return [{"name": name, "share": float(weight / whole)} for name, weight in weightiest]
