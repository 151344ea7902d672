"""The usual recipe, kept as the honest baseline `classic`: what most descriptions of theft detection propose.

An isolation forest on raw consumption features, an autoencoder's reconstruction error and an LSTM's forecast error,
both absolute, each brought to 0..1 by the least and the most of the training meters, and added with the weights .3, .35
and .35.
Theft takes energy away, and less energy is easier to reconstruct and to forecast, so this ranks thieves near the end.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import torch
from sklearn.ensemble import IsolationForest
from torch import Tensor, nn

from ml.evidence import Evidence
from ml.novelty import Trees
from ml.relative import HOURS, hourly_kwh
from ml.torch_training import Training, arrays_of, device, held_out, settled, train, with_arrays

PARTS = ("isolation_forest", "autoencoder", "lstm")
THRESHOLDS = {"critical": 0.9, "high": 0.7, "medium": 0.5, "low": 0.3}
STRIDE = HOURS
"""Hours between the beginnings of two forecast sequences: one forecast a day."""
NIGHT = slice(2, 5)
RECENT_DAYS = 28
"""A meter is judged by its last four weeks."""
LSTM_BATCH = 256
METERS_AT_ONCE = 256


@dataclass(frozen=True)
class ClassicConfig:
    contamination: float = 0.05
    n_estimators: int = 100
    encoding_dim: int = 32
    autoencoder_epochs: int = 50
    units: int = 64
    sequence_length: int = 24
    """Hours that a forecast of the next hour looks back on."""
    lstm_epochs: int = 30
    batch_size: int = 32
    """Of the autoencoder."""
    weights: tuple[float, ...] = (0.3, 0.35, 0.35)
    seed: int = 0
    threads: int = 2


class DayAutoencoder(nn.Module):
    """(B, 24) hours in and out, through `encoding_dim` numbers."""

    def __init__(self, encoding_dim: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(HOURS, 64), nn.ReLU(), nn.Linear(64, encoding_dim), nn.ReLU(), nn.Linear(encoding_dim, 64)
        )
        self.out = nn.Sequential(nn.ReLU(), nn.Linear(64, HOURS))

    def forward(self, days: Tensor) -> Tensor:
        return self.out(self.layers(days))


class NextHour(nn.Module):
    """(B, L) hours in, (B,) the next one."""

    def __init__(self, units: int):
        super().__init__()
        self.memory = nn.LSTM(1, units, batch_first=True)
        self.out = nn.Linear(units, 1)

    def forward(self, hours: Tensor) -> Tensor:
        return self.out(self.memory(hours[..., None])[0][:, -1])[:, 0]


class Classic:
    """Fit on unlabelled meters; scores within 0..1, cut into levels at THRESHOLDS."""

    def __init__(self, **settings):
        self.config = ClassicConfig(**settings)

    def fit(self, evidence: Evidence, progress: Callable[[str], None] | None = None) -> Self:
        """Raises ValueError on fewer than two meters or days."""
        config = self.config
        if len(evidence) < 2 or evidence.days < 2:
            raise ValueError("the recipe learns from two meters and two days at least")
        rows = raw_features(recent(evidence))
        forest = IsolationForest(
            n_estimators=config.n_estimators, contamination=config.contamination, random_state=config.seed
        )
        self.trees_ = Trees.of(forest.fit(rows))
        hours = _hours(evidence)
        self.mean_, self.deviation_ = float(hours.mean()), float(hours.std()) + 1e-6
        days = self._tensor(hours)
        apart = held_out(len(evidence), config.seed)
        self.autoencoder_ = self._learn(
            DayAutoencoder(config.encoding_dim), days.reshape(-1, HOURS), apart, config.autoencoder_epochs, progress
        )
        self.lstm_ = self._learn(
            NextHour(config.units), self._sequences(days).flatten(0, 1), apart, config.lstm_epochs, progress
        )
        raw = self._raw(evidence)
        self.low_, self.high_ = raw.min(0), raw.max(0)
        # The share `contamination` of the training meters lies above it: the recipe's own alarm.
        self.threshold_ = float(np.quantile(self.score(evidence), 1 - config.contamination))
        return self

    def score(self, evidence: Evidence) -> np.ndarray:
        """(N,) weighted sum of the parts, 0 to 1."""
        return sum(self.parts(evidence).values(), np.zeros(len(evidence)))

    def parts(self, evidence: Evidence) -> dict[str, np.ndarray]:
        """Part to the (N,) it adds to the score."""
        scaled = np.clip((self._raw(evidence) - self.low_) / np.maximum(self.high_ - self.low_, 1e-9), 0, 1)
        return {part: weight * own for part, weight, own in zip(PARTS, self.config.weights, scaled.T, strict=True)}

    def _raw(self, evidence: Evidence) -> np.ndarray:
        """(N, 3) the parts on their own scales."""
        evidence = recent(evidence)
        blocks = [evidence.take(slice(at, at + METERS_AT_ONCE)) for at in range(0, len(evidence), METERS_AT_ONCE)]
        return np.concatenate([self._raw_block(block) for block in blocks]) if blocks else np.zeros((0, 3))

    @torch.no_grad()
    def _raw_block(self, evidence: Evidence) -> np.ndarray:
        days = self._tensor(_hours(evidence))
        again = self.autoencoder_(days.reshape(-1, HOURS)).reshape(days.shape)
        reconstruction = (again - days).abs().mean((1, 2))
        sequences = self._sequences(days)
        ahead = self.lstm_(sequences[..., :-1].flatten(0, 1)).reshape(sequences.shape[:2])
        forecast = (ahead - sequences[..., -1]).abs().mean(1)
        errors = torch.stack([reconstruction, forecast], 1).cpu().numpy()
        return np.c_[self.trees_.score(raw_features(evidence)), np.nan_to_num(errors)]

    def _tensor(self, hours: np.ndarray) -> Tensor:
        scaled = np.clip((hours - self.mean_) / self.deviation_, -10, 100)
        return torch.from_numpy(scaled.astype(np.float32)).to(device())

    def _sequences(self, days: Tensor) -> Tensor:
        """(N, sequences, L + 1) hours in a row, a new sequence each day; the last hour is to be forecast."""
        length = min(self.config.sequence_length, days.shape[1] * HOURS - 1)
        return days.flatten(1).unfold(1, length + 1, STRIDE)

    def _learn(self, model: nn.Module, rows: Tensor, apart: np.ndarray, epochs: int, progress) -> nn.Module:
        config, per_meter = self.config, len(rows) // len(apart)
        batch_size = LSTM_BATCH if isinstance(model, NextHour) else config.batch_size
        training = Training(epochs=epochs, batch_size=batch_size, seed=config.seed, threads=config.threads)

        def loss_of(model: nn.Module, chosen: Tensor) -> Tensor:
            row = rows[chosen]
            if isinstance(model, NextHour):
                return nn.functional.mse_loss(model(row[:, :-1]), row[:, -1])
            return nn.functional.mse_loss(model(row), row)

        apart = np.repeat(apart, per_meter)
        with settled(training):
            model = model.to(device())
            for part in model.children():
                part.apply(_start_afresh)
            train(model, loss_of, np.flatnonzero(~apart), np.flatnonzero(apart), training, progress)
        return model

    def state(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Settings for JSON, and arrays by name: those of a part begin with its name and a dot."""
        learned = {"isolation_forest": asdict(self.trees_)}
        learned |= {"autoencoder": arrays_of(self.autoencoder_), "lstm": arrays_of(self.lstm_)}
        settings = asdict(self.config) | {"weights": list(self.config.weights)}
        settings["learned"] = {
            "mean": self.mean_,
            "deviation": self.deviation_,
            "threshold": self.threshold_,
            **{name: learned["isolation_forest"].pop(name) for name in ("usual_depth", "steps")},
        }
        arrays = {f"{part}.{name}": array for part in PARTS for name, array in learned[part].items()}
        return settings, arrays | {"low": self.low_, "high": self.high_}

    @classmethod
    def from_state(cls, settings: dict, arrays: dict[str, np.ndarray]) -> Self:
        settings = dict(settings)
        learned = dict(settings.pop("learned"))
        detector = cls(**settings | {"weights": tuple(settings["weights"])})

        def of(part: str) -> dict[str, np.ndarray]:
            return {
                name.removeprefix(f"{part}."): array for name, array in arrays.items() if name.startswith(f"{part}.")
            }

        detector.mean_, detector.deviation_ = learned.pop("mean"), learned.pop("deviation")
        detector.threshold_ = learned.pop("threshold")
        detector.low_, detector.high_ = arrays["low"], arrays["high"]
        detector.trees_ = Trees(**of("isolation_forest"), **learned)
        detector.autoencoder_ = with_arrays(DayAutoencoder(detector.config.encoding_dim), of("autoencoder"))
        detector.lstm_ = with_arrays(NextHour(detector.config.units), of("lstm"))
        return detector


