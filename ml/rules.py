"""Statistical rules for the five named kinds, each a strength in 0..1.

Energy that goes missing is evidence of theft, energy that is added is mostly a remark: most honest homes show readings
above three sigma. `config.yaml` says how much each kind counts.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from ml.evidence import mean_over
from ml.features import Measures, measure
from ml.findings import KINDS
from ml.window import MeterWindow

ZEROS = ("run", "days", "hours")
DEVIATIONS = ("level", "part_of_day", "peaks")
EMPTY_DAY = 0.95
"""Share of zero readings from which a day counts as registering nothing."""


@dataclass(frozen=True, eq=False)
class Evidence:
    strength: dict[str, np.ndarray]
    """Kind to (M,) in 0..1."""
    empty: np.ndarray
    """(M, D) bool days that registered nothing though a contract ran."""
    empty_run: np.ndarray
    """(M,) int days of the unbroken run of such days up to the last one of the meter; 0 without."""
    spiked: np.ndarray
    """(M, D) bool recent days whose largest reading is above three sigma of the reference's."""
    looks_empty: np.ndarray
    """(M,) in 0..1: how much the curve is that of a home with nobody in it."""
    zeros: np.ndarray
    """(M,) int: how its zeros lie; index into ZEROS."""
    deviation: np.ndarray
    """(M,) int: what deviates from the neighbours; index into DEVIATIONS."""


class Rules:
    """Needs no learning: every meter is measured against itself and its neighbours."""

    def __init__(self, weights: dict[str, float]):
        self.weights = weights

    def fit(self, window: MeterWindow, outcomes: None = None) -> Self:
        return self

    def score(self, window: MeterWindow) -> np.ndarray:
        evidence = self.evidence(window)
        return np.max([self.weights[kind] * evidence.strength[kind] for kind in KINDS], axis=0, initial=0)

    def evidence(self, window: MeterWindow) -> Evidence:
        measures = measure(window)
        empty, run = _empty_days(measures)
        spiked = _spiked_days(measures)
        zero_consumption, zeros = _nothing_registered(measures, empty, run)
        empty_home = _looks_empty(measures)
        doubt = 1 - 0.7 * empty_home
        deviations = np.stack([doubt * _sudden_drop(measures), doubt * _hidden_part(measures), _capped_peaks(measures)])
        strength = {
            "sudden_spike": _spike(measures, spiked),
            "zero_consumption": zero_consumption,
            "odd_hours": _odd_hours(measures),
            "gradual_decline": doubt * _decline(measures),
            "neighbourhood_deviation": deviations.max(0),
        }
        silent = ~measures.scorable
        for values in strength.values():
            values[silent] = 0
        return Evidence(strength, empty, run, spiked, empty_home, zeros, deviations.argmax(0))


def between(values: np.ndarray, nothing: float, certain: float) -> np.ndarray:
    """0 up to `nothing`, 1 from `certain` on, straight between them."""
    return np.clip((values - nothing) / (certain - nothing), 0, 1)


def _empty_days(measures: Measures) -> tuple[np.ndarray, np.ndarray]:
    empty = measures.usable & (measures.zero >= EMPTY_DAY)
    broken = measures.usable & ~empty
    days = empty.shape[1]
    last_broken = np.where(broken.any(1), days - 1 - broken[:, ::-1].argmax(1), -1) if days else np.zeros(len(empty))
    run = (empty & (np.arange(days) > last_broken[:, None])).sum(1)
    return empty, run


