from dataclasses import replace

import pytest

from ml.config import default_config


@pytest.mark.parametrize(
    ("score", "level"), [(0, "low"), (0.3, "low"), (0.5, "medium"), (0.7, "high"), (0.9, "critical")]
)
def test_the_level_is_the_highest_threshold_reached(score, level):
    assert default_config().level_of(score) == level


def test_weights_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match="sum to 1"):
        replace(default_config(), ensemble={"weights": default_config().weights | {"booster": 0.5}})


def test_thresholds_that_fall_are_refused():
    with pytest.raises(ValueError, match="rise"):
        replace(default_config(), alerts={"thresholds": {"low": 0.3, "medium": 0.9, "high": 0.7, "critical": 0.95}})


def test_a_rule_without_a_weight_is_refused():
    with pytest.raises(ValueError, match=r"rules\.weights"):
        replace(default_config(), rules={"weights": {"odd_hours": 1}})
