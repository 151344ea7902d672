"""From the sums of a transformer to the residual that its losses do not explain."""

from dataclasses import dataclass

import numpy as np

from ml.evidence import Evidence

WIDEST_LAG_MINUTES = 120
CLEARLY_LATER = 0.05
"""By how much the agreement must rise before the sum meter's clock is called wrong."""
LEAST_SHARE_OF_DAY = 0.1
"""A day with less of a balance than this tells nothing."""
LEAST_REFERENCE_DAYS = 7
ZERO_KWH_A_DAY = 0.15
"""At most this is a meter that stands still; also the smallest usual load that anything is divided by."""
RIDGE = 1e-4
TINY = np.float32(1e-6)


@dataclass(frozen=True, eq=False)
class Residual:
    """(n, D, S) arrays are in units of the meter's own usual slot and 0 where `there` is 0."""

    there: np.ndarray
    """(n, D, S) float32, 1 where the transformer, the meter and its neighbours were all read."""
    days: np.ndarray
    """(n, D) bool: days with a balance."""
    reference: np.ndarray
    """(n, D) bool: those of them that are the meter's honest past."""
    unexplained: np.ndarray
    """Measured less reported less the technical loss, less the usual of its hour in the reference."""
    own: np.ndarray
    """What the meter reports."""
    missing: np.ndarray
    """What the meter would report by its own reference and its neighbours' level, less what it does."""
    usual: np.ndarray
    """(n,) kWh of the meter's usual slot: the unit."""
    weekend: np.ndarray
    """(D,) int, 1 on Saturdays and Sundays."""
    quality: dict[str, np.ndarray]
    """(n,) each: lag_minutes, agreement, agreement_unmoved, gap_reference, gap_recent (shares of what was delivered),
    own_share (of the reported load), loss, noise (of the usual load of the transformer), balance_days, complete."""


def residual_of(evidence: Evidence) -> Residual:
    """The residual of meters that all have sums."""
    slots = evidence.slots
    lag, agreement, unmoved = clock_lag(evidence.measured, evidence.reported, evidence.interval_minutes)
    measured = moved(evidence.measured, lag)
    there = (evidence.kwh >= 0) & np.isfinite(measured) & np.isfinite(evidence.reported)
    there, complete = _complete(there, evidence.filled)
    weight = there.astype(np.float32)
    days = there.mean(2) >= LEAST_SHARE_OF_DAY
    reference = evidence.reference & days
    weekend = (evidence.weekday >= 5).astype(int)

    reported, measured = np.where(there, evidence.reported, 0), np.where(there, measured, 0)
    gap = measured - reported
    mean_load = _mean(reported, weight)
    fitted = np.where((reference.sum(1) >= LEAST_REFERENCE_DAYS)[:, None], reference, days)
    load = load_terms(reported, weight, mean_load)
    loss = _fit(load, gap, weight * fitted[:, :, None], weekend)
    for column, term in enumerate(load):
        gap -= loss[:, column, None, None] * term

    own = np.where(there, evidence.kwh, 0)
    usual = np.maximum(_mean(own, weight * fitted[:, :, None]), ZERO_KWH_A_DAY / slots)
    unit = usual[:, None, None]
    own /= unit
    gap /= unit
    in_reference = weight * fitted[:, :, None]
    gap = (gap - profile(gap, in_reference, weekend)[:, weekend]) * weight
    level = np.clip(evidence.peer_level, 0.2, 5)
    level = level / np.maximum((level * fitted).sum(1) / np.maximum(fitted.sum(1), 1), 0.2)[:, None]
    missing = (profile(own, in_reference, weekend)[:, weekend] * level[:, :, None].astype(np.float32) - own) * weight
    recent = days & ~fitted
    quality = {
        "lag_minutes": np.abs(lag) * (1440 / slots),
        "agreement": agreement,
        "agreement_unmoved": unmoved,
        "gap_reference": _gap_share(measured, reported, fitted),
        "gap_recent": _gap_share(measured, reported, recent),
        "own_share": usual / np.maximum(mean_load, TINY),
        "loss": loss[:, 0],
        "noise": _spread(gap, in_reference, weekend) * usual / np.maximum(mean_load, TINY),
        "balance_days": days.sum(1).astype(np.float32),
        "complete": complete,
    }
    return Residual(weight, days, reference, gap, own, missing, usual, weekend, quality)


