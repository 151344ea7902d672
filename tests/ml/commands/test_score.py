import pandas as pd
import pytest

from ml.commands.score import COLUMNS


@pytest.fixture
def scored(run, model, city, tmp_path):
    """Scores the given readings; the CSV as a frame."""

    def scored(readings, *options) -> pd.DataFrame:
        out = tmp_path / "scores.csv"
        status, _out, err = run("score", "--model", model, "--readings", readings, "--out", out, *options)
        assert status == 0, err
        return pd.read_csv(out, dtype={"meter": str})

    return scored


def test_each_meter_gets_a_row_in_the_order_of_the_input(scored, city):
    scores = scored(city / "readings.parquet")
    assert tuple(scores.columns) == COLUMNS
    assert scores["meter"].tolist() == pd.read_csv(city / "grid.csv")["meter"].tolist()
    assert scores["score"].between(0, 1).all()
    assert scores["reasons"].notna().any()


def test_csv_and_parquet_give_the_same_scores(scored, city):
    pd.testing.assert_frame_equal(scored(city / "readings.parquet"), scored(city / "readings.csv"))


def test_the_order_of_rows_and_columns_changes_no_score(scored, city, tmp_path):
    grid = ("--grid", city / "grid.csv", "--sums", city / "sums.parquet")
    frame = pd.read_parquet(city / "readings.parquet").set_index("timestamp")
    frame.sample(frac=1, random_state=1).sample(frac=1, axis=1, random_state=2).to_parquet(tmp_path / "mixed.parquet")
    first = scored(city / "readings.parquet", *grid).set_index("meter")
    mixed = scored(tmp_path / "mixed.parquet", *grid).set_index("meter")
    pd.testing.assert_frame_equal(first, mixed.loc[first.index])


def test_the_result_comes_as_json_on_request(run_json, model, city, tmp_path):
    result = run_json(
        "score", "--model", model, "--readings", city / "readings.parquet", "--grid", city / "grid.csv",
        "--sums", city / "sums.parquet", "--out", tmp_path / "scores.csv", "--timezone", "Europe/London",
    )  # fmt: skip
    assert result["meters"] == sum(result["levels"].values()) == result["windows"][0]["meters"]
    assert result["windows"][0]["sum_meters"] == 2
    assert result["notes"] == {}


def test_a_short_history_is_scored_and_the_reasons_say_so(scored, city, tmp_path):
    pd.read_parquet(city / "readings.parquet").set_index("timestamp").iloc[: 35 * 24].to_parquet(
        tmp_path / "short.parquet"
    )
    scores = scored(tmp_path / "short.parquet")
    assert scores["score"].notna().mean() > 0.9
    assert scores.loc[scores["score"].notna(), "reasons"].str.contains("first third").all()


def test_a_file_that_cannot_be_used_leaves_the_old_scores_alone(run, model, city, tmp_path):
    out = tmp_path / "scores.csv"
    out.write_text("old")
    status, _out, err = run("score", "--model", model, "--readings", city / "gone.csv", "--out", out)
    assert status == 1
    assert "gone.csv: cannot be opened" in err
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]
    assert out.read_text() == "old"


def test_a_folder_without_a_model_is_refused(run, city, tmp_path):
    status, _out, err = run("score", "--model", tmp_path, "--readings", city / "readings.csv", "--out", tmp_path / "x")
    assert status == 1
    assert "no readable model" in err


def test_what_is_odd_about_the_input_is_said_on_stderr(run, model, city, tmp_path):
    grid = tmp_path / "grid.csv"
    grid.write_text("meter,transformer\nghost,T1\n")
    *_rest, err = run(
        "score", "--model", model, "--readings", city / "readings.csv", "--grid", grid, "--out", tmp_path / "scores.csv"
    )
    assert "note: 1 meters of the grid file have no readings" in err
