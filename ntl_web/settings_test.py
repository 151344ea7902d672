"""Settings for tests: the same parts, only quicker. The database and Redis are real."""

import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from ntl_web.settings import *  # noqa: F403

# The first one is for speed; the second is what a web server beside the tests knows.
PASSWORD_HASHERS = [f"django.contrib.auth.hashers.{name}PasswordHasher" for name in ("MD5", "PBKDF2")]
MEDIA_ROOT = Path(tempfile.mkdtemp(prefix="ntl-web-test-media-"))
# Nothing is collected for tests; WhiteNoise only wants the folder to be there, and Django that it is another one.
STATIC_ROOT = MEDIA_ROOT / "static"
STATIC_ROOT.mkdir()
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
TRAINING_EFFORT = "quick"
# Redis keeps sixteen numbered databases; tests use the last ones, so that they never ring a running worker. Of several
# processes that share the tests each has its own, as it has a database; and one processor, as they are as many.
process = os.environ.get("PYTEST_XDIST_WORKER", "")
number = 15 - int(process.removeprefix("gw") or 0)
REDIS_URL = CELERY_BROKER_URL = urlsplit(REDIS_URL)._replace(path=f"/{number}").geturl()  # noqa: F405
if process:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
