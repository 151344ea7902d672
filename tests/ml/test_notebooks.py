"""The notebooks run from top to bottom, on small cities."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ml.config import Config, default_config

QUICK = default_config().quick()
TINY = replace(QUICK, training=QUICK.training | {"cases": 300, "meters": 60, "intervals": [], "meters_for_signs": 12})
NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path, monkeypatch):
    monkeypatch.setattr(Config, "quick", lambda self: TINY)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("NTL_NOTEBOOK_CONSUMERS", "120")
    monkeypatch.chdir(path.parent)
    names = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), path.name, "exec"), names)
    names["plt"].close("all")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_names_no_machine(path):
    text = path.read_text(encoding="utf-8")
    assert "/root/" not in text
    assert ".venv" not in text
