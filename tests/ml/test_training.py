from dataclasses import replace

import numpy as np
import pytest

from ml import nets, training
from ml.config import default_config
from ml.grading import auc
from ml.synthetic import cases
from ml.training import chosen, part_of, split, train
from tests.ml.conftest import make_street, make_window

QUICK = default_config().quick()
TINY = replace(QUICK, training=QUICK.training | {"cases": 500, "lengths": [], "meters_for_signs": 0})
HOMES, TRANSFORMERS = 42, 6


@pytest.fixture
def without_networks(monkeypatch):
    """They take the longest, and nothing here is about them."""
    monkeypatch.setattr(nets, "available", lambda: False)


@pytest.fixture
def town():
    """Seven homes on each of six transformers, all with sum meters."""
    kwh, transformer = make_street(homes=HOMES, days=60), np.arange(HOMES) % TRANSFORMERS
    sums = np.stack([kwh[transformer == one].sum(0) * 1.04 for one in range(TRANSFORMERS)])
    return make_window(kwh, peer_group=transformer, sums=sums, sum_row=transformer)


def learned(stage) -> list:
    """All that a stage has learned from cases, to be compared."""
    arrays = stage.novelty.state()[1]
    texts = [booster.state()[1] for booster in (stage.booster, stage.fused, stage.kinds)]
    return [*texts, *(arrays[name].tolist() for name in sorted(arrays))]


def test_whole_transformers_are_held_back(town):
    teach, judge = split(town, QUICK)
    assert not set(teach.peer_group) & set(judge.peer_group)
    assert len(teach) + len(judge) == HOMES
    assert 0.2 <= len(judge) / HOMES < 0.4


def test_with_few_transformers_meters_are_dealt_out(town):
    one = replace(town, peer_group=np.zeros(HOMES, int))
    teach, judge = split(one, QUICK)
    assert sorted([*teach.meters, *judge.meters]) == town.meters.tolist()
    assert 0.2 <= len(judge) / HOMES < 0.25


def test_very_few_meters_teach_and_judge(town):
    few = town.take(np.arange(12))
    assert [len(part) for part in split(few, QUICK)] == [12, 12]


def test_a_meter_that_is_left_out_has_stolen_nothing(town):
    part = part_of(town, np.flatnonzero((town.peer_group == 2) | (np.arange(HOMES) < 9)))
    whole, kept = town.sums, part.kwh[part.sum_row == 1].sum(0)
    assert np.array_equal(part.sums[2], whole[2])
    assert part.sums[1] == pytest.approx(kept + 0.04 / 1.04 * whole[1], rel=1e-3)


def test_meters_without_enough_days_or_any_use_teach_nothing(town):
    kwh = town.kwh.copy()
    kwh[3, 27:] = np.nan
    kwh[4] = 0
    kwh[5] = -1
    names = chosen(replace(town, kwh=kwh), QUICK).meters
    assert sorted(set(town.meters) - set(names)) == ["M003", "M004", "M005"]


def test_of_many_meters_whole_transformers_are_chosen(town):
    some = chosen(town, replace(QUICK, training=QUICK.training | {"meters": 20}))
    assert len(some) == 14
    assert len(set(some.peer_group)) == 2


@pytest.mark.parametrize("days", [0, 2, 27])
def test_too_few_days_are_refused(town, days):
    with pytest.raises(ValueError, match="enough data"):
        train(TINY, town.last(days), {})


def test_what_is_held_back_teaches_nothing_before_it_has_judged(town, without_networks, monkeypatch):
    monkeypatch.setattr(training, "learn_from_all", lambda *_: None)
    _teach, judge = split(chosen(town, TINY), TINY)
    held = np.isin(town.meters, judge.meters)
    kwh = town.kwh.copy()
    kwh[held, 30:] *= 0.1
    one, other = (train(TINY, replace(town, kwh=curves), {}).stages for curves in (town.kwh, kwh))
    assert learned(one[60]) == learned(other[60])
    assert one[60].tails["booster"].state() != other[60].tails["booster"].state()


def test_meters_that_have_judged_teach_too(town, without_networks, monkeypatch):
    after = train(TINY, town, {}).stages[60]
    monkeypatch.setattr(training, "learn_from_all", lambda *_: None)
    before = train(TINY, town, {}).stages[60]
    assert after.booster.state() != before.booster.state()
    assert after.fused.state() != before.fused.state()
    assert after.tails["booster"].state() == before.tails["booster"].state()


def test_a_history_that_looks_like_theft_teaches_nothing(town):
    kwh = town.kwh.copy()
    kwh[[5, 11], 35:] *= 0.05
    drawn = training._gather(replace(town, kwh=kwh, sums=None, sum_row=None), TINY, 0, [60], lambda doing: None)[60]
    suspects = training.suspicious(TINY, drawn)
    assert {5, 11} <= set(suspects.tolist())
    assert len(suspects) == round(training.SUSPECTS * HOMES)
    assert not np.isin(drawn.without(suspects).truth.household, suspects).any()


def test_the_order_of_the_meters_changes_nothing(town, without_networks):
    order = np.random.default_rng(0).permutation(HOMES)
    one, other = (train(TINY, window, {}) for window in (town, town.take(order)))
    assert learned(one.stages[60]) == learned(other.stages[60])
    assert learned(one.stages[1440]) == learned(other.stages[1440])
    assert one.held_out["headline"] == other.held_out["headline"]


def test_progress_is_told_from_beginning_to_end(town, without_networks):
    told = []
    train(TINY, town, {}, lambda share, doing: told.append((share, doing)))
    shares = [share for share, _doing in told]
    assert shares == sorted(shares)
    assert shares[0] < 0.1 < 0.9 < shares[-1] <= 1
    assert all(doing for _share, doing in told)


def test_a_case_that_changes_nothing_scores_like_those_left_alone(ensemble, small_city, monkeypatch):
    """The leak test: through all of the simulator, and nothing done to the curve."""
    monkeypatch.setattr(cases, "IDENTITY_SHARE", 0.5)
    monkeypatch.setattr(cases, "LOOK_ALIKE_SHARE", 0)
    window = small_city.window().take(np.arange(120))
    ranks = []
    for drawn in cases.draw_cases(window, seed=9, per_meter=5, attacks=(), everyday=False):
        ranks.append(auc(ensemble.judge(drawn.evidence).score, drawn.kind == cases.IDENTITY))
    assert np.mean(ranks) == pytest.approx(0.5, abs=0.08)


def test_the_plain_rule_beside_a_model_is_the_same_whatever_the_model_learns(town, without_networks):
    """It once was the statistical part, which flattered it."""
    with_signs = replace(TINY, training=TINY.training | {"meters_for_signs": 20})
    first, second = (train(config, town, {}).held_out for config in (TINY, with_signs))
    assert first["plain_rule"] == second["plain_rule"]
    assert first["headline"] != second["headline"]


def test_a_chance_is_judged_on_households_that_did_not_calibrate_it(town, without_networks, monkeypatch):
    halves = []
    ours = training.calibrate

    def watched(stage, drawn):
        halves.append(set(np.unique(drawn.truth.household)))
        ours(stage, drawn)

    monkeypatch.setattr(training, "calibrate", watched)
    monkeypatch.setattr(training, "FEWEST_FOR_HALVES", 2)
    train(replace(TINY, training=TINY.training | {"intervals": []}), town, {})
    whole, first, second = halves
    assert first | second == whole
    assert not first & second
