"""Whatever is sent, each meter gets a score or the reason why it has none."""

import math

import numpy as np
import pandas as pd
import pytest

from ml.detector import EnsembleDetector
from ml.findings import LEVELS, UNSCORED
from tests.ml.conftest import make_street
from tests.ml.tables.test_curves import melted


def make_frame(meters=8, days=100, minutes=60) -> pd.DataFrame:
    kwh = make_street(meters, days, 1440 // minutes)
    stamps = pd.date_range("2026-01-05", periods=kwh[0].size, freq=f"{minutes}min", name="timestamp")
    return pd.DataFrame(kwh.reshape(meters, -1).T, stamps, [f"M{number}" for number in range(meters)])


def with_column(values, frame=None) -> pd.DataFrame:
    frame = make_frame() if frame is None else frame
    return frame.assign(odd=values)


def mixed_intervals() -> pd.DataFrame:
    frame = make_frame(8, 100, 30)
    frame.iloc[1::2, :3] = np.nan
    frame.iloc[np.arange(len(frame)) % 48 != 0, 3] = np.nan
    return frame


def gappy(share) -> pd.DataFrame:
    frame = make_frame()
    return frame.where(np.random.default_rng(1).random(frame.shape) > share)


def ends_early() -> pd.DataFrame:
    frame = make_frame(days=200)
    frame.iloc[: 100 * 24, 0] = np.nan
    frame.iloc[30 * 24 :, 1] = np.nan
    frame.iloc[24:-24, 2] = np.nan
    return frame


STREAM = np.random.default_rng(0)
CORPUS = {
    "all missing": lambda: with_column(np.nan),
    "every meter missing": lambda: make_frame() * np.nan,
    "constant": lambda: with_column(0.5),
    "every meter constant": lambda: make_frame() * 0 + 1,
    "every meter zero": lambda: make_frame() * 0,
    "negative": lambda: with_column(-1.0),
    "huge": lambda: with_column(1e9),
    "now and then huge": lambda: with_column(np.where(np.arange(2400) % 100 == 0, 1e9, 0.4)),
    "below the limit": lambda: with_column(np.where(np.arange(2400) % 100 == 0, 9e5, 0.4)),
    "tiny": lambda: with_column(1e-30),
    "infinite": lambda: with_column(np.inf),
    "one reading": lambda: with_column([1.0] + [np.nan] * 2399),
    "one reading in all": lambda: make_frame()[:1],
    "two days": lambda: make_frame(days=2),
    "thirteen days": lambda: make_frame(days=13),
    "28 days": lambda: make_frame(days=28),
    "28 days by the quarter": lambda: make_frame(days=28, minutes=15),
    "28 days by the day": lambda: make_frame(days=28, minutes=1440),
    "two years by the day": lambda: make_frame(days=730, minutes=1440),
    "half-hourly": lambda: make_frame(minutes=30),
    "one meter": lambda: make_frame(1),
    "one meter of two days": lambda: make_frame(1, 2),
    "duplicated meter": lambda: pd.concat([make_frame(), make_frame()[["M0"]]], axis=1),
    "conflicting meter": lambda: pd.concat([make_frame(), 2 * make_frame()[["M0"]]], axis=1),
    "the same curve everywhere": lambda: pd.DataFrame({f"M{n}": make_frame()["M0"] for n in range(9)}),
    "unsorted": lambda: make_frame().sample(frac=1, random_state=1),
    "repeated rows": lambda: pd.concat([make_frame(), make_frame()[100:300]]),
    "mixed intervals": mixed_intervals,
    "long mixed intervals": lambda: melted(mixed_intervals()).dropna(),
    "gaps": lambda: gappy(0.2),
    "hardly anything": lambda: gappy(0.8),
    "ends early": ends_early,
    "names": lambda: make_frame(6).set_axis(["Zürich", "電表", "a,b", "'; DROP", " ", "M\0"], axis=1),
    "texts": lambda: make_frame().astype(object).replace(make_frame().iloc[7, 3], "error"),
    "clock off the grid": lambda: make_frame().shift(freq="7min"),
    "seconds": lambda: make_frame().shift(freq="17s"),
    "noise": lambda: make_frame() * 0 + STREAM.exponential(100, (2400, 8)),
    "a distant stamp": lambda: pd.concat([make_frame(), make_frame()[:1].shift(freq="-20000D")]),
}


@pytest.fixture(scope="module")
def detector(ensemble):
    return EnsembleDetector(ensemble)


@pytest.mark.parametrize("name", CORPUS)
def test_each_meter_gets_a_score_or_a_reason(detector, name):
    frame = CORPUS[name]()
    grid = pd.DataFrame({"meter": ["M0", "M1", "M2", "odd"], "transformer": ["T1", "T1", "T2", "T2"]})
    sums = pd.DataFrame({"T1": 5.0, "T9": 1.0}, pd.date_range("2026-01-05", periods=2400, freq="60min"))
    for others in ({}, {"grid": grid, "sums": sums, "timezone": "Europe/London"}):
        results = detector.predict(frame, **others)
        for result in [results] if "meter" in results else results.values():
            check(result)


def check(result: dict) -> None:
    if result["score"] is None:
        assert result["risk_level"] == UNSCORED
        assert result["reasons"]
    else:
        assert 0 <= result["score"] <= 1
        assert result["risk_level"] in LEVELS
    numbers = [value for value in (*result.values(), *result["parts"].values()) if isinstance(value, float)]
    assert all(math.isfinite(number) for number in numbers), result


def test_the_order_of_rows_and_meters_changes_nothing(detector):
    frame = pd.concat([gappy(0.2), gappy(0.2)[:200] * 3])
    mixed = frame.sample(frac=1, random_state=1).sample(frac=1, axis=1, random_state=2)
    first, second = detector.predict(frame), detector.predict(melted(mixed))
    assert all(result["score"] is not None for result in first.values())
    assert {meter: first[meter] for meter in sorted(first)} == {meter: second[meter] for meter in sorted(second)}


def test_a_meter_scores_the_same_beside_a_broken_one(detector):
    alone, beside = detector.predict(make_frame()), detector.predict(with_column(-1.0))
    assert {meter: beside[meter]["score"] for meter in alone} == {meter: alone[meter]["score"] for meter in alone}
