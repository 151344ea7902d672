import numpy as np
import pytest

from ml.synthetic.attacks import ATTACKS, FAMILIES, FAMILY, IDENTITY, KEEPS_TOTAL, steal
from tests.ml.synthetic.conftest import make_home


@pytest.mark.parametrize("name", sorted(set(FAMILY) - KEEPS_TOTAL))
def test_an_attack_never_registers_more_than_is_consumed(home, name):
    for seed in range(8):
        registered = steal(name, home, np.random.default_rng(seed))
        assert registered.shape == home.kwh.shape
        assert registered.min() >= -1e-6
        assert registered.sum() < home.kwh.sum() * 1.0001


@pytest.mark.parametrize("name", sorted(KEEPS_TOTAL))
def test_a_tariff_shift_keeps_each_days_total(home, name):
    for seed in range(8):
        registered = steal(name, home, np.random.default_rng(seed))
        assert registered.sum(1) == pytest.approx(home.kwh.sum(1), rel=1e-3)
        assert not np.allclose(registered, home.kwh)


@pytest.mark.parametrize("slots", [1, 24, 96])
def test_every_attack_knows_daily_and_quarter_hourly_readings(slots):
    home = make_home(slots=slots, days=60)
    for name in ATTACKS:
        registered = steal(name, home, np.random.default_rng(1))
        assert registered.shape == home.kwh.shape
        assert np.isfinite(registered).all()


def test_the_same_generator_steals_the_same(home):
    for name in ATTACKS:
        once, again = (steal(name, home, np.random.default_rng(3)) for _ in range(2))
        assert np.array_equal(once, again)


def test_the_identity_attack_changes_nothing(home):
    assert steal(IDENTITY, home, np.random.default_rng(1)) is home.kwh
    assert IDENTITY not in FAMILY


def test_there_are_many_attacks_and_each_has_a_family():
    assert len(FAMILY) > 28
    assert sorted(name for names in FAMILIES.values() for name in names) == sorted(FAMILY)


def test_an_attack_leaves_what_was_consumed_alone(home):
    before = home.kwh.copy()
    for name in ATTACKS:
        steal(name, home, np.random.default_rng(2))
    assert np.array_equal(home.kwh, before)
