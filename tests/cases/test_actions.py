from datetime import date, datetime, timedelta

import pytest
from django.utils import timezone

from apps.cases import actions, workflow
from apps.cases.models import Case
from apps.inspections.models import Inspection, Outcome
from tests import factories


def standing_score(zone, **fields):
    return factories.RiskScoreFactory(consumer=factories.ConsumerFactory(zone=zone), **fields)


def test_a_critical_score_becomes_a_case_with_its_energy_and_money(north):
    score = standing_score(north, score=0.95, kwh_missing_per_month=200)
    assert actions.open_pending() == 1
    case = Case.objects.get()
    assert case.consumer == score.consumer
    assert case.kwh_per_month == 200
    assert case.money_per_month == 60
    assert case.history.get().verb == "opened"


def test_medium_scores_stay_candidates(north):
    standing_score(north, score=0.6, level="medium")
    assert actions.open_pending() == 0


def test_opening_twice_opens_once(north):
    standing_score(north)
    assert [actions.open_pending(), actions.open_pending()] == [1, 0]


def test_the_visit_budget_goes_to_the_highest_scores(north):
    north.visits_per_week = 2
    north.save()
    for score in (0.91, 0.99, 0.95):
        standing_score(north, score=score)
    assert actions.open_pending() == 2
    assert sorted(Case.objects.values_list("risk", flat=True)) == [0.95, 0.99]


def test_the_budget_is_spent_zone_by_zone(north, south):
    for zone in (north, south):
        zone.visits_per_week = 1
        zone.save()
    for zone, score in ((north, 0.99), (north, 0.98), (south, 0.8)):
        standing_score(zone, score=score)
    actions.open_pending()
    assert Case.objects.filter(consumer__zone=north).count() == 1
    assert Case.objects.filter(consumer__zone=south).count() == 1


def test_a_new_week_brings_a_new_budget(north):
    north.visits_per_week = 1
    north.save()
    standing_score(north)
    standing_score(north)
    actions.open_pending()
    assert actions.open_pending() == 0
    Case.objects.update(opened_at=timezone.now() - timedelta(days=8))
    assert actions.open_pending() == 1


@pytest.mark.parametrize(("opened_at", "left"), [("2026-06-07T22:59Z", 10), ("2026-06-07T23:00Z", 9)])
def test_the_week_begins_on_monday_at_midnight_where_the_utility_is(case, opened_at, left):
    Case.objects.update(opened_at=datetime.fromisoformat(opened_at))
    for now in ("2026-06-07T23:30Z", "2026-06-10T12:00Z", "2026-06-14T22:30Z"):
        assert actions.visits_left(datetime.fromisoformat(now))[case.consumer.zone_id] == left


def test_a_closed_case_is_not_opened_again_for_what_began_before(case, sam):
    actions.close(case=case, outcome=Outcome.NOTHING_FOUND, by=sam)
    assert actions.open_pending() == 0


def test_something_that_began_after_the_closing_opens_a_second_case(case, sam):
    actions.close(case=case, outcome=Outcome.NOTHING_FOUND, by=sam)
    factories.RiskScoreFactory(consumer=case.consumer, onset_on=timezone.localdate() + timedelta(days=3))
    assert actions.open_pending() == 1


def test_closing_a_case_records_the_outcome(ines, case):
    case = actions.close(case=case, outcome=Outcome.BYPASS, by=ines, recovered_kwh=1200, note="Bridge behind the meter")
    assert case.status == Case.Status.CLOSED
    assert case.consumer.inspections.get().outcome == Outcome.BYPASS
    assert case.history.latest("at").by == ines


def test_a_case_is_not_closed_twice(ines, case):
    actions.close(case=case, outcome=Outcome.BYPASS, by=ines)
    with pytest.raises(workflow.MoveNotAllowed):
        actions.close(case=case, outcome=Outcome.VACANT, by=ines)


def test_reopening_puts_the_case_back_and_takes_the_outcome_off_the_labels(ines, case):
    actions.assign(case=case, to=ines, by=ines)
    actions.close(case=case, outcome=Outcome.BYPASS, by=ines)
    case = actions.reopen(case=case, by=ines)
    assert case.status == Case.Status.ASSIGNED
    assert case.assignee == ines
    assert not Inspection.objects.standing().exists()
    assert Inspection.objects.count() == 1


def test_a_reopened_case_can_be_closed_with_another_outcome(ines, case):
    actions.close(case=case, outcome=Outcome.BYPASS, by=ines)
    actions.reopen(case=case, by=ines)
    actions.close(case=case, outcome=Outcome.METER_FAULT, by=ines)
    assert Inspection.objects.standing().get().outcome == Outcome.METER_FAULT


def test_a_case_is_not_reopened_beside_a_newer_one(ines, case):
    actions.close(case=case, outcome=Outcome.BYPASS, by=ines)
    factories.CaseFactory(consumer=case.consumer, score=case.score)
    with pytest.raises(workflow.MoveNotAllowed):
        actions.reopen(case=case, by=ines)


def test_assigning_and_handing_back_walk_through_the_states(ines, sam, case):
    case = actions.assign(case=case, to=ines, by=sam)
    assert (case.status, case.assignee) == (Case.Status.ASSIGNED, ines)
    case = actions.move(case=case, to=Case.Status.VISIT, by=ines)
    case = actions.assign(case=case, to=sam, by=sam)
    assert case.status == Case.Status.VISIT
    assert [event.verb for event in case.history.all()] == ["assigned", "moved", "assigned"]


def test_a_note_stays_in_the_history(ines, case):
    actions.note(case=case, text="Nobody at home", by=ines)
    assert case.history.get().text == "Nobody at home"


def test_an_inspection_may_carry_the_day_of_the_visit(ines, case):
    case = actions.close(case=case, outcome=Outcome.BYPASS, by=ines, inspected_on=date(2026, 5, 1))
    assert case.inspection.inspected_on == date(2026, 5, 1)
