"""Scores of curves that are not stored."""

from datetime import date

import numpy as np
from django.conf import settings

from apps.detection import models_on_disk
from apps.detection.models import ModelVersion, RiskScore
from apps.detection.scoring import risk_score
from apps.readings import times
from ml.window import MeterWindow


def score(version: ModelVersion, *, name: str, first_day: date, interval_minutes: int, kwh: np.ndarray) -> RiskScore:
    """An unsaved score of readings (N,) kWh in order of time from the first slot of `first_day`; NaN is missing."""
    slots = 1440 // interval_minutes
    days = -(-len(kwh) // slots)
    whole = np.full(days * slots, np.nan, dtype=np.float32)
    whole[: len(kwh)] = kwh
    window = MeterWindow(
        meters=np.array([name]),
        kwh=whole.reshape(1, days, slots),
        first_day=np.datetime64(first_day, "D"),
        interval_minutes=interval_minutes,
        peer_group=np.array([-1]),
        contract_active=np.ones((1, days), dtype=bool),
        timezone=settings.UTILITY_TIME_ZONE,
        utc_offset_minutes=times.utility_offset_minutes(),
    )
    (finding,) = models_on_disk.load(version).explain(window)
    return risk_score(run=None, consumer_id=None, finding=finding)
