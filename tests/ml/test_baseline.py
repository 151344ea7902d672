import numpy as np
import pytest

from ml.baseline import PlainRule
from tests.ml.conftest import SUSPECT, make_window


def test_the_plain_rule_says_by_how_much_the_last_fortnight_fell(street):
    street[SUSPECT, 100:] *= 0.6
    scores = PlainRule().fit(make_window(street)).score(make_window(street))
    assert scores[SUSPECT] == pytest.approx(0.4, abs=0.1)
    assert np.delete(scores, SUSPECT).max() < 0.2
