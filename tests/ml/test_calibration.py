import numpy as np
import pytest

from ml.calibration import MOST_RARE, PREVALENCE, Chance, Tail, score_of
from ml.grading import calibration

HONEST = np.random.default_rng(0).normal(size=20_000)


def test_rarity_rises_with_the_score_and_ends():
    rarity = Tail().fit(HONEST).rarity(np.linspace(-10, 300, 4001))
    assert (np.diff(rarity) >= 0).all()
    assert (rarity[0], rarity[-1]) == (0, MOST_RARE)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.05, 0.02, 0.005, 0.001])
def test_rarity_is_the_share_of_honest_meters_that_score_higher(share):
    threshold = np.quantile(np.random.default_rng(1).normal(size=400_000), 1 - share)
    assert Tail().fit(HONEST).rarity([threshold])[0] == pytest.approx(-np.log10(share), abs=0.1)


@pytest.mark.parametrize(("share", "score"), [(0.1, 0.3), (0.05, 0.5), (0.02, 0.7), (0.005, 0.9)])
def test_each_level_is_a_rate_of_false_alarms(share, score):
    scores = score_of(Tail().fit(HONEST).rarity(HONEST))
    assert (scores >= score).mean() == pytest.approx(share, rel=0.15)


def test_scores_lie_between_nothing_and_one():
    assert score_of(np.array([0, MOST_RARE])).tolist() == [0, 1]
    assert (np.diff(score_of(np.linspace(0, MOST_RARE, 50))) > 0).all(), "the top of the queue keeps its order"


def test_a_case_that_stands_for_many_counts_as_many():
    weight = np.where(HONEST > 0, 9.0, 1.0)
    assert Tail().fit(HONEST, weight).rarity([0.0])[0] == pytest.approx(-np.log10(0.9), abs=0.02)


@pytest.mark.parametrize("honest", [[0.0], [3.0] * 50, [0.0] * 99 + [1.0], [1e9, -1e9]])
def test_few_or_equal_scores_still_rank(honest):
    tail = Tail().fit(np.array(honest))
    rarity = tail.rarity(np.array([min(honest) - 1, max(honest), max(honest) + 1, 1e12]))
    assert np.isfinite(rarity).all()
    assert (np.diff(rarity) >= 0).all()
    assert rarity[-1] > rarity[0]


def test_without_honest_scores_nothing_is_rare():
    with pytest.raises(ValueError, match="there are none"):
        Tail().fit(np.array([]))


def test_an_unknown_score_has_an_unknown_rarity():
    assert np.isnan(Tail().fit(HONEST).rarity([np.nan])[0])


def test_a_tail_is_the_same_after_it_was_kept():
    tail, scores = Tail().fit(HONEST), np.linspace(-3, 9, 50)
    assert np.array_equal(Tail.from_state(tail.state()).rarity(scores), tail.rarity(scores))


def test_the_chance_is_true_at_the_declared_prevalence():
    """Half of the cases are thieves, but they weigh as little as thieves are rare."""
    rng = np.random.default_rng(2)
    theft = rng.random(20_000) < 0.5
    fused = rng.normal(size=20_000) + 2 * theft
    weight = np.where(theft, PREVALENCE / theft.sum(), (1 - PREVALENCE) / (~theft).sum())
    chance = Chance().fit(fused, theft, weight).of(fused)
    assert (chance * weight).sum() == pytest.approx(PREVALENCE, rel=0.02)
    assert calibration(chance, theft, weight).error < 0.01


@pytest.mark.parametrize("gap", [0, 5, 1000])
def test_chances_end_where_scores_tell_all_or_nothing(gap):
    theft = np.arange(200) < 100
    fused = theft * float(gap)
    chance = Chance().fit(fused, theft, np.full(200, 1 / 200)).of(fused)
    assert np.isfinite(chance).all()
    assert chance[0] >= chance[-1]


def test_a_score_that_misleads_lowers_no_chance():
    theft = np.arange(200) < 100
    chance = Chance().fit(-1.0 * theft, theft, np.full(200, 1 / 200))
    assert chance.slope_ == 0


def test_a_chance_is_the_same_after_it_was_kept():
    chance = Chance()
    chance.intercept_, chance.slope_ = -3.0, 1.5
    assert Chance.from_state(chance.state()).of(HONEST[:9]).tolist() == chance.of(HONEST[:9]).tolist()
