import numpy as np
import pytest

from ml.synthetic.look_alikes import LOOK_ALIKES, change
from tests.ml.synthetic.conftest import make_home


@pytest.mark.parametrize("slots", [1, 24, 48, 96])
def test_every_honest_change_knows_every_interval(slots):
    home = make_home(slots=slots, days=70)
    for name in LOOK_ALIKES:
        for seed in range(3):
            kwh = change(name, home, np.random.default_rng(seed))
            assert kwh.shape == home.kwh.shape
            assert np.isfinite(kwh).all()
            assert kwh.min() >= 0


@pytest.mark.parametrize("name", ["electric_car", "heat_pump", "air_conditioning", "bigger_family", "home_office"])
def test_what_is_new_uses_more(home, name):
    assert change(name, home, np.random.default_rng(1)).sum() > home.kwh.sum()


@pytest.mark.parametrize("name", ["moved_out", "efficient_appliances", "gas_instead", "new_solar", "smaller_household"])
def test_what_is_gone_uses_less(home, name):
    assert change(name, home, np.random.default_rng(1)).sum() < home.kwh.sum()


def test_solar_changes_no_night(home):
    kwh = change("new_solar", home, np.random.default_rng(1))
    assert np.array_equal(kwh[:, :6], home.kwh[:, :6])


def test_using_the_cheap_hours_keeps_each_days_total(home):
    kwh = change("cheap_hours_used", home, np.random.default_rng(1))
    assert kwh.sum(1) == pytest.approx(home.kwh.sum(1), rel=1e-4)


def test_there_are_more_kinds_than_a_detector_was_ever_seen_to_need():
    assert len(LOOK_ALIKES) >= 22
