"""Each benchmark in a fresh process: memory and warm caches of one do not flatter or burden the next."""

import importlib
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path


def run_alone(module: str) -> list[dict]:
    return call(run_module, module)


def call(work: Callable, *arguments: object):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:  # unlike Pool, lets a benchmark start workers of its own
        return pool.submit(work, *arguments).result()


def run_module(module: str) -> list[dict]:
    return importlib.import_module(f"bench.{module}").run()


def peak_memory_mb() -> float:
    """Of this process. Not getrusage's: that begins with the size of the parent at the moment of the fork."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
