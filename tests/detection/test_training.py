import pytest

from apps.detection import scoring, training
from apps.detection.models import ModelVersion, Standing


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def test_the_first_model_trains_and_activates_itself(neighbourhood):
    version = training.train_first()
    assert version.status == ModelVersion.Status.ACTIVE
    assert version.activated_by is None
    assert version.trained_on["meters"] == len(neighbourhood)


def test_a_second_one_waits_for_a_person(neighbourhood):
    training.train_first()
    assert training.train_first() is None
    assert training.train().status == ModelVersion.Status.CANDIDATE


def test_nothing_is_trained_on_too_few_meters(db):
    assert training.train_first() is None
    with pytest.raises(training.TooLittleToLearnFrom, match="0 meters"):
        training.train()


def test_activating_retires_the_other_and_scores_everything_again(neighbourhood, ana):
    first = training.train_first()
    scoring.score_pending()
    second = training.activate(version=training.train(), by=ana)
    first.refresh_from_db()
    assert (first.status, second.status, second.activated_by) == ("retired", "active", ana)
    scoring.score_pending()
    assert set(Standing.objects.values_list("score__run__model_version", flat=True)) == {second.pk}