def recent(evidence: Evidence) -> Evidence:
    """The last four weeks."""
    first = max(0, evidence.days - RECENT_DAYS)
    return Evidence(
        kwh=evidence.kwh[:, first:],
        first_day=evidence.first_day + first,
        reference=evidence.reference[:, first:],
        peer_level=evidence.peer_level[:, first:],
    )


def raw_features(evidence: Evidence) -> np.ndarray:
    """(N, 33) float32 of the consumption as it is: level, spread, extremes, zeros, night, days, weekends, mean day."""
    hours = _hours(evidence)
    daily, flat = hours.sum(2), hours.reshape(len(hours), -1)
    weekend = evidence.weekday >= 5
    quiet, busy = (daily[:, days].mean(1) if days.any() else daily.mean(1) for days in (~weekend, weekend))
    columns = (
        *(flat.mean(1), flat.std(1), flat.max(1), flat.min(1), (flat <= 0.001).mean(1)),
        *(hours[:, :, NIGHT].mean((1, 2)), daily.std(1), quiet, busy),
    )
    return np.c_[np.stack(columns, 1), hours.mean(1)].astype(np.float32)


def _hours(evidence: Evidence) -> np.ndarray:
    """(N, D, 24) kWh; what is missing is the meter's mean of that hour, 0 where it has none."""
    hourly, seen = hourly_kwh(np.clip(evidence.kwh, -1, 1e5))
    mean = hourly.sum(1, keepdims=True) / np.maximum(seen.sum(1, keepdims=True), 1)
    return np.where(seen, hourly, mean)


def _start_afresh(layer: nn.Module) -> None:
    """The same seed starts from the same weights, whatever was made before."""
    if hasattr(layer, "reset_parameters"):
        layer.reset_parameters()
