"""The door to the frozen protocol: its curves and cases in, the library's own arrays out.

The protocol's files are not part of this project. `protocol(folder)` imports them from where they lie.
"""

import importlib
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from ml.calendar import slots_ahead, to_civil_days
from ml.evidence import Evidence, reference_mask

CLOCKS = {"uk": ("Europe/London", 0), "au": ("Australia/Sydney", 600)}
"""Civil time and the offset of the standard time that the stamps are in, by the first word of a curve set's name."""


@cache
def protocol(folder: str | Path) -> SimpleNamespace:
    """The modules of that folder by name. Raises FileNotFoundError without them."""
    folder = Path(folder)
    if not (folder / "protocol.py").is_file():
        raise FileNotFoundError(f"no protocol.py in {folder}: name the folder of the frozen protocol")
    sys.path.insert(0, str(folder))
    try:
        names = ("curve_changes", "protocol", "grading", "selftest")
        return SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    finally:
        sys.path.remove(str(folder))


def evidence_of(seen, curves, reference_days: int | None = None) -> Evidence:
    """The protocol's evidence about the cases of one transformer as ours.

    `reference_days` keeps a reference frozen while nights pass; without it, the length follows from the days seen.
    """
    timezone, offset = CLOCKS[curves.name.split()[0]]
    first_day = np.datetime64(curves.first_day.date(), "D")
    days, slots = seen.readings.shape[1:]
    ahead = slots_ahead(first_day, days, 1440 // slots, timezone, offset)

    def civil(kwh):
        return None if kwh is None else to_civil_days(np.asarray(kwh, np.float32), ahead)

    kwh = civil(seen.readings)
    if reference_days is None:
        reference = reference_mask(np.ones(kwh.shape[:2], bool))
        reference_days = int(reference[0].sum()) if len(reference) else 0
    reference = np.broadcast_to(np.arange(days) < reference_days, kwh.shape[:2]).copy()
    return Evidence(
        kwh=kwh,
        first_day=first_day,
        reference=reference,
        peer_level=seen.peer_level(min(reference_days, days)).astype(np.float32),
        reported=None if seen.sums is None else civil(seen.reported_sums()),
        measured=civil(seen.sums),
        filled=None if seen.sums is None else civil(_filled(seen)),
    )


def _filled(seen) -> np.ndarray:
    """(cases, days, slots): how many neighbours have no reading there; the case's own row is left out."""
    missing = np.isnan(seen.everyday)
    return (missing.sum(0)[None] - missing[seen.member]).astype(np.float32)
