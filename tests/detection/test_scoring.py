from datetime import date

import numpy as np
import pytest

from apps.detection import scoring, training
from apps.detection.api import risk_of
from apps.detection.models import EnergyBalance, RiskScore, ScoringRun, ScoringShard, Standing
from apps.grid.models import Meter
from apps.readings.models import LoadProfile, MeterState
from ml.findings import Finding
from ml.synthetic.words import FAMILY_WORDS
from tests import factories
from tests.neighbourhood import FIRST_DAY, curves, hang_sum_meters

pytestmark = pytest.mark.django_db


def test_everybody_gets_a_standing_score(neighbourhood, model):
    assert scoring.score_pending() == 1
    assert Standing.objects.count() == len(neighbourhood)
    assert ScoringRun.objects.get().finished_at


def test_the_consumer_that_stopped_is_the_most_suspicious(neighbourhood, model):
    scoring.score_pending()
    worst = RiskScore.objects.current().order_by("-score").first()
    assert worst.consumer == neighbourhood[0]
    assert worst.kind == "zero_consumption"
    assert worst.onset_on
    assert worst.reasons
    assert worst.kwh_missing_per_month > 0


def test_nothing_is_scored_twice_without_new_readings(neighbourhood, model):
    scoring.score_pending()
    assert scoring.score_pending() == 0
    assert RiskScore.objects.count() == len(neighbourhood)


def test_new_readings_score_the_whole_neighbourhood_again_and_nobody_else(neighbourhood, model):
    scoring.score_pending()
    MeterState.objects.filter(meter__installations__consumer=neighbourhood[0]).update(revision=2)
    scoring.score_pending()
    assert ScoringRun.objects.count() == 2
    assert RiskScore.objects.filter(run=ScoringRun.objects.latest("pk")).count() == len(neighbourhood) // 2


def test_without_a_model_nothing_is_scored_and_nothing_fails(neighbourhood):
    assert scoring.score_pending() == 0


def test_a_consumer_with_two_days_of_readings_gets_a_stated_reason(neighbourhood, model):
    fitted = factories.InstallationFactory()
    factories.store_profiles(fitted.meter, FIRST_DAY, np.ones((2, 24)))
    scoring.score_pending()
    score = RiskScore.objects.current().get(consumer=fitted.consumer)
    assert (score.score, score.level) == (None, "unscored")
    assert score.reasons[0]["code"] == "too_little_data"


def test_readings_from_before_the_installation_leave_no_endless_work(neighbourhood, model):
    fitted = factories.InstallationFactory(valid=("2030-01-01", None))
    factories.store_profiles(fitted.meter, FIRST_DAY, np.ones((2, 24)))
    scoring.score_pending()
    assert RiskScore.objects.current().get(consumer=fitted.consumer).level == "unscored"
    assert scoring.score_pending() == 0


def test_a_shard_that_fails_three_times_is_parked_and_the_next_one_goes_on(neighbourhood, model, settings, caplog):
    settings.SCORING_SHARD_CONSUMERS = len(neighbourhood) // 2
    scoring.start_run()
    bad = ScoringShard.objects.order_by("pk").first()
    broken = Meter.objects.filter(installations__consumer__in=bad.consumer_ids).first()
    LoadProfile.objects.filter(meter=broken, day=FIRST_DAY).update(kwh=[])
    for _ in range(4):
        scoring.score_pending()
    bad.refresh_from_db()
    assert (bad.status, bad.attempts) == ("failed", 3)
    assert bad.error
    assert ScoringShard.objects.filter(status="done").count() == 1
    assert Standing.objects.count() == len(neighbourhood) // 2


def test_a_shard_whose_workers_vanished_three_times_is_parked(neighbourhood, model):
    scoring.start_run()
    ScoringShard.objects.update(attempts=3)
    assert scoring.score_pending() == 0
    assert ScoringShard.objects.get().status == "failed"
    assert "killed" in ScoringShard.objects.get().error


def test_a_parked_shard_is_tried_again_when_somebody_asks(neighbourhood, model):
    scoring.start_run()
    ScoringShard.objects.update(status="failed", attempts=4)
    assert scoring.score_pending() == 0
    scoring.retry(shard=ScoringShard.objects.get())
    assert scoring.score_pending() == 1


def test_what_one_model_stumbled_over_another_one_tries(neighbourhood, model, ana):
    scoring.start_run()
    ScoringShard.objects.update(status="failed", attempts=4)
    successor = factories.ModelVersionFactory(status="candidate", folder=model.folder)
    training.activate(version=successor, by=ana)
    assert scoring.score_pending() == 1
    assert scoring.score_pending() == 0


