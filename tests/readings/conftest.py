import pytest

from apps import bell
from apps.accounts.models import ApiClient
from tests.factories import UserFactory


@pytest.fixture(autouse=True)
def rung(monkeypatch) -> list[str]:
    """Steps that were rung. No worker listens to tests, and nothing here depends on the broker."""
    steps = []
    monkeypatch.setattr(bell, "_ring", lambda step, in_seconds=0: steps.append(step))
    monkeypatch.setattr(bell, "_called_until", {})
    return steps


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


@pytest.fixture
def head_end(db, client):
    """A client of the API with a key of its own."""
    system = ApiClient(name="head-end", user=UserFactory(username="system", roles=["Systems"], all_zones=True))
    client.defaults["HTTP_AUTHORIZATION"] = f"Api-Key {system.set_new_key()}"
    system.save()
    return client
