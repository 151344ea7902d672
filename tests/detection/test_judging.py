from datetime import timedelta

import numpy as np
import pytest

from apps.detection import judging, scoring
from apps.detection.models import EnergyBalance, RiskScore
from apps.readings.models import LoadProfile, MeterState
from tests import factories
from tests.neighbourhood import DAYS, FIRST_DAY, METERS, hang_sum_meters

pytestmark = pytest.mark.django_db
NEXT_DAY = FIRST_DAY + timedelta(days=DAYS)


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch):
    monkeypatch.setattr(judging, "memory", judging.Memory(judging.MOST_REMEMBERED))


@pytest.fixture
def asked(monkeypatch) -> list[int]:
    """Of how many meters the ensemble was asked, each time."""
    from ml.ensemble import Ensemble

    told, explain = [], Ensemble.explain
    monkeypatch.setattr(Ensemble, "explain", lambda self, window: told.append(len(window)) or explain(self, window))
    return told


def push(consumers, hours: int, day=NEXT_DAY) -> None:
    for consumer in consumers:
        meter = consumer.installations.get().meter
        LoadProfile.objects.filter(meter=meter, day=day).delete()
        first_day, revision = meter.state.first_day, meter.state.revision
        kwh = np.full((1, 24), np.nan)
        kwh[0, :hours] = 0.4
        factories.store_profiles(meter, day, kwh)
        MeterState.objects.filter(meter=meter).update(first_day=first_day, last_day=NEXT_DAY, revision=revision + 1)


def current() -> dict[int, RiskScore]:
    return {score.consumer_id: score for score in RiskScore.objects.current()}


def test_an_hour_of_a_day_that_has_begun_is_in_the_score_and_asks_the_ensemble_nothing(neighbourhood, model, asked):
    scoring.score_pending()
    before = current()
    push(neighbourhood, hours=1)
    scoring.score_pending()
    assert asked == [METERS]
    assert all(score.run_id != before[pk].run_id for pk, score in current().items())
    assert {score.data_until for score in current().values()} == {NEXT_DAY}
    assert {pk: score.score for pk, score in current().items()} == {pk: score.score for pk, score in before.items()}


def test_a_day_that_is_over_is_judged(neighbourhood, model, asked):
    scoring.score_pending()
    push(neighbourhood, hours=24)
    scoring.score_pending()
    assert asked == [METERS, METERS]


def test_only_the_neighbourhood_whose_past_days_changed_is_judged_anew(neighbourhood, model, asked):
    scoring.score_pending()
    push(neighbourhood, hours=1)
    push(neighbourhood[:1], hours=20, day=FIRST_DAY + timedelta(days=40))
    scoring.score_pending()
    assert asked == [METERS, METERS // 2]


def test_what_was_judged_apart_is_what_is_judged_together(neighbourhood, model):
    hang_sum_meters()
    scoring.score_pending()
    together = {pk: (score.score, score.reasons) for pk, score in current().items()}
    scores = {}
    for half in (neighbourhood[::2], neighbourhood[1::2]):
        judging.memory.judged.clear()
        MeterState.objects.filter(meter__installations__consumer__in=half).update(revision=7)
        scoring.score_pending()
        scores |= {one.pk: (current()[one.pk].score, current()[one.pk].reasons) for one in half}
    assert scores == together


def test_a_run_that_finds_nothing_new_stores_the_balances_that_it_saw(neighbourhood, model, asked):
    transformers = hang_sum_meters()
    scoring.score_pending()
    push(neighbourhood, hours=1)
    scoring.score_pending()
    assert asked == [METERS]
    assert EnergyBalance.objects.count() == 2 * len(transformers)
    assert len({one.unexplained_kwh for one in EnergyBalance.objects.all()}) == len(transformers)


def test_only_so_much_is_remembered():
    memory = judging.Memory(most=4)
    for key in (b"a", b"b", b"c"):
        memory.keep(key, judging.Judged([ord(key), 0], [], []))
    assert (memory.of(b"a"), memory.consumers) == (None, 4)
    assert memory.share_of([ord("b"), ord("a")]) == 0.5
