"""A year of hourly readings of 10,000 made-up consumers, streamed; and training cases drawn from some of them.

The floor of the first is drawing as many random numbers as there are readings.
"""

import time

import numpy as np

from bench.alone import peak_memory_mb
from ml.synthetic.cases import draw_cases
from ml.synthetic.city import generate_city, stream_city

CONSUMERS, DAYS = 10_000, 365


def run() -> list[dict]:
    began = time.perf_counter()
    readings = sum(block.kwh.size for block in stream_city(3, CONSUMERS, DAYS))
    seconds, peak = time.perf_counter() - began, peak_memory_mb()

    rng, began = np.random.default_rng(1), time.perf_counter()
    for _ in range(readings // 1_000_000):
        rng.standard_gamma(2.0, 1_000_000, dtype=np.float32)
    floor = time.perf_counter() - began

    window = generate_city(3, consumers=500, days=91, interval_minutes=30).window()
    began = time.perf_counter()
    cases = sum(len(block) for block in draw_cases(window, 1, 10))
    drawing = time.perf_counter() - began
    name = f"Generating {CONSUMERS:,} consumers x {DAYS} days, hourly, streamed on one core"
    return [
        {"name": name, "value": seconds, "unit": "s", "floor": floor, "ratio": seconds / floor},
        {"name": "  readings per second", "value": readings / seconds, "unit": "1/s", "floor": None, "ratio": None},
        {"name": "  peak memory", "value": peak, "unit": "MB", "floor": None, "ratio": None},
        {
            "name": f"Drawing {cases:,} training cases of 91 days, half-hourly, with balances",
            "value": drawing,
            "unit": "s",
            "floor": None,
            "ratio": None,
        },
    ]