def clock_lag(measured: np.ndarray, reported: np.ndarray, interval_minutes: int) -> tuple[np.ndarray, ...]:
    """(n,) int slots by which the sum meter's stamps are late, and how well the two agree there and unmoved.

    Agreement is the correlation of the changes from slot to slot: a wrong clock destroys it, a missing load hardly.
    """
    n = len(measured)
    widest = WIDEST_LAG_MINUTES // interval_minutes
    late, early = (np.diff(series.reshape(n, -1), axis=1) for series in (measured, reported))
    both = np.isfinite(late) & np.isfinite(early)
    late, early = np.where(both, late, np.float32(0)), np.where(both, early, np.float32(0))
    size = np.sqrt(np.einsum("nt,nt->n", late, late) * np.einsum("nt,nt->n", early, early)) + TINY
    lags = np.arange(-widest, widest + 1)
    agreement = np.empty((n, len(lags)), np.float32)
    for column, lag in enumerate(lags):
        ahead = late[:, max(lag, 0) : late.shape[1] + min(lag, 0)]
        behind = early[:, max(-lag, 0) : early.shape[1] + min(-lag, 0)]
        agreement[:, column] = np.einsum("nt,nt->n", ahead, behind) / size
    rows, best = np.arange(n), agreement.argmax(1)
    best = np.where(agreement[rows, best] > agreement[:, widest] + CLEARLY_LATER, best, widest)
    return lags[best], agreement[rows, best], agreement[:, widest]


def moved(measured: np.ndarray, lag: np.ndarray) -> np.ndarray:
    """(n, D, S) with each row's late stamps put right; what falls off the end is missing."""
    if not lag.any():
        return measured
    flat = measured.reshape(len(measured), -1).copy()
    for slots in np.unique(lag[lag != 0]):
        rows = np.flatnonzero(lag == slots)
        right = np.roll(flat[rows], -slots, 1)
        right[:, slice(-slots, None) if slots > 0 else slice(None, -slots)] = np.nan
        flat[rows] = right
    return flat.reshape(measured.shape)


def load_terms(reported: np.ndarray, weight: np.ndarray, mean_load: np.ndarray) -> list[np.ndarray]:
    """What the technical loss may depend on: the load, its square, and the slots beside it.

    The last two take up what a clock that is off by part of a slot leaves behind.
    """
    terms = [reported, reported * reported / np.maximum(mean_load, TINY)[:, None, None]]
    if reported.shape[2] > 1:
        n = len(reported)
        flat, there = reported.reshape(n, -1), weight.reshape(n, -1)
        step = np.diff(flat, axis=1) * there[:, 1:] * there[:, :-1]
        for pad in ((1, 0), (0, 1)):
            terms.append(np.pad(step, ((0, 0), pad)).reshape(reported.shape))
    return terms


def profile(values: np.ndarray, weight: np.ndarray, weekend: np.ndarray) -> np.ndarray:
    """(n, 2, S) mean of each slot over working days and over weekends; over both where one of them is missing."""
    types = np.stack([weekend == 0, weekend == 1]).astype(np.float32)
    total, count = types @ (values * weight), types @ weight
    both = total.sum(1, keepdims=True) / np.maximum(count.sum(1, keepdims=True), 1)
    return np.where(count > 0, total / np.maximum(count, 1), both)


def _complete(there: np.ndarray, filled: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Where no neighbour's reading was made up, and which (n,) share of the slots that is.

    A made-up reading is wrong by a whole household. Where nearly every slot has one, all slots have to do.
    """
    if filled is None:
        return there, np.full(len(there), np.nan, np.float32)
    whole = there & ~(filled > 0)
    share = whole.sum((1, 2)) / np.maximum(there.sum((1, 2)), 1)
    return np.where((share >= 0.1)[:, None, None], whole, there), share.astype(np.float32)


def _mean(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.einsum("nds,nds->n", values, weight) / np.maximum(weight.sum((1, 2)), 1)


def _fit(terms: list[np.ndarray], gap: np.ndarray, weight: np.ndarray, weekend: np.ndarray) -> np.ndarray:
    """(n, terms) ridge coefficients of the gap on the load, both taken about the usual of their hour."""
    n = len(gap)

    def around(values):
        return ((values - profile(values, weight, weekend)[:, weekend]) * weight).reshape(n, -1)

    design, target = np.stack([around(term) for term in terms], 1), around(gap)
    gram = (design @ design.transpose(0, 2, 1)).astype(float)
    size = np.trace(gram, axis1=1, axis2=2)
    gram += RIDGE * (size + TINY)[:, None, None] * np.eye(len(terms))
    return np.linalg.solve(gram, (design @ target[:, :, None]).astype(float))[:, :, 0].astype(np.float32)


def _gap_share(measured: np.ndarray, reported: np.ndarray, days: np.ndarray) -> np.ndarray:
    delivered = (measured.sum(2) * days).sum(1)
    return np.where(delivered > 0, 1 - (reported.sum(2) * days).sum(1) / np.maximum(delivered, TINY), np.nan)


def _spread(values: np.ndarray, weight: np.ndarray, weekend: np.ndarray) -> np.ndarray:
    around = (values - profile(values, weight, weekend)[:, weekend]) * weight
    return np.sqrt(np.einsum("nds,nds->n", around, around) / np.maximum(weight.sum((1, 2)), 1))
