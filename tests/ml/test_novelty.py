import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from ml.change_features import change_features
from ml.novelty import Novelty, Trees
from tests.ml.conftest import SUSPECT, make_street
from tests.ml.test_relative import evidence_of


@pytest.fixture(scope="module")
def novelty():
    return Novelty(n_estimators=50).fit(change_features(evidence_of(make_street(homes=60, seed=1))))


def test_the_one_that_changed_is_the_rarest(novelty, street):
    street[SUSPECT, 70:] *= 0.3
    assert novelty.score(change_features(evidence_of(street))).argmax() == SUSPECT


def test_more_energy_is_less_suspicious_than_less(novelty, street):
    street[SUSPECT, 70:] *= 3
    street[SUSPECT + 1, 70:] /= 3
    scores = novelty.score(change_features(evidence_of(street)))
    assert scores[SUSPECT] < scores[SUSPECT + 1] - 2


def test_what_is_not_known_is_not_suspicious(novelty):
    features = np.full((2, len(novelty.columns)), np.nan, np.float32)
    features[1] = 1e9
    scores = novelty.score(features)
    assert np.isfinite(scores).all()
    assert scores[0] < 1


def test_the_arrays_score_as_the_forest_does():
    rng = np.random.default_rng(0)
    rows, others = rng.normal(size=(2, 300, 5)).astype(np.float32)
    forest = IsolationForest(n_estimators=20, random_state=0).fit(rows)
    assert Trees.of(forest).score(others) == pytest.approx(-forest.score_samples(others), abs=1e-5)


def test_a_saved_state_scores_the_same(novelty, street):
    features = change_features(evidence_of(street))
    settings, arrays = novelty.state()
    assert Novelty.from_state(settings, arrays).score(features) == pytest.approx(novelty.score(features))


def test_it_will_not_learn_from_nothing(novelty):
    with pytest.raises(ValueError, match="no meter"):
        Novelty().fit(np.zeros((0, len(novelty.columns)), np.float32))
