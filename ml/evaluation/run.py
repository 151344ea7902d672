"""The whole evaluation: which rows, on which cases, kept row by row so that a long run can be taken up again."""

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ml.config import Config, default_config
from ml.evaluation import model_card, original
from ml.evaluation.average import average
from ml.evaluation.city_source import CitySource
from ml.evaluation.protocol_source import ProtocolSource
from ml.evaluation.report import as_text
from ml.evaluation.rows import MODELS, ROWS
from ml.evaluation.runs import Study

SCHEMA = 1
SEEDS = (0, 1, 2, 3, 4)
FEWER_SEEDS = {"families": 2, "kinds": 2, "faults": 2, "delay": 1, "leakage": 2, "cost": 1, "clock": 1}
"""Rows that take long, or say as much with fewer splits."""
CITY_ROWS = ("unsupervised", "known", "shipped", "onset", "decisions", "clock", "leakage")
QUICK_ROWS = ("unsupervised", "known", "shipped", "families", "kinds", "onset", "decisions", "clock", "leakage")
REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("numpy", "scikit-learn", "lightgbm", "torch", "pandas")


def run(
    quick: bool = False,
    protocol: Path | str | None = None,
    data: Path | str | None = None,
    out: Path | str = "evaluation",
    *,
    seeds: Sequence[int] | None = None,
    part: str = "validation",
    rows: Iterable[str] | None = None,
    older: bool = False,
    join: bool = False,
    city: CitySource | None = None,
    config: Config | None = None,
    progress: Callable[[str], None] = print,
) -> dict:
    """Compute the rows that `out` does not have yet; write evaluation.json, tables.txt and model-card.md there.

    `part` is `validation` while a detector is being built and `test` for the figures that are reported: each time a
    model's code has changed since the test part was last scored with it counts as an opening. `rows` are names of
    ROWS, `city` and `original`; all of them by default. `older` keeps rows that an older code computed; `join` computes
    nothing and reports what is there. Where the protocol or its data are not there, the same questions are put to the
    synthetic city. Raises ValueError for a row that is not known.
    """
    chosen = list(rows or (QUICK_ROWS if quick else (*ROWS, "city", "original")))
    if unknown := set(chosen) - {*ROWS, "city", "original"}:
        raise ValueError(f"no such row: {', '.join(sorted(unknown))}")
    config = config or _config(quick)
    kept = Kept(Path(out), quick, older, join, progress)
    seeds = tuple(seeds or ((0,) if quick else SEEDS))
    studies = {}
    folders = find(protocol, "NTL_PROTOCOL", "protocol"), find(data, "NTL_DATA", "data")
    if all(folders):
        study = Study(ProtocolSource(*folders), part, quick, progress, 20 if quick else 200, config)
        studies["protocol"] = kept.study("protocol", study, seeds, [row for row in chosen if row in ROWS])
    if "city" in chosen or not studies:
        city = city or (CitySource(consumers=600, days=91, per_meter=8) if quick else CitySource())
        names = [row for row in CITY_ROWS if not quick or row in chosen] if studies or not quick else chosen
        study = Study(city, part, quick, progress, 20 if quick else 200, config)
        studies["city"] = kept.study("city", study, seeds[:2], [row for row in names if row in ROWS])
    report = {
        "schema": SCHEMA,
        "made_on": date.today().isoformat(),
        "quick": quick,
        "code": kept.code,
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "openings": kept.openings(),
        "studies": {name: study for name, study in studies.items() if study["rows"]},
    }
    if "original" in chosen and (not join or kept.read("original", 0)):
        report["original"] = kept.result("original", 0, lambda: original.run(quick, progress))["result"]
    _write(kept.folder / "evaluation.json", report)
    (kept.folder / "tables.txt").write_text(as_text(report), encoding="utf-8")
    (kept.folder / "model-card.md").write_text(model_card.render(report), encoding="utf-8")
    return report