def _nothing_registered(measures: Measures, empty: np.ndarray, run: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Zeros now where there was consumption before: (strength, index into ZEROS). Always zero proves less."""
    share = np.where(measures.usable, empty, np.nan)
    more = mean_over(share, measures.recent) - mean_over(share, measures.reference)
    hours = measures.feature("zero")
    known_to_use = mean_over(measures.level, measures.reference) > 0.2
    shapes = np.stack([between(run, 2, 10), between(more, 0.1, 0.5), 0.9 * between(hours, 0.1, 0.4)])
    shapes = np.where(known_to_use, shapes, np.stack([0.3 * between(run, 10, 28), 0 * more, 0 * hours]))
    return shapes.max(0), shapes.argmax(0)


def _looks_empty(measures: Measures) -> np.ndarray:
    """The peaks are gone, the floor of the day stayed and hums on; a bypassed phase takes from both alike."""
    floor, peak = measures.feature("floor"), measures.feature("peak")
    runs_on = between(floor, -0.8, -0.3) * (1 - between(mean_over(measures.zero, measures.recent), 0.05, 0.3))
    hums = between(-measures.feature("rough"), 0.1, 0.4)
    return between(-peak, 0.6, 1.2) * between(floor - peak, 0.5, 1.0) * runs_on * hums


def _decline(measures: Measures) -> np.ndarray:
    """Less and less against the neighbours, better told as a slope than as a step."""
    lasted = between(measures.last - measures.onset, 10, 28)
    steady = measures.feature("ramp_strength") <= measures.feature("step_strength")
    fallen = between(-measures.feature("ramp"), 0.35, 1.0) * between(-measures.feature("ramp_strength"), 1.8, 2.8)
    return fallen * lasted * between(-measures.feature("level_7"), 0.15, 0.5) * np.where(steady, 1, 0.7)


def _sudden_drop(measures: Measures) -> np.ndarray:
    """Since some day less than the neighbours would explain, and still so."""
    fallen = between(-measures.feature("step"), 0.2, 0.7) * between(-measures.feature("step_strength"), 1.8, 2.8)
    lasted = 0.6 + 0.4 * between(measures.last - measures.onset, 7, 30)  # most of the short ones are people away
    return fallen * lasted * between(-measures.feature("level_7"), 0.1, 0.35)


def _hidden_part(measures: Measures) -> np.ndarray:
    """Some hours of the day fell while others stayed; around noon that is rather a roof with solar panels."""
    fallen = between(-measures.feature("part_min"), 0.5, 1.1)
    stayed = between(measures.feature("part_max") - measures.feature("part_min"), 0.4, 1.0)
    less = between(-measures.feature("level_28"), 0.1, 0.3)
    solar = between(measures.feature("part_min") - measures.feature("noon"), -0.4, -0.1)
    return fallen * stayed * less * (1 - 0.8 * solar)


def _capped_peaks(measures: Measures) -> np.ndarray:
    """Every day's peak stops at the same lower height."""
    lower = between(-measures.feature("peak"), 0.3, 0.8)
    return lower * between(-measures.feature("peak_spread"), 0.5, 1.1) * between(measures.feature("equal"), 0.03, 0.15)


def _odd_hours(measures: Measures) -> np.ndarray:
    """More between 2 and 5 in the morning than before. Not with higher peaks: that is a car being charged; and not with
    less at other hours: that is somebody who works shifts."""
    grown = measures.feature("night")
    car = between(measures.feature("peak"), 0.35, 0.8)
    shifts = between(-measures.feature("part_min"), 0.3, 0.6)
    more = between(grown, 0.5, 1.2) * between(grown - measures.feature("level_28"), 0.2, 0.6)
    return more * (1 - car) * (1 - shifts)


def _spiked_days(measures: Measures) -> np.ndarray:
    mean = mean_over(measures.peak, measures.reference)[:, None]
    sigma = np.sqrt(mean_over((measures.peak - mean) ** 2, measures.reference))[:, None]
    return measures.recent & (measures.peak > mean + 3 * sigma + 0.05)


def _spike(measures: Measures, spiked: np.ndarray) -> np.ndarray:
    """Spikes on many days, and a total that went up with them: one oven is not an illegal connection."""
    often = mean_over(np.where(measures.usable, spiked, np.nan), measures.recent)
    return between(often, 0.1, 0.5) * between(measures.feature("level_28"), 0.3, 1.0)
