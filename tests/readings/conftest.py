import pytest

from apps import bell


@pytest.fixture(autouse=True)
def rung(monkeypatch) -> list[str]:
    """Steps that were rung. No worker listens to tests, and nothing here depends on the broker."""
    steps = []
    monkeypatch.setattr(bell, "_ring", steps.append)
    return steps


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT
