import numpy as np
import pytest

from ml.isolation import IsolationDetector
from tests.ml.conftest import SUSPECT, make_window


def fitted(window):
    return IsolationDetector(trees=50, sample=64, seed=0).fit(window)


def test_the_one_that_changed_is_the_rarest(street):
    street[SUSPECT, 70:] *= 0.3
    window = make_window(street)
    scores = fitted(window).score(window)
    assert scores.argmax() == SUSPECT
    assert scores[SUSPECT] > 0.9


def test_more_energy_is_half_as_suspicious_as_less(street):
    street[SUSPECT, 70:] *= 3
    window = make_window(street)
    assert fitted(window).score(window)[SUSPECT] < 0.5


def test_the_order_of_the_file_does_not_change_the_forest(street):
    window = make_window(street)
    shuffled = window.take(np.random.default_rng(1).permutation(20))
    assert fitted(shuffled).score(window) == pytest.approx(fitted(window).score(window), abs=1e-6)


def test_it_will_not_learn_from_nothing(street):
    with pytest.raises(ValueError, match="no meter has enough data"):
        fitted(make_window(street[:, :20]))
