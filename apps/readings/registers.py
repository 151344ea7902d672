"""Cumulative registers: energy is the difference of two reads. What lies between reads further apart is not known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from django.utils.translation import gettext as _

from apps.readings.quality import worse
from apps.readings.series import Columns

Refuse = Callable[[Columns, np.ndarray, str], Columns]


def energy_between_reads(columns: Columns, interval: int, refuse: Refuse) -> Columns:
    """Register reads to energy: each read becomes the energy since the read one interval before, stamped at its start.

    The first read of a meter only sets the base. A read below the one before is refused: once where it is a slip
    between two good reads, which then stand further apart than one interval, and once where the register began anew,
    from which counting goes on.
    """
    columns = refuse(columns, slips(columns), _("the register falls back, and is where it was with the next read"))
    apart = np.zeros(len(columns), dtype=np.int64)
    energy = np.zeros(len(columns))
    followed = columns.meters[1:] == columns.meters[:-1]
    apart[1:] = np.where(followed, columns.utc[1:] - columns.utc[:-1], 0)
    energy[1:] = np.where(followed, columns.values[1:] - columns.values[:-1], 0)
    fallen = energy < 0
    refuse(columns, fallen, _("the register falls back"))
    # A civil day may have 23 or 25 hours.
    near = np.abs(apart - interval) <= 60 if interval == 1440 else apart == interval
    kept = np.flatnonzero(near & ~fallen)
    quality = None if columns.quality is None else worse(columns.quality[kept - 1], columns.quality[kept])
    return replace(
        columns[kept],
        values=energy[kept],
        utc=columns.utc[kept - 1],
        local=columns.local[kept - 1],
        quality=quality,
    )


def slips(columns: Columns) -> np.ndarray:
    """(N,) bool: reads that are wrong by themselves, as the reads on both sides agree without them."""
    wrong = np.zeros(len(columns), dtype=bool)
    if len(columns) < 3:
        return wrong
    before, here, after = columns.values[:-2], columns.values[1:-1], columns.values[2:]
    one_meter = columns.meters[:-2] == columns.meters[2:]
    # Too low, or too high: either way the sequence falls once, and rises again when the read is left out.
    wrong[1:-1] = one_meter & (after >= before) & ((here < before) | (here > after))
    # Of two neighbours that both look wrong only the first is: leaving it out heals the second.
    wrong[1:] &= ~wrong[:-1]
    return wrong
