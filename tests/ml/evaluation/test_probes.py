import numpy as np
import pytest

from ml.evaluation import probes
from ml.evidence import Evidence
from tests.ml.evaluation.test_held_out import drawn


@pytest.fixture
def truth():
    return drawn(kinds=("untouched", "scale", "vacation"))


def evidence(truth, **changes) -> Evidence:
    rng = np.random.default_rng(0)
    shape = (len(truth), 70, 24)
    kwh = np.round(rng.gamma(2, 0.2, shape), 3).astype(np.float32)
    kwh[rng.random(shape) < 0.05] = np.nan
    for change in changes.values():
        change(kwh)
    return Evidence(kwh, np.datetime64("2026-01-05"), np.zeros(shape[:2], bool), np.ones(shape[:2], np.float32))


def asked(probe, truth, **changes) -> float:
    features = probe(evidence(truth, **changes))
    return probes.probe_auc(probes.learn(features, truth).predict_proba(features)[:, 1], truth)


def test_gaps_that_only_thieves_have_are_noticed(truth):
    def lose_days(kwh):
        kwh[truth.theft, 50:55] = np.nan

    assert asked(probes.missingness, truth, gaps=lose_days) > 0.95


def test_readings_off_the_register_are_noticed(truth):
    def scale(kwh):
        kwh[truth.theft, 40:] *= 0.7

    assert asked(probes.grain, truth) == 0.5
    assert asked(probes.grain, truth, scaled=scale) > 0.95


def test_rounded_theft_leaves_no_grain(truth):
    def scale(kwh):
        kwh[truth.theft, 40:] = np.round(kwh[truth.theft, 40:] * 0.7, 3)

    assert asked(probes.grain, truth, scaled=scale) == 0.5


def test_a_meter_on_both_sides_of_a_split_is_found():
    kwh = np.random.default_rng(0).gamma(1, 1, (6, 30, 24))
    assert probes.shared_meters(kwh[:3], kwh[3:])["pairs_alike"] == 0
    assert probes.shared_meters(kwh[:4], kwh[3:])["pairs_alike"] == 1


def test_labels_dealt_anew_stay_as_many(truth):
    dealt = probes.shuffled(truth, 0)
    assert dealt.theft.sum() == truth.theft.sum()
    assert (dealt.theft != truth.theft).any()
    assert (dealt.household == truth.household).all()
