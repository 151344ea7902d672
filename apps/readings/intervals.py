"""How far apart a meter's readings are: what its own stamps say."""

import numpy as np

from apps.readings.series import DAY, same_as_before

INTERVALS = np.array([minutes for minutes in range(5, 61) if 60 % minutes == 0] + [DAY])  # hours are made of them
UNDECIDED = -1  # an interval that only the whole file can tell
NEVER_SEEN = len(INTERVALS)  # the class of a distance that is no interval
DISTANCE_CLASS = np.full(DAY + 2, NEVER_SEEN, dtype=np.int8)
DISTANCE_CLASS[INTERVALS] = np.arange(len(INTERVALS))
STAMPS_WITHOUT_NEIGHBOUR = (60, 30, 15, 10, 5)  # the widest that all stamps fit on is taken


def distances(meters: np.ndarray, minutes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Minutes between neighbours of one meter, and where the second of them stands; equal stamps have none."""
    apart = minutes[1:] - minutes[:-1]
    inside = np.flatnonzero(same_as_before(meters) & (apart > 0))
    return apart[inside], inside + 1


def interval_votes(meters: np.ndarray, minutes: np.ndarray) -> np.ndarray:
    """(last meter + 1, intervals): how often neighbouring readings of a meter are so far apart."""
    apart, places = distances(meters, minutes)
    classes = DISTANCE_CLASS[np.minimum(apart, DAY + 1)]
    rows, width = int(meters[-1]) + 1, len(INTERVALS) + 1
    cells = np.bincount(meters[places].astype(np.int64) * width + classes, minlength=rows * width)
    return cells.reshape(rows, width)[:, :NEVER_SEEN]
