"""Where model versions keep their files. A process keeps the model that it used last.

What learns and scores is imported where it is first asked for: scikit-learn takes a second to load, and most web
processes only ever show what was scored.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from apps.detection.models import ModelVersion

if TYPE_CHECKING:
    from ml.ensemble import Ensemble


# Library → the parts of the ensemble that cannot speak without it. The site runs without any, and says what is missing.
ALL = ["statistical", "isolation_forest", "autoencoder", "lstm", "booster", "balance", "outcomes"]
LIBRARIES = {"torch": ["autoencoder", "lstm"], "lightgbm": ALL, "sklearn": ALL, "safetensors": ALL}


def missing() -> dict[str, list[str]]:
    """Libraries that are not installed here, with the parts that need them."""
    return {library: parts for library, parts in LIBRARIES.items() if find_spec(library) is None}


def save(version: ModelVersion, ensemble: Ensemble) -> None:
    from ml import artifacts  # noqa: PLC0415

    artifacts.save(ensemble, folder_of(version.folder))


def load(version: ModelVersion) -> Ensemble:
    return _load(version.folder)


@lru_cache(maxsize=1)
def _load(folder: str) -> Ensemble:
    from ml import artifacts  # noqa: PLC0415

    return artifacts.load(folder_of(folder))


def folder_of(folder: str) -> Path:
    return Path(settings.MEDIA_ROOT) / folder
