"""The site without what only training and scoring need."""

import subprocess
import sys

SITE_ALONE = """
import sys
sys.modules.update(dict.fromkeys(["torch", "lightgbm", "sklearn", "safetensors"]))  # importing them fails
import django
django.setup()
import ntl_web.urls, ntl_web.celery
from apps.detection import tasks
from apps.detection.management.commands import load_evaluation, train
"""


def test_web_and_worker_start_without_torch_and_lightgbm():
    done = subprocess.run([sys.executable, "-c", SITE_ALONE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
