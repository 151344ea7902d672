import pytest

from ml.evaluation.city_source import CitySource
from ml.evaluation.runs import Study


@pytest.fixture(scope="session")
def study():
    """A village, six draws of each home: enough to see that the questions are put right, not to answer them."""
    return Study(CitySource(consumers=150, days=91, per_meter=6), quick=True, progress=lambda doing: None, resamples=5)
