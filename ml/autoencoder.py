"""An autoencoder of weeks: how well a meter's weeks fit the shapes of ordinary homes, before and now.

It learns the weeks of many homes as multiples of each meter's own reference and of the neighbours' level. Theft takes
energy away, and less energy is easier to reconstruct, so the size of an error says nothing. What counts is how the
error *changed* between the meter's own reference and afterwards, both ways, and which way the energy went.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from ml.evidence import Evidence
from ml.relative import HOURS, centre_and_spread, mean_over, relative_load
from ml.torch_training import Training, arrays_of, by_blocks, device, held_out, settled, train, with_arrays

WEEK = 7
LAST_WEEKS = (1, 2, 4, 8)
"""Spans up to the last day over which a change is measured."""
LEAST_SEEN = 0.5
"""Share of a week's hours that must be there."""


@dataclass(frozen=True)
class AutoencoderConfig:
    encoding_dim: int = 32
    hidden: int = 128
    epochs: int = 50
    batch_size: int = 128
    learning_rate: float = 2e-3
    dropped_days: float = 0.15
    """Share of days hidden from the encoder while it learns, so that it completes gaps instead of copying zeros."""
    seed: int = 0
    threads: int = 2


class WeekAutoencoder(nn.Module):
    """(B, 168) square roots of load and what of it was seen in; the whole week out."""

    def __init__(self, config: AutoencoderConfig):
        super().__init__()
        hours = WEEK * HOURS
        self.encoder = nn.Sequential(
            nn.Linear(2 * hours, config.hidden), nn.GELU(), nn.Linear(config.hidden, config.encoding_dim)
        )
        self.decoder = nn.Sequential(
            nn.Linear(config.encoding_dim, config.hidden), nn.GELU(), nn.Linear(config.hidden, hours)
        )

    def encode(self, week: Tensor, seen: Tensor) -> Tensor:
        return self.encoder(torch.cat([(week - 1) * seen, seen], -1))

    def decode(self, code: Tensor) -> Tensor:
        return 1 + self.decoder(code)

    def forward(self, week: Tensor, seen: Tensor) -> Tensor:
        return self.decode(self.encode(week, seen))


