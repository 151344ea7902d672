from dataclasses import replace

import numpy as np
import pytest

from ml.change_features import change_features
from ml.evidence import Neighbourhood, fill_gaps
from ml.synthetic.attacks import FAMILIES, FAMILY, KEEPS_TOTAL
from ml.synthetic.cases import Cases, draw_cases
from ml.synthetic.look_alikes import LOOK_ALIKES


def draw(window, seed=1, per_meter=10, **options) -> Cases:
    return Cases.concatenate(list(draw_cases(window, seed, per_meter, **options)))


@pytest.fixture(scope="module")
def cases(window):
    return draw(window, per_meter=40, make_sums=True, faulty=0)


def same(ours, theirs) -> bool:
    return np.array_equal(ours, theirs, equal_nan=True)


def test_the_same_seed_draws_the_same_cases(window):
    once, again, other = draw(window, per_meter=3), draw(window, per_meter=3), draw(window, seed=2, per_meter=3)
    assert same(once.evidence.kwh, again.evidence.kwh)
    assert once.kind.tolist() == again.kind.tolist()
    assert once.kind.tolist() != other.kind.tolist()


def test_the_order_of_the_meters_changes_no_case(window):
    order = np.random.default_rng(1).permutation(len(window))
    ours, theirs = draw(window, make_sums=True), draw(window.take(order), make_sums=True)
    ours = ours.take(np.argsort(ours.household, kind="stable"))
    theirs = theirs.take(np.argsort(order[theirs.household], kind="stable"))
    assert ours.kind.tolist() == theirs.kind.tolist()
    assert same(ours.evidence.kwh, theirs.evidence.kwh)
    assert np.allclose(ours.evidence.measured, theirs.evidence.measured, atol=1e-3, equal_nan=True)
    assert np.allclose(ours.evidence.peer_level, theirs.evidence.peer_level)


def test_leaving_a_family_out_leaves_the_other_cases_as_they_are(window):
    allowed = set(FAMILY) - set(FAMILIES["reduce"])
    all_of_them, fewer = draw(window), draw(window, attacks=allowed)
    assert not set(fewer.kind) & set(FAMILIES["reduce"])
    named = {(row, kind, day) for row, kind, day in zip(fewer.household, fewer.kind, fewer.onset, strict=True)}
    kept = zip(all_of_them.household, all_of_them.kind, all_of_them.onset, strict=True)
    kept = [case for case in kept if case[1] not in FAMILIES["reduce"]]
    assert named.issuperset(kept)


def test_shares_of_the_kinds_are_about_as_promised(cases):
    honest = ~cases.theft
    assert cases.theft.mean() == pytest.approx(0.45, abs=0.06)
    assert np.isin(cases.kind, list(LOOK_ALIKES)).mean() == pytest.approx(0.30, abs=0.06)
    assert (cases.theft & (cases.onset == 0)).mean() == pytest.approx(0.03, abs=0.02)
    assert (cases.kind == "identity").any()
    assert (cases.missing_kwh[honest] == 0).all()
    assert (cases.missing_kwh[cases.theft & ~np.isin(cases.kind, list(KEEPS_TOTAL))] > -0.1).all()


def test_readings_keep_the_grain_of_their_register(cases):
    watt_hours = cases.evidence.kwh * 1000
    assert np.nanmax(np.abs(watt_hours - np.round(watt_hours))) < 0.02


def test_gaps_are_alike_in_all_kinds(cases):
    missing = np.isnan(cases.evidence.kwh).any((1, 2))
    assert missing.mean() == pytest.approx(0.23, abs=0.04)
    assert missing[cases.theft].mean() == pytest.approx(missing[~cases.theft].mean(), abs=0.06)


def test_the_identity_leaves_nothing_that_a_detector_could_see(window):
    """Without gaps, which are drawn for each case anew, its features are those of the untouched meter."""
    cases = draw(window, per_meter=25, everyday=False)
    whole = ~np.isnan(cases.evidence.kwh).any((1, 2))
    identical = cases.take(whole & (cases.kind == "identity"))
    untouched = Neighbourhood(window).evidence(identical.household)
    assert len(identical) > 5
    assert np.array_equal(change_features(identical.evidence), change_features(untouched), equal_nan=True)


def test_theft_opens_a_gap_in_the_balance_and_an_honest_change_does_not(window):
    cases = draw(window, per_meter=20, make_sums=True, faulty=0, everyday=False)
    evidence = cases.evidence
    loss = evidence.measured.sum((1, 2)) / evidence.reported.sum((1, 2)) - 1
    whole = ~np.isnan(evidence.kwh).any((1, 2))
    missing = cases.missing_kwh / evidence.reported.sum((1, 2))
    beyond = loss - missing
    assert 0.02 < beyond[whole].min() < beyond[whole].max() < 0.07
    assert loss[whole & (missing > 0.02)].min() > 0.045


