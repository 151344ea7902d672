import pytest

from ml.evaluation.average import average


def test_numbers_are_averaged_wherever_they_are():
    assert average([{"a": [1, {"b": 2.0}], "name": "x"}, {"a": [3, {"b": 4.0}], "name": "x"}]) == {
        "a": [2, {"b": 3.0}],
        "name": "x",
    }


def test_a_figure_gains_its_spread_between_splits():
    figure = average([{"value": 0.8, "low": 0.7, "high": 0.9}, {"value": 0.9, "low": 0.8, "high": 1.0}])
    assert figure["value"] == pytest.approx(0.85)
    assert figure["sd"] == pytest.approx(0.0707, abs=1e-3)
    assert average([{"value": 0.8, "low": 0.7, "high": 0.9}])["sd"] is None


def test_what_one_split_lacks_is_taken_from_the_others():
    assert average([{"kinds": {"a": 1.0}}, {"kinds": {"a": 2.0, "b": 5.0}}]) == {"kinds": {"a": 1.5, "b": 5.0}}