class Autoencoder:
    """Fit on unlabelled meters, score by the change against each meter's own reference. Raises ValueError when fitted
    on less than two weeks, or on meters without readings."""

    MEASURES = ("energy", "error", "misfit")
    """Log ratios after to before: energy against the frozen reference's week, own reconstruction error, and how far the
    reconstruction misses the energy."""

    def __init__(self, **settings):
        self.config = AutoencoderConfig(**settings)

    def fit(self, evidence: Evidence, progress: Callable[[str], None] | None = None) -> Self:
        config, days = self.config, evidence.days
        if days < 2 * WEEK or not (evidence.kwh >= 0).any():
            raise ValueError("an autoencoder of weeks learns from two weeks of readings at least")
        relative, weeks = relative_load(evidence), days // WEEK
        load, seen, peers, weekday = (
            torch.from_numpy(array).to(device())
            for array in (np.sqrt(relative.load), relative.seen, relative.peer_level, evidence.weekday.copy())
        )

        def loss_of(model: nn.Module, rows: Tensor) -> Tensor:
            meter, start = rows // weeks, rows % weeks * WEEK
            start = (start + torch.randint(0, WEEK, rows.shape, device=rows.device)).clamp(max=days - WEEK)
            # Any seven days, in the order Monday to Sunday.
            place = start[:, None] + (torch.arange(WEEK, device=rows.device) - weekday[start][:, None]) % WEEK
            there = seen[meter[:, None], place].float()
            week = load[meter[:, None], place] / peers[meter[:, None], place].mean(1).sqrt()[:, None, None]
            shown = there
            if model.training:
                shown = there * (torch.rand(there.shape[:2], device=rows.device) > config.dropped_days)[..., None]
            off = (model(week.flatten(1), shown.flatten(1)) - week.flatten(1)) ** 2
            return (off * there.flatten(1)).sum() / there.sum().clamp(min=1)

        training = Training(
            epochs=config.epochs,
            batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            seed=config.seed,
            threads=config.threads,
        )
        apart = np.repeat(held_out(len(evidence), config.seed), weeks)
        with settled(training):
            self.model_ = WeekAutoencoder(config).to(device())
            self.losses_ = train(
                self.model_, loss_of, np.flatnonzero(~apart), np.flatnonzero(apart), training, progress
            )
        self.centre_, self.spread_ = centre_and_spread(self.changes(evidence))
        return self

    def score(self, evidence: Evidence) -> np.ndarray:
        """(N,) 0 for a meter like most, above for less energy or another fit, below for more energy."""
        change = np.nan_to_num((self.changes(evidence) - self.centre_) / self.spread_)
        energy, error, misfit = np.moveaxis(change, 2, 0)
        less, more = np.maximum(-energy, 0), np.maximum(energy, 0)
        return (np.sqrt(less**2 + error**2 + misfit**2 / 2) - more).mean(1)

    def changes(self, evidence: Evidence) -> np.ndarray:
        """(N, spans, measures): mean over the last weeks less the mean over the reference; NaN where unknown."""
        return np.concatenate(by_blocks(self._changes, evidence, self.config.threads))

    def _changes(self, evidence: Evidence) -> np.ndarray:
        measures, seen, reference = self._weeks(evidence)
        weeks = measures.shape[1]
        before = mean_over(measures, seen & reference)
        last = np.arange(weeks)[None] >= weeks - np.array(LAST_WEEKS)[:, None]
        after = [mean_over(measures, seen & ~reference & span) for span in last]
        return np.stack(after, 1) - before[:, None]

    def _weeks(self, evidence: Evidence) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(N, W, measures) of the weeks up to the last day, and (N, W) which are seen, and which in the reference."""
        relative, weeks = relative_load(evidence), evidence.days // WEEK
        first = evidence.days - WEEK * weeks
        monday_first = np.argsort(evidence.weekday[first : first + WEEK])

        def by_week(days: np.ndarray) -> np.ndarray:
            return days[:, first:].reshape(len(days), weeks, WEEK, *days.shape[2:])

        load = np.sqrt(by_week(relative.load) / by_week(relative.peer_level).mean(2)[..., None, None])
        week = torch.from_numpy(load[:, :, monday_first].reshape(len(load), weeks, WEEK * HOURS)).to(device())
        there = torch.from_numpy(by_week(relative.seen)[:, :, monday_first].reshape(week.shape)).to(week.device).float()
        reference = by_week(evidence.reference).mean(2) > 0.5
        seen = there.mean(2).cpu().numpy() >= LEAST_SEEN

        code = self.model_.encode(week, there)
        own = self.model_.decode(code)
        known = torch.from_numpy((seen & reference).astype(np.float32)).to(week.device)[..., None]
        usual = self.model_.decode((code * known).sum(1) / known.sum(1).clamp(min=1))[:, None]
        count = there.sum(2).clamp(min=1)

        def mean(values: Tensor) -> Tensor:
            return (values * there).sum(2) / count

        energy = torch.log(mean(week**2) + 0.05)
        measures = (
            energy - torch.log(mean(usual.expand_as(week) ** 2) + 0.05),
            torch.log(mean((own - week) ** 2) + 1e-3),
            energy - torch.log(mean(own**2) + 0.05),
        )
        return torch.stack(measures, 2).cpu().numpy(), seen, reference

    def state(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Settings for JSON, and arrays by name."""
        return asdict(self.config), arrays_of(self.model_) | {"centre": self.centre_, "spread": self.spread_}

    @classmethod
    def from_state(cls, settings: dict, arrays: dict[str, np.ndarray]) -> Self:
        detector, arrays = cls(**settings), dict(arrays)
        detector.centre_, detector.spread_ = arrays.pop("centre"), arrays.pop("spread")
        detector.model_ = with_arrays(WeekAutoencoder(detector.config), arrays)
        return detector
