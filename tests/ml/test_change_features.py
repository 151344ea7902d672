import numpy as np
import pytest

from ml.change_features import change_features, names
from ml.evidence import Evidence, Neighbourhood
from tests.ml.conftest import SUSPECT, make_street, make_window


def features_of(kwh, **changes) -> np.ndarray:
    return change_features(Neighbourhood(make_window(kwh, **changes)).evidence(slice(None)))


def made_steady(kwh: np.ndarray) -> np.ndarray:
    """The suspect without the street's cold spell, each day like its average."""
    own = kwh[SUSPECT]
    own *= own.mean() / own.mean(1, keepdims=True)
    return kwh


def suspect(kwh) -> dict[str, float]:
    return dict(zip(names(), features_of(kwh)[SUSPECT].tolist(), strict=True))


@pytest.mark.parametrize("slots", [1, 24, 48, 96])
@pytest.mark.parametrize("days", [2, 13, 28, 36, 45, 60, 410])
def test_the_columns_are_the_same_for_every_interval_and_length(slots, days):
    features = features_of(make_street(homes=7, days=days, slots=slots))
    assert features.shape == (7, len(names()))
    assert features.dtype == np.float32
    assert not np.isinf(features).any()


def test_names_are_different():
    assert len(set(names())) == len(names())


def test_scaling_moves_all_quantiles_alike_and_a_cap_only_the_highest(street):
    made_steady(street)
    scaled, capped = street.copy(), street.copy()
    scaled[SUSPECT, 60:] *= 0.5
    capped[SUSPECT, 60:] = np.minimum(street[SUSPECT, 60:], np.quantile(street[SUSPECT], 0.85))
    usual, scaled, capped = suspect(street), suspect(scaled), suspect(capped)
    for quantile in ("q100", "q500", "q950", "q1000"):
        assert scaled[f"since_{quantile}"] == pytest.approx(np.log(0.5), abs=0.25)
    assert abs(capped["since_q250"]) < 0.25
    assert capped["since_q1000"] < -0.5
    assert capped["since_at_top"] > 0.1 > usual["since_at_top"]


def test_hidden_hours_are_found_with_their_place_and_length(street):
    street[SUSPECT, 60:, 8:14] *= 0.1
    found = suspect(street)
    assert found["since_scan_depth"] < -1.5
    assert found["since_scan_hours"] == 6
    assert found["since_scan_centre"] == pytest.approx(11, abs=1)


def test_a_shifted_day_is_told_from_a_smaller_one(street):
    made_steady(street)
    street[SUSPECT, 60:] = np.roll(street[SUSPECT, 60:], 6, axis=1)
    found = suspect(street)
    assert found["since_shift"] == 6
    assert found["since_shifted"] > 0.5
    assert abs(found["since_own_level"]) < 0.1


def test_a_bypass_on_some_days_shows_two_states(street):
    steady = suspect(street)["two_states_level"]
    street[SUSPECT, 60::3] *= 0.2
    assert suspect(street)["two_states_level"] > max(0.8, steady)


def test_last_year_speaks_only_of_a_year():
    year = features_of(make_street(homes=8, days=400))[:, names().index("last_year")]
    assert np.isfinite(year).all()
    assert np.isnan(features_of(make_street(homes=8, days=380))[:, names().index("last_year")]).all()


def test_features_of_a_meter_do_not_depend_on_who_is_measured_beside_it(street):
    street[3] = 9e5
    evidence = Neighbourhood(make_window(street)).evidence(slice(None))
    some = np.array([SUSPECT, 12])
    assert np.allclose(change_features(evidence)[some], change_features(evidence.take(some)), atol=1e-4, equal_nan=True)


def test_the_last_days_are_counted_from_a_meters_own_end(street):
    street[SUSPECT, 60:] *= 0.4
    before = suspect(street)["last14_level"]
    street[SUSPECT, 100:] = np.nan
    assert suspect(street)["last14_level"] == pytest.approx(before, abs=0.2)


def test_nobody_has_no_features():
    shape = (0, 40)
    nobody = Evidence(
        np.zeros((*shape, 24), np.float32), np.datetime64("2026-01-05"), np.zeros(shape, bool), np.ones(shape)
    )
    assert change_features(nobody).shape == (0, len(names()))


@pytest.mark.parametrize("value", [0, 1e-30, 0.5, 9e5, 1e9, -1, np.nan])
def test_no_constant_breaks_a_feature(value):
    kwh = make_street(homes=8, days=40)
    kwh[0], kwh[1, 20:], kwh[2, :, 3] = value, value, value
    assert not np.isinf(features_of(kwh)).any()
