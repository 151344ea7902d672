"""When to believe the balance: from the quality figures among the balance features."""

import numpy as np

from ml.balance.features import names

FINE = ""
NO_SUM_METER = "no_sum_meter"
TOO_FEW_DAYS = "too_few_days"
CLOCK_LAG = "clock_lag"
MAPPING_WRONG = "mapping_wrong"
TOO_NOISY = "too_noisy"

LEAST_DAYS = 21
LEAST_AGREEMENT = 0.5
"""Below this the sum meter does not follow its meters at any lag that was searched."""
USUAL_GAP = (-0.03, 0.30)
"""Share of the delivered energy that may be unexplained in the reference before the records are called wrong."""
NOISIEST = 0.5
"""Noise of the gap, share of the transformer's usual load."""


def reasons(features: np.ndarray) -> np.ndarray:
    """(N,) str for (N, K) balance features: why the balance of a meter is not to be used, "" where it is."""
    column = dict(zip(names(), features.T, strict=True))
    gap = column["gap_reference"]
    reason = np.full(len(features), FINE, dtype="U16")
    reason[column["noise"] > NOISIEST] = TOO_NOISY
    reason[(gap < USUAL_GAP[0]) | (gap > USUAL_GAP[1])] = MAPPING_WRONG
    reason[column["agreement"] < LEAST_AGREEMENT] = CLOCK_LAG
    reason[column["balance_days"] < LEAST_DAYS] = TOO_FEW_DAYS
    reason[np.isnan(column["balance_days"])] = NO_SUM_METER
    return reason


def trusted(features: np.ndarray) -> np.ndarray:
    """(N,) bool for (N, K) balance features: where a fused score may be used; elsewhere the meter speaks alone."""
    return reasons(features) == FINE


def quality(features: np.ndarray) -> np.ndarray:
    """(N,) 0 to 1 for people to read: how cleanly the transformer adds up; 0 where the balance is not used.

    It falls with the noise, with energy that the records do not explain in the reference, and with a clock that needed
    to be put right.
    """
    column = dict(zip(names(), features.T, strict=True))
    strange = np.maximum(np.abs(column["gap_reference"] - 0.05) - 0.03, 0)
    figure = np.exp(-8 * column["noise"] - 4 * strange) * np.clip(column["agreement"], 0, 1)
    figure *= np.where(column["lag_minutes"] > 0, 0.9, 1)
    return np.where(trusted(features), np.nan_to_num(figure), 0).astype(np.float32)
