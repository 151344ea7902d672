import numpy as np
import pytest

from ml.findings import KINDS
from ml.rules import Rules
from tests.ml.conftest import SUSPECT, make_window

HOURS = np.arange(24)
RULES = Rules(dict.fromkeys(KINDS, 1.0))


def strongest(kwh, **changes):
    strength = RULES.evidence(make_window(kwh, **changes)).strength
    kind = max(KINDS, key=lambda kind: strength[kind][SUSPECT])
    return kind if strength[kind][SUSPECT] > 0.5 else None


def test_an_ordinary_home_breaks_no_rule(street):
    assert RULES.score(make_window(street)).max() < 0.3


def test_weeks_of_zeros_are_zero_consumption(street):
    street[SUSPECT, 90:] = 0
    assert strongest(street) == "zero_consumption"


def test_zeros_on_some_days_are_zero_consumption(street):
    street[SUSPECT, 80::2] = 0
    assert strongest(street) == "zero_consumption"


def test_ever_less_is_a_gradual_decline(street):
    street[SUSPECT, 50:] *= np.linspace(1, 0.2, 70)[:, None]
    assert strongest(street) == "gradual_decline"


def test_a_sudden_lasting_drop_deviates_from_the_neighbours(street):
    street[SUSPECT, 70:] *= 0.4
    assert strongest(street) == "neighbourhood_deviation"


def test_a_hidden_evening_deviates_from_the_neighbours(street):
    street[SUSPECT, 70:, 17:22] *= 0.1
    assert strongest(street) == "neighbourhood_deviation"


def test_peaks_that_stop_at_one_height_deviate_from_the_neighbours(street):
    street[SUSPECT, 70:] = np.minimum(street[SUSPECT, 70:], np.quantile(street[SUSPECT], 0.6))
    assert strongest(street) == "neighbourhood_deviation"


def test_machines_at_night_are_odd_hours(street):
    street[SUSPECT, 80:, 1:6] += 0.5 * street[SUSPECT, :80].max(axis=1).mean()
    assert strongest(street) == "odd_hours"


def test_a_sudden_large_load_is_a_spike(street):
    street[SUSPECT, 100:, 8:18] += 10 * street[SUSPECT].mean()
    assert strongest(street) == "sudden_spike"


def test_a_car_charged_at_night_is_not_odd_hours(street):
    street[SUSPECT, 80:, 1:4] += 7
    assert strongest(street) != "odd_hours"


def test_a_roof_with_panels_counts_for_less_than_a_hidden_evening(street):
    roof, evening = street.copy(), street.copy()
    roof[SUSPECT, 70:] *= np.where((HOURS >= 9) & (HOURS < 15), 0.05, 1)
    evening[SUSPECT, 70:] *= np.where((HOURS >= 17) & (HOURS < 23), 0.05, 1)
    strength = [RULES.score(make_window(kwh))[SUSPECT] for kwh in (roof, evening)]
    assert strength[0] < 0.5 * strength[1]


def test_an_empty_home_counts_for_less_than_a_bypass(street):
    empty, bypass = street.copy(), street.copy()
    empty[SUSPECT, 70:] = np.quantile(street[SUSPECT], 0.1) * np.random.default_rng(1).uniform(0.7, 1.3, (50, 24))
    bypass[SUSPECT, 70:] *= empty[SUSPECT, 70:].mean() / street[SUSPECT, 70:].mean()
    scores = [RULES.score(make_window(kwh))[SUSPECT] for kwh in (empty, bypass)]
    assert scores[0] < 0.5 * scores[1]


@pytest.mark.parametrize("contract", [True, False])
def test_zeros_without_a_contract_are_explained(street, contract):
    street[SUSPECT, 90:] = 0
    active = np.ones((20, 120), bool)
    active[SUSPECT, 90:] = contract
    assert (strongest(street, contract_active=active) == "zero_consumption") is contract
