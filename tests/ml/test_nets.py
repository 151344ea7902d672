from dataclasses import replace

import numpy as np
import pytest

from ml import artifacts, nets
from ml.config import default_config
from ml.ensemble import Ensemble
from ml.evidence import Neighbourhood
from tests.ml.conftest import make_street, make_window


@pytest.fixture
def without_torch(monkeypatch):
    monkeypatch.setattr(nets, "available", lambda: False)


def test_without_torch_the_other_parts_train_score_and_are_kept(without_torch, street, tmp_path):
    window, quick = make_window(street[:, :60]), default_config().quick()
    little = replace(quick, training=quick.training | {"cases": 300, "meters_for_signs": 0})
    ensemble = Ensemble(little).fit(window)
    artifacts.save(ensemble, tmp_path)
    again = artifacts.load(tmp_path)
    assert again.networks == {}
    assert np.array_equal(again.score(window), ensemble.score(window))
    assert not set(again.parts(window)) & set(nets.NAMES)


def test_a_model_with_networks_can_be_used_without_torch(ensemble, street, monkeypatch, tmp_path):
    artifacts.save(ensemble, tmp_path)
    monkeypatch.setattr(nets, "available", lambda: False)
    again, window = artifacts.load(tmp_path), make_window(street)
    assert set(ensemble.networks) == set(nets.NAMES)
    assert again.networks == {}
    assert sum(again.parts(window).values()) == pytest.approx(again.score(window))
    assert again.score(window) == pytest.approx(ensemble.score(window), abs=0.3)


def test_networks_have_nothing_to_say_about_daily_readings(ensemble):
    evidence = Neighbourhood(make_window(make_street(slots=1))).evidence(slice(None))
    for scores in nets.scores(ensemble.networks, evidence).values():
        assert np.isnan(scores).all()
    assert nets.fit(ensemble.config, evidence, print) == {}


def test_networks_score_hours_one_number_a_meter(ensemble, street):
    evidence = Neighbourhood(make_window(street)).evidence(slice(None))
    for scores in nets.scores(ensemble.networks, evidence).values():
        assert scores.shape == (20,)
        assert np.isfinite(scores).all()
