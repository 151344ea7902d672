"""The energy balance of transformers for people to read: delivered, reported, lost, and what nobody explains."""

from dataclasses import dataclass

import numpy as np

from ml.balance.residual import clock_lag, moved

MOST_TECHNICAL = 0.08
"""Share of the delivered energy up to which a steady loss of a low-voltage transformer passes as technical."""
STEEPEST = 0.05
"""Most that the share may rise when the load doubles (the copper loss grows with its square)."""
LEAST_OF_DAY = 0.5
"""Share of a day's slots that both sides must have for the day to count."""
LEAST_DAYS = 7


@dataclass(frozen=True, eq=False)
class TransformerBalance:
    """T transformers over D days, kWh over the slots that both sides have; NaN on days without enough of them."""

    delivered_kwh: np.ndarray
    """(T, D) by the sum meter."""
    reported_kwh: np.ndarray
    """(T, D) by the meters together."""
    technical_kwh: np.ndarray
    """(T, D) expected technical loss."""
    unexplained_kwh: np.ndarray
    """(T, D) delivered less reported less technical; below zero where the meters report too much."""
    quality: np.ndarray
    """(T,) 0 to 1: agreement of the two sides from slot to slot, times the share of days with a balance."""
    lag_minutes: np.ndarray
    """(T,) by which the sum meter's clock was late; put right before the rest."""

    @property
    def loss_kwh(self) -> np.ndarray:
        return self.delivered_kwh - self.reported_kwh

    @property
    def unexplained_share(self) -> np.ndarray:
        """(T, D) of the delivered energy."""
        return self.unexplained_kwh / np.where(self.delivered_kwh > 0, self.delivered_kwh, np.nan)


def transformer_balance(measured: np.ndarray, reported: np.ndarray) -> TransformerBalance:
    """The balance of (T, D, S) kWh measured at T transformers and reported by the meters behind each.

    The technical loss is a share of the load that rises with the load, fitted on the half of the days with the least
    loss, because theft only ever adds to it.
    """
    slots = measured.shape[2]
    lag, agreement, _ = clock_lag(measured, reported, 1440 // slots)
    measured = moved(measured, lag)
    both = np.isfinite(measured) & np.isfinite(reported)
    counted = both.mean(2) >= LEAST_OF_DAY
    delivered, taken = (
        np.where(counted, np.where(both, side, 0).sum(2), np.nan).astype(np.float32) for side in (measured, reported)
    )
    technical = _technical_share(delivered, taken) * delivered
    # Seen day by day, a daily series has no slots whose changes could agree.
    agreement = np.clip(agreement, 0, 1) if slots > 1 else np.ones(len(measured))
    return TransformerBalance(
        delivered_kwh=delivered,
        reported_kwh=taken,
        technical_kwh=technical,
        unexplained_kwh=delivered - taken - technical,
        quality=(agreement * counted.mean(1)).astype(np.float32),
        lag_minutes=np.abs(lag) * (1440 / slots),
    )


def meters_behind(unexplained_kwh: float, missing_kwh: np.ndarray, enough: float = 0.8) -> tuple[np.ndarray, float]:
    """The fewest meters that together explain `enough` of a transformer's gap, and the share that they explain.

    `missing_kwh` is (M,) the energy that each meter is thought not to report. All that miss any are named where even
    they do not explain enough; the share is cut at 1, and 0 without a gap.
    """
    missing = np.nan_to_num(np.asarray(missing_kwh, float))
    order = np.argsort(-missing, kind="stable")
    order = order[missing[order] > 0]
    if not unexplained_kwh > 0 or not len(order):
        return np.empty(0, int), 0.0
    share = np.cumsum(missing[order]) / unexplained_kwh
    k = min(int(np.searchsorted(share, enough)) + 1, len(order))
    return order[:k], float(min(share[k - 1], 1))


def _technical_share(delivered: np.ndarray, reported: np.ndarray) -> np.ndarray:
    """(T, D) share of the delivered energy that is expected to be lost."""
    known = np.isfinite(delivered) & (np.nan_to_num(delivered) > 0)
    share = np.where(known, 1 - reported / np.where(known, delivered, 1), np.inf)
    count = known.sum(1)
    ranked = np.sort(share, 1)
    middle = ranked[np.arange(len(share)), np.maximum(count - 1, 0) // 2]
    least = known & (share <= middle[:, None])
    usual = np.where(known, delivered, 0).sum(1) / np.maximum(count, 1)
    load = np.where(known, delivered / np.maximum(usual, 1e-6)[:, None] - 1, 0)
    n = np.maximum(least.sum(1), 1)
    share = np.where(least, share, 0)
    mean_share, mean_load = share.sum(1) / n, (load * least).sum(1) / n
    apart = (load - mean_load[:, None]) * least
    slope = np.clip((apart * share).sum(1) / ((apart**2).sum(1) + 0.05), 0, STEEPEST)
    slope = np.where(count >= LEAST_DAYS, slope, 0)
    level = np.clip(mean_share - slope * mean_load, 0, MOST_TECHNICAL)
    return np.clip(level[:, None] + slope[:, None] * load, 0, MOST_TECHNICAL + STEEPEST).astype(np.float32)
