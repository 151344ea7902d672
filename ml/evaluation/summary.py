"""An evaluation in short, for a page: the shape of `ml.evaluation.held_out`, and what only the big evaluation knows."""

from collections.abc import Mapping

from ml.evaluation.words import TITLES

HEADLINES = ("unsupervised", "known", "shipped")
IDENTITY_TOLERANCE, PROBE_TOLERANCE, CLOCK_TOLERANCE = 0.015, 0.02, 1e-3


def summary(evaluation: Mapping, model: str = "shipped") -> dict:
    """The keys of `held_out` for that model of the row `decisions`, and:

    models   [{name, title, row, headline}] every detector that was graded, `headline` as everywhere
    audit    [{name, value, passed}] what must know nothing, and does it; `passed` may be None
    made_on, part, splits, openings

    Raises KeyError for an evaluation without the row `decisions` or without that model.
    """
    study = next(iter(evaluation["studies"].values()))
    rows = study["rows"]
    return dict(rows["decisions"][model]) | {
        "model": model,
        "models": models(rows),
        "audit": audit(rows),
        "made_on": evaluation["made_on"],
        "part": study["part"],
        "splits": len(study["seeds"]),
        "openings": evaluation["openings"],
    }


def models(rows: Mapping) -> list[dict]:
    found = {}
    for row in HEADLINES:
        for name, report in rows.get(row, {}).items():
            headline = {
                figure: {part: value[part] for part in ("value", "low", "high")}
                for figure, value in report["headline"].items()
            }
            found.setdefault(name, {"name": name, "title": TITLES.get(name, name), "row": row, "headline": headline})
    return list(found.values())


def audit(rows: Mapping) -> list[dict]:
    found = []

    def add(name: str, value: float | None, passed: bool | None, digits: int = 3) -> None:
        if value is not None:
            found.append({"name": name, "value": f"{value:.{digits}f}", "passed": passed})

    leakage = rows.get("leakage")
    if leakage:
        for name, value in leakage["identity"].items():
            add(f"identity_attack_{name}", value, value is None or abs(value - 0.5) <= IDENTITY_TOLERANCE)
        for probe in ("missingness", "grain"):
            add(f"{probe}_probe", leakage[probe], abs(leakage[probe] - 0.5) <= PROBE_TOLERANCE)
        for name, value in leakage["whole_watt_hours"].items():
            add(f"without_the_grain_{name}", value, value >= -PROBE_TOLERANCE / 4)
        add("label_permutation", leakage["label_permutation"], None)
        add(
            "duplicate_meters",
            leakage["shared_meters"] + leakage["pairs_alike"],
            not leakage["shared_meters"] + leakage["pairs_alike"],
            0,
        )
    for season, detectors in rows.get("clock", {}).items():
        largest = max(value["largest_difference"] for value in detectors.values())
        add(f"clock_change_{season}", largest, largest <= CLOCK_TOLERANCE)
    return found
