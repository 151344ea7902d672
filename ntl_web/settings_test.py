"""Settings for tests: the same parts, only quicker. The database and Redis are real."""

import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from ntl_web.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
MEDIA_ROOT = Path(tempfile.mkdtemp(prefix="ntl-web-test-media-"))
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
# Redis keeps sixteen numbered databases; tests use the last, so that they never ring a running worker.
REDIS_URL = CELERY_BROKER_URL = urlsplit(REDIS_URL)._replace(path="/15").geturl()  # noqa: F405
