import numpy as np
import pytest

from ml import events as evidence_of
from ml.events import DAY, KINDS, NOBODY, Around, Events, Visits
from tests.ml.conftest import SUSPECT

NOON = 20_000 * DAY + 720
NO_VISITS = Visits(*(np.zeros(0, int) for _ in range(3)), looked=np.zeros(0, bool))
HIGH = 0.7


def reported(*lines: tuple, working_hours: bool = True) -> Events:
    """Lines are (meter, kind, minutes after NOON)."""
    meter, kind, minutes = zip(*lines, strict=True)
    at = NOON + np.array(minutes, np.int64)
    return Events(np.array(meter), np.array(kind), at, np.full(len(at), working_hours))


def weighed(events: Events, days_later: float = 0, meters: int = 40, visits: Visits = NO_VISITS):
    """On one transformer of `meters`."""
    group = np.zeros((3, len(events)), int)
    group[1:] = NOBODY
    around = Around(events.meter, events.kind, events.minutes, group, group, np.full(group.shape, meters))
    now = np.full(meters, NOON + int(days_later * DAY))
    return evidence_of.weigh(events, now, around, visits)


def test_an_event_fades_by_half_in_its_half_life():
    event = reported((0, "magnetic_field", 0))
    kind = KINDS["magnetic_field"]
    assert weighed(event).weight == pytest.approx(kind.weight)
    assert weighed(event, days_later=kind.half_life_days).weight == pytest.approx(kind.weight / 2)


def test_a_storm_is_no_tamper():
    storm = reported(*((meter, "cover_opened", meter // 8) for meter in range(34)), (35, "magnetic_field", 2))
    found = weighed(storm)
    assert not found.weight[:34].any()
    assert (found.crowd.reported[0], found.crowd.size[0], found.crowd.apart[0]) == (34, 40, 4)
    assert found.weight[34] == pytest.approx(KINDS["magnetic_field"].weight)


def test_neighbours_that_report_on_different_days_are_no_storm():
    apart = reported(*((meter, "cover_opened", meter * DAY) for meter in range(34)))
    assert (weighed(apart, days_later=40).weight > 0).all()


def test_one_meter_that_chatters_is_no_crowd_and_counts_three_days_at_most():
    chatter = reported(*((0, "magnetic_field", n) for n in range(0, 40 * DAY, 600)))
    found = weighed(chatter, meters=5)
    assert (found.crowd.level == -1).all()
    most = 1 - (1 - KINDS["magnetic_field"].weight) ** 3
    assert 0.5 < evidence_of.evidence(1, chatter, found.fresh)[0] <= most + 1e-9


def test_clocks_that_the_head_end_sets_over_a_day_are_one_cause():
    rounds = reported(*((meter, "clock_set", 30 * meter) for meter in range(30)))
    assert not weighed(rounds, days_later=2).weight.any()


def test_an_opening_that_a_fitter_closes_within_the_hour_counts_little():
    pair = [(0, "cover_opened", 0), (0, "cover_closed", 25)]
    assert weighed(reported(*pair)).fresh[0] == pytest.approx(KINDS["cover_opened"].weight / 3)
    assert weighed(reported(*pair, working_hours=False)).fresh[0] == pytest.approx(KINDS["cover_opened"].weight)


def test_our_own_visit_explains_what_the_meter_reports_then_and_answers_what_it_reported_before():
    events = reported((0, "cover_opened", -9 * DAY), (0, "cover_opened", 10), (0, "cover_opened", 9 * DAY))
    visit = Visits(*(np.array([one]) for one in (0, NOON - DAY, NOON + DAY)), looked=np.array([True]))
    assert [evidence_of.WHY[why] for why in weighed(events, 10, visits=visit).why] == ["settled", "visited", "counts"]


def test_a_clock_that_lost_its_time_in_an_outage_says_nothing():
    events = reported((0, "power_outage", 0), (0, "clock_invalid", 60), (1, "clock_invalid", 60))
    assert [evidence_of.WHY[why] for why in weighed(events).why] == ["counts", "after_outage", "counts"]


def test_what_nobody_knows_weighs_nothing():
    assert not weighed(reported((0, "other", 0), (0, "cover_closed", 0), (0, "battery_low", 0))).weight.any()


def test_flags_alone_never_reach_a_level_that_sends_a_crew():
    score, strength = np.linspace(0, 1, 50), np.full(50, 0.99)
    lifted = evidence_of.lifted(score, strength, np.zeros(50), HIGH)
    assert (lifted >= score).all()
    assert (lifted[score < HIGH] < HIGH).all()
    assert (lifted[score >= HIGH] == score[score >= HIGH]).all()


def test_a_flag_with_a_change_of_the_curve_lifts_within_its_bound():
    score = np.linspace(0, 1, 50)
    lifted = evidence_of.lifted(score, np.zeros(50), np.full(50, 0.4), HIGH)
    assert (lifted[score >= 0.3] >= HIGH).all()
    assert (lifted - score <= evidence_of.MOST_LIFT + 1e-9).all()
    assert (lifted <= 1).all()


def test_a_fall_after_the_event_is_told_from_one_that_all_neighbours_have():
    rng = np.random.default_rng(4)
    kwh = rng.gamma(20, 0.5, (8, 60, 1))
    kwh[0, 30:] *= 0.6
    group, day, nobody = np.zeros(8, int), np.array([30, 30]), np.full(8, evidence_of.NO_DAY)
    assert evidence_of.at_change(kwh, 0, group, nobody, np.array([0, 1]), day).tolist() == [True, False]
    kwh[1:, 30:] *= 0.6
    assert not evidence_of.at_change(kwh, 0, group, nobody, np.array([0, 1]), day).any()


def test_an_event_at_the_onset_that_detectors_saw_belongs_to_the_change():
    kwh, onset = np.ones((2, 60, 1)), np.array([100, evidence_of.NO_DAY])
    near = evidence_of.at_change(kwh, 60, np.zeros(2, int), onset, np.array([0, 0, 1]), np.array([95, 80, 100]))
    assert near.tolist() == [True, False, False]


def test_events_outside_of_the_window_and_unknown_days_are_no_change():
    kwh = np.full((2, 60, 4), np.nan)
    days = np.array([-40, -1, 0, 59, 60, 400])
    nobody = np.full(2, evidence_of.NO_DAY)
    assert not evidence_of.at_change(kwh, 0, np.zeros(2, int), nobody, np.zeros(6, int), days).any()


def test_one_strange_hour_alone_hardly_moves_an_honest_score_and_a_meter_event_may(finding, street):
    honest = finding().score
    street[SUSPECT, -1, 13] = 5
    strange = finding().score
    assert abs(strange - honest) < 0.1
    event = weighed(reported((0, "magnetic_field", 0)))
    assert evidence_of.lifted(np.array([honest]), event.weight, np.zeros(1), HIGH)[0] - honest > 0.2
