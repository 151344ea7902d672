"""Where model versions keep their files. A process keeps the model that it used last."""

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from apps.detection.models import ModelVersion
from ml import artifacts
from ml.ensemble import Ensemble


def save(version: ModelVersion, ensemble: Ensemble) -> None:
    artifacts.save(ensemble, folder_of(version.folder))


def load(version: ModelVersion) -> Ensemble:
    return _load(version.folder)


@lru_cache(maxsize=1)
def _load(folder: str) -> Ensemble:
    return artifacts.load(folder_of(folder))


def folder_of(folder: str) -> Path:
    return Path(settings.MEDIA_ROOT) / folder
