"""The balance of one street: everybody honest, then one of them not."""

import numpy as np
import pytest

from ml.balance import (
    balance_features,
    meters_behind,
    names,
    quality,
    reasons,
    transformer_balance,
    trust,
    trusted,
)
from ml.evidence import Evidence, reference_mask
from tests.ml.conftest import SUSPECT, make_street

ONSET = 50


def street_evidence(reported, consumed, *, loss=0.04, lag=0, foreign=0.0) -> Evidence:
    """Every meter of one transformer, (M, D, S) kWh as reported and as really used."""
    meters, days, slots = reported.shape
    rng = np.random.default_rng(1)
    used = consumed.sum(0) + foreign
    measured = used * (1 + loss) + 0.005 * used.mean() * rng.standard_normal(used.shape)
    measured = np.roll(measured.ravel(), lag).reshape(used.shape)
    read = ~np.isnan(reported)
    shape = (meters, days, slots)
    return Evidence(
        kwh=reported.astype(np.float32),
        first_day=np.datetime64("2026-01-05"),
        reference=reference_mask(np.ones((meters, days), bool)),
        peer_level=np.ones((meters, days), np.float32),
        reported=np.broadcast_to(np.nan_to_num(reported).sum(0), shape).astype(np.float32),
        measured=np.broadcast_to(measured, shape).astype(np.float32),
        filled=((~read).sum(0) - ~read).astype(np.float32),
    )


def column(features, name):
    return features[:, names().index(name)]


