import json

import pytest

from ml.evaluation import model_card
from ml.evaluation.run import find, run
from ml.evaluation.summary import summary


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="module")
def evaluate(folder, study):
    """What a quick evaluation of a village reports, and what it said on its way."""

    def evaluate(*rows):
        said = []
        given = {"city": study.source, "config": study.config, "progress": said.append}
        report = run(True, protocol="", data="", out=folder, rows=rows, **given)
        return report, said

    return evaluate


def test_rows_are_written_and_not_computed_again(evaluate, folder):
    first, said = evaluate("unsupervised", "clock")
    again, said_again = evaluate("unsupervised", "clock")
    assert any("row" in line for line in said)
    assert not said_again
    assert first == again == json.loads((folder / "evaluation.json").read_text())
    assert "plain rule" in (folder / "tables.txt").read_text()


def test_a_clock_change_moves_no_score(evaluate):
    report, _said = evaluate("clock")
    for season in report["studies"]["city"]["rows"]["clock"].values():
        assert max(detector["largest_difference"] for detector in season.values()) < 1e-6


def test_a_page_gets_curves_models_and_the_audit(evaluate):
    report, _said = evaluate("unsupervised", "decisions", "leakage")
    page = summary(report)
    assert len(page["roc"]) <= 100
    assert {"plain_rule", "random"} <= {model["name"] for model in page["models"]}
    assert {row["name"]: row["passed"] for row in page["audit"]}["duplicate_meters"]


def test_the_model_card_has_the_figures_and_the_limits(evaluate):
    report, _said = evaluate("unsupervised", "decisions")
    card = model_card.render(report)
    value = report["studies"]["city"]["rows"]["unsupervised"]["plain_rule"]["headline"]["auc"]["value"]
    assert f"{value:.3f}" in card
    assert "What it cannot do" in card
    assert "opened, per model: never" in card


def test_an_unknown_row_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no such row: moon"):
        run(True, out=tmp_path, rows=["moon"])


def test_a_folder_that_is_named_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv("NTL_PROTOCOL", str(tmp_path))
    assert find(None, "NTL_PROTOCOL", "protocol") == tmp_path
    assert find("", "NTL_PROTOCOL", "protocol") is None
    with pytest.raises(FileNotFoundError, match="nowhere"):
        find(tmp_path / "nowhere", "NTL_PROTOCOL", "protocol")
