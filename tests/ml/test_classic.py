import numpy as np
import pytest

from ml.classic import Classic, raw_features
from tests.ml.conftest import make_street
from tests.ml.test_relative import evidence_of


@pytest.fixture(scope="module")
def classic():
    street = make_street(homes=20, days=40, seed=1)
    return Classic(autoencoder_epochs=3, lstm_epochs=2, units=8, threads=1).fit(evidence_of(street))


def test_the_weights_are_those_of_the_recipe(classic, street):
    street *= np.linspace(0.1, 5, 20)[:, None, None]
    parts = classic.parts(evidence_of(street))
    assert [round(float(parts[part].max()), 2) for part in ("isolation_forest", "autoencoder", "lstm")] == [
        0.3,
        0.35,
        0.35,
    ]
    assert classic.score(evidence_of(street)) == pytest.approx(sum(parts.values()))


def test_one_meter_in_twenty_of_the_training_lies_above_its_threshold(classic):
    scores = classic.score(evidence_of(make_street(homes=20, days=40, seed=1)))
    assert (scores > classic.threshold_).sum() == 1


def test_a_big_consumer_is_its_anomaly_and_theft_makes_a_meter_ordinary(classic):
    street = make_street(homes=20, days=40, seed=1)
    before = classic.parts(evidence_of(street))["autoencoder"]
    street[0] *= 5
    street[1] *= 0.4
    after = classic.parts(evidence_of(street))["autoencoder"]
    assert after[0] == after.max()
    assert after[1] < before[1]


@pytest.mark.parametrize("shape", [(28, 48), (30, 1), (2, 24)])
def test_any_curve_gets_a_finite_score(classic, shape):
    kwh = make_street(homes=4, days=shape[0], slots=shape[1])
    kwh[0], kwh[1], kwh[2] = np.nan, 0, 1e9
    scores = classic.score(evidence_of(kwh))
    assert np.isfinite(raw_features(evidence_of(kwh))).all()
    assert ((scores >= 0) & (scores <= 1)).all()


def test_a_saved_state_scores_the_same(classic, street):
    again = Classic.from_state(*classic.state())
    assert again.score(evidence_of(street)) == pytest.approx(classic.score(evidence_of(street)), abs=1e-5)


def test_it_will_not_learn_from_one_meter(street):
    with pytest.raises(ValueError, match="two meters"):
        Classic().fit(evidence_of(street[:1]))
