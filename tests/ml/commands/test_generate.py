import numpy as np
import pandas as pd
import pytest

from ml.synthetic.city import stream_city
from ml.tables import read_readings


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from ml.__main__ import main

    folder = tmp_path_factory.mktemp("made")
    assert main(["generate", "--consumers", "80", "--days", "61", "--seed", "3", "--out", str(folder)]) == 0
    return folder


def test_a_city_is_written_that_train_and_score_can_read(folder):
    readings = read_readings([folder / "readings.parquet"], folder / "grid.csv", folder / "sums.parquet")
    (window,) = readings.windows
    assert window.kwh.shape == (80, 61, 24)
    assert (window.sum_row >= 0).all()
    assert not readings.notes.counts


def test_the_truth_names_each_meter_once(folder):
    truth = pd.read_csv(folder / "truth.csv")
    assert truth["meter"].is_unique
    assert len(truth) == 80
    assert truth.loc[truth["steals"] == 1, ["kind", "formula", "onset_day"]].notna().all(axis=None)


def test_events_name_the_meters_of_the_readings(folder):
    events, truth = pd.read_csv(folder / "events.csv"), pd.read_csv(folder / "truth.csv")
    assert len(events)
    assert set(events["meter"]) <= set(truth["meter"])


def test_readings_are_those_of_the_streamed_city(folder):
    (block,) = stream_city(3, 80, 61)
    np.testing.assert_array_equal(read_readings([folder / "readings.parquet"]).windows[0].kwh, block.kwh)


def test_the_same_seed_gives_the_same_files(folder, run_json, tmp_path):
    run_json("generate", "--consumers", 80, "--days", 61, "--seed", 3, "--out", tmp_path)
    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_too_short_a_city_is_refused(run, tmp_path):
    status, _out, err = run("generate", "--consumers", 10, "--days", 3, "--out", tmp_path)
    assert status == 1
    assert "60 days" in err
