"""The ensemble for frames and files: `EnsembleDetector.load(folder).predict(frame)`."""

from collections.abc import Callable
from pathlib import Path
from typing import Self

from ml import artifacts
from ml.config import Config
from ml.ensemble import Ensemble
from ml.findings import Finding
from ml.outcomes import Outcome
from ml.reasons import sentence
from ml.tables import InputError, Readings, Visit, read_outcomes, read_readings

UNSAID = {"no_balance"}
"""Notes that whoever gave the files knows."""
NOTES = {
    "short_reference": "The history is short: its first third, at least 14 days, counts as the honest past.",
    "no_neighbours": "There are no neighbours to compare with.",
    "balance_refused": "The balance of its transformer is not trusted and was left out.",
    "zero_queue": "It registers nothing: look up whether a contract runs before anybody drives there.",
}


class EnsembleDetector:
    """A fitted ensemble that takes readings as people have them.

    A frame is long (a column for the time, one for the kWh, and one for the meter unless there is only one), or wide
    (an index of times and a column per meter). Paths of CSV and Parquet files are taken as well.
    """

    def __init__(self, ensemble: Ensemble):
        self.ensemble = ensemble

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Raises ml.artifacts.ArtifactError when the folder holds no model that this version can use."""
        return cls(artifacts.load(folder))

    @classmethod
    def fit(
        cls, frame, grid=None, sums=None, outcomes=None, timezone: str = "UTC", config: Config | None = None
    ) -> Self:
        """Learn from the meters of a frame. Raises InputError when they are too few or their days too short."""
        readings = read_readings([frame], grid, sums, timezone)
        known = None if outcomes is None else read_outcomes(outcomes, readings.order, readings.notes)
        return cls(fit(readings, known, config))

    def save(self, folder: Path | str) -> None:
        artifacts.save(self.ensemble, folder)

    def predict(self, frame, grid=None, sums=None, timezone: str = "UTC") -> dict:
        """What `as_dict` tells about the meter; with several meters, a dict of meter to that.

        `grid` (meter, transformer) and `sums` (wide, a column per transformer) are optional frames or paths. Stamps
        without a zone are standard time of `timezone`. Raises InputError for a frame that cannot be understood.
        """
        readings = read_readings([frame], grid, sums, timezone)
        results = [as_dict(finding) for finding in findings(self.ensemble, readings)]
        if len(results) == 1:
            return results[0]
        return {result["meter"]: result for result in results}


def fit(
    readings: Readings,
    outcomes: dict[str, Visit] | None = None,
    config: Config | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> Ensemble:
    """An ensemble of the window with most meters. Raises InputError when there is too little to learn from."""
    window = readings.windows[0]
    known = {meter: Outcome(*visit) for meter, visit in (outcomes or {}).items()}
    try:
        return Ensemble(config).fit(window, known, progress)
    except ValueError as error:
        raise InputError(f"nothing could be learned from {len(window):,} meters: {error}. Give more days.") from error


def findings(ensemble: Ensemble, readings: Readings) -> list[Finding]:
    """A finding for each meter, in the order of the input."""
    found = {finding.meter: finding for window in readings.windows for finding in ensemble.explain(window)}
    return [found[meter] for meter in readings.order]


def sentences(finding: Finding) -> list[str]:
    """Why, in words, the weightiest first; then what the score could not rest on."""
    said = [sentence(reason) for reason in finding.reasons]
    return said + [NOTES.get(note, note.replace("_", " ")) for note in finding.notes if note not in UNSAID]


def as_dict(finding: Finding) -> dict:
    """A finding as plain JSON values. Without a score, `score` and `probability` are None and `reasons` says why."""
    return {
        "meter": finding.meter,
        "score": finding.score,
        "probability": finding.probability,
        "risk_level": finding.level,
        "anomaly_type": finding.kind,
        "kind": finding.kind,
        "families": [{"family": family, "share": share} for family, share in finding.families],
        "benign_alternative": finding.benign[0] if finding.benign else None,
        "benign_share": finding.benign[1] if finding.benign else None,
        "onset_day": finding.onset_day.isoformat() if finding.onset_day else None,
        "missing_kwh": finding.missing_kwh,
        "missing_kwh_per_month": finding.kwh_missing_per_month,
        "before_kwh": finding.before_kwh,
        "after_kwh": finding.after_kwh,
        "parts": finding.parts,
        "reasons": sentences(finding),
        "reference_days": finding.reference_days,
        "notes": finding.notes,
        "data_from": finding.data_from.isoformat() if finding.data_from else None,
        "data_until": finding.data_until.isoformat() if finding.data_until else None,
    }
