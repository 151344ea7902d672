"""A made-up city with our own attacks and look-alikes: for machines without the frozen protocol, and beside it.

One author wrote both the simulator that trains and the cases that are graded here, so these figures flatter.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np

from ml.evaluation import held_out
from ml.evaluation.study import ORDINARY, PARTS, Batch, Scored, Setting
from ml.evaluation.truth import IDENTITY, UNTOUCHED, Truth, population
from ml.grading import Places, auc
from ml.synthetic.attacks import FAMILY
from ml.synthetic.cases import draw_cases
from ml.synthetic.city import generate_city
from ml.synthetic.look_alikes import LOOK_ALIKES
from ml.window import MeterWindow

SHARES = {"train": 0.5, "validation": 0.15, "test": 0.35}
"""Of the neighbourhoods, for each seed anew."""
NIGHT_STEP = 4


class CitySource:
    """Neighbourhoods are split, never meters of one neighbourhood, and each part has cases of its own."""

    interval_minutes = 60

    def __init__(self, consumers: int = 2000, days: int = 120, per_meter: int = 10, city_seed: int = 1):
        self.consumers, self.days, self.per_meter, self.city_seed = consumers, days, per_meter, city_seed
        self.families = dict(FAMILY)
        self.attacks, self.look_alikes = tuple(FAMILY), tuple(LOOK_ALIKES)
        self.title = f"synthetic city {city_seed} of {consumers} consumers, {days} days, hourly, with our own simulator"

    @cached_property
    def whole(self) -> MeterWindow:
        return generate_city(self.city_seed, consumers=self.consumers, days=self.days).window()

    def window(self, seed: int, part: str = "train", everyday: bool = False) -> MeterWindow:
        groups, number = np.unique(self.whole.peer_group, return_inverse=True)
        place = np.random.default_rng([seed, len(groups)]).permutation(len(groups)) / len(groups)
        edges = np.cumsum([0, *SHARES.values()])
        at = PARTS.index(part)
        chosen = (place[number] >= edges[at]) & (place[number] < edges[at + 1])
        return self.whole.take(np.flatnonzero(chosen))

    def batches(self, seed: int, part: str, setting: Setting = ORDINARY) -> Iterator[Batch]:
        window = self.window(seed, part)
        own_seed = 1000 * seed + 10 * setting.draw + PARTS.index(part)
        for cases in draw_cases(window, own_seed, self.per_meter, make_sums=window.sums is None):
            truth = Truth.of(cases)
            rows = (
                np.arange(len(truth)) if setting.kinds is None else np.flatnonzero(np.isin(truth.kind, setting.kinds))
            )
            yield Batch(cases.evidence.take(rows), truth.take(rows))

    def nights(self, seed: int, part: str) -> Iterator[Iterator[Batch]]:
        for batch in self.batches(seed, part):
            steady = np.flatnonzero((batch.truth.onset < 0) | (batch.truth.onset <= self.days - 28))
            yield self._night_by_night(Batch(batch.evidence.take(steady), batch.truth.take(steady)))

    def _night_by_night(self, batch: Batch) -> Iterator[Batch]:
        for night in self.night_days:
            yield replace(batch, evidence=batch.evidence.until(night))

    @property
    def night_days(self) -> range:
        return range(self.days // 3 + 2, self.days + 1, NIGHT_STEP)

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
        truth = scored.truth
        if attacks is not None:
            rows = np.flatnonzero(~truth.theft | np.isin(truth.kind, attacks))
            scores, truth = scores[rows], truth.take(rows)
        by_attack = {row["kind"]: row for row in held_out.by_attack(scores, truth)}
        report = {
            "headline": held_out.headline(scores, truth, resamples, seed),
            "by_attack": {
                kind: {"auc": row["auc"], "detected_fpr5": row["detected"]} for kind, row in by_attack.items()
            },
            "false_alarms": {row["kind"]: row["false_alarms"] for row in held_out.by_look_alike(scores, truth)},
            "identity_auc": identity_auc(scores, truth),
            "cases": len(truth),
        }
        if threshold is not None:
            report["at_threshold"] = at_threshold(scores, truth, threshold)
        return report

    def threshold(self, scores: np.ndarray, scored: Scored) -> float:
        ranking = Places.of(scores).weigh(scored.truth.theft, population(scored.truth))
        return ranking.threshold(held_out.NOMINAL)

    def false_alarms(self, scores: np.ndarray, scored: Scored, look_alike: str) -> float:
        truth = scored.truth
        others = np.flatnonzero(truth.kind != look_alike)
        ranking = Places.of(scores[others]).weigh(truth.theft[others], population(truth.take(others)))
        return float((scores[truth.kind == look_alike] > ranking.threshold(held_out.NOMINAL)).mean())

    def grade_delay(self, chosen_on: tuple[np.ndarray, Scored], graded: tuple[np.ndarray, Scored]) -> dict:
        return grade_delay(chosen_on, graded, np.array(self.night_days))

    def grade_onset(self, day: np.ndarray, scored: Scored, detected: np.ndarray) -> dict:
        truth = scored.truth
        chosen = detected & truth.theft & truth.counted & (truth.onset > 0)
        error = np.abs(day[chosen] - truth.onset[chosen])
        return {"median_error_days": float(np.median(error)), "within_3_days": float((error <= 3).mean())}


def identity_auc(scores: np.ndarray, truth: Truth) -> float | None:
    """The change that changes nothing against the untouched: .50, or something other than theft gives it away."""
    rows = np.flatnonzero(np.isin(truth.kind, [IDENTITY, UNTOUCHED]))
    same = truth.kind[rows] == IDENTITY
    return auc(scores[rows], same) if same.any() else None


def at_threshold(scores: np.ndarray, truth: Truth, threshold: float) -> dict[str, float]:
    weights, alarm = population(truth), scores > threshold
    hits, alarms = weights @ (alarm & truth.theft), weights @ alarm
    thieves = weights @ truth.theft
    return {
        "precision": float(hits / max(alarms, 1e-12)),
        "recall": float(hits / thieves),
        "f1": float(2 * hits / (alarms + thieves)),
        "false_alarms": float((alarms - hits) / (1 - thieves)),
    }


def grade_delay(chosen_on, graded, nights: np.ndarray, ever_alarm: float = 0.05) -> dict[str, float]:
    """How long theft goes on, when `ever_alarm` of the honest meters of the part `chosen_on` alarm on any night."""

    def worst(nightly, scored):
        return Places.of(nightly.max(1)).weigh(scored.truth.theft, population(scored.truth))

    threshold = worst(*chosen_on).threshold(ever_alarm)
    nightly, truth = graded[0], graded[1].truth
    alarm = nightly > threshold
    alarm &= nights > truth.onset[:, None]
    ever = alarm.any(1)
    delay = np.where(ever, nights[alarm.argmax(1)] - truth.onset, 10**6)
    weights = population(truth) * truth.theft
    honest = population(truth) * ~truth.theft
    report = {
        "honest_meters_that_ever_alarm": float(honest @ ever / honest.sum()),
        "found": float(weights @ ever / weights.sum()),
        "median_days_of_found": float(np.median(delay[ever & truth.theft])) if (ever & truth.theft).any() else None,
    }
    return report | {f"found_in_{days}_days": float(weights @ (delay <= days) / weights.sum()) for days in (7, 14, 28)}
