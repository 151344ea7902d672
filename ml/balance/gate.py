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
SOUND_NOISE = 0.015
"""Noise up to which a transformer passes as sound; at twice that, it is as doubtful as it gets."""
USUAL_LOSS = 0.05
"""Share of the delivered energy that technical losses take; more than twice that is a gap that waits for a cause."""
LEAST_TRUST = 0.3


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


def trust(features: np.ndarray) -> np.ndarray:
    """(N,) 0 to 1 for (N, K) balance features: by how much the weight of a fused score is to be kept; 0 where refused.

    A transformer that feeds meters filed elsewhere has a gap that lives like a household: it is noisy, and larger than
    the loss of its wires. With three such meters among 25, a fused score that keeps its full weight finds fewer thieves
    at 1 % false alarms than the meter alone; with a third of its weight it finds more.
    """
    column = dict(zip(names(), features.T, strict=True))
    noise = np.log2(np.maximum(np.nan_to_num(column["noise"]), 1e-6) / SOUND_NOISE)
    surplus = np.abs(np.nan_to_num(column["gap_reference"]) - USUAL_LOSS) / USUAL_LOSS - 1
    doubt = np.clip(np.maximum(noise, surplus), 0, 1)
    return np.where(trusted(features), 1 - (1 - LEAST_TRUST) * doubt, 0).astype(np.float32)


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
