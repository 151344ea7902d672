"""From stored readings to risk scores: 2,000 consumers x 180 days of hourly readings, one worker."""

import io
import multiprocessing
import time

from bench import scratch
from bench.alone import peak_memory_mb

CONSUMERS, DAYS = 2000, 180


def run() -> list[dict]:
    with scratch.database():
        load_city()
        # A process of its own, so that peak memory is a worker's and not that of the city's making.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(score_in_a_worker)


def load_city() -> None:
    from django.core.management import call_command  # noqa: PLC0415 Django was set up only now
    from django.db import connection  # noqa: PLC0415

    call_command("load_city", seed=7, consumers=CONSUMERS, days=DAYS, stdout=io.StringIO())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE readings_meterstate SET revision = revision + 1")
        cursor.execute("VACUUM ANALYZE")


def score_in_a_worker() -> list[dict]:
    scratch.set_up_django()
    from apps.detection import models_on_disk, scoring, windows  # noqa: PLC0415
    from apps.detection.models import ModelVersion, RiskScore, ScoringRun  # noqa: PLC0415
    from apps.grid.models import Consumer  # noqa: PLC0415

    models_on_disk.load(ModelVersion.objects.get(status="active"))  # a worker that scores has its model warm
    began = time.perf_counter()
    readings = sum(drawn.window.kwh.size for drawn in windows.read(list(Consumer.objects.values_list("pk", flat=True))))
    mere_read = time.perf_counter() - began

    began = time.perf_counter()
    scoring.score_pending()
    seconds = time.perf_counter() - began
    scores = RiskScore.objects.filter(run=ScoringRun.objects.latest("pk")).count()
    name = f"Scoring {scores:,} consumers x {DAYS} days, database to risk scores"
    return [
        {"name": name, "value": seconds, "unit": "s", "floor": mere_read, "ratio": seconds / mere_read},
        {
            "name": "  readings scored per second",
            "value": readings / seconds,
            "unit": "1/s",
            "floor": None,
            "ratio": None,
        },
        {"name": "  peak memory of the worker", "value": peak_memory_mb(), "unit": "MB", "floor": None, "ratio": None},
    ]
