import numpy as np
import pytest

from ml.booster import Booster, KindBooster

QUICK = {"rounds": 20, "learning_rate": 0.2, "leaves": 7, "least_in_leaf": 10, "threads": 1}


@pytest.fixture
def cases():
    """300 cases with 5 features, the second of which tells thieves; a tenth of all values is unknown."""
    rng = np.random.default_rng(0)
    features, theft = rng.normal(size=(300, 5)).astype(np.float32), rng.random(300) < 0.4
    features[:, 1] -= 3 * theft
    features[rng.random(features.shape) < 0.1] = np.nan
    return features, theft


def test_thieves_score_higher(cases):
    features, theft = cases
    scores = Booster(**QUICK).fit(features, theft).score(features)
    assert scores[theft].mean() > scores[~theft].mean() + 2
    assert np.isfinite(scores).all()


def test_heavier_cases_count_for_more(cases):
    features, theft = cases
    odd = features[:, 0] > 0
    said = [
        Booster(**QUICK).fit(features, odd ^ theft, np.where(odd, weight, 1.0)).score(features).mean()
        for weight in (0.05, 20.0)
    ]
    assert said[1] > said[0]


@pytest.mark.parametrize("theft", [True, False])
def test_one_kind_of_case_alone_teaches_nothing(cases, theft):
    features, _theft = cases
    with pytest.raises(ValueError, match="one of them is missing"):
        Booster(**QUICK).fit(features, np.full(len(features), theft))


def test_the_same_cases_give_the_same_booster(cases):
    one, other = (Booster(**QUICK).fit(*cases).score(cases[0]) for _ in range(2))
    assert np.array_equal(one, other)


def test_a_booster_scores_the_same_after_it_was_kept(cases):
    booster = Booster(**QUICK).fit(*cases)
    again = Booster.from_state(*booster.state())
    assert again.config == booster.config
    assert np.array_equal(again.score(cases[0]), booster.score(cases[0]))


def test_the_feature_that_tells_is_the_important_one(cases):
    importance = Booster(**QUICK).fit(*cases).importance("abcde")
    assert max(importance, key=importance.get) == "b"
    assert sum(importance.values()) == pytest.approx(1)


def test_nobody_has_no_score(cases):
    assert Booster(**QUICK).fit(*cases).score(cases[0][:0]).shape == (0,)


def test_kinds_have_shares_that_sum_to_one(cases):
    features, theft = cases
    kind = np.where(theft, "theft:zero", np.where(features[:, 0] > 0, "vacation", "new_solar"))
    booster = KindBooster(**QUICK).fit(features, kind)
    shares = booster.shares(features)
    assert booster.classes == ["new_solar", "theft:zero", "vacation"]
    assert shares.sum(1) == pytest.approx(1)
    assert (np.array(booster.classes)[shares.argmax(1)] == kind).mean() > 0.8
    assert np.array_equal(KindBooster.from_state(*booster.state()).shares(features), shares)
    assert booster.shares(features[:0]).shape == (0, 3)


def test_a_single_kind_cannot_be_told_apart(cases):
    with pytest.raises(ValueError, match="needs two"):
        KindBooster(**QUICK).fit(cases[0], np.full(len(cases[0]), "vacation"))
