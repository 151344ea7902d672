"""A recurrent network that reads a meter's honest days and says what each later day would look like.

Theft goes on for months, and a forecaster that is fed the days before adapts to it within a week. So the network reads
the frozen reference alone; from what it remembers, the weekday and the neighbours' level it forecasts every later day,
and its errors keep their sign: energy that goes missing day after day adds up in a downward CUSUM, whereas a thief's
better forecast, which an absolute error rewards, shows as a change of the errors' size.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from ml.evidence import Evidence
from ml.relative import HOURS, centre_and_spread, mean_over, relative_load
from ml.torch_training import Training, arrays_of, by_blocks, device, held_out, settled, train, with_arrays

WEEK = 7
TARGETS = 16
"""Days forecast from one memory while learning."""
STARTS = 4
"""Beginnings drawn from each meter's days in an epoch."""
LAST_DAYS = (7, 14, 28)
"""Spans up to the last day over which a change is measured."""
FLOOR = 0.05
"""Added to a level before its logarithm: an empty day is a large error, not an endless one."""
CUSUM_WEIGHT = 0.1
MOST_ERROR = 8
"""Errors, in their own usual size, above which a day says no more."""


@dataclass(frozen=True)
class ForecasterConfig:
    cell: str = "gru"
    """Or "lstm"."""
    units: int = 64
    sequence_length: int = 28
    """Days that the memory is built from: the last of the reference."""
    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 3e-3
    allowance: float = 1.0
    """A day's missing energy below this, in its own usual size, does not add to the CUSUM."""
    seed: int = 0
    threads: int = 2


class DayForecaster(nn.Module):
    """Reads days of 24 hours, which of them are seen, level, neighbours and weekday; forecasts any day from the last
    two of these."""

    INPUTS = 2 * HOURS + 2 + WEEK
    OUTPUTS = HOURS + 1

    def __init__(self, config: ForecasterConfig):
        super().__init__()
        cells = {"gru": nn.GRU, "lstm": nn.LSTM}
        if config.cell not in cells:
            raise ValueError(f"cell is one of {', '.join(cells)}, not {config.cell}")
        self.memory = cells[config.cell](self.INPUTS, config.units, batch_first=True)
        width = config.units
        self.of_memory = nn.Linear(config.units, width)
        self.of_weekday = nn.Embedding(WEEK, width)
        self.of_peers = nn.Linear(1, width, bias=False)
        self.head = nn.Linear(width, 2 * self.OUTPUTS)

    def remember(self, days: "Days") -> Tensor:
        """(B, L) days in, (B, units) what is left of them."""
        told = [(days.load.sqrt() - 1) * days.seen, days.seen, days.log_level[..., None] * days.whole[..., None]]
        weekday = nn.functional.one_hot(days.weekday, WEEK).float()
        return self.memory(torch.cat([*told, days.peers.log()[..., None], weekday], -1))[0].mean(1)

    def errors(self, memory: Tensor, days: "Days") -> tuple[Tensor, Tensor, Tensor]:
        """Of the (B, T) days: (B, T, 25) signed error of the hours' root load and of the log level, in their usual
        size; that size; and 1 where there is a reading to compare with, else 0."""
        known = self.of_memory(memory)[:, None] + self.of_weekday(days.weekday)
        known = nn.functional.relu(known + self.of_peers(days.peers.log()[..., None]))
        centre, size = self.head(known).chunk(2, -1)
        size = nn.functional.softplus(size) + 0.02
        real = torch.cat([days.load.sqrt() - 1, days.log_level[..., None]], -1)
        there = torch.cat([days.seen, days.whole[..., None]], -1)
        return (real - centre) / size * there, size, there


@dataclass(frozen=True)
class Days:
    """(B, T) days of some meters, as tensors."""

    load: Tensor
    """(B, T, 24) multiples of the meter's usual hour."""
    seen: Tensor
    level: Tensor
    whole: Tensor
    """(B, T) 1 where the level counts."""
    peers: Tensor
    weekday: Tensor

    @classmethod
    def of(cls, evidence: Evidence) -> Self:
        relative = relative_load(evidence)
        arrays = (
            relative.load,
            relative.seen.astype(np.float32),
            np.nan_to_num(relative.level),
            (~np.isnan(relative.level)).astype(np.float32),
            relative.peer_level,
            np.broadcast_to(evidence.weekday, relative.level.shape).copy(),
        )
        return cls(*(torch.from_numpy(array).to(device()) for array in arrays))

    @property
    def log_level(self) -> Tensor:
        return torch.log(self.level + FLOOR)

    def at(self, meter: Tensor, day: Tensor) -> Self:
        return Days(*(getattr(self, field.name)[meter, day] for field in fields(self)))

    def usual(self) -> tuple[Tensor, Tensor]:
        """(B, 1) mean load of these days, and the neighbours'."""
        mean = self.load.sum((1, 2)) / self.seen.sum((1, 2)).clamp(min=1)
        return mean.clamp(min=FLOOR)[:, None], self.peers.mean(1, keepdim=True)

    def relative_to(self, usual: tuple[Tensor, Tensor]) -> Self:
        own, peers = usual
        return replace(self, load=self.load / own[..., None], level=self.level / own, peers=self.peers / peers)


