"""The pages about data quality: what they say, to whom, and how much they ask."""

from datetime import date, timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.readings.models import Completeness, MeterState, ValidationHit, ValidationRule, ValidationShard
from apps.readings.validation import counting, limits, reports
from tests import factories
from tests.readings.test_validation_rules import ordinary

pytestmark = pytest.mark.django_db
UNTIL = date(2026, 3, 1)


def meter_of(zone, number):
    return factories.InstallationFactory(consumer__zone=zone, consumer__number=number).meter


def state(meter, last_day=UNTIL):
    return MeterState.objects.create(
        meter=meter, revision=1, validated_revision=1, first_day=UNTIL, last_day=last_day, interval_minutes=60
    )


@pytest.fixture
def hits(north, south):
    """A meter of the north stands still for a week, one of the south has a gap."""
    first, second = meter_of(north, "C-NORTH"), meter_of(south, "C-SOUTH")
    state(first), state(second)
    return [
        factories.ValidationHitFactory(meter=first, day=UNTIL - timedelta(days=6), last_day=UNTIL, value=7),
        factories.ValidationHitFactory(meter=second, rule="gap", day=UNTIL, value=2, first_slot=3, slots=2),
    ]


def page(client, user, **query):
    client.force_login(user)
    response = client.get(reverse("data_quality"), query)
    assert response.status_code == 200
    return response


def test_before_any_reading_it_says_what_will_stand_here(client, sam):
    assert "No readings yet" in page(client, sam).content.decode()


def test_hits_lead_to_the_consumers_history_at_their_day(client, sam, hits):
    text = page(client, sam).content.decode()
    assert f"/consumers/C-NORTH/?day={UNTIL - timedelta(days=6)}" in text
    assert "nothing but zeros for 7 days" in text
    assert "2 h missing" in text


def test_who_looks_after_a_zone_sees_its_hits_alone(client, ines, otto, hits):
    for user, own, other in ((ines, "C-NORTH", "C-SOUTH"), (otto, "C-SOUTH", "C-NORTH")):
        text = page(client, user).content.decode()
        assert own in text
        assert other not in text


def test_a_hit_stays_with_the_zone_that_the_meter_was_in_that_day(hits, ines, otto, south):
    link = hits[0].meter.installations.get()
    link.valid = (date(2010, 1, 1), UNTIL - timedelta(days=7))
    link.save()
    factories.InstallationFactory(meter=hits[0].meter, consumer__zone=south, valid=(UNTIL - timedelta(days=7), None))
    assert hits[0] not in ValidationHit.objects.visible_to(ines)
    assert hits[0] in ValidationHit.objects.visible_to(otto)


def test_hits_of_a_sum_meter_belong_to_its_transformers_zone(ines, otto, north):
    meter = factories.MeterFactory(kind="sum")
    factories.TransformerFactory(feeder__zone=north, sum_meter=meter)
    hit = factories.ValidationHitFactory(meter=meter)
    assert list(ValidationHit.objects.visible_to(ines)) == [hit]
    assert not ValidationHit.objects.visible_to(otto).exists()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"rule": "zeros"}, {"C-NORTH"}),
        ({"rule": "gap", "zone": "SOUTH"}, {"C-SOUTH"}),
        ({"zone": "NORTH"}, {"C-NORTH"}),
        ({"q": "c-sou"}, {"C-SOUTH"}),
        ({"day": "2026-02-25"}, {"C-NORTH"}),
        ({"q": "nothing like it"}, set()),
        ({"rule": "no such rule", "zone": "nowhere", "day": "tomorrow", "page": "-7"}, {"C-NORTH", "C-SOUTH"}),
    ],
)
def test_the_list_can_be_narrowed(client, sam, hits, query, found):
    rows = page(client, sam, **query).context["rows"]
    assert {row.hit.consumer_number for row in rows} == found


def test_rules_are_counted_by_zone_and_week(sam, hits, north, south):
    factories.ValidationHitFactory(meter=hits[0].meter, day=UNTIL - timedelta(days=40))
    counting.count_hits()
    lines = {line.rule.name: line for line in reports.lines(sam, [north, south], UNTIL)}
    assert [(cell.hits, cell.before) for cell in lines["zeros"].cells] == [(1, 1), (0, 0)]
    assert (lines["zeros"].hits, lines["zeros"].before) == (1, 1)
    assert (sum(lines["zeros"].trend), lines["zeros"].trend[-1]) == (2, 1)
    assert (lines["spike"].hits, lines["spike"].before, sum(lines["spike"].trend)) == (0, 0, 0)


def test_the_worst_meter_has_most_days(sam, hits, north):
    worst = reports.worst_meters(sam, [north], UNTIL)
    assert [(one.number, one.days, one.zone) for one in worst] == [("C-NORTH", 7, north), ("C-SOUTH", 1, None)]


def test_completeness_never_rounds_up_to_all(client, sam, hits, north):
    Completeness.objects.create(zone=north, day=UNTIL, meters=100, silent=0, expected=2400, came=2399)
    ((line),) = page(client, sam).context["completeness"]
    assert line.share_words == "99.9 %"
    assert line.days[-1].step == "0"
    assert [day.step for day in line.days[:-1]] == ["none"] * 41


def test_the_page_asks_no_more_than_fifteen_questions(client, sam, hits, north):
    for number in range(30):
        factories.ValidationHitFactory(meter=meter_of(north, f"C-{number}"), day=UNTIL)
    client.force_login(sam)
    with CaptureQueriesContext(connection) as asked:
        client.get(reverse("data_quality"))
    assert len(asked) <= 15