@pytest.fixture(params=[15, 30, 60])
def homes(request):
    return make_street(homes=20, days=98, slots=1440 // request.param)


def stolen(homes, factor=0.6, onset=ONSET):
    reported = homes.copy()
    reported[SUSPECT, onset:] *= factor
    return reported


def test_the_thief_is_the_one_whose_habits_the_gap_follows(homes):
    z = column(balance_features(street_evidence(stolen(homes), homes)), "scaled_z")
    assert z.argmax() == SUSPECT
    assert z[SUSPECT] > 3 * np.delete(z, SUSPECT).max()


def test_the_factor_is_what_is_missing_for_each_reported_kwh(homes):
    features = balance_features(street_evidence(stolen(homes, 0.5), homes))
    assert column(features, "scaled_factor")[SUSPECT] == pytest.approx(1.0, abs=0.15)
    assert column(features, "scaled_days")[SUSPECT] == pytest.approx(98 - ONSET, abs=3)


def test_theft_that_began_before_the_window_shows_in_the_reference(homes):
    factor = column(balance_features(street_evidence(stolen(homes, 0.667, onset=0), homes)), "scaled_reference_factor")
    assert factor[SUSPECT] == pytest.approx(0.5, abs=0.1)
    assert np.abs(np.delete(factor, SUSPECT)).max() < 0.2


def test_a_home_that_really_uses_less_leaves_no_gap(homes):
    saved = stolen(homes, 0.5)
    features = balance_features(street_evidence(saved, saved))
    assert abs(column(features, "gap_28_ratio")[SUSPECT]) < 0.2
    assert column(features, "missing_28")[SUSPECT] > 0.4


def test_a_clock_that_is_late_is_put_right(homes):
    slots = homes.shape[2]
    late = balance_features(street_evidence(stolen(homes), homes, lag=slots // 24))
    right = balance_features(street_evidence(stolen(homes), homes))
    assert set(column(late, "lag_minutes")) == {60}
    assert column(late, "scaled_factor")[SUSPECT] == pytest.approx(column(right, "scaled_factor")[SUSPECT], abs=0.1)


def test_daily_readings_are_enough_for_a_step_of_the_gap():
    homes = make_street(homes=20, days=98).sum(2, keepdims=True)
    features = balance_features(street_evidence(stolen(homes), homes))
    assert column(features, "own_gap_ratio")[SUSPECT] > 0.5


@pytest.mark.parametrize("days", [28, 60, 400])
def test_short_and_long_windows_are_welcome(days):
    homes = make_street(homes=8, days=days)
    features = balance_features(street_evidence(homes, homes))
    assert features.dtype == np.float32
    assert features.shape == (8, len(names()))
    assert np.isfinite(column(features, "scaled_z")).all()


def test_slots_with_a_made_up_neighbour_are_left_out():
    homes = make_street(homes=20, days=98)
    reported = stolen(homes)
    reported[3, 60:70] = np.nan
    with_gaps = balance_features(street_evidence(reported, homes))
    assert column(with_gaps, "scaled_z")[SUSPECT] > 3 * np.delete(column(with_gaps, "scaled_z"), SUSPECT).max()


def test_a_row_without_a_sum_meter_has_no_figures():
    homes = make_street(homes=20, days=98)
    evidence = street_evidence(homes, homes)
    evidence.measured[4] = np.nan
    features = balance_features(evidence)
    assert np.isnan(features[4]).all()
    assert reasons(features)[4] == "no_sum_meter"
    assert not trusted(features)[4]
    assert quality(features)[4] == 0
    assert trust(features)[4] == 0
    assert trusted(np.delete(features, 4, 0)).all()


def test_without_any_sum_meter_every_row_is_blank():
    homes = make_street(homes=6, days=40)
    features = balance_features(street_evidence(homes, homes).without_sums())
    assert np.isnan(features).all()


def test_a_row_does_not_depend_on_the_rows_beside_it():
    homes = make_street(homes=20, days=98)
    evidence = street_evidence(stolen(homes), homes)
    alone = balance_features(evidence.take(np.array([SUSPECT])))
    np.testing.assert_allclose(balance_features(evidence)[[SUSPECT]], alone, rtol=1e-3, atol=1e-3)


def test_records_that_miss_half_of_the_homes_are_refused():
    homes = make_street(homes=20, days=98)
    evidence = street_evidence(homes, homes, foreign=homes.sum(0))
    assert set(reasons(balance_features(evidence))) == {"mapping_wrong"}


def test_a_sum_meter_of_another_street_is_refused():
    homes = make_street(homes=20, days=98)
    evidence = street_evidence(homes, np.roll(homes, 9, 2))
    assert not trusted(balance_features(evidence)).any()


def test_a_sound_transformer_is_trusted_more_than_one_that_feeds_strangers():
    homes = make_street(homes=20, days=98)
    strangers = make_street(homes=3, days=98, seed=8).sum(0)
    sound = trust(balance_features(street_evidence(homes, homes)))
    doubtful = trust(balance_features(street_evidence(homes, homes, foreign=strangers)))
    assert sound.min() == 1
    assert 0.29 < doubtful.min() <= doubtful.max() < 0.5


def test_readings_of_zero_throughout_do_no_harm():
    homes = make_street(homes=6, days=60)
    homes[2] = 0
    assert balance_features(street_evidence(homes, homes)).shape == (6, len(names()))
    dead = np.zeros_like(homes)
    assert not trusted(balance_features(street_evidence(dead, dead))).any()


def sums(evidence):
    return evidence.measured[:1], evidence.reported[:1]


def test_an_honest_street_loses_what_its_wires_take():
    homes = make_street(homes=20, days=98)
    balance = transformer_balance(*sums(street_evidence(homes, homes)))
    np.testing.assert_allclose(balance.loss_kwh, balance.delivered_kwh - balance.reported_kwh)
    assert np.abs(balance.unexplained_share).mean() < 0.005
    assert balance.quality[0] > 0.9


def test_what_a_thief_takes_is_what_nobody_explains():
    homes = make_street(homes=20, days=98)
    balance = transformer_balance(*sums(street_evidence(stolen(homes, 0.2), homes)))
    taken = 0.8 * homes[SUSPECT, ONSET:].sum()
    assert balance.unexplained_kwh[0, ONSET:].sum() == pytest.approx(taken, rel=0.15)
    assert abs(balance.unexplained_kwh[0, :ONSET].sum()) < 0.1 * taken


def test_a_steady_large_loss_is_not_called_technical():
    homes = make_street(homes=20, days=98)
    balance = transformer_balance(*sums(street_evidence(0.7 * homes, homes)))
    assert balance.unexplained_share.min() > 0.15


def test_days_without_a_sum_meter_have_no_balance():
    homes = make_street(homes=20, days=98)
    measured, reported = (side.copy() for side in sums(street_evidence(homes, homes)))
    measured[0, 10:20] = np.nan
    balance = transformer_balance(measured, reported)
    assert np.isnan(balance.unexplained_kwh[0]).sum() == 10
    assert balance.quality[0] == pytest.approx(88 / 98, abs=0.03)


def test_daily_sums_are_balanced_too():
    homes = make_street(homes=20, days=98).sum(2, keepdims=True)
    balance = transformer_balance(*sums(street_evidence(homes, homes)))
    assert np.abs(balance.unexplained_share).mean() < 0.01


def test_the_fewest_meters_that_explain_a_gap_are_named():
    rows, share = meters_behind(100, np.array([5, 60, 0, 25, np.nan, 10]))
    assert rows.tolist() == [1, 3]
    assert share == pytest.approx(0.85)


@pytest.mark.parametrize(("gap", "missing"), [(0, [5.0]), (-3, [5.0]), (10, [0.0, np.nan]), (10, [])])
def test_nobody_is_named_without_a_gap_or_a_suspect(gap, missing):
    rows, share = meters_behind(gap, np.array(missing))
    assert len(rows) == 0
    assert share == 0


def test_meters_that_explain_too_little_say_how_little():
    rows, share = meters_behind(100, np.array([10, 20]))
    assert rows.tolist() == [1, 0]
    assert share == pytest.approx(0.3)