def test_a_meter_that_was_linked_by_mistake_scores_its_consumer_again(neighbourhood, model):
    scoring.score_pending()
    revisions = Standing.objects.filter(consumer=neighbourhood[0])
    revisions.update(scored_revision=2)  # it had two meters, of which one link was taken away
    assert scoring.score_pending() == 1
    assert revisions.get().scored_revision == 1


def test_a_replaced_meter_and_its_successor_make_one_history(neighbourhood, model):
    from apps.detection import windows
    from apps.grid.models import Installation

    consumer = neighbourhood[1]
    Installation.objects.filter(consumer=consumer).update(valid=("2020-01-01", "2026-02-01"))
    successor = factories.InstallationFactory(consumer=consumer, valid=("2026-02-01", None))
    factories.store_profiles(successor.meter, FIRST_DAY, np.full((84, 24), 7, dtype=np.float32))
    (found,) = windows.read([consumer.pk])
    assert found.window.days == 84
    assert (found.window.kwh[0, 27:] == 7).all()
    assert (found.window.kwh[0, :27] < 7).all()


def test_meters_of_different_intervals_and_ends_are_looked_at_apart(db):
    from apps.detection import windows

    sizes = {"hourly": (30, 24), "daily": (30, 1), "stopped early": (20, 24)}
    consumers = {}
    for name, shape in sizes.items():
        fitted = factories.InstallationFactory()
        factories.store_profiles(fitted.meter, FIRST_DAY, np.ones(shape))
        consumers[name] = fitted.consumer_id
    found = windows.read(list(consumers.values()))
    assert {one.consumer_ids[0]: (one.window.days, one.window.interval_minutes) for one in found} == {
        consumers["hourly"]: (30, 60),
        consumers["daily"]: (30, 1440),
        consumers["stopped early"]: (20, 60),
    }


def test_what_a_former_model_stumbled_over_is_no_longer_shown_as_parked(neighbourhood, model):
    scoring.start_run()
    ScoringShard.objects.update(status="failed")
    assert ScoringShard.objects.parked().exists()
    training.activate(version=factories.ModelVersionFactory(status="candidate", folder="models/test"), by=None)
    assert not ScoringShard.objects.parked().exists()
    assert scoring.score_pending() == 1


def test_a_score_keeps_everything_that_a_finding_says(consumer):
    finding = Finding(
        *("M-1", 0.9, "high", "gradual_decline", {"booster": 0.9}, [], date(2026, 2, 1), [], 120.0),
        *(date(2026, 1, 1), date(2026, 3, 1), 0.4, [("reduce", 0.6), ("drift", 0.2)], ("new_tenant", 0.1)),
        *(112.0, 9.0, 5.0, 28, ["short_reference", "a_code_of_tomorrow"]),
    )
    run = factories.ScoringRunFactory()
    scoring.risk_score(run, consumer.pk, finding, zero_days=3).save()
    risk = risk_of(RiskScore.objects.get())
    assert (risk["probability"], risk["missing_kwh"], risk["before_kwh"], risk["after_kwh"]) == (0.4, 112.0, 9.0, 5.0)
    assert risk["families"][0] == {"family": "reduce", "share": 0.6, "words": FAMILY_WORDS["reduce"]}
    assert risk["benign_alternative"]["words"] == "new tenant"
    assert [note["sentence"] for note in risk["notes"]][1] == "a code of tomorrow"
    assert "28 days" in risk["notes"][0]["sentence"]


def test_days_without_any_use_are_counted_back_from_the_last_one():
    kwh = np.ones((4, 5, 2))
    kwh[0, 3:] = 0
    kwh[1] = 0
    kwh[2, 1:4] = 0
    kwh[3, 2:] = 0
    kwh[3, 3] = np.nan
    assert scoring.zero_days(kwh).tolist() == [2, 5, 0, 2]


def test_readings_of_the_sum_meter_alone_score_its_consumers_again(neighbourhood, model):
    transformer, _other = hang_sum_meters()
    scoring.score_pending()
    MeterState.objects.filter(meter=transformer.sum_meter).update(revision=2)
    assert scoring.score_pending() == 1
    assert ScoringRun.objects.latest("pk").consumers == len(neighbourhood) // 2
    assert scoring.score_pending() == 0


def test_the_gap_of_a_transformer_is_stored_and_explained_by_the_meter_that_stopped(neighbourhood, model):
    transformer, sound = hang_sum_meters()
    scoring.score_pending()
    balance = EnergyBalance.objects.get(transformer=transformer)
    used = float(curves(stopped=False)[0, -28:].sum())
    assert balance.days == 28
    assert balance.unexplained_kwh == pytest.approx(used, rel=0.1)
    assert balance.is_reliable
    assert balance.explained_by[0]["consumer"] == neighbourhood[0].pk
    assert balance.explained_by[0]["share"] > 0.7
    assert EnergyBalance.objects.get(transformer=sound).unexplained_kwh == pytest.approx(0, abs=0.05 * used)
