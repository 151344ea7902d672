"""What the neighbours do, each meter left out of its own comparison."""

import numpy as np

LEAST_PEERS = 5
"""With fewer neighbours than this, all the meters of the window stand in for them."""


def median_of_others(values: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each entry of (M, D) values, the median of the same column over the other rows of its group; NaN is skipped.

    Returns that, 0 where there is nobody to compare with, and the (M,) number of other rows that it rests on.
    """
    others, count = known_median_of_others(values, group)
    return np.nan_to_num(others), count


def known_median_of_others(values: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same with NaN where none of the others has a value: silence is not the same as nothing consumed."""
    others, count = np.full_like(values, np.nan), np.zeros(len(values), int)
    has_data = ~np.isnan(values).all(axis=1)
    if not values.size:
        return others, count
    everybody, total = None, int(has_data.sum())
    order = np.argsort(group, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        near = int(has_data[rows].sum()) - 1
        if group[rows[0]] >= 0 and near >= LEAST_PEERS:
            others[rows], count[rows] = _leave_one_out(values[rows], values[rows]), near
        elif total > LEAST_PEERS:
            everybody = np.sort(values.T, axis=1) if everybody is None else everybody
            others[rows], count[rows] = _leave_one_out(values[rows], values, everybody), total - 1
    return others, count


def _leave_one_out(own: np.ndarray, pool: np.ndarray, ranked: np.ndarray | None = None) -> np.ndarray:
    """(rows, D) medians of the (n, D) pool without each own value, which is in the pool; own NaN takes nothing out.

    `ranked` is the pool sorted by column, transposed to (D, n). Taking one value out of a sorted row moves every place
    behind it by one, so both middle places are looked up at most one further on.
    """
    ranked = np.sort(pool.T, axis=1) if ranked is None else ranked
    own = own.T
    known = (~np.isnan(ranked)).sum(axis=1, keepdims=True)
    is_in = ~np.isnan(own)
    left = known - is_in

    def at(place: np.ndarray) -> np.ndarray:
        place = np.clip(place, 0, ranked.shape[1] - 1)
        here = np.take_along_axis(ranked, place, axis=1)
        moved = is_in & (own <= here)
        return np.where(moved, np.take_along_axis(ranked, np.minimum(place + 1, ranked.shape[1] - 1), axis=1), here)

    middle = (at((left - 1) // 2) + at(left // 2)) / 2
    return np.where(left > 0, middle, np.nan).T
