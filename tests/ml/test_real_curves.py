"""On real, untouched households: there are no labels, so all that can be held is that levels are not inflated."""

from pathlib import Path

import numpy as np
import pytest

from ml.window import MeterWindow

UK = Path(__file__).parents[3] / "shared/data/uk_edrp_622/consumption_30min_kwh.parquet"


@pytest.fixture(scope="module")
def households():
    if not UK.exists():
        pytest.skip(f"{UK.parent.name} is not on this machine")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(UK)
    meters = [name for name in table.column_names if name.startswith("H")]
    kwh = np.stack([table[meter].to_numpy().astype(np.float32) for meter in meters]).reshape(len(meters), -1, 48)
    return MeterWindow(
        meters=np.array(meters),
        kwh=kwh,
        first_day=np.datetime64("2009-03-01"),
        interval_minutes=30,
        peer_group=np.arange(len(meters)) // 25,
        contract_active=np.ones(kwh.shape[:2], bool),
        timezone="Europe/London",
    )


def test_few_untouched_households_are_high_or_critical(households, ensemble):
    levels = np.array([found.level for found in ensemble.explain(households)])
    assert 0 < np.isin(levels, ["high", "critical"]).mean() < 0.03


def test_one_that_is_cut_by_more_than_half_stands_out_among_them(households, ensemble):
    kwh = households.kwh.copy()
    usual = np.nonzero(ensemble.score(households) < 0.1)[0][::10]  # few to a neighbourhood
    kwh[usual, 50:] *= 0.4
    changed = MeterWindow(**{**vars(households), "kwh": kwh})
    assert (ensemble.score(changed)[usual] >= 0.5).mean() > 0.6
