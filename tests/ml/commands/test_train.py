import pandas as pd
import pytest

from ml import artifacts
from ml.commands.train import configured
from ml.config import default_config
from ml.tables import InputError

HARDLY_ANY = """
models:
  isolation_forest: {n_estimators: 20}
  autoencoder: {epochs: 1}
  lstm: {epochs: 1}
  booster: {rounds: 20, learning_rate: 0.3}
  kinds: {rounds: 2}
training: {meters: 60, cases: 300, lengths: [35], meters_for_signs: 0}
"""


def test_a_model_is_learned_and_can_be_loaded(run_json, tmp_path):
    run_json("generate", "--consumers", 60, "--days", 70, "--out", tmp_path / "city")
    city = tmp_path / "city"
    (tmp_path / "settings.yaml").write_text(HARDLY_ANY)
    (tmp_path / "outcomes.csv").write_text("meter,outcome,day\nC-000001,bypass,2025-02-03\nC-000002,no_access,\n")
    result = run_json(
        "train", "--readings", city / "readings.parquet", "--grid", city / "grid.csv", "--sums", city / "sums.parquet",
        "--outcomes", tmp_path / "outcomes.csv", "--timezone", "Europe/London",
        "--config", tmp_path / "settings.yaml",
        "--model", tmp_path / "model",
    )  # fmt: skip
    assert result["outcomes"] == 1
    assert 0 <= result["held_out"]["headline"]["auc"]["value"] <= 1
    assert (result["meters"], result["days"], result["interval_minutes"]) == (60, 70, 60)
    assert artifacts.load(tmp_path / "model")


def test_nothing_can_be_learned_from_two_days(run, tmp_path):
    stamps = pd.date_range("2026-01-01", periods=48, freq="60min")
    pd.DataFrame({"M1": 1.0, "M2": 2.0}, stamps).to_csv(tmp_path / "short.csv")
    status, _out, err = run("train", "--readings", tmp_path / "short.csv", "--model", tmp_path / "model")
    assert status == 1
    assert "nothing could be learned" in err
    assert not (tmp_path / "model").exists()


def test_settings_of_a_file_take_the_place_of_the_usual_ones(tmp_path):
    (tmp_path / "mine.yaml").write_text("models: {autoencoder: {epochs: 3}}")
    config, usual = configured(tmp_path / "mine.yaml", quick=False), default_config()
    assert config.models["autoencoder"] == usual.models["autoencoder"] | {"epochs": 3}
    assert config.weights == usual.weights


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models: {transformer: {}}", "there is no setting transformer"),
        ("ensemble: {weights: {booster: 7}}", "sum to 1"),
        ("- 1", "needs keys and values"),
        ("a: [", "is no YAML"),
    ],
)
def test_settings_that_cannot_be_are_refused(text, says, tmp_path):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match=says):
        configured(tmp_path / "mine.yaml", quick=False)


@pytest.mark.parametrize("arguments", [[], ["train"], ["train", "--readings"], ["score", "--days", "0"], ["dance"]])
def test_a_wrong_command_line_shows_how_it_goes(run, arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    assert stopped.value.code == 2
    assert "usage: python -m ml" in capsys.readouterr().err
