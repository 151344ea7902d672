"""What crews found: a booster on the utility's own visits, once there are enough of them.

Only visited meters have an outcome, and crews visit what looked suspicious, so this part learns to tell finds from
visits in vain, not thieves from everybody. It is weighed by how well it does that on visits that it did not see.
"""

from datetime import date
from typing import NamedTuple

import numpy as np

from ml.booster import Booster
from ml.calibration import Tail
from ml.change_features import change_features
from ml.evidence import Neighbourhood
from ml.grading import auc
from ml.window import MeterWindow

FEWEST = 25
"""Finds, and visits in vain, below which nothing is learned from them."""
FOLDS = 5
MOST_WEIGHT = 0.25
LEAST_DAYS = 28
SETTINGS = {"rounds": 80, "learning_rate": 0.05, "leaves": 7, "least_in_leaf": 10, "feature_share": 0.2}


class Outcome(NamedTuple):
    found: bool
    day: date | None = None
    """Of the visit; the meter is looked at as it was until then, since a theft that was found has ended."""


def learn_from_visits(window: MeterWindow, outcomes: dict[str, Outcome]) -> tuple[Booster, Tail, float] | None:
    """A booster, the rarity of its scores among visits in vain, and its weight; None where there is too little to
    learn from, or nothing was learned."""
    features, found = _visits(window, outcomes)
    if min(found.sum(), (~found).sum()) < FEWEST:
        return None
    fold = np.arange(len(found)) % FOLDS
    unseen = np.zeros(len(found))
    for number in range(FOLDS):
        held = fold == number
        unseen[held] = Booster(**SETTINGS).fit(features[~held], found[~held]).score(features[held])
    better = 2 * (auc(unseen, found) - 0.5)
    if better <= 0:
        return None
    return Booster(**SETTINGS).fit(features, found), Tail().fit(unseen[~found]), MOST_WEIGHT * better


def _visits(window: MeterWindow, outcomes: dict[str, Outcome]) -> tuple[np.ndarray, np.ndarray]:
    """(V, K) features of the visited meters as they were on the day before, and the (V,) finds."""
    row_of = {meter: row for row, meter in enumerate(window.meters.tolist())}
    neighbourhood = Neighbourhood(window)
    rows, ends, found = [], [], []
    for meter in sorted(outcomes.keys() & row_of.keys()):
        outcome = outcomes[meter]
        end = window.days if outcome.day is None else (np.datetime64(outcome.day, "D") - window.first_day).astype(int)
        if end >= LEAST_DAYS:
            rows.append(row_of[meter])
            # Whole weeks, so that visits of one week are measured together.
            ends.append(min(window.days, end if end >= window.days else end // 7 * 7))
            found.append(outcome.found)
    rows, ends, found = np.array(rows, int), np.array(ends, int), np.array(found, bool)
    parts, order = [], []
    for end in np.unique(ends):
        some = np.flatnonzero(ends == end)
        parts.append(change_features(neighbourhood.evidence(rows[some]).without_sums().until(int(end))))
        order.append(some)
    if not parts:
        return np.zeros((0, 0), np.float32), found
    order = np.concatenate(order)
    return np.concatenate(parts)[np.argsort(order)], found
