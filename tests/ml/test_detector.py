import pandas as pd
import pytest

from ml import artifacts
from ml.detector import EnsembleDetector
from tests.ml.conftest import make_street
from tests.ml.tables.test_curves import melted


@pytest.fixture(scope="module")
def detector(ensemble, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    artifacts.save(ensemble, folder)
    return EnsembleDetector.load(folder)


@pytest.fixture(scope="module")
def frame():
    kwh = make_street(homes=8)
    kwh[3, 60:] = 0
    stamps = pd.date_range("2026-01-05", periods=kwh[0].size, freq="60min", name="timestamp")
    return pd.DataFrame(kwh.reshape(8, -1).T, stamps, [f"H{number}" for number in range(8)])


def test_one_consumers_readings_give_one_result(detector, frame):
    result = detector.predict(frame["H3"].rename("kwh").reset_index())
    assert 0 < result["score"] <= 1
    assert result["risk_level"] in {"medium", "high", "critical"}
    assert result["anomaly_type"] == "zero_consumption"


def test_several_meters_give_a_result_each(detector, frame):
    results = detector.predict(frame)
    assert list(results) == list(frame.columns)
    assert max(results, key=lambda meter: results[meter]["score"]) == "H3"


def test_long_and_wide_frames_give_the_same(detector, frame):
    assert detector.predict(melted(frame)) == detector.predict(frame)
