import os
import subprocess
import sys

import numpy as np
import pytest

from ml.evidence import without_outages
from ml.unsupervised import (
    Unsupervised,
    changes_of,
    parts_of_history,
    register,
    some_hours,
    whole_days,
)
from tests.ml.conftest import SUSPECT, make_street
from tests.ml.test_relative import evidence_of


@pytest.fixture(scope="module")
def fusion():
    return Unsupervised(networks=False).fit(evidence_of(make_street(homes=30, days=90, seed=1)))


@pytest.mark.parametrize(
    "steal",
    [
        lambda days: days * 0.4,
        lambda days: np.minimum(days, 0.4 * days.max()),
        lambda days: np.zeros_like(days),
        lambda days: np.full_like(days, days.mean()),
    ],
    ids=["scaled", "capped", "stopped", "flat"],
)
def test_a_thief_stands_out(fusion, street, steal):
    street[SUSPECT, 50:90] = steal(street[SUSPECT, 50:90])
    assert fusion.score(evidence_of(street[:, :90])).argmax() == SUSPECT


def test_more_energy_takes_suspicion_away(fusion, street):
    street[SUSPECT, 50:90] *= 2
    scores = fusion.score(evidence_of(street[:, :90]))
    assert scores[SUSPECT] < np.median(scores)


def test_empty_rooms_are_told_from_a_scaled_meter(street):
    base = np.quantile(street[SUSPECT, :50], 0.1)
    street[SUSPECT, 50:] = base * np.random.default_rng(0).uniform(0.6, 1.1, street[SUSPECT, 50:].shape)
    street[SUSPECT + 1, 50:] *= 0.7
    empty = changes_of(evidence_of(street)).empty
    assert empty[[SUSPECT, SUSPECT + 1]].tolist() == [[1, 1], [0, 0]]


def test_an_outage_of_all_is_nobodys_fault(street):
    street[:, 60, 4:] = 0
    assert np.isnan(without_outages(evidence_of(street)).kwh[:, 60]).all()
    assert not np.isnan(without_outages(evidence_of(street)).kwh[:, 61]).any()


def test_parts_of_a_history_have_their_own_reference(street):
    evidence = evidence_of(street)
    parts = list(parts_of_history(evidence))
    assert parts[0] is evidence
    assert all(part.days >= 28 and part.reference[:, 0].all() and not part.reference[:, -9:].any() for part in parts)


@pytest.mark.parametrize("splice", [whole_days, some_hours])
def test_strangers_come_after_the_reference_on_the_same_register(street, splice):
    street[0, 80:90] = np.nan
    evidence = evidence_of(street)
    spliced = splice(evidence, np.random.default_rng(0)).kwh
    assert np.array_equal(spliced[evidence.reference], evidence.kwh[evidence.reference])
    assert np.array_equal(np.isnan(spliced), np.isnan(evidence.kwh))
    assert (spliced[:, -1] != evidence.kwh[:, -1]).any(1).all()
    assert register(spliced).max() <= 0.001


def test_a_register_is_read_from_its_readings():
    kwh = np.array([[[0.5, 1.5]], [[2.0, 7.0]], [[0.0105, 0.2]], [[0, 0]], [[np.nan, 0.3]]], np.float32)
    assert register(kwh).ravel().tolist() == pytest.approx([0.1, 1, 0.0005, 0.0005, 0.1])


@pytest.mark.parametrize("shape", [(28, 24), (60, 1), (45, 12), (91, 48)])
def test_any_interval_and_length_gets_a_finite_score(fusion, shape):
    days, slots = shape
    kwh = make_street(homes=6, days=days, slots=slots)
    kwh[0] = np.nan
    kwh[1] = 0
    kwh[2] = 1e9
    kwh[3, 10:] = np.nan
    kwh[4, :20] = np.nan
    assert np.isfinite(fusion.score(evidence_of(kwh))).all()
    assert Unsupervised(networks=False).fit(evidence_of(kwh)).score(evidence_of(kwh)).shape == (6,)


def test_every_part_says_how_rare_it_is(fusion, street):
    parts = fusion.parts(evidence_of(street))
    assert {"stranger", "novelty", "cap", "same_day"} < set(parts)
    assert all(((part >= 0) & (part <= 6)).all() for part in parts.values())


def test_a_saved_state_scores_the_same(fusion, street):
    again = Unsupervised.from_state(*fusion.state())
    assert again.score(evidence_of(street)) == pytest.approx(fusion.score(evidence_of(street)))


def test_it_uses_the_networks_where_torch_is_installed(street):
    street = street[:8, :40]
    fusion = Unsupervised(settings={"autoencoder": {"epochs": 1}, "lstm": {"epochs": 1}}).fit(evidence_of(street))
    assert {"autoencoder", "lstm"} < set(fusion.parts(evidence_of(street)))
    again = Unsupervised.from_state(*fusion.state())
    assert again.score(evidence_of(street)) == pytest.approx(fusion.score(evidence_of(street)), abs=1e-4)


def test_it_will_not_learn_from_nothing(street):
    for kwh in (street[:5], street[:, :20]):
        with pytest.raises(ValueError, match="learns from six meters"):
            Unsupervised(networks=False).fit(evidence_of(kwh))


def test_it_is_imported_without_torch():
    code = "import sys, ml.unsupervised; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