class Forecaster:
    """Fit on unlabelled meters, score by the errors against the frozen reference's forecast. Raises ValueError when
    fitted on less than two weeks, or on meters without readings."""

    MEASURES = ("level", "hours", "size")
    """Mean signed error of the level and of the hours, and log of the hours' mean absolute error."""

    def __init__(self, **settings):
        self.config = ForecasterConfig(**settings)

    def fit(self, evidence: Evidence, progress: Callable[[str], None] | None = None) -> Self:
        config, total = self.config, evidence.days
        if total < 2 * WEEK or not (evidence.kwh >= 0).any():
            raise ValueError("a forecaster of days learns from two weeks of readings at least")
        length = min(config.sequence_length, total // 2)
        days = Days.of(evidence)

        def loss_of(model: nn.Module, rows: Tensor) -> Tensor:
            # Any part of a meter's days stands in for its reference, any later days for what came after.
            meter = (rows // STARTS)[:, None]
            start = torch.randint(0, total - length, meter.shape, device=rows.device)
            after = start + length
            after = after + (torch.rand(len(rows), TARGETS, device=rows.device) * (total - after)).long()
            reference = days.at(meter, start + torch.arange(length, device=rows.device))
            usual = reference.usual()
            memory = model.remember(reference.relative_to(usual))
            error, size, there = model.errors(memory, days.at(meter, after).relative_to(usual))
            # Student's t with three degrees of freedom: thieves and holidays among the targets hardly pull on it.
            loss = (2 * torch.log1p(error**2 / 3) + size.log()) * there
            return sum(part.sum() / seen.sum().clamp(min=1) for part, seen in _hours_and_level(loss, there))

        training = Training(
            epochs=config.epochs,
            batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            patience=max(6, config.epochs // 3),
            seed=config.seed,
            threads=config.threads,
        )
        apart = np.repeat(held_out(len(evidence), config.seed), STARTS)
        with settled(training):
            self.model_ = DayForecaster(config).to(device())
            self.losses_ = train(
                self.model_, loss_of, np.flatnonzero(~apart), np.flatnonzero(apart), training, progress
            )
        self.centre_, self.spread_ = centre_and_spread(self.changes(evidence))
        return self

    def score(self, evidence: Evidence) -> np.ndarray:
        """(N,) 0 for a meter like most, above for less energy or another fit, below for more energy."""
        daily = self.daily(evidence)
        change = np.nan_to_num((self.changes(evidence, daily) - self.centre_) / self.spread_)
        level, hours, size = np.moveaxis(change, 2, 0)
        less, more = np.maximum(-level, 0), np.maximum(level, 0)
        missing = self.cusum(evidence, daily)[:, -1:]
        return (np.sqrt(less**2 + hours**2 / 2 + size**2) - more + CUSUM_WEIGHT * np.log1p(missing)).mean(1)

    def changes(self, evidence: Evidence, daily: np.ndarray | None = None) -> np.ndarray:
        """(N, spans, measures): mean over the last days less the mean over the reference; NaN where unknown."""
        values = np.moveaxis(self.daily(evidence) if daily is None else daily, 0, 2)
        day = np.arange(evidence.days)
        before = mean_over(values, evidence.reference)
        spans = [~evidence.reference & (day >= evidence.days - last) for last in LAST_DAYS]
        return np.stack([mean_over(values, span) for span in spans], 1) - before[:, None]

    def cusum(self, evidence: Evidence, daily: np.ndarray | None = None) -> np.ndarray:
        """(N, D) the downward CUSUM of the level's error since the reference: missing energy that adds up."""
        level = (self.daily(evidence) if daily is None else daily)[0]
        usual = mean_over(level[..., None], evidence.reference)
        missing = np.nan_to_num(usual) - level - self.config.allowance
        missing = np.where(np.isnan(level) | evidence.reference, 0, missing)
        total = np.zeros((evidence.days + 1, len(evidence)))
        for day in range(evidence.days):
            total[day + 1] = np.maximum(total[day] + missing[:, day], 0)
        return total[1:].T

    def daily(self, evidence: Evidence) -> np.ndarray:
        """(3, N, D): signed error of the level, mean signed error of the hours, log of their mean absolute error."""
        return np.concatenate(by_blocks(self._daily, evidence, self.config.threads), 1)

    def _daily(self, evidence: Evidence) -> np.ndarray:
        days = Days.of(evidence)
        last = evidence.days - 1 - evidence.reference[:, ::-1].argmax(1)
        place = np.clip(last[:, None] + np.arange(1 - self.config.sequence_length, 1), 0, None)
        place = torch.from_numpy(place).to(days.load.device)
        reference = days.at(torch.arange(len(evidence), device=place.device)[:, None], place)
        usual = reference.usual()
        memory = self.model_.remember(reference.relative_to(usual))
        error, _, there = self.model_.errors(memory, days.relative_to(usual))
        (hours, seen), (level, whole) = _hours_and_level(error.clamp(-MOST_ERROR, MOST_ERROR), there)
        count = seen.sum(2).clamp(min=1)
        size = torch.log(hours.abs().sum(2) / count + 0.05)
        values = torch.stack([level[..., 0], hours.clamp(-3, 3).sum(2) / count, size])
        return torch.where(whole[..., 0] > 0, values, torch.nan).cpu().numpy()

    def state(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Settings for JSON, and arrays by name."""
        return asdict(self.config), arrays_of(self.model_) | {"centre": self.centre_, "spread": self.spread_}

    @classmethod
    def from_state(cls, settings: dict, arrays: dict[str, np.ndarray]) -> Self:
        detector, arrays = cls(**settings), dict(arrays)
        detector.centre_, detector.spread_ = arrays.pop("centre"), arrays.pop("spread")
        detector.model_ = with_arrays(DayForecaster(detector.config), arrays)
        return detector


def _hours_and_level(values: Tensor, there: Tensor) -> list[tuple[Tensor, Tensor]]:
    return list(zip(values.split([HOURS, 1], -1), there.split([HOURS, 1], -1), strict=True))
