"""Reads of a register that come beside energy of intervals, or in a format that has both: energy from day to day."""

import numpy as np
from django.utils.translation import gettext as _

from apps.readings.importers.base import Block, Reading, RegisterPeriods
from apps.readings.quality import is_made_up

DAY = 1440
HARDLY_DAYS = 0.03  # of a period, by which it may be longer or shorter than the days it stands for


def note_periods(reads: list[Block], local: list[np.ndarray], reading: Reading) -> None:
    """What registers counted from the first read of a day to that of a later day. Reads come in any order; `local` are
    minutes since 1970 by the meter's clock."""
    if not reads:
        return
    meters, channels, values, lines, quality = (
        np.concatenate([getattr(block, name) for block in reads])
        for name in ("meters", "channels", "values", "lines", "quality")
    )
    minutes = np.concatenate(local)
    sent = np.flatnonzero(~np.isnan(values))
    order = sent[np.lexsort((minutes[sent], channels[sent], meters[sent]))]
    alike = (np.diff(meters[order]) == 0) & (np.diff(channels[order]) == 0)
    # Of hourly reads those of other hours say nothing of days.
    firsts = np.insert(~(alike & (np.diff(minutes[order] // DAY) == 0)), 0, True)[: len(order)]
    order = order[firsts]
    follows = (np.diff(meters[order]) == 0) & (np.diff(channels[order]) == 0)
    begin, end = order[:-1][follows], order[1:][follows]
    energy, days = values[end] - values[begin], minutes[end] // DAY - minutes[begin] // DAY
    fallen = energy < 0
    if fallen.any():
        reading.rejects.add(lines[end[fallen]], _("the register falls back"), lambda _i: "")
    whole = np.abs((minutes[end] - minutes[begin]) / DAY - days) <= HARDLY_DAYS * days
    begin, end, energy = (column[~fallen & whole] for column in (begin, end, energy))
    if not len(end):
        reason = _("no two reads of a register lie whole days apart")
        reading.rejects.add(lines[order[:1]], reason, lambda _i: "")
    else:
        reading.registers.append(
            RegisterPeriods(
                meters[end],
                (minutes[begin] // DAY).astype(np.int32),
                (minutes[end] // DAY - 1).astype(np.int32),
                energy,
                lines[end],
                is_made_up(quality[begin]) | is_made_up(quality[end]),
                channels[end],
            )
        )
