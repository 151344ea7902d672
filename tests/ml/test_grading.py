import numpy as np
import pytest

from ml.grading import auc, precision_at, wilson


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
