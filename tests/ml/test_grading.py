import numpy as np
import pytest

from ml.grading import Places, Ranking, auc, calibration, precision_at, wilson


def test_precision_counts_the_finds_among_the_best():
    scores, truth = np.linspace(1, 0, 40), np.arange(40) % 2 == 0
    best = precision_at(scores, truth, 0.1)
    assert (best.found, best.visits, best.value) == (2, 4, 0.5)
    assert best.low < 0.5 < best.high


def test_the_interval_is_wilsons():
    assert wilson(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert wilson(0, 10)[0] == 0


def test_auc_counts_ties_half():
    assert auc(np.array([1.0, 1.0]), np.array([True, False])) == 0.5
    assert auc(np.array([0.1, 0.9, 0.5]), np.array([False, True, True])) == 1


SCORES = np.array([5.0, 4, 3, 2, 1, 0])
THEFT = np.array([True, False, True, False, False, False])


def ranked(scores=SCORES, theft=THEFT, weights=None) -> Ranking:
    return Places.of(scores).weigh(theft, np.ones(len(scores)) / len(scores) if weights is None else weights)


def test_a_weighted_ranking_agrees_with_counting():
    ranking = ranked()
    assert ranking.auc() == pytest.approx(7 / 8) == auc(SCORES, THEFT)
    assert ranking.average_precision() == pytest.approx((1 + 2 / 3) / 2)
    assert ranking.recall_top(1 / 6) == pytest.approx(0.5)
    assert ranking.precision_top(0.5) == pytest.approx(2 / 3)


def test_weights_stand_for_as_many_meters():
    weights = np.array([1, 3, 1, 1, 1, 1]) / 8
    twice = np.repeat(np.arange(6), [1, 3, 1, 1, 1, 1])
    assert ranked(weights=weights).auc() == pytest.approx(auc(SCORES[twice], THEFT[twice]))
    assert ranked(weights=weights).prevalence == 0.25


def test_detection_holds_the_false_alarms():
    ranking = ranked()
    assert ranking.detected(0.0) == 0.5
    assert ranking.detected(0.25) == 1
    assert (ranking.threshold(0.0) < SCORES).sum() == 1


def test_equal_scores_say_nothing():
    ranking = ranked(scores=np.zeros(6))
    assert ranking.auc() == 0.5
    assert ranking.recall_top(0.1) == pytest.approx(0.1)
    assert ranking.detected(0.05) == 0


def test_curves_run_from_corner_to_corner():
    roc = ranked().roc(10)
    assert (roc[0], roc[-1]) == ([0.0, 0.5], [1.0, 1.0])
    assert ranked().precision_recall(10)[-1] == [1.0, pytest.approx(2 / 3, abs=1e-3)]


def test_a_chance_that_is_true_has_no_calibration_error():
    rng = np.random.default_rng(0)
    stated = rng.random(20_000)
    real = rng.random(20_000) < stated
    weights = np.ones(20_000)
    assert calibration(stated, real, weights).error < 0.02
    assert calibration(stated / 3, real, weights).error > 0.2


def test_a_ranking_without_thieves_is_refused():
    with pytest.raises(ValueError, match="one of them is missing"):
        ranked(theft=np.zeros(6, bool))
