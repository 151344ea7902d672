from datetime import date

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from apps import claims
from apps.detection import models_on_disk, scoring, training, windows
from apps.detection.models import ModelVersion, ScoringShard, Standing, Training
from ml import artifacts
from tests import factories
from tests.threads import meanwhile

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def test_the_first_model_trains_and_activates_itself(neighbourhood):
    training.ask_for_first()
    training.train_pending()
    version = ModelVersion.objects.get()
    assert version.status == ModelVersion.Status.ACTIVE
    assert version.activated_by is None
    assert version.trained_on["meters"] == len(neighbourhood)
    assert Training.objects.get().version == version


def test_a_second_one_waits_for_a_person_who_retires_the_other_and_scores_everything_again(neighbourhood, model, ana):
    scoring.score_pending()
    assert training.ask_for_first() is None
    training.ask(by=ana)
    assert training.train_pending() == 1
    candidate = ModelVersion.objects.latest("pk")
    assert candidate.status == ModelVersion.Status.CANDIDATE
    second = training.activate(version=candidate, by=ana)
    model.refresh_from_db()
    assert (model.status, second.status, second.activated_by) == ("retired", "active", ana)
    scoring.score_pending()
    assert set(Standing.objects.values_list("score__run__model_version", flat=True)) == {second.pk}


def test_a_model_that_an_upgrade_outdated_asks_for_another_that_takes_over(neighbourhood, model, monkeypatch):
    monkeypatch.setattr(artifacts, "FORMAT", artifacts.FORMAT + 1)
    models_on_disk._load.cache_clear()
    assert scoring.score_pending() == 0
    assert not ScoringShard.objects.exists()
    model.refresh_from_db()
    assert "train again" in model.unusable
    assert training.train_pending() == 1
    model.refresh_from_db()
    assert model.status == ModelVersion.Status.RETIRED
    assert scoring.score_pending() > 0
    assert Training.objects.get().version == ModelVersion.objects.get(status=ModelVersion.Status.ACTIVE)


def test_after_a_training_that_failed_an_outdated_model_waits_for_a_person(neighbourhood, model, monkeypatch):
    Training.objects.create(status=Training.Status.FAILED, finished_at=timezone.now())
    monkeypatch.setattr(artifacts, "FORMAT", artifacts.FORMAT + 1)
    models_on_disk._load.cache_clear()
    scoring.score_pending()
    assert not Training.objects.filter(status=Training.Status.PENDING).exists()


def test_the_page_says_why_an_outdated_model_does_not_score(model, ana, client):
    ModelVersion.objects.update(unusable="saved with other features than this code computes: train again")
    client.force_login(ana)
    assert "other features than this code computes" in client.get(reverse("model_list")).content.decode()


def test_whoever_asks_while_one_waits_asks_for_that_one(ana, sam):
    assert training.ask(by=ana) == training.ask(by=sam)


def test_nothing_is_trained_on_too_few_meters(ana):
    assert training.ask_for_first() is None
    wish = training.ask(by=ana)
    assert training.train_pending() == 0
    wish.refresh_from_db()
    assert (wish.status, wish.attempts) == ("failed", 1)
    assert "0 meters" in wish.error


def test_a_training_whose_workers_vanished_three_times_is_parked(ana):
    wish = training.ask(by=ana)
    Training.objects.update(attempts=Training.ATTEMPTS)
    assert training.train_pending() == 0
    wish.refresh_from_db()
    assert wish.status == "failed"
    assert "killed" in wish.error


def test_a_training_that_fails_is_tried_three_times(neighbourhood, ana, settings, tmp_path, caplog):
    (tmp_path / "in_the_way").write_text("a file where a folder should be")
    settings.MEDIA_ROOT = tmp_path / "in_the_way"
    training.ask(by=ana)
    for effort in ("unheard of", "unheard of", "quick", "quick"):  # what it learned cannot be written either
        training.train_pending(effort)
    wish = Training.objects.get()
    assert (wish.status, wish.attempts) == ("failed", 3)
    assert wish.error
    assert not ModelVersion.objects.exists()


def test_the_command_says_why_there_is_no_model(db):
    with pytest.raises(CommandError, match="0 meters"):
        call_command("train")


def test_what_crews_found_within_the_window_is_learned_from(neighbourhood):
    days = {0: ("bypass", 2), 1: ("nothing_found", 2), 2: ("no_access", 2), 3: ("bypass", 1), 4: ("vacant", 3)}
    for row, (outcome, month) in days.items():
        factories.InspectionFactory(consumer=neighbourhood[row], outcome=outcome, inspected_on=date(2026, month, 20))
    factories.InspectionFactory(consumer=neighbourhood[3], outcome="bypass", inspected_on=date(2025, 12, 20))
    factories.InspectionFactory(consumer=neighbourhood[4], outcome="bypass", inspected_on=date(2026, 2, 20))
    (drawn,) = windows.read([consumer.pk for consumer in neighbourhood])
    number = [consumer.number for consumer in neighbourhood]
    found = training.outcomes_in(drawn)
    assert {meter: one.found for meter, one in found.items()} == dict(
        zip([number[row] for row in (0, 1, 3, 4)], [True, False, True, False], strict=True)
    )
    assert found[number[4]].day == date(2026, 3, 20)
    assert training.described(drawn.window, found)["finds"] == 2


def test_too_many_consumers_are_thinned_out_by_whole_neighbourhoods(neighbourhood, settings):
    settings.TRAINING_MOST_CONSUMERS = len(neighbourhood) - 1
    assert training.trainable_consumers() == [consumer.pk for consumer in neighbourhood[::2]]


def test_an_analyst_asks_for_a_training_on_the_page_of_models(client, ana, sam):
    client.force_login(sam)
    assert client.post(reverse("model_train")).status_code == 403
    client.force_login(ana)
    assert client.post(reverse("model_train")).status_code == 302
    assert Training.objects.get().by == ana
    assert b"Waiting for a worker" in client.get(reverse("model_list")).content


def test_the_page_of_a_candidate_stands_it_beside_the_active_one(client, ana):
    factories.ModelVersionFactory(held_out={"headline": {"auc": {"value": 0.9, "low": 0.88, "high": 0.92}}})
    better = {"headline": {"auc": {"value": 0.95, "low": 0.93, "high": 0.97}}}
    candidate = factories.ModelVersionFactory(status="candidate", held_out=better)
    client.force_login(ana)
    text = client.get(reverse("model", args=[candidate.pk])).content.decode()
    assert "0.95" in text
    assert "0.90" in text


@pytest.mark.django_db(transaction=True)
def test_a_training_that_one_worker_holds_no_other_begins():
    with claims.claim(training.ask(by=None)) as claimed:
        assert claimed
        assert meanwhile(training.train_pending).result(timeout=5) == 0
    assert Training.objects.get().attempts == 0