def test_filtering_answers_with_the_list_alone(client, sam, hits):
    client.force_login(sam)
    text = client.get(reverse("data_quality"), {"rule": "gap"}, headers={"HX-Request": "true"}).content.decode()
    assert "C-SOUTH" in text
    assert "<html" not in text


def test_parked_meters_are_named_and_can_be_tried_again(client, sam, hits, rung, django_capture_on_commit_callbacks):
    ValidationShard.objects.create(meter_ids=[hits[0].meter_id], status="failed", attempts=3)
    assert "1 meter could not be validated" in page(client, sam).content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("validation_retry"))
    assert ValidationShard.objects.get().status == "pending"
    assert rung == ["readings.validate_pending"]


def rules_of(zone=""):
    return f"{reverse('validation_rules')}{'?zone=' + zone if zone else ''}"


def test_rules_are_set_for_a_zone_and_its_days_validated_again(client, sam, hits, north, south):
    client.force_login(sam)
    client.post(rules_of("NORTH"), {"zeros-days": "5", "stuck-enabled": "off", "gap-enabled": "", "spike-kw": ""})
    stored = {(row.zone, row.rule): (row.enabled, row.limits) for row in ValidationRule.objects.all()}
    assert stored == {(north, "zeros"): (None, {"days": 5.0}), (north, "stuck"): (False, {})}
    assert list(MeterState.objects.filter(validated_revision=0).values_list("meter", flat=True)) == [hits[0].meter_id]
    MeterState.objects.update(validated_revision=1)
    client.post(rules_of("NORTH"), {"zeros-days": "5", "stuck-enabled": "off"})
    assert not MeterState.objects.filter(validated_revision=0).exists()  # nothing was set otherwise
    client.post(rules_of("NORTH"), {})
    assert not ValidationRule.objects.exists()


def test_a_zone_with_a_limit_of_its_own_follows_when_the_rule_is_switched_off_everywhere(client, sam, north):
    client.force_login(sam)
    client.post(rules_of("NORTH"), {"zeros-days": "5"})
    client.post(rules_of(), {"zeros-enabled": "off"})
    setting = limits.settings_of_zones([north.pk])[north.pk]["zeros"]
    assert (setting.enabled, setting.limits) == (False, {"days": 5})
    assert "as everywhere: off" in client.get(rules_of("NORTH")).content.decode()


def test_rules_that_are_changed_or_deleted_in_the_admin_are_applied_to_their_places(admin_client, hits, north, south):
    rule = ValidationRule.objects.create(zone=north, rule="zeros", limits={"days": 5})
    MeterState.objects.update(validated_revision=1)
    address = reverse("admin:readings_validationrule_changelist")
    admin_client.post(address, {"action": "delete_selected", "_selected_action": [rule.pk], "post": "yes"})
    assert not ValidationRule.objects.exists()
    assert MeterState.objects.filter(validated_revision=0).exists()


def test_a_zones_form_shows_what_holds_everywhere(client, sam, north):
    ValidationRule.objects.create(rule="zeros", limits={"days": 9})
    ValidationRule.objects.create(rule="stuck", enabled=False)
    client.force_login(sam)
    text = client.get(rules_of("NORTH")).content.decode()
    assert 'placeholder="9"' in text
    assert "as everywhere: off" in text


def test_a_limit_out_of_bounds_is_refused_with_words(client, sam, north):
    client.force_login(sam)
    response = client.post(rules_of("NORTH"), {"zeros-days": "-1"})
    assert response.context["form"].errors == {"zeros-days": ["Ensure this value is greater than or equal to 0.25."]}
    assert not ValidationRule.objects.exists()


def test_who_looks_after_zones_sets_rules_of_these_alone(client, north, south):
    client.force_login(factories.UserFactory(username="nora", roles=["Supervisors"], zones=[north]))
    assert client.get(rules_of()).url == rules_of("NORTH")
    assert client.post(rules_of(), {"zeros-days": "5"}).status_code == 302
    assert client.post(rules_of("SOUTH"), {"zeros-days": "5"}).status_code == 404
    assert not ValidationRule.objects.exists()


def test_settings_are_tried_before_they_are_stored(client, sam, north):
    meter = meter_of(north, "C-1")
    kwh = ordinary(1, 42)[0]
    kwh[30:34] = 0
    factories.store_profiles(meter, UNTIL - timedelta(days=41), np.array(kwh))
    client.force_login(sam)
    text = {
        days: client.post(rules_of("NORTH"), {"zeros-days": days}, headers={"HX-Request": "true"}).context["tried"]
        for days in ("3", "5")
    }
    zeros = {days: next(one for one in trial.rules if one.rule.name == "zeros") for days, trial in text.items()}
    assert [(zeros[days].days_now, zeros[days].days, zeros[days].meters) for days in zeros] == [(4, 4, 1), (4, 0, 0)]
    assert not ValidationRule.objects.exists()
    assert not ValidationHit.objects.exists()


def test_machines_ask_for_hits_of_their_zones(client, ines, sam, hits):
    address = reverse("api-validation-hits")
    client.force_login(ines)
    (hit,) = client.get(address).json()["results"]
    assert (hit["rule"], hit["consumer"], hit["zone"], hit["day"]) == ("zeros", "C-NORTH", "NORTH", "2026-02-23")
    assert hit["words"] == "nothing but zeros for 7 days"
    client.force_login(sam)
    for query, many in (({"rule": "gap"}, 1), ({"since": "2026-03-02"}, 0), ({"zone": "NORTH"}, 1), ({}, 2)):
        assert client.get(address, query).json()["count"] == many
    assert client.get(address, {"since": "soon"}).status_code == 400
