import numpy as np
import pytest

from ml.balance import trusted
from ml.change_features import names
from ml.evidence import Neighbourhood
from ml.stage import FUSED, METER, plain_rule, see
from tests.ml.conftest import SUSPECT, make_street, make_window


@pytest.fixture(scope="module")
def stage(ensemble):
    return ensemble.stages[60]


def half_measured(kwh, **changes):
    """The first half of the street hangs on a transformer with a sum meter, which measures 4 % more than it uses."""
    half = len(kwh) // 2
    given = {"sums": kwh[:half].sum(0)[None] * 1.04, "sum_row": np.where(np.arange(len(kwh)) < half, 0, -1)}
    return Neighbourhood(make_window(kwh, **given | changes)).evidence(slice(None))


def test_a_part_that_cannot_speak_leaves_its_weight_to_the_others(stage):
    booster, balance = stage.weights["booster"], stage.weights["balance"]
    evidence, shares = stage.fuse({"booster": np.array([1.0, 2.0]), "balance": np.array([np.nan, 4.0])})
    assert evidence == pytest.approx([1, (2 * booster + 4 * balance) / (booster + balance)])
    assert shares["balance"][0] == 0
    assert sum(shares.values()) == pytest.approx(1)


def test_no_evidence_at_all_is_a_score_of_nothing(stage):
    evidence, shares = stage.fuse({"booster": np.array([0.0]), "lstm": np.array([np.nan])})
    assert evidence[0] == 0
    assert sum(shares.values())[0] == 0


def test_an_odd_habit_alone_lifts_a_meter_only_so_far_and_what_knows_theft_any_distance(stage):
    odd, odder = (stage.fuse({"statistical": np.array([rarity]), "booster": np.array([1.0])})[0] for rarity in (2, 5))
    sure, surer = (stage.fuse({"statistical": np.array([1.0]), "booster": np.array([rarity])})[0] for rarity in (2, 5))
    assert odd == odder
    assert surer > sure


def test_the_balance_speaks_where_there_is_a_trusted_sum_meter(ensemble, street):
    street[3, 60:] *= 0.3
    judged = ensemble.judge(half_measured(street, sums=make_street()[:10].sum(0)[None] * 1.04))
    assert judged.balanced.tolist() == [True] * 10 + [False] * 10
    assert judged.parts["balance"][3] > 0
    assert (judged.parts["balance"][10:] == 0).all()


def test_a_sum_meter_that_measures_something_else_is_not_listened_to(ensemble, street):
    noise = np.random.default_rng(0).uniform(0, 9, (1, *street.shape[1:])).astype(np.float32)
    seen = see(half_measured(street, sums=noise))
    assert not seen.balanced.any()
    assert np.isnan(seen.balance).all()
    assert not trusted(seen.balance).any()


def test_scores_with_and_without_a_balance_are_each_calibrated(stage):
    assert {METER, FUSED} <= set(stage.tails)
    assert set(stage.chances) == {METER, FUSED}


def test_a_judgement_does_not_depend_on_who_is_judged_beside(ensemble, street):
    street[SUSPECT, 70:] *= 0.4
    street[2], street[12] = 9e5, np.nan
    evidence, some = half_measured(street), np.array([SUSPECT, 15, 4])
    whole, part = ensemble.judge(evidence), ensemble.judge(evidence.take(some))
    assert part.score == pytest.approx(whole.score[some], abs=1e-6)
    assert part.probability == pytest.approx(whole.probability[some], abs=1e-6)
    assert part.kinds == pytest.approx(whole.kinds[some], abs=1e-6)


def test_the_likelier_find_has_the_higher_score_and_chance(ensemble, street):
    factors = [1, 0.7, 0.4, 0.1]
    for row, factor in enumerate(factors):
        street[row] = street[SUSPECT]
        street[row, 60:] *= factor
    judged = ensemble.judge(Neighbourhood(make_window(street)).evidence(slice(0, len(factors))))
    assert (np.diff(judged.score) > 0).all()
    assert (np.diff(judged.probability) > 0).all()


def test_the_plain_rule_sees_less_and_zeros_and_never_more(street):
    street[1, 100:] *= 0.3
    street[2, 100:] = 0
    street[3, 100:] *= 3
    said = plain_rule(see(Neighbourhood(make_window(street)).evidence(slice(None))).features)
    assert said[2] > said[1] > said[4:].max()
    assert said[3] == 0
    assert "last14_level" in names()


def test_silence_is_a_score_of_nothing(ensemble, street):
    street[SUSPECT, 60:] = 0
    rows = np.arange(20) == SUSPECT
    judged = ensemble.judge(Neighbourhood(make_window(street)).evidence(slice(None)))
    silenced = judged.silenced(rows)
    assert judged.score[SUSPECT] > 0.5
    assert silenced.score[SUSPECT] == silenced.probability[SUSPECT] == 0
    assert all(part[SUSPECT] == 0 for part in silenced.parts.values())
    assert np.array_equal(silenced.score[~rows], judged.score[~rows])
