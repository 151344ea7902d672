"""Real curves, split by household, changed and graded by the frozen protocol."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ml.evaluation.frozen import CLOCKS, evidence_of, protocol
from ml.evaluation.study import ORDINARY, Batch, Scored, Setting
from ml.evaluation.truth import UNTOUCHED, Truth
from ml.window import MeterWindow


class ProtocolSource:
    """Raises FileNotFoundError where the protocol or its curves are not there."""

    interval_minutes = 30

    def __init__(self, protocol_folder: Path, data_folder: Path):
        self.frozen = protocol(str(protocol_folder))
        self.data_folder = Path(data_folder)
        self.curves = self.frozen.protocol.load_uk(self.data_folder)
        self.known_kinds = tuple(self.frozen.protocol.KNOWN_KINDS)
        self.level_drop = self.frozen.selftest.level_drop
        changes = self.frozen.curve_changes
        self.attacks, self.look_alikes = tuple(changes.ATTACKS), tuple(changes.LOOK_ALIKES)
        self.families = dict(changes.ATTACK_FAMILY)
        self.title = (
            f"frozen protocol on {len(self.curves.readings)} households of the United Kingdom, {self.curves.days} days "
            f"from {self.curves.first_day:%Y-%m-%d}, half-hourly"
        )

    def part(self, seed: int, name: str, group_size: int = 25):
        return getattr(self.frozen.protocol.split(self.curves, seed, group_size), name)

    def batches(self, seed: int, part: str, setting: Setting = ORDINARY) -> Iterator[Batch]:
        chosen = self.part(seed, part, setting.group_size)
        return self._cases(self.curves, replace(chosen, groups=chosen.groups[setting.groups]), setting)

    def abroad(self, seed: int) -> Iterator[Batch]:
        """All windows of the Australian households, which nothing is ever trained on."""
        for curves in self.frozen.protocol.load_au(self.data_folder):
            yield from self._cases(curves, self.frozen.protocol.everyone(curves, seed), ORDINARY)

    def _cases(self, curves, part, setting: Setting) -> Iterator[Batch]:
        frozen = self.frozen.protocol
        kinds, faults = setting.kinds or frozen.ALL_KINDS, frozen.Faults(**setting.faults)
        for batch in frozen.cases(curves, part, kinds=kinds, faults=faults, draw=setting.draw):
            truth = self._truth(batch.truth, curves)
            if setting.mornings:
                yield from self._on_mornings(setting.mornings, batch, truth, curves)
            else:
                yield Batch(evidence_of(batch.evidence, curves), truth, batch.evidence, batch.truth)

    def _on_mornings(self, mornings: Sequence[int], batch, truth: Truth, curves) -> Iterator[Batch]:
        dealt = np.arange(len(truth)) % len(mornings)
        for number, day in enumerate(mornings):
            rows = np.flatnonzero((dealt == number) & (truth.onset < day - 1))
            seen = batch.evidence
            sums = None if seen.sums is None else seen.sums[rows]
            some = replace(
                seen, readings=seen.readings[rows], member=seen.member[rows], outage=seen.outage[rows], sums=sums
            )
            yield Batch(
                evidence_of(some.until(day), curves, self.frozen.protocol.REFERENCE_DAYS),
                truth.take(rows),
                some,
                batch.truth[rows],
            )

    def nights(self, seed: int, part: str) -> Iterator[Iterator[Batch]]:
        frozen, grading, curves = self.frozen.protocol, self.frozen.grading, self.curves
        begins = {"first_onset": grading.DELAY_ONSET, "days_left": curves.days - grading.DELAY_ONSET}
        for batch in frozen.cases(curves, self.part(seed, part), kinds=frozen.KNOWN_KINDS, **begins):
            yield self._night_by_night(batch)

    def _night_by_night(self, batch) -> Iterator[Batch]:
        truth = self._truth(batch.truth, self.curves)
        for night in self.frozen.grading.NIGHTS:
            seen = batch.evidence.until(night)
            evidence = evidence_of(seen, self.curves, self.frozen.protocol.REFERENCE_DAYS)
            yield Batch(evidence, truth, seen, batch.truth)

    def _truth(self, truth, curves) -> Truth:
        family = {**self.families, **dict.fromkeys(self.frozen.curve_changes.BEGAN_BEFORE, "reduce")}
        families = np.array([family.get(kind, "") for kind in truth.kind.tolist()])
        row = np.searchsorted(curves.household, truth.household)
        used = np.cumsum(curves.consumption[row].sum(2, dtype=float), 1)
        before = np.where(truth.onset > 0, used[np.arange(len(row)), np.maximum(truth.onset, 1) - 1], 0)
        return Truth(
            kind=truth.kind,
            theft=families != "",
            family=families,
            onset=truth.onset,
            household=truth.household,
            missing_kwh=np.where(families != "", truth.share * (used[:, -1] - before), 0),
        )

    def window(self, seed: int, part: str = "train", everyday: bool = False) -> MeterWindow:
        chosen = self.part(seed, part)
        rows = chosen.meters
        group = np.repeat(np.arange(len(chosen.groups)), [len(group) for group in chosen.groups])
        kwh, sums = self.curves.readings[rows], None
        if everyday:
            kwh, sums = self._everyday(chosen)
        timezone, offset = CLOCKS[self.curves.name]
        return MeterWindow(
            meters=np.char.add("household ", rows.astype(str)),
            kwh=kwh,
            first_day=np.datetime64(self.curves.first_day.date(), "D"),
            interval_minutes=30,
            peer_group=group,
            contract_active=np.ones(kwh.shape[:2], bool),
            timezone=timezone,
            utc_offset_minutes=offset,
            sums=sums,
            sum_row=None if sums is None else group,
        )

    def _everyday(self, part) -> tuple[np.ndarray, np.ndarray]:
        """Readings of all meters and of the sum meters, as they are on any day: nobody says who steals."""
        kwh, sums = [], []
        for batch in self.frozen.protocol.cases(self.curves, part, kinds=[UNTOUCHED]):
            seen = batch.evidence
            kwh.append(seen.everyday)
            # The sum meter of a case runs with its household untouched: as everyday, if that is its everyday state.
            changed = np.abs(seen.readings - seen.everyday[seen.member]) > 0
            sums.append(seen.sums[changed.sum((1, 2)).argmin()])
        return np.concatenate(kwh), np.stack(sums)

    def grade(
        self,
        scores: np.ndarray,
        scored: Scored,
        *,
        threshold: float | None = None,
        attacks: list[str] | None = None,
        resamples: int = 200,
        seed: int = 0,
    ) -> dict:
        grading, attacks = self.frozen.grading, tuple(attacks or self.attacks)
        report = grading.grade(
            scores, scored.frozen, attacks=attacks, threshold=threshold, resamples=resamples, seed=seed
        )
        headline = {}
        for figure in grading.HEADLINE:
            value, (low, high) = report[figure], report["intervals"][figure]
            low, high = (low, high) if resamples else (value, value)
            headline[figure] = {"value": float(value), "low": float(low), "high": float(high)}
        kept = {name: report[name] for name in ("by_attack", "identity_auc", "cases", "at_threshold") if name in report}
        return {"headline": headline, "false_alarms": report["false_alarms_fpr5"], **kept}

    def threshold(self, scores: np.ndarray, scored: Scored) -> float:
        return float(self.frozen.grading.threshold_at(scores, scored.frozen, 0.05))

    def false_alarms(self, scores: np.ndarray, scored: Scored, look_alike: str) -> float:
        return self.frozen.grading.false_alarms_of(scores, scored.frozen, look_alike)

    def grade_delay(self, chosen_on: tuple[np.ndarray, Scored], graded: tuple[np.ndarray, Scored]) -> dict:
        return self.frozen.grading.grade_delay(*((nightly, scored.frozen) for nightly, scored in (chosen_on, graded)))

    def grade_onset(self, day: np.ndarray, scored: Scored, detected: np.ndarray) -> dict:
        return self.frozen.grading.grade_onset(day, scored.frozen, detected)
