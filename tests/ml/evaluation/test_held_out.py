import json

import numpy as np
import pytest

from ml.evaluation.held_out import held_out
from ml.evaluation.truth import PREVALENCE, Truth, population

KINDS = ("untouched", "scale", "clip", "began_before_scale", "vacation", "solar", "identity")


def drawn(households=30, kinds=KINDS) -> Truth:
    """Each household once in each kind; an attack hides 100 kWh."""
    kind = np.repeat(kinds, households)
    theft = np.isin(kind, ["scale", "clip", "began_before_scale"])
    return Truth(
        kind=kind,
        theft=theft,
        family=np.where(theft, "reduce", ""),
        onset=np.where(kind == "untouched", -1, 40),
        household=np.tile(np.arange(households), len(kinds)),
        missing_kwh=np.where(theft, 100.0, 0.0),
    )


@pytest.fixture
def truth():
    return drawn()


def noisy(truth, seed=0):
    return truth.theft * 2.0 + np.random.default_rng(seed).normal(size=len(truth))


def test_each_kind_weighs_the_same_whatever_its_cases(truth):
    fewer = truth.take(np.r_[0:40, 60 : len(truth)])
    weights = population(fewer)
    assert weights[fewer.theft].sum() == pytest.approx(PREVALENCE)
    assert weights[fewer.kind == "scale"].sum() == pytest.approx(weights[fewer.kind == "clip"].sum() * 1)
    assert weights[fewer.kind == "untouched"].sum() == pytest.approx(0.8)


def test_the_leak_test_and_old_theft_weigh_nothing(truth):
    assert not population(truth)[np.isin(truth.kind, ["identity", "began_before_scale"])].any()


def test_the_report_survives_json_and_keeps_its_order(truth):
    probability = np.clip(noisy(truth) / 4, 0, 1)
    importance = {"level": 3.0, "shape": 1.0}
    report = held_out(
        noisy(truth),
        truth,
        data="test",
        probability=probability,
        plain=noisy(truth, 1),
        importance=importance,
        draws=20,
    )
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    auc = report["headline"]["auc"]
    assert 0.85 < auc["low"] < auc["value"] < auc["high"] < 1
    assert report["importance"][0] == {"name": "level", "share": 0.75}
    assert len(report["roc"]) <= 100


def test_the_confusion_counts_a_thousand_meters(truth):
    cells = held_out(truth.theft * 1.0, truth, data="test", draws=0)["confusion"]
    assert cells["found"] == pytest.approx(1000 * PREVALENCE)
    assert cells["missed"] == pytest.approx(0)
    assert sum(cells[name] for name in ("found", "missed", "visited_in_vain", "left_alone")) == pytest.approx(1000)


def test_a_kind_that_alarms_is_named(truth):
    scores = truth.theft + np.where(truth.kind == "solar", 2 + np.arange(len(truth)) / 1000, 0)
    by_kind = {row["kind"]: row["false_alarms"] for row in held_out(scores, truth, data="t", draws=0)["by_look_alike"]}
    assert by_kind == {"untouched": 0, "vacation": 0, "solar": pytest.approx(0.05 * 0.95 / 0.075, abs=0.04)}


def test_a_budget_says_which_share_of_the_energy_comes_back(truth):
    rows = held_out(truth.theft * 1.0, truth, data="test", draws=0)["budget"]
    assert [row["visited_share"] for row in rows] == [0.01, 0.02, 0.05, 0.1]
    assert rows[0]["energy_share"] == pytest.approx(0.2)
    assert rows[2]["recall"] == pytest.approx(1)
    assert rows[2]["kwh_per_visit"] == pytest.approx(100)


def test_honest_cases_alone_are_refused(truth):
    with pytest.raises(ValueError, match="missing"):
        held_out(np.zeros(30), truth.take(truth.kind == "untouched"), data="test")
