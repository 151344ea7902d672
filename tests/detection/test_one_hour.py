"""A meter that pushes its hours is scored with days that have only begun."""

from datetime import timedelta

import numpy as np
import pytest

from apps.detection import scoring
from apps.detection.models import RiskScore
from tests import factories
from tests.neighbourhood import DAYS, FIRST_DAY

pytestmark = pytest.mark.django_db
NEXT_DAY = FIRST_DAY + timedelta(days=DAYS)


@pytest.mark.parametrize("strange", [0.0, 25.0])
def test_one_strange_hour_alone_hardly_moves_an_honest_score(neighbourhood, model, strange):
    scoring.score_pending()
    before = standing(neighbourhood)
    for consumer in neighbourhood:
        hour = np.full((1, 24), np.nan)
        hour[0, 0] = strange if consumer == neighbourhood[5] else 0.4
        push(consumer, hour)
    scoring.score_pending()
    after = standing(neighbourhood)
    assert {score.data_until for score in after.values()} == {NEXT_DAY}
    moved = {pk: after[pk].score - before[pk].score for pk in before}
    assert abs(moved[neighbourhood[5].pk]) < 0.1
    assert max(map(abs, moved.values())) < 0.1
    assert after[neighbourhood[5].pk].level == before[neighbourhood[5].pk].level


def standing(consumers) -> dict[int, RiskScore]:
    return {score.consumer_id: score for score in RiskScore.objects.current().filter(consumer__in=consumers)}


def push(consumer, hours: np.ndarray) -> None:
    """The first hours of the day after the stored ones."""
    meter = consumer.installations.get().meter
    first_day, revision = meter.state.first_day, meter.state.revision
    factories.store_profiles(meter, NEXT_DAY, hours)
    type(meter.state).objects.filter(meter=meter).update(first_day=first_day, revision=revision + 1)
