"""Rows of several splits as one: means, and the spread of the headline figures between splits."""

from collections.abc import Sequence

import numpy as np

INTERVAL = {"value", "low", "high"}


def average(rows: Sequence):
    """The mean of each number at the same place in dicts and lists; of anything else the first.

    A {value, low, high} gains `sd`, the spread of its value between the splits; None with a single one.
    """
    first = rows[0]
    if isinstance(first, dict):
        names = list(dict.fromkeys(name for row in rows for name in row))
        together = {name: average([row[name] for row in rows if name in row]) for name in names}
        if set(first) == INTERVAL:
            together["sd"] = float(np.std([row["value"] for row in rows], ddof=1)) if len(rows) > 1 else None
        return together
    if isinstance(first, list | tuple) and len({len(row) for row in rows}) == 1:
        return [average(list(items)) for items in zip(*rows, strict=True)]
    if isinstance(first, int | float) and not isinstance(first, bool):
        known = [row for row in rows if row is not None]
        mean = float(np.mean(known))
        return int(mean) if all(isinstance(row, int) for row in rows) and mean == int(mean) else mean
    return first
