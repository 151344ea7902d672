import numpy as np
import pytest

from tests.ml.conftest import make_window


def test_a_window_keeps_what_fits(street):
    window = make_window(street)
    assert (len(window), window.days, window.slots) == street.shape
    assert np.shares_memory(window.kwh, street)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"interval_minutes": 7}, "divide 1440"),
        ({"interval_minutes": 30}, r"shape \(20, 120, 24\)"),
        ({"meters": np.array(["M1", "M2"])}, "2 meters"),
        ({"meters": np.full(20, "M1")}, "same meter twice"),
        ({"peer_group": np.zeros(3, int)}, "peer_group"),
        ({"peer_group": np.zeros(20)}, "whole numbers"),
        ({"contract_active": np.ones((20, 120))}, "true or false"),
        ({"timezone": "Atlantis/Poseidonis"}, "not known here"),
        ({"first_day": np.datetime64("NaT")}, "not a day"),
    ],
)
def test_a_window_refuses_what_does_not_fit(street, changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        make_window(street, **changes)


def test_a_window_refuses_an_infinite_reading(street):
    street[3, 4, 5] = np.inf
    with pytest.raises(ValueError, match="infinite"):
        make_window(street)


def test_taking_rows_takes_everything_about_them(street):
    taken = make_window(street, peer_group=np.arange(20)).take(np.array([5, 2]))
    assert taken.meters.tolist() == ["M005", "M002"]
    assert taken.peer_group.tolist() == [5, 2]
    assert np.array_equal(taken.kwh, street[[5, 2]])
