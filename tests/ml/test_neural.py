"""What both networks owe: they find who changed, bear any curve, and can be saved."""

import os
import subprocess
import sys

import numpy as np
import pytest

from ml.autoencoder import Autoencoder
from ml.gru import Forecaster
from tests.ml.conftest import SUSPECT, make_street
from tests.ml.test_relative import evidence_of

DETECTORS = {
    "autoencoder": lambda: Autoencoder(epochs=8, encoding_dim=8, hidden=32, threads=1),
    "gru": lambda: Forecaster(epochs=6, units=16, sequence_length=14, threads=1),
    "lstm": lambda: Forecaster(cell="lstm", epochs=6, units=16, sequence_length=14, threads=1),
}


@pytest.fixture(scope="module", params=DETECTORS)
def detector(request):
    return DETECTORS[request.param]().fit(evidence_of(make_street(homes=40, seed=1)))


def test_a_meter_that_began_to_lose_half_its_energy_stands_out(detector, street):
    street[SUSPECT, 70:] *= 0.5
    assert detector.score(evidence_of(street)).argmax() == SUSPECT


def test_weeks_that_fit_too_well_are_suspicious_as_well(street):
    weeks = Autoencoder(epochs=20, threads=1).fit(evidence_of(make_street(homes=40, seed=1)))
    street[:10, 70:] = street[:10, :70].mean(1, keepdims=True)
    evidence = evidence_of(street)
    assert np.median(weeks.changes(evidence)[:10, 1, Autoencoder.MEASURES.index("error")]) < -0.3
    assert np.median(weeks.score(evidence)[:10]) > np.median(weeks.score(evidence)[10:]) + 1


def test_twice_the_energy_is_less_suspicious_than_half(detector, street):
    street[SUSPECT, 70:] *= 2
    street[SUSPECT + 1, 70:] *= 0.5
    scores = detector.score(evidence_of(street))
    assert scores[SUSPECT] < scores[SUSPECT + 1]


def test_a_score_does_not_depend_on_who_is_scored_beside(detector, street):
    together = detector.score(evidence_of(street))
    assert detector.score(evidence_of(street).take([3])) == pytest.approx(together[3:4], abs=1e-3)


@pytest.mark.parametrize("shape", [(28, 24), (28, 48), (95, 1), (40, 12), (91, 96), (380, 24)])
def test_any_interval_and_length_gets_a_finite_score(detector, shape):
    days, slots = shape
    kwh = make_street(homes=6, days=days, slots=slots)
    kwh[0] = np.nan
    kwh[1] = 0
    kwh[2] = 1e9
    kwh[3, 10:] = np.nan
    kwh[4, :20] = np.nan
    kwh[5, ::3] = -1
    assert np.isfinite(detector.score(evidence_of(kwh))).all()


def test_gaps_alone_are_not_suspicious(detector, street):
    whole = detector.score(evidence_of(street))
    street[SUSPECT, 60:90:2] = np.nan
    assert abs(detector.score(evidence_of(street))[SUSPECT] - whole[SUSPECT]) < 3


def test_a_saved_state_scores_the_same(detector, street):
    settings, arrays = detector.state()
    again = type(detector).from_state(settings, arrays)
    assert again.score(evidence_of(street)) == pytest.approx(detector.score(evidence_of(street)), abs=1e-5)


@pytest.mark.parametrize("slots", [1, 48])
@pytest.mark.parametrize("kind", ["autoencoder", "gru"])
def test_it_learns_from_daily_and_half_hourly_readings(kind, slots):
    street = make_street(homes=12, days=60, slots=slots)
    street[SUSPECT, 35:] *= 0.2
    assert DETECTORS[kind]().fit(evidence_of(make_street(homes=20, days=60, slots=slots, seed=2))).score(
        evidence_of(street)
    ).argmax() == (SUSPECT)


@pytest.mark.parametrize("kind", DETECTORS)
def test_it_will_not_learn_from_nothing(kind, street):
    for kwh in (street[:, :10], np.full_like(street, np.nan)):
        with pytest.raises(ValueError, match="learns from two weeks"):
            DETECTORS[kind]().fit(evidence_of(kwh))


def test_the_same_seed_learns_the_same(street):
    scores = [Autoencoder(epochs=2, threads=1).fit(evidence_of(street)).score(evidence_of(street)) for _ in range(2)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


def test_a_forecaster_has_only_the_cells_it_knows():
    with pytest.raises(ValueError, match="cell is one of gru, lstm"):
        Forecaster(cell="rnn").fit(evidence_of(make_street()))


def test_missing_energy_adds_up_day_by_day(street):
    street[SUSPECT, 70:] *= 0.5
    missing = DETECTORS["gru"]().fit(evidence_of(make_street(homes=40, seed=1))).cusum(evidence_of(street))
    assert missing[:, -1].argmax() == SUSPECT
    assert missing[SUSPECT, 90] > missing[SUSPECT, 75] > missing[SUSPECT, 69]


def test_the_numbers_can_be_prepared_without_torch():
    code = "import sys, ml.relative, ml.evidence; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


def test_nobody_gets_no_score(detector, street):
    assert detector.score(evidence_of(street).take(slice(0, 0))).shape == (0,)
