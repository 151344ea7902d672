"""Saves a fitted ensemble and loads it again: LightGBM's text, safetensors and a JSON manifest, no pickle.

The manifest holds the settings, the feature names, the versions and the hashes. Loading refuses whatever does not fit
this code exactly: a model that scores differently in silence is worse than none.
"""

import json
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_in_order

from ml import balance, nets
from ml.booster import Booster, KindBooster
from ml.calibration import Chance, Tail
from ml.change_features import names
from ml.config import Config
from ml.ensemble import Ensemble
from ml.novelty import Novelty
from ml.stage import Stage
from ml.unsupervised import Unsupervised

FORMAT = 3
MANIFEST = "manifest.json"
LIBRARIES = ("numpy", "lightgbm", "safetensors")
"""Those that a saved model's figures depend on; scikit-learn and torch leave plain arrays behind."""


class ArtifactError(Exception):
    """The folder does not hold a model that this code can use; the message says why."""


class OutdatedError(ArtifactError):
    """A whole model of other versions: nothing is wrong with it, and only another training helps."""


def save(ensemble: Ensemble, folder: Path | str) -> None:
    """Write a fitted ensemble into the folder, which is made if need be. The manifest comes last."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, bytes] = {}
    manifest = {
        "format": FORMAT,
        "versions": {library: version(library) for library in LIBRARIES},
        "features": list(names()),
        "balance_features": list(balance.names()),
        "config": ensemble.config.as_dict(),
        "trained_on": ensemble.trained_on_,
        "held_out": ensemble.held_out_,
        "stages": {str(interval): _save_stage(stage, interval, files) for interval, stage in ensemble.stages.items()},
        "networks": {},
    }
    for name, network in ensemble.networks.items():
        manifest["networks"][name], arrays = network.state()
        files[f"{name}.safetensors"] = save_arrays(arrays)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    manifest["sha256"] = {name: sha256(content).hexdigest() for name, content in files.items()}
    manifest["seal"] = _seal(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def save_arrays(arrays: dict[str, np.ndarray]) -> bytes:
    """safetensors writes an array's memory as it lies, so a transposed one would come back scrambled."""
    return save_in_order({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def _save_stage(stage: Stage, interval: int, files: dict[str, bytes]) -> dict:
    kept = {
        "weights": stage.weights,
        "tails": {name: tail.state() for name, tail in stage.tails.items()},
        "chances": {name: chance.state() for name, chance in stage.chances.items()},
        "boosters": {},
    }
    for name in ("booster", "fused", "outcomes", "kinds"):
        booster = getattr(stage, name)
        if booster is not None:
            kept["boosters"][name], text = booster.state()
            files[f"{name}_{interval}.txt"] = text.encode()
    for name in ("novelty", "signs"):
        detector = getattr(stage, name)
        if detector is not None:
            kept[name], arrays = detector.state()
            files[f"{name}_{interval}.safetensors"] = save_arrays(arrays)
    return kept


def load(folder: Path | str) -> Ensemble:
    """Raises ArtifactError when something is missing, changed, or made by other versions.

    Without torch the networks stay behind, and the other parts share their weight.
    """
    folder = Path(folder)
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"no readable model in {folder.name}: {error}") from error
    _refuse_what_differs(manifest)
    files = {name: _read(folder / name, expected) for name, expected in manifest["sha256"].items()}
    try:
        ensemble = Ensemble(Config(**manifest["config"]))
        ensemble.trained_on_, ensemble.held_out_ = manifest["trained_on"], manifest["held_out"]
        for interval, kept in manifest["stages"].items():
            ensemble.stages[int(interval)] = _load_stage(kept, interval, files)
        if nets.available():
            for name, settings in manifest["networks"].items():
                arrays = load_arrays(files[f"{name}.safetensors"])
                ensemble.networks[name] = nets.classes()[name].from_state(settings, arrays)
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise ArtifactError(f"{folder.name} holds no whole model: {error}") from error
    return ensemble


def _load_stage(kept: dict, interval: str, files: dict[str, bytes]) -> Stage:
    boosters = {
        name: (KindBooster if name == "kinds" else Booster).from_state(
            settings, files[f"{name}_{interval}.txt"].decode()
        )
        for name, settings in kept["boosters"].items()
    }
    signs = None
    if "signs" in kept:
        signs = Unsupervised.from_state(kept["signs"], load_arrays(files[f"signs_{interval}.safetensors"]))
    return Stage(
        weights=kept["weights"],
        signs=signs,
        novelty=Novelty.from_state(kept["novelty"], load_arrays(files[f"novelty_{interval}.safetensors"])),
        tails={name: Tail.from_state(state) for name, state in kept["tails"].items()},
        chances={name: Chance.from_state(state) for name, state in kept["chances"].items()},
        **boosters,
    )


def _read(path: Path, expected: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path.name} is missing: {error}") from error
    if sha256(content).hexdigest() != expected:
        raise ArtifactError(f"{path.name} was changed after it was saved")
    return content


def _refuse_what_differs(manifest: dict) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise OutdatedError(f"{MANIFEST} is not of format {FORMAT}: train again")
    if manifest.get("seal") != _seal(manifest):
        raise ArtifactError(f"{MANIFEST} was changed after it was saved")
    for library in LIBRARIES:
        saved, here = manifest["versions"].get(library), version(library)
        if saved != here:
            raise OutdatedError(f"saved with {library} {saved}, but {here} is installed: train again")
    if manifest["features"] != list(names()) or manifest["balance_features"] != list(balance.names()):
        raise OutdatedError("saved with other features than this code computes: train again")
    if any("/" in name or "\\" in name for name in manifest["sha256"]):
        raise ArtifactError(f"{MANIFEST} names files outside its folder")


def _seal(manifest: dict) -> str:
    """Hash of everything else in the manifest; it shows damage and edits, not a determined forger."""
    rest = {key: value for key, value in manifest.items() if key != "seal"}
    return sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
