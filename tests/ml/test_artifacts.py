import json

import numpy as np
import pytest

from ml import artifacts
from ml.artifacts import MANIFEST, ArtifactError

FOREST = "novelty_60.safetensors"


@pytest.fixture
def folder(ensemble, tmp_path):
    artifacts.save(ensemble, tmp_path / "model")
    return tmp_path / "model"


def test_a_loaded_model_scores_as_the_saved_one(folder, ensemble, small_city):
    window = small_city.window()
    assert np.array_equal(artifacts.load(folder).score(window), ensemble.score(window))


def test_a_changed_forest_is_refused(folder):
    content = bytearray((folder / FOREST).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / FOREST).write_bytes(content)
    with pytest.raises(ArtifactError, match=r"novelty_60\.safetensors was changed"):
        artifacts.load(folder)


def test_a_changed_setting_is_refused(folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["config"]["alerts"]["thresholds"]["critical"] = 0.1
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"manifest\.json was changed"):
        artifacts.load(folder)


def test_a_model_of_another_library_version_is_refused(folder, monkeypatch):
    monkeypatch.setattr(artifacts, "version", lambda library: "99.0")
    with pytest.raises(ArtifactError, match=r"99\.0 is installed: train again"):
        artifacts.load(folder)


def test_a_model_of_other_features_is_refused(folder, monkeypatch):
    monkeypatch.setattr(artifacts, "names", lambda: ("level_7",))
    with pytest.raises(ArtifactError, match="other features"):
        artifacts.load(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", "null"])
def test_a_folder_without_a_model_is_refused(tmp_path, content):
    (tmp_path / MANIFEST).write_text(content)
    (tmp_path / FOREST).write_bytes(b"")
    with pytest.raises(ArtifactError):
        artifacts.load(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="no readable model in gone"):
        artifacts.load(tmp_path / "gone")
