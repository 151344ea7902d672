"""A small made-up city as files, and the model that all of these tests share."""

import json

import pandas as pd
import pytest

from ml import artifacts
from ml.__main__ import main
from ml.commands.generate import write_wide
from tests.ml.tables.test_curves import melted


@pytest.fixture(scope="session")
def model(ensemble, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    artifacts.save(ensemble, folder)
    return folder


@pytest.fixture(scope="session")
def city(small_city, tmp_path_factory):
    """Forty meters of the city: readings.parquet, readings.csv (long), grid.csv and sums.parquet."""
    folder, window = tmp_path_factory.mktemp("city"), small_city.window()
    chosen = window.take([row for row in range(len(window)) if window.peer_group[row] < 2])
    write_wide(folder / "readings.parquet", chosen.meters, chosen.kwh, chosen.first_day)
    write_wide(folder / "sums.parquet", ["T0", "T1"], small_city.transformer_kwh[:2], chosen.first_day)
    frame = pd.read_parquet(folder / "readings.parquet").set_index("timestamp")
    melted(frame).to_csv(folder / "readings.csv", index=False)
    grid = pd.DataFrame({"meter": chosen.meters, "transformer": [f"T{group}" for group in chosen.peer_group]})
    grid.to_csv(folder / "grid.csv", index=False)
    return folder


@pytest.fixture
def run(capsys):
    """Runs a command line; the exit status, stdout and stderr."""

    def run(*arguments) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def run_json(run):
    def run_json(*arguments) -> dict:
        status, out, err = run(*arguments, "--json")
        assert status == 0, err
        return json.loads(out, parse_constant=lambda text: pytest.fail(f"{text} is no JSON"))

    return run_json
