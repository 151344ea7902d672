from dataclasses import replace

import pytest

from ml.config import default_config
from ml.evaluation.city_source import CitySource
from ml.evaluation.runs import Study


@pytest.fixture(scope="session")
def study():
    """A village, six draws of each home: enough to see that the questions are put right, not to answer them."""
    village = CitySource(consumers=100, days=63, per_meter=5)
    quick = default_config().quick()
    config = replace(quick, training=quick.training | {"cases": 300, "lengths": []})
    return Study(village, quick=True, progress=lambda doing: None, resamples=5, config=config)
