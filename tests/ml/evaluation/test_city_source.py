import numpy as np
import pytest

from ml.evaluation import city_source
from ml.evaluation.study import Scored
from tests.ml.evaluation.test_held_out import drawn


def test_no_neighbourhood_is_on_two_sides_of_a_split(study):
    parts = [study.source.window(0, part) for part in ("train", "validation", "test")]
    groups = [set(part.peer_group.tolist()) for part in parts]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert sum(map(len, parts)) == 100


def test_cases_are_drawn_alike_each_time(study):
    first, again = (next(iter(study.source.batches(0, "validation"))) for _ in range(2))
    assert (first.truth.kind == again.truth.kind).all()
    np.testing.assert_array_equal(first.evidence.kwh, again.evidence.kwh)


def test_a_perfect_score_is_graded_so(study):
    truth = drawn()
    scored = Scored({}, truth)
    report = study.source.grade(truth.theft * 1.0, scored, threshold=0.5, resamples=0)
    assert report["headline"]["auc"]["value"] == 1
    assert report["at_threshold"] == pytest.approx({"precision": 1, "recall": 1, "f1": 1, "false_alarms": 0})
    assert report["identity_auc"] == 0.5


def test_delay_counts_the_nights_until_the_first_alarm():
    truth, nights = drawn(), np.arange(42, 91, 7)
    scores = np.where(truth.theft[:, None] & (nights >= 49), 1.0, 0.0)
    figures = city_source.grade_delay((scores, Scored({}, truth)), (scores, Scored({}, truth)), nights)
    assert figures["median_days_of_found"] == 9
    assert figures["found_in_7_days"] == 0
    assert figures["found_in_14_days"] == pytest.approx(1)
