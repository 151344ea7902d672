"""One loop that trains both networks, small enough to read."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ml.evidence import Evidence

METERS_AT_ONCE = 64
"""Few enough that a year of them stays in the processor's cache."""
HELD_OUT_SHARE = 0.1
"""Of the meters: they say when to stop, and teach nothing."""


@dataclass(frozen=True)
class Training:
    """How long and how fast to learn."""

    epochs: int = 40
    batch_size: int = 128
    learning_rate: float = 2e-3
    patience: int = 6
    """Epochs without a better loss on the held-out meters before it stops."""
    seed: int = 0
    threads: int = 2
    """CPU threads; the figures repeat exactly for the same number of them."""


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def settled(training: Training) -> Iterator[None]:
    """Fixed seed and number of threads within; the caller's are given back."""
    threads = torch.get_num_threads()
    torch.set_num_threads(training.threads)
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(training.seed)
            yield
    finally:
        torch.set_num_threads(threads)


def held_out(meters: int, seed: int) -> np.ndarray:
    """(meters,) bool: a tenth of them, at least one of two."""
    chosen = np.zeros(meters, bool)
    count = max(int(meters >= 2), round(HELD_OUT_SHARE * meters))
    chosen[np.random.default_rng(seed).permutation(meters)[:count]] = True
    return chosen


def train(
    model: nn.Module,
    loss_of: Callable[[nn.Module, Tensor], Tensor],
    learn: np.ndarray,
    judge: np.ndarray,
    training: Training,
    progress: Callable[[str], None] | None = None,
) -> list[float]:
    """Fit the model in place to the rows `learn` and keep its best state on the rows `judge`.

    `loss_of(model, rows)` is the mean loss of a batch of row numbers. Returns the loss on `judge` after each epoch.
    """
    place = next(model.parameters()).device
    learn, judge = (torch.as_tensor(rows, device=place) for rows in (learn, judge))
    optimizer = torch.optim.AdamW(model.parameters(), lr=training.learning_rate, weight_decay=1e-4)
    steps = training.epochs * max(1, -(-len(learn) // training.batch_size))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, training.learning_rate, total_steps=steps + 1)
    best, best_loss, losses = copy_of(model), float("inf"), []
    for epoch in range(training.epochs):
        model.train()
        for rows in learn[torch.randperm(len(learn), device=place)].split(training.batch_size):
            optimizer.zero_grad(set_to_none=True)
            loss_of(model, rows).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        losses.append(estimate(model, loss_of, judge if len(judge) else learn, training))
        if progress:
            progress(f"epoch {epoch + 1} of {training.epochs}: loss {losses[-1]:.4f}")
        if losses[-1] < best_loss:
            best, best_loss = copy_of(model), losses[-1]
        elif epoch - int(np.argmin(losses)) >= training.patience:
            break
    model.load_state_dict(best)
    model.eval()
    return losses


@torch.no_grad()
def estimate(model: nn.Module, loss_of: Callable[[nn.Module, Tensor], Tensor], rows: Tensor, training) -> float:
    """Mean loss of the rows, with the same random draws every time, so that epochs can be compared."""
    model.eval()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(training.seed)
        parts = rows.split(training.batch_size)
        return sum(loss_of(model, part).item() * len(part) for part in parts) / max(1, len(rows))


def copy_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def arrays_of(model: nn.Module) -> dict[str, np.ndarray]:
    """The weights by name, for a file of arrays."""
    return {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}


def with_arrays(model: nn.Module, arrays: dict[str, np.ndarray]) -> nn.Module:
    """The model with these weights, on this machine's device, ready to score. Raises RuntimeError for a misfit."""
    model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
    return model.to(device()).eval()


def by_blocks(measure: Callable[[Evidence], np.ndarray], evidence: Evidence, threads: int) -> list[np.ndarray]:
    """What `measure` says of each block of meters, in their order; at least one block.

    Blocks side by side, each on one thread: many threads on one small block mostly wait for each other.
    """
    starts = range(0, max(1, len(evidence)), METERS_AT_ONCE)
    blocks = (evidence.take(slice(at, at + METERS_AT_ONCE)) for at in starts)
    usual = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(min(threads, len(starts)), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(torch.no_grad()(measure), blocks))
    finally:
        torch.set_num_threads(usual)
