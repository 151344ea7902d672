import numpy as np
import pytest

from ml.evidence import blocks
from ml.relative import centre_and_spread, hourly_kwh, relative_load
from tests.ml.conftest import SUSPECT, make_window


def evidence_of(kwh):
    """The evidence about a street, its homes each other's neighbours."""
    return next(blocks(make_window(kwh)))[1]


@pytest.mark.parametrize("slots", [1, 8, 16, 24, 48, 96, 288])
def test_every_interval_makes_the_same_hours(slots):
    hourly, seen = hourly_kwh(np.full((2, 3, slots), 24 / slots, np.float32))
    assert seen.all()
    assert hourly == pytest.approx(np.ones((2, 3, 24)), rel=1e-5)


def test_half_an_hour_stands_for_the_hour_and_nothing_for_none():
    kwh = np.full((1, 1, 48), 0.5, np.float32)
    kwh[0, 0, :3] = np.nan
    hourly, seen = hourly_kwh(kwh)
    assert not seen[0, 0, 0]
    assert seen[0, 0, 1:].all()
    assert hourly[0, 0, 1] == pytest.approx(1)


def test_a_load_is_a_multiple_of_the_own_reference(street):
    street[SUSPECT, 60:] *= 0.5
    relative = relative_load(evidence_of(street))
    share = relative.level / relative.peer_level
    assert share[:, :30].mean() == pytest.approx(1, abs=0.05)
    assert share[SUSPECT, 60:].mean() == pytest.approx(0.5, abs=0.05)


def test_a_few_thieves_do_not_move_what_is_usual():
    changes = np.r_[np.linspace(-1, 1, 95), np.full(5, -50)][:, None]
    centre, spread = centre_and_spread(changes)
    assert centre[0] == pytest.approx(0, abs=0.1)
    assert spread[0] < 1


def test_a_change_that_nobody_has_is_no_change():
    centre, spread = centre_and_spread(np.full((5, 2), np.nan))
    assert centre.tolist() == [0, 0]
    assert spread.tolist() == [1, 1]
