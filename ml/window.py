"""What a detector looks at: the load profiles of many meters over the same days."""

from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

MINUTES_PER_DAY = 1440


@dataclass(frozen=True, eq=False)
class MeterWindow:
    """The same days of many meters, with who their neighbours are.

    Raises ValueError when the arrays do not fit together. Nothing is copied when the types are right already.
    """

    meters: np.ndarray
    """(M,) str, identity of each row, without repeats."""
    kwh: np.ndarray
    """(M, D, S) float32 kWh per slot, NaN where there is no reading. Days are days of the utility's standard time."""
    first_day: np.datetime64
    interval_minutes: int
    """1440 for daily readings; S is 1440 // interval_minutes."""
    peer_group: np.ndarray
    """(M,) int, rows that share it are neighbours (one transformer, or one segment); negative: no neighbours known."""
    contract_active: np.ndarray
    """(M, D) bool, whether there is a supply contract that day: zero consumption is explained without one."""
    timezone: str = "UTC"
    """Civil time of the place: hours of the day are counted on it."""
    utc_offset_minutes: int = 0
    """Of the standard time that the days are in."""
    sums: np.ndarray | None = None
    """(T, D, S) float32 kWh of the sum meters of T transformers, NaN where there is no reading; None without any."""
    sum_row: np.ndarray | None = None
    """(M,) int row of `sums` that delivers to each meter, -1 for none. Given together with `sums`: a balance is true
    only when all the meters of a transformer are in the window."""

    def __post_init__(self):
        def take(name, value):
            object.__setattr__(self, name, value)

        take("meters", np.asarray(self.meters).astype(str, copy=False))
        take("kwh", np.asarray(self.kwh).astype(np.float32, copy=False))
        take("peer_group", np.asarray(self.peer_group))
        take("contract_active", np.asarray(self.contract_active))
        take("first_day", np.datetime64(self.first_day, "D"))
        if self.sums is not None:
            take("sums", np.asarray(self.sums).astype(np.float32, copy=False))
            take("sum_row", np.asarray(self.sum_row))
        self._refuse_what_does_not_fit()

    def _refuse_what_does_not_fit(self):
        if self.interval_minutes <= 0 or MINUTES_PER_DAY % self.interval_minutes:
            raise ValueError(f"interval_minutes must divide 1440, not {self.interval_minutes}")
        if self.meters.ndim != 1:
            raise ValueError(f"meters must be one-dimensional, not of shape {self.meters.shape}")
        if self.kwh.ndim != 3:
            raise ValueError(f"kwh must have the shape (meters, days, slots), not {self.kwh.shape}")
        rows, slots = len(self.meters), MINUTES_PER_DAY // self.interval_minutes
        if self.kwh.shape[0] != rows or self.kwh.shape[2] != slots:
            raise ValueError(
                f"kwh has the shape {self.kwh.shape}, but {rows} meters read every {self.interval_minutes} minutes "
                f"need ({rows}, days, {slots})"
            )
        if self.peer_group.shape != (rows,) or not np.issubdtype(self.peer_group.dtype, np.integer):
            raise ValueError(f"peer_group must be {rows} whole numbers, one for each meter")
        if self.contract_active.shape != self.kwh.shape[:2] or self.contract_active.dtype != bool:
            raise ValueError(f"contract_active must be true or false for each of {self.kwh.shape[:2]} meters and days")
        if np.isnat(self.first_day):
            raise ValueError("first_day is not a day")
        if len(np.unique(self.meters)) != rows:
            raise ValueError("meters holds the same meter twice")
        if np.isinf(self.kwh).any():
            raise ValueError("kwh holds an infinite reading; a missing reading is NaN")
        self._refuse_sums_that_do_not_fit()
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"timezone {self.timezone!r} is not known here") from error

    def _refuse_sums_that_do_not_fit(self):
        if (self.sums is None) != (self.sum_row is None):
            raise ValueError("sums and sum_row are given together")
        if self.sums is None:
            return
        if self.sums.ndim != 3 or self.sums.shape[1:] != self.kwh.shape[1:]:
            raise ValueError(f"sums must have the shape (transformers, {self.days}, {self.slots})")
        if self.sum_row.shape != self.meters.shape or not np.issubdtype(self.sum_row.dtype, np.integer):
            raise ValueError("sum_row must be a whole number for each meter")
        if len(self.sum_row) and self.sum_row.max() >= len(self.sums):
            raise ValueError("sum_row names a transformer that sums does not have")

    def __len__(self) -> int:
        return len(self.meters)

    @property
    def days(self) -> int:
        return self.kwh.shape[1]

    @property
    def slots(self) -> int:
        return self.kwh.shape[2]

    def take(self, rows: np.ndarray) -> "MeterWindow":
        """The window of some of the meters, in the order of `rows` (indices or mask)."""
        return replace(
            self,
            meters=self.meters[rows],
            kwh=self.kwh[rows],
            peer_group=self.peer_group[rows],
            contract_active=self.contract_active[rows],
            sum_row=None if self.sum_row is None else self.sum_row[rows],
        )

    def last(self, days: int) -> "MeterWindow":
        """The last days of the window; the window itself when it has no more."""
        if self.days <= days:
            return self
        first = self.days - days
        return replace(
            self,
            kwh=self.kwh[:, first:],
            first_day=self.first_day + first,
            contract_active=self.contract_active[:, first:],
            sums=None if self.sums is None else self.sums[:, first:],
        )