def _config(quick: bool) -> Config:
    """That of config.yaml, with as many threads as the environment allows: on a busy one two wait for each other."""
    config = default_config().quick() if quick else default_config()
    threads = os.environ.get("OMP_NUM_THREADS")
    if threads is None:
        return config
    return replace(config, models={name: own | _threads(name, threads) for name, own in config.models.items()})


def _threads(model: str, threads: str) -> dict[str, int]:
    return {} if model == "isolation_forest" else {"threads": int(threads)}


def find(given: Path | str | None, variable: str, name: str) -> Path | None:
    """The folder that was named, by argument or environment, or a sibling `shared` of this repository; None without.

    An empty name stands for none at all. Raises FileNotFoundError when a folder was named and is not there.
    """
    named = os.environ.get(variable) if given is None else given
    if named is None:
        sibling = REPOSITORY.parent / "shared" / name
        return sibling if sibling.is_dir() else None
    if named and not Path(named).is_dir():
        raise FileNotFoundError(f"no folder {named}")
    return Path(named) if named else None


class Kept:
    """The results of rows in a folder, each with the code that computed it."""

    def __init__(self, folder: Path, quick: bool, older: bool, join: bool, progress: Callable[[str], None]):
        self.folder, self.quick, self.older, self.join, self.progress = folder, quick, older, join, progress
        self.code = code_version()

    def study(self, name: str, study: Study, seeds: Sequence[int], rows: Sequence[str]) -> dict:
        """Seed by seed, so that what is trained for a split serves all its rows."""
        results: dict[str, list[dict]] = {row: [] for row in rows}
        computed = set()
        for seed in seeds:
            for row in rows:
                if seed not in seeds[: FEWER_SEEDS.get(row, len(seeds))] and not self.join:
                    continue
                key = f"{name}-{study.part}/{row}"
                is_new = self.read(key, seed) is None
                if is_new and self.join:
                    continue
                result = self.result(key, seed, lambda r=row, s=seed: ROWS[r](study, s))
                results[row].append(result)
                computed.add(seed)
                if is_new and name == "protocol" and study.part == "test":
                    self._count_opening(MODELS.get(row, ()))
        return {
            "title": study.source.title,
            "part": study.part,
            "seeds": sorted(computed),
            "rows": {row: average([one["result"] for one in found]) for row, found in results.items() if found},
            "about": {
                row: {
                    "splits": len(found),
                    "seconds": round(sum(one["seconds"] for one in found), 1),
                    "code": sorted({one["code"] for one in found}),
                }
                for row, found in results.items()
                if found
            },
        }

    def result(self, key: str, seed: int, compute: Callable[[], dict]) -> dict:
        found = self.read(key, seed)
        if found is None:
            self.progress(f"split {seed}: row {key}")
            started = time.perf_counter()
            result = compute()
            found = {"code": self.code, "seconds": time.perf_counter() - started, "result": result}
            _write(self._path(key, seed), found)
        return found

    def read(self, key: str, seed: int) -> dict | None:
        path = self._path(key, seed)
        if not path.is_file():
            return None
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if self.older or found["code"] == self.code else None

    def _path(self, key: str, seed: int) -> Path:
        return self.folder / "rows" / ("quick" if self.quick else "full") / f"{key}-{seed}.json"

    def openings(self) -> dict[str, int]:
        """Model to how often the test part was opened for it."""
        path = self.folder / "openings.json"
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return {model: len(codes) for model, codes in found.items()}

    def _count_opening(self, models: Iterable[str]) -> None:
        path = self.folder / "openings.json"
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        for model in models:
            codes = found.setdefault(model, [])
            if self.code not in codes:
                codes.append(self.code)
        _write(path, found)


def code_version() -> str:
    """Short hash of everything in ml/ that can change a figure."""
    digest = hashlib.sha256()
    aside = ("commands", "tables")
    words = {"run.py", "report.py", "model_card.py", "summary.py"}
    for path in sorted((REPOSITORY / "ml").rglob("*")):
        inside = path.relative_to(REPOSITORY / "ml")
        if path.suffix not in (".py", ".yaml") or inside.parts[0] in aside or inside.name in words:
            continue
        digest.update(str(inside).encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _write(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
