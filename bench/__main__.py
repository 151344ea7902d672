"""`make bench`: runs every bench_*.py, or those named in ARGS, prints each figure beside a floor measured in the same
run, and writes results.json and RESULTS.md; what did not run keeps its last figures. Timings on shared machines are
noisy; the ratios hold. Benchmarks are not tests."""

import json
import os
import platform
import sys
from datetime import date
from itertools import groupby
from pathlib import Path

from bench.alone import run_alone

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"


def main(names: list[str]) -> None:
    there = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    if unknown := set(names) - set(there):
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}: there are {', '.join(there)}")
    results = {one: [] for one in there}
    if RESULTS.exists():
        for result in json.loads(RESULTS.read_text()):
            results.get(result["benchmark"], []).append(result)
    measured = {"machine": described_machine(), "measured_on": str(date.today())}
    print(measured["machine"])
    for name in names or there:
        print(f"\n{name}", flush=True)
        results[name] = [{"benchmark": name, **result, **measured} for result in run_alone(f"bench_{name}")]
        for result in results[name]:
            print("  " + line(result), flush=True)
        # After each: a run takes long, and may be stopped.
        write([result for one in there for result in results[one]])


def write(results: list[dict]) -> None:
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    (HERE / "RESULTS.md").write_text(
        "# Benchmarks\n\nWritten by `make bench`. Every floor was measured in the same run as the figure beside it.\n"
        + "".join(table(name, list(some)) for name, some in groupby(results, lambda one: one["benchmark"]))
    )


def line(result: dict) -> str:
    beside = ""
    if result["floor"] is not None:
        beside = f"   floor {figure(result['floor'])} {result['unit']}   ratio {result['ratio']:.2f}"
    return f"{result['name']:<74} {figure(result['value']):>12} {result['unit']}{beside}"


def figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3g}"


def table(name: str, results: list[dict]) -> str:
    rows = "\n".join(
        f"| {one['name']} | {figure(one['value'])} | {one['unit']} | {figure(one['floor'])} |"
        f" {'–' if one['ratio'] is None else format(one['ratio'], '.2f')} |"
        for one in results
    )
    return (
        f"\n## {name}\n\n{results[0]['measured_on']} on {results[0]['machine']}\n\n"
        f"| what | value | unit | floor | ratio |\n|---|---:|---|---:|---:|\n{rows}\n"
    )


def described_machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.platform(terse=True)}, Python {platform.python_version()}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
