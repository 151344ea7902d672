"""The library alone: learning from, and judging, 10,000 meters x a year of hours, from arrays in memory.

The floor of judging is sorting each meter's readings once, in as many threads.
"""

import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from bench.alone import call, peak_memory_mb
from ml import artifacts
from ml.ensemble import Ensemble
from ml.synthetic.city import generate_city
from ml.window import MeterWindow

CONSUMERS, DAYS = 10_000, 365


def run() -> list[dict]:
    with tempfile.TemporaryDirectory() as folder:
        call(make, folder)  # in processes of their own: peak memory is of learning and of judging
        learning, learning_mb = call(learn, folder)
        judging, floor, judging_mb = call(judge, folder)
    size = f"{CONSUMERS:,} meters x {DAYS} days, hourly, with sum meters"
    return [
        {"name": f"Judging {size}", "value": judging, "unit": "s", "floor": floor, "ratio": judging / floor},
        {"name": "  peak memory", "value": judging_mb, "unit": "MB", "floor": None, "ratio": None},
        {"name": f"Learning from {size}", "value": learning, "unit": "s", "floor": None, "ratio": None},
        {"name": "  peak memory", "value": learning_mb, "unit": "MB", "floor": None, "ratio": None},
    ]


def make(folder: str) -> None:
    window = generate_city(5, CONSUMERS, DAYS).window()
    for name in ("kwh", "sums", "sum_row", "contract_active"):
        np.save(Path(folder) / f"{name}.npy", getattr(window, name))


def window_in(folder: str) -> MeterWindow:
    kwh, sums, sum_row, active = (
        np.load(Path(folder) / f"{name}.npy") for name in ("kwh", "sums", "sum_row", "contract_active")
    )
    return MeterWindow(
        meters=np.char.add("M", np.arange(len(kwh)).astype(str)),
        kwh=kwh,
        first_day=np.datetime64("2025-10-01"),
        interval_minutes=60,
        peer_group=sum_row,
        contract_active=active,
        timezone="Europe/London",
        sums=sums,
        sum_row=sum_row,
    )


def learn(folder: str) -> tuple[float, float]:
    window = window_in(folder)
    began = time.perf_counter()
    ensemble = Ensemble().fit(window)
    seconds = time.perf_counter() - began
    artifacts.save(ensemble, Path(folder) / "model")
    return seconds, peak_memory_mb()


def judge(folder: str) -> tuple[float, float, float]:
    window, ensemble = window_in(folder), artifacts.load(Path(folder) / "model")
    began = time.perf_counter()
    ensemble.judge_window(window)
    seconds, peak = time.perf_counter() - began, peak_memory_mb()
    began = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda kwh: np.sort(kwh, axis=None), window.kwh))
    return seconds, time.perf_counter() - began, peak
