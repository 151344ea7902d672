"""What the ensemble says of the days that are over, and what it said before of days that are still the same.

A day that has only begun is no evidence yet: it is looked at once it is over. Where meters push hour after hour,
nothing that the ensemble sees changes until then, and a process that judged a neighbourhood before knows what it found.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from django.conf import settings

from apps.detection import balances
from apps.detection.models import EnergyBalance
from apps.detection.windows import Drawn, peer_group_of
from ml.findings import Finding

if TYPE_CHECKING:
    from ml.ensemble import Ensemble

MOST_REMEMBERED = 10_000  # consumers, of this process


@dataclass(frozen=True)
class Judged:
    """What was found in one neighbourhood."""

    consumer_ids: list[int]
    findings: list[Finding]  # of each consumer
    balances: list[EnergyBalance]  # of no run, and not stored


class Memory:
    """What was found in the neighbourhoods that were judged last."""

    def __init__(self, most: int):
        self.most = most
        self.judged: OrderedDict[bytes, Judged] = OrderedDict()
        self.consumers = 0

    def of(self, key: bytes) -> Judged | None:
        if key in self.judged:
            self.judged.move_to_end(key)
        return self.judged.get(key)

    def keep(self, key: bytes, judged: Judged) -> None:
        self.judged[key] = judged
        self.consumers += len(judged.consumer_ids)
        while self.consumers > self.most:
            _key, gone = self.judged.popitem(last=False)
            self.consumers -= len(gone.consumer_ids)

    def share_of(self, consumer_ids: list[int]) -> float:
        """Of how many of them something is remembered."""
        known = {pk for judged in self.judged.values() for pk in judged.consumer_ids}
        return len(known.intersection(consumer_ids)) / max(len(consumer_ids), 1)


memory = Memory(MOST_REMEMBERED)


def judge(ensemble: "Ensemble", model: str, found: Drawn) -> tuple[list[Finding], list[EnergyBalance]]:
    """A finding for each row of a window, and the balances of its transformers, of no run yet. `model` tells ensembles
    apart."""
    over = days_over(found)
    groups, group_of = np.unique(over.window.peer_group, return_inverse=True)
    rows_of = [np.flatnonzero(group_of == place) for place in range(len(groups))]
    keys = [key_of(model, over, rows) for rows in rows_of]
    known = {place: judged for place, key in enumerate(keys) if (judged := memory.of(key))}
    new = [place for place in range(len(groups)) if place not in known]
    if new:
        rows = np.flatnonzero(np.isin(group_of, new))
        for group, judged in judged_anew(ensemble, over.take(rows)).items():
            place = int(np.searchsorted(groups, group))
            known[place] = judged
            memory.keep(keys[place], judged)
    findings: list[Finding | None] = [None] * len(over.consumer_ids)
    for place, rows in enumerate(rows_of):
        for row, finding in zip(rows, known[place].findings, strict=True):
            findings[row] = finding
    return findings, [one for place in range(len(groups)) for one in known[place].balances]


def judged_anew(ensemble: "Ensemble", part: Drawn) -> dict[int, Judged]:
    """By peer group."""
    findings = ensemble.explain(part.window)
    drawn = balances.drawn(part, findings)
    found = {}
    for group in np.unique(part.window.peer_group).tolist():
        rows = np.flatnonzero(part.window.peer_group == group).tolist()
        found[group] = Judged(
            [part.consumer_ids[row] for row in rows],
            [findings[row] for row in rows],
            [one for one in drawn if group == peer_group_of(one.transformer_id)],
        )
    return found


def days_over(found: Drawn) -> Drawn:
    """Without a last day of which less than half of those who report have sent the end."""
    window = found.window
    sent = np.isfinite(window.kwh[:, -1])
    if window.days > 1 and sent[:, -1].sum() < sent.any(1).sum() / 2:
        window = replace(
            window,
            kwh=window.kwh[:, :-1],
            contract_active=window.contract_active[:, :-1],
            sums=None if window.sums is None else window.sums[:, :-1],
        )
    return replace(found, window=window.last(settings.SCORING_WINDOW_DAYS))


def key_of(model: str, found: Drawn, rows: np.ndarray) -> bytes:
    """Changes with everything that the ensemble is told of these rows."""
    window = found.window.take(rows)
    key = hashlib.blake2b(digest_size=16)
    said = (model, window.first_day, window.interval_minutes, window.timezone, window.utc_offset_minutes)
    who = [found.consumer_ids[row] for row in rows], window.meters.tolist(), window.peer_group.tolist()
    key.update(repr((*said, *who, window.kwh.shape)).encode())
    key.update(np.ascontiguousarray(window.kwh))
    key.update(np.ascontiguousarray(window.contract_active))
    if window.sums is not None:
        key.update(np.ascontiguousarray(window.sum_row >= 0))
        key.update(np.ascontiguousarray(window.sums[np.unique(window.sum_row[window.sum_row >= 0])]))
    return key.digest()
