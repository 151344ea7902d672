import pytest
from django.urls import reverse
from rest_framework.test import APIClient as HttpClient

from apps.accounts.models import ApiClient, User
from apps.detection import scoring
from tests import factories


@pytest.fixture
def head_end(db):
    """An outside system with a key of its own."""
    system = ApiClient(name="head-end", user=factories.UserFactory(roles=["Systems"], all_zones=True))
    key = system.set_new_key()
    system.save()
    http = HttpClient()
    http.credentials(HTTP_AUTHORIZATION=f"Api-Key {key}")
    return http


def curve(days=60, **fields):
    day = [0.2] * 18 + [1.0, 1.4, 1.0, 0.6, 0.3, 0.2]
    return {
        "consumer_id": "123",
        "start": "2026-01-05",
        "interval_minutes": 60,
        "consumption_data": day * days,
        **fields,
    }


def test_a_stored_consumer_has_a_risk_profile(head_end, neighbourhood, model):
    scoring.score_pending()
    answer = head_end.get(reverse("api-consumer", args=[neighbourhood[0].number])).json()
    assert answer["consumer_id"] == neighbourhood[0].number
    assert answer["risk"]["anomaly_type"] == "zero_consumption"
    assert answer["risk"]["reasons"][0]["sentence"]


def test_an_unscored_consumer_has_a_profile_without_risk(head_end, consumer):
    assert head_end.get(reverse("api-consumer", args=[consumer.number])).json()["risk"] is None


def test_a_consumer_of_another_zone_is_not_found(otto, consumer, client):
    client.force_login(otto)
    assert client.get(reverse("api-consumer", args=[consumer.number])).status_code == 404


def test_a_curve_that_is_not_stored_is_scored(head_end, model):
    answer = head_end.post(reverse("api-predict"), curve(), format="json")
    assert answer.status_code == 200, answer.content
    assert 0 <= answer.json()["score"] <= 1
    assert answer.json()["data_until"] == "2026-03-05"


def test_a_curve_that_stops_scores_higher(head_end, model):
    whole = curve()
    stopped = curve(consumption_data=whole["consumption_data"][: 24 * 40] + [0.0] * 24 * 20)
    scores = [head_end.post(reverse("api-predict"), body, format="json").json()["score"] for body in (whole, stopped)]
    assert scores[1] > scores[0]


def test_two_days_are_too_little_and_say_so(head_end, model):
    answer = head_end.post(reverse("api-predict"), curve(days=2), format="json").json()
    assert answer["score"] is None
    assert "2 measured days" in answer["reasons"][0]["sentence"]


@pytest.mark.parametrize(
    "fields",
    [
        {"interval_minutes": 7},
        {"consumption_data": []},
        {"consumption_data": ["a"]},
        {"consumption_data": [-1]},
        {"consumption_data": [1e12]},
        {"consumption_data": [1] * (367 * 24)},
        {"start": "yesterday"},
        {"start": "0001-01-01"},
        {"start": "9999-12-31"},
    ],
)
def test_a_curve_that_makes_no_sense_is_refused(head_end, model, fields):
    answer = head_end.post(reverse("api-predict"), curve(**fields), format="json")
    assert answer.status_code == 400
    assert set(answer.json()) == set(fields)


def test_without_a_model_predict_says_what_is_missing(head_end):
    answer = head_end.post(reverse("api-predict"), curve(), format="json")
    assert answer.status_code == 503
    assert "28 days" in answer.json()["detail"]


def test_the_key_of_somebody_who_left_is_refused(head_end, consumer):
    User.objects.update(is_active=False)
    assert head_end.get(reverse("api-cases")).status_code == 401


def test_a_wrong_or_revoked_key_is_refused(head_end, db):
    ApiClient.objects.update(revoked_at="2026-01-01T00:00Z")
    answer = head_end.get(reverse("api-cases"))
    assert answer.status_code == 401


def test_cases_are_listed_for_who_may_see_them(case, ines, otto, client):
    client.force_login(ines)
    listed = client.get(reverse("api-cases")).json()
    assert [one["consumer_id"] for one in listed["results"]] == ["C-00001"]
    client.force_login(otto)
    assert client.get(reverse("api-cases")).json()["count"] == 0
    assert client.get(reverse("api-case", args=[case.pk])).status_code == 404
