"""`make bench`: runs every bench_*.py, prints each figure beside a floor measured in the same run, and writes
results.json and RESULTS.md. Timings on shared machines are noisy; the ratios hold. Benchmarks are not tests."""

import json
import os
import platform
import sys
from pathlib import Path

from bench.alone import run_alone

HERE = Path(__file__).parent


def main(names: list[str]) -> None:
    modules = sorted(path.stem for path in HERE.glob("bench_*.py"))
    machine = described_machine()
    print(machine)
    results = []
    for module in modules:
        if names and module.removeprefix("bench_") not in names:
            continue
        print(f"\n{module}", flush=True)
        for result in run_alone(module):
            results.append({**result, "machine": machine})
            print("  " + line(result), flush=True)
    if names:
        print("\nA part of the benchmarks ran; results.json and RESULTS.md are left as they were.")
        return
    (HERE / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    (HERE / "RESULTS.md").write_text(table(results, machine))


def line(result: dict) -> str:
    beside = ""
    if result["floor"] is not None:
        beside = f"   floor {figure(result['floor'])} {result['unit']}   ratio {result['ratio']:.2f}"
    return f"{result['name']:<74} {figure(result['value']):>12} {result['unit']}{beside}"


def figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3g}"


def table(results: list[dict], machine: str) -> str:
    rows = "\n".join(
        f"| {one['name']} | {figure(one['value'])} | {one['unit']} | {figure(one['floor'])} |"
        f" {'–' if one['ratio'] is None else format(one['ratio'], '.2f')} |"
        for one in results
    )
    return (
        f"# Benchmarks\n\nWritten by `make bench` on: {machine}. Every floor was measured in the same run.\n\n"
        f"| what | value | unit | floor | ratio |\n|---|---:|---|---:|---:|\n{rows}\n"
    )


def described_machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.platform(terse=True)}, Python {platform.python_version()}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
