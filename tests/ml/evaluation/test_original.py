import numpy as np

from ml.evaluation import original
from ml.evidence import Evidence


def evidence(kwh) -> Evidence:
    days = kwh.shape[:2]
    return Evidence(
        kwh.astype(np.float32), np.datetime64("2026-01-05"), np.zeros(days, bool), np.ones(days, np.float32)
    )


def test_what_happened_and_went_again_is_seen():
    kwh = np.random.default_rng(0).gamma(4, 0.1, (3, 120, 24))
    kwh[1, 40:60] = 0
    kwh[2, 50:80:2, 18:20] *= 8
    seen = original.events(evidence(kwh))
    assert seen[:, 0].tolist() == [0, 20, 0]
    assert (np.abs(seen[2] - seen[0]) > 0.3).any()


def test_a_threshold_is_chosen_elsewhere_for_the_best_f1():
    scores, truth = np.array([4.0, 3, 2, 1]), np.array([True, True, False, False])
    assert original.best_threshold(scores, truth) == 3
    assert original.figures(scores, truth, 3) == {"auc": 1, "f1": 1, "precision": 1, "recall": 1}


def test_both_cities_are_graded_beside_the_plain_rule():
    report = original.run(False, lambda doing: None, consumers=160, days=90)
    assert set(report) == {"as described", "with look-alikes"}
    assert report["as described"]["auc"] > report["as described"]["detectors"]["plain_rule"]["auc"]
