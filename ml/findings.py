"""What an ensemble says about one meter, ready to be stored and shown."""

from dataclasses import dataclass, field
from datetime import date

UNSCORED = "unscored"
LEVELS = ("low", "medium", "high", "critical")
KINDS = ("sudden_spike", "zero_consumption", "odd_hours", "gradual_decline", "neighbourhood_deviation")


@dataclass(frozen=True)
class Reason:
    code: str
    """A key of `ml.reasons.SENTENCES`."""
    share: float
    """0..1, how much of the suspicion this explains; the shares of one finding sum to 1, or to 0 for mere remarks."""
    params: dict[str, str | int | float] = field(default_factory=dict)
    """What the sentence names, as JSON scalars; days are ISO dates."""


@dataclass(frozen=True)
class Span:
    """Days, both included, that drove the score."""

    first_day: date
    last_day: date
    code: str
    """The reason that these days belong to."""


@dataclass(frozen=True)
class Finding:
    meter: str
    score: float | None
    """0..1, higher is more suspicious; None when there is too little data."""
    level: str
    """One of LEVELS, or UNSCORED."""
    kind: str | None
    """One of KINDS, or None when no rule recognises what it sees."""
    parts: dict[str, float]
    """Contribution of each part; they sum to the score."""
    reasons: list[Reason]
    """Weightiest first."""
    onset_day: date | None
    spans: list[Span]
    kwh_missing_per_month: float
    """Estimated kWh that 30 days of now do not measure; 0 when nothing is missing."""
    data_from: date | None
    """First and last day with readings; None without any."""
    data_until: date | None
    probability: float | None = None
    """0..1, calibrated chance that a visit finds a loss here; None when unscored or when nothing calibrates it."""
    families: list[tuple[str, float]] = field(default_factory=list)
    """The attack families that fit best, at most two, each with its share in 0..1; the best first."""
    benign: tuple[str, float] | None = None
    """The honest change that fits best and its share in 0..1; None when unscored or when nothing knows of any."""
    missing_kwh: float = 0.0
    """Estimated kWh not measured from the onset to the last day; 0 when nothing is missing."""
    before_kwh: float | None = None
    """kWh a day before the onset; None without an onset."""
    after_kwh: float | None = None
    """kWh a day from the onset on; None without an onset."""
    reference_days: int = 0
    """Days with readings that counted as the meter's honest past."""
    notes: list[str] = field(default_factory=list)
    """What the score could not rest on, as codes: short_reference, no_neighbours, no_balance, balance_refused, ..."""
