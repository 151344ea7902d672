import numpy as np
import pandas as pd
import pytest

from ml.commands.explain import sparkline


@pytest.fixture
def stopped(city, tmp_path):
    """The city's readings after one meter stopped half way."""
    frame = pd.read_parquet(city / "readings.parquet").set_index("timestamp")
    frame.loc["2025-12-01":, frame.columns[3]] = 0.0
    frame.to_parquet(tmp_path / "readings.parquet")
    return tmp_path / "readings.parquet", frame.columns[3]


def test_a_meter_is_told_about_in_words_and_pictures(run, model, stopped):
    path, meter = stopped
    status, out, _err = run("explain", "--model", model, "--readings", path, "--meter", meter)
    assert status == 0
    assert out.startswith(f"Meter {meter}: ")
    assert "Since 2025-12-01" in out
    assert "usual day, midnight to midnight:" in out


def test_the_same_comes_as_json(run_json, model, stopped):
    path, meter = stopped
    result = run_json("explain", "--model", model, "--readings", path, "--meter", meter)
    assert (result["meter"], result["onset_day"]) == (meter, "2025-12-01")
    assert result["reasons"]


def test_a_mistyped_name_brings_the_nearest_ones(run, model, city):
    status, _out, err = run("explain", "--model", model, "--readings", city / "readings.csv", "--meter", "C-00001")
    assert status == 1
    assert "Did you mean C-0000" in err


def test_a_sparkline_leaves_a_blank_where_nothing_is_known():
    assert sparkline(np.array([0, 0.5, np.nan, 1.0])) == "▁▅ █"
    assert sparkline(np.array([0.0, 0.0])) == "▁▁"
