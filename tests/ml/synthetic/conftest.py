"""One home whose supply changes, and a street of them to draw cases from."""

import numpy as np
import pytest

from ml.synthetic.home import Home
from tests.ml.conftest import make_street, make_window

BEFORE = 28


def make_home(slots=48, days=90, seed=5) -> Home:
    own, another = make_street(homes=2, days=days, slots=slots, seed=seed)
    after = np.arange(days - BEFORE)
    return Home(
        kwh=own[BEFORE:],
        before=own[:BEFORE],
        weekday=after % 7,
        cold=np.linspace(1, 0, len(after), dtype=np.float32),
        sun=np.linspace(0.1, 0.9, len(after), dtype=np.float32),
        another=another[BEFORE:],
    )


@pytest.fixture
def home():
    return make_home()


@pytest.fixture(scope="session")
def window():
    """Thirty homes of one transformer and a half; half hours, whole watt hours."""
    return make_window(make_street(homes=30, days=91, slots=48), peer_group=np.arange(30) // 20)
