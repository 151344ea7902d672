"""Energy balances of the transformers of a window, ready to be stored."""

from datetime import timedelta

import numpy as np

from apps.detection.models import EnergyBalance, ScoringRun
from apps.detection.windows import Drawn
from apps.readings.profiles import chart_values
from ml.findings import Finding

DAYS = 28  # the last ones are summed up
MOST_NAMED = 3
DAYS_A_MONTH = 30


def drawn(found: Drawn, findings: list[Finding]) -> list[EnergyBalance]:
    """A balance, of no run yet, for each transformer of which the window has the sum meter and others; `findings` are
    those of the others."""
    from ml.balance import transformer_balance  # noqa: PLC0415 what scores loads seconds of libraries
    from ml.evidence import Neighbourhood  # noqa: PLC0415

    window = found.window
    if window.sums is None:
        return []
    neighbourhood = Neighbourhood(window)
    balance = transformer_balance(neighbourhood.measured, neighbourhood.reported)
    first_day = window.first_day.item()
    return [
        one
        for row, transformer_id in enumerate(found.transformers)
        if (one := _of(found, findings, balance, row, transformer_id, first_day))
    ]


def _of(found: Drawn, findings: list[Finding], balance, row: int, transformer_id: int, first_day):
    known = np.flatnonzero(np.isfinite(balance.unexplained_kwh[row]))[-DAYS:]
    meters = np.flatnonzero(found.window.sum_row == row)
    if not len(known) or not len(meters):
        return None
    unexplained = float(balance.unexplained_kwh[row, known].sum())
    explained_by = _explained_by([findings[meter] for meter in meters], meters, unexplained, len(known))
    onsets = [findings[meter].onset_day for meter, _share in explained_by]
    series = {
        "delivered": balance.delivered_kwh[row],
        "reported": balance.reported_kwh[row],
        "expected_loss": balance.technical_kwh[row],
    }
    return EnergyBalance(
        transformer_id=transformer_id,
        meters=len(meters),
        days=len(known),
        data_until=first_day + timedelta(days=int(known[-1])),
        delivered_kwh=float(balance.delivered_kwh[row, known].sum()),
        reported_kwh=float(balance.reported_kwh[row, known].sum()),
        expected_loss_kwh=float(balance.technical_kwh[row, known].sum()),
        unexplained_kwh=unexplained,
        quality=_quality(balance, row),
        since=min((day for day in onsets if day), default=None),
        explained_by=[
            {"consumer": found.consumer_ids[meter], "share": round(share, 3)} for meter, share in explained_by
        ],
        by_day={"first_day": first_day.isoformat()}
        | {name: chart_values(np.round(values, 1)) for name, values in series.items()},
    )


def of_run(run: ScoringRun, balance: EnergyBalance) -> EnergyBalance:
    """The same balance, to be stored as what this run saw."""
    values = {field.attname: getattr(balance, field.attname) for field in balance._meta.concrete_fields}
    return EnergyBalance(**{**values, "id": None, "run_id": run.pk})


def _explained_by(
    findings: list[Finding], meters: np.ndarray, unexplained: float, days: int
) -> list[tuple[int, float]]:
    """The few meters whose missing energy explains the gap best, by row of the window, each with its share of it."""
    from ml.balance import meters_behind  # noqa: PLC0415

    missing = np.array([finding.kwh_missing_per_month * days / DAYS_A_MONTH for finding in findings])
    behind, _together = meters_behind(unexplained, missing)
    behind = behind[:MOST_NAMED]
    # Estimates of single meters may add up to more than the gap: then they share it.
    whole = max(unexplained, missing[behind].sum()) if len(behind) else 1
    return [(int(meters[index]), float(missing[index] / whole)) for index in behind]


def _quality(balance, row: int) -> str:
    """By the same limits as the gate that keeps a doubtful balance out of the scores."""
    from ml.balance import gate  # noqa: PLC0415

    known = np.isfinite(balance.unexplained_kwh[row])
    if known.sum() < gate.LEAST_DAYS:
        return gate.TOO_FEW_DAYS
    # The figure is the agreement of both sides times the share of days that have both.
    if balance.quality[row] / known.mean() < gate.LEAST_AGREEMENT:
        return gate.CLOCK_LAG
    early = np.flatnonzero(known)[: known.sum() // 3]
    gap = balance.loss_kwh[row, early].sum() / max(balance.delivered_kwh[row, early].sum(), 1e-6)
    if not gate.USUAL_GAP[0] <= gap <= gate.USUAL_GAP[1]:
        return gate.MAPPING_WRONG
    return "clock_put_right" if balance.lag_minutes[row] else "good"