def test_faults_blur_the_balance_and_touch_no_reading(window):
    sound, faulty = draw(window, make_sums=True, faulty=0), draw(window, make_sums=True, faulty=1)
    assert same(sound.evidence.kwh, faulty.evidence.kwh)
    error = [np.abs(one.evidence.measured - 1.04 * one.evidence.reported).mean() for one in (sound, faulty)]
    assert error[1] > 1.5 * error[0]


def test_sums_of_the_window_are_used_and_stay_under_an_attack(window):
    sums = np.stack([fill_gaps(window.kwh[window.peer_group == one]).sum(0) for one in (0, 1)]) * np.float32(1.04)
    real = replace(window, sums=sums, sum_row=window.peer_group)
    cases = draw(real, everyday=False, faulty=0)
    stolen = cases.take(cases.theft)
    assert np.allclose(stolen.evidence.measured, sums[window.peer_group[stolen.household]], rtol=0.06)


def test_neighbours_in_an_everyday_state_move_the_peers_a_little(window):
    lively, still = draw(window, per_meter=2), draw(window, per_meter=2, everyday=False)
    assert same(lively.evidence.kwh, still.evidence.kwh)
    difference = np.abs(lively.evidence.peer_level - still.evidence.peer_level).mean()
    assert 0 < difference < 0.1


def test_a_power_cut_is_dark_for_the_neighbours_too(cases):
    cut = np.flatnonzero(cases.kind == "outage")[0]
    evidence = cases.evidence
    dark = (evidence.kwh[cut] == 0) & (evidence.measured[cut] == 0)
    assert dark.any()
    darkest = dark.mean(1).argmax()
    usual = np.median(evidence.peer_level[cut])
    assert evidence.peer_level[cut, darkest] < usual * (1.3 - dark[darkest].mean())


def test_windows_can_be_cut_to_other_lengths(window):
    lengths = {block.evidence.days for block in draw_cases(window, 1, 30, days=(35, 56))}
    assert lengths == {35, 56}
    with pytest.raises(ValueError, match="different days"):
        Cases.concatenate(list(draw_cases(window, 1, 30, days=(35, 56))))


@pytest.mark.parametrize("minutes", [15, 60, 1440])
def test_any_interval_can_be_drawn_from(window, minutes):
    slots = 1440 // minutes
    kwh = window.kwh.reshape(len(window), window.days, -1)
    kwh = np.repeat(kwh / 2, 2, axis=2) if slots == 96 else kwh.reshape(*kwh.shape[:2], slots, -1).sum(3)
    cases = draw(replace(window, kwh=kwh, interval_minutes=minutes), per_meter=4, make_sums=True)
    assert cases.evidence.slots == slots
    assert not (set(cases.kind) & KEEPS_TOTAL if slots == 1 else set())


def test_a_meter_with_too_little_data_is_left_out(window):
    kwh = window.kwh.copy()
    kwh[3, 10:] = np.nan
    kwh[4] = 0
    assert not {3, 4} & set(draw(replace(window, kwh=kwh), per_meter=3).household)


def test_too_few_days_and_unknown_kinds_are_refused(window):
    with pytest.raises(ValueError, match="28 days"):
        next(draw_cases(replace(window, kwh=window.kwh[:, :20], contract_active=window.contract_active[:, :20]), 1))
    with pytest.raises(ValueError, match="not known: magic"):
        next(draw_cases(window, 1, attacks={"magic"}))


def test_what_neighbours_only_had_filled_in_is_counted(cases):
    assert np.nanmax(cases.evidence.filled) >= 1
    assert 0 < np.nanmean(cases.evidence.filled > 0) < 0.5


def test_an_untouched_meter_has_the_evidence_of_its_window(window):
    """Sums too: what a balance learns from is what it is asked about, gaps and ended contracts included."""
    sums = np.stack([fill_gaps(window.kwh[window.peer_group == one]).sum(0) for one in (0, 1)])
    kwh, active = window.kwh.copy(), window.contract_active.copy()
    kwh[2, 40:45] = np.nan
    active[5, 60:] = False
    real = replace(window, kwh=kwh, contract_active=active, sums=sums, sum_row=window.peer_group)
    cases = draw(real, everyday=False, faulty=0)
    whole = ~np.isnan(cases.evidence.kwh[:, :40]).any((1, 2))
    same_as_window = cases.take(whole & (cases.kind == "untouched"))
    asked = Neighbourhood(real).evidence(same_as_window.household)
    alike = np.isnan(same_as_window.evidence.kwh).sum((1, 2)) == np.isnan(asked.kwh).sum((1, 2))
    assert alike.sum() > 20
    for name in ("kwh", "reference", "peer_level", "reported", "filled"):
        ours, theirs = getattr(same_as_window.evidence, name)[alike], getattr(asked, name)[alike]
        assert np.allclose(ours, theirs, atol=1e-3, equal_nan=True), name
