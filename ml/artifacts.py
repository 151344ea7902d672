"""Saves a fitted ensemble and loads it again: a JSON manifest beside a skops file, no pickle.

The manifest holds the settings, the feature names, the versions and the hashes. Loading refuses whatever does not fit
this code exactly: a model that scores differently in silence is worse than none.
"""

import json
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np
import skops.io
from sklearn.ensemble import IsolationForest

from ml.config import Config
from ml.ensemble import Ensemble
from ml.features import FEATURES

FORMAT = 1
MANIFEST, FOREST = "manifest.json", "forest.skops"
TRUSTED = ["sklearn.tree._tree.Tree"]
"""What a forest holds beyond the types that skops trusts by itself."""
LIBRARIES = ("numpy", "scikit-learn", "skops")


class ArtifactError(Exception):
    """The folder does not hold a model that this code can use; the message says why."""


def save(ensemble: Ensemble, folder: Path | str) -> None:
    """Write a fitted ensemble into the folder, which is made if need be. The manifest comes last."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    forest = skops.io.dumps(ensemble.isolation.forest_)
    (folder / FOREST).write_bytes(forest)
    manifest = {
        "format": FORMAT,
        "versions": {library: version(library) for library in LIBRARIES},
        "features": list(FEATURES),
        "config": ensemble.config.as_dict(),
        "quantiles": ensemble.isolation.quantiles_.tolist(),
        "sha256": {FOREST: sha256(forest).hexdigest()},
    }
    manifest["seal"] = _seal(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def load(folder: Path | str) -> Ensemble:
    """Raises ArtifactError when something is missing, changed, or made by other versions."""
    folder = Path(folder)
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        forest = (folder / FOREST).read_bytes()
    except (OSError, ValueError) as error:
        raise ArtifactError(f"no readable model in {folder.name}: {error}") from error
    _refuse_what_differs(manifest, forest)
    unknown = sorted(set(skops.io.get_untrusted_types(data=forest)) - set(TRUSTED))
    if unknown:
        raise ArtifactError(f"{FOREST} holds types that a forest does not need: {', '.join(unknown)}")
    ensemble = Ensemble(Config(**manifest["config"]))
    ensemble.isolation.forest_ = skops.io.loads(forest, trusted=TRUSTED)
    ensemble.isolation.quantiles_ = np.array(manifest["quantiles"])
    if not isinstance(ensemble.isolation.forest_, IsolationForest):
        raise ArtifactError(f"{FOREST} holds no isolation forest")
    return ensemble


def _refuse_what_differs(manifest: dict, forest: bytes) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ArtifactError(f"{MANIFEST} is not of format {FORMAT}")
    if manifest.get("seal") != _seal(manifest):
        raise ArtifactError(f"{MANIFEST} was changed after it was saved")
    for library in LIBRARIES:
        saved, here = manifest["versions"].get(library), version(library)
        if saved != here:
            raise ArtifactError(f"saved with {library} {saved}, but {here} is installed: train again")
    if manifest["features"] != list(FEATURES):
        raise ArtifactError("saved with other features than this code computes: train again")
    if manifest["sha256"].get(FOREST) != sha256(forest).hexdigest():
        raise ArtifactError(f"{FOREST} was changed after it was saved")


def _seal(manifest: dict) -> str:
    """Hash of everything else in the manifest; it shows damage and edits, not a determined forger."""
    rest = {key: value for key, value in manifest.items() if key != "seal"}
    return sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
