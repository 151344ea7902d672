"""Every rule on a curve that breaks it and on one that does not; no database."""

from datetime import date

import numpy as np
import pytest

from apps.readings.validation import rules
from apps.readings.validation.rules import BY_NAME, Curves

MONDAY = np.datetime64("2026-01-05")
DAYS = 56


def ordinary(meters=2, days=DAYS, slots=24, seed=0):
    """(meters, days, slots) kWh with an evening peak, and never twice the same."""
    rng = np.random.default_rng(seed)
    hours = 0.3 + np.exp(-((((np.arange(slots) * 24 / slots) - 19) / 3) ** 2))
    return (hours * rng.uniform(0.8, 1.2, (meters, days, slots)) * 24 / slots).astype(np.float32)


def curves(kwh, began=0, ended=None, hours_ahead=None):
    meters, days, _slots = kwh.shape
    return Curves(
        kwh=kwh,
        checked=np.ones((meters, days), bool),
        first_day=MONDAY,
        began=np.full(meters, began),
        ended=np.full(meters, days - 1 if ended is None else ended),
        hours_ahead=np.zeros(days, int) if hours_ahead is None else hours_ahead,
    )


def find(name, kwh, given=None, **more):
    """Which (meter, day) the rule hits, with what it found there; built-in limits unless others are given."""
    rule, meters = BY_NAME[name], len(kwh)
    limits = {limit.name: np.full(meters, float(limit.default)) for limit in rule.limits}
    limits |= {key: np.broadcast_to(np.array(value, float), meters) for key, value in (given or {}).items()}
    found = rule.find(curves(kwh, **more), limits)
    return found, list(zip(*(place.tolist() for place in np.nonzero(found.hit)), strict=True))


@pytest.mark.parametrize("rule", [rule for rule in rules.RULES if rule.find], ids=lambda rule: rule.name)
@pytest.mark.parametrize("slots", [1, 24, 48, 96, 288])
def test_no_rule_finds_anything_in_ordinary_days(rule, slots):
    assert find(rule.name, ordinary(slots=slots))[1] == []


@pytest.mark.parametrize("rule", [rule for rule in rules.RULES if rule.find], ids=lambda rule: rule.name)
@pytest.mark.parametrize("shape", [(1, 1, 24), (1, 3, 1), (2, 40, 24)])
def test_no_rule_stumbles_over_a_window_in_which_nothing_came(rule, shape):
    assert find(rule.name, np.full(shape, np.nan, np.float32), began=5, ended=2)[1] == []


def test_a_gap_lies_between_readings_and_names_its_first_slot():
    kwh = ordinary()
    kwh[0, 10, 4:9] = np.nan
    kwh[0, 20] = np.nan
    kwh[:, -1, 15:] = np.nan  # did not come yet
    found, hits = find("gap", kwh)
    assert hits == [(0, 10), (0, 20)]
    assert (found.value[0, 10], found.slots[0, 10], found.first_slot[0, 10]) == (5, 5, 4)


def test_a_gap_at_the_edge_of_the_window_counts_where_the_meter_goes_on_beyond_it():
    kwh = ordinary()
    kwh[:, :2] = kwh[:, -2:] = np.nan
    assert find("gap", kwh)[1] == []
    assert [day for _meter, day in find("gap", kwh[:1], began=-9, ended=DAYS + 9)[1]] == [0, 1, DAYS - 2, DAYS - 1]


def test_an_hour_may_be_missing_where_the_limit_says_two():
    kwh = ordinary(slots=96)
    kwh[:, 10, 4:8] = np.nan
    assert find("gap", kwh, {"hours": [1, 2]})[1] == [(0, 10)]


def test_a_spike_stands_above_its_day_and_above_the_weeks_before():
    kwh = ordinary()
    kwh[0, 40, 3] = 9
    kwh[1, 40, 3] = kwh[1, 30, 3] = 9  # used every ten days or so
    found, hits = find("spike", kwh)
    assert hits == [(0, 40), (1, 30)]
    assert (found.value[0, 40], found.first_slot[0, 40], found.slots[0, 40]) == (9, 3, 1)


def test_a_new_load_that_runs_for_hours_is_no_spike():
    kwh = ordinary()
    kwh[0, 40:, 8:14] += 9
    assert find("spike", kwh)[1] == []


def test_a_negative_reading_is_found_in_its_slot():
    kwh = ordinary()
    kwh[1, 3, 7] = -0.5
    found, hits = find("negative", kwh)
    assert hits == [(1, 3)]
    assert (found.value[1, 3], found.first_slot[1, 3]) == (-0.5, 7)


def test_zeros_count_across_midnight_and_nothing_shorter_than_three_days():
    kwh = ordinary()
    line = kwh.reshape(2, -1)
    line[0, 10 * 24 + 12 : 13 * 24 + 12] = 0
    line[1, 10 * 24 + 12 : 13 * 24 + 11] = 0
    found, hits = find("zeros", kwh)
    assert hits == [(0, 10), (0, 11), (0, 12), (0, 13)]
    assert found.value[0, 11] == 3


def test_a_stuck_value_repeats_for_a_day_and_zeros_are_not_stuck():
    kwh = ordinary()
    kwh[0, 20] = 0.42
    kwh[1, 20:30] = 0
    assert find("stuck", kwh)[1] == [(0, 20)]


def test_a_daily_reading_is_stuck_when_eight_are_alike():
    kwh = ordinary(slots=1)
    kwh[0, 10:18] = 7
    kwh[1, 10:17] = 7
    assert {meter for meter, _day in find("stuck", kwh)[1]} == {0}


def test_usage_is_held_against_the_same_weekday_of_four_weeks():
    kwh = ordinary()
    kwh[0, ::7] *= 4  # every Monday, so it is usual
    kwh[0, 45] *= 5
    kwh[1, 45] *= 0.1
    assert find("high_usage", kwh)[1] == [(0, 45)]
    assert find("low_usage", kwh)[1] == [(1, 45)]


def test_a_half_sent_day_is_not_low():
    kwh = ordinary()
    kwh[1, 45, :12] = np.nan
    assert find("low_usage", kwh)[1] == []


def test_a_clock_that_is_set_two_hours_late_is_a_time_shift():
    kwh = ordinary()
    kwh[0, 42:] = np.roll(kwh[0, 42:], 2, axis=1)
    found, hits = find("time_shift", kwh)
    assert hits
    assert {meter for meter, _day in hits} == {0}
    assert min(day for _meter, day in hits) in range(42, 49)
    assert {found.value[hit] for hit in hits} == {2.0}


def test_people_who_follow_the_clock_on_the_wall_shift_nothing():
    kwh, ahead = ordinary(), np.r_[np.zeros(42, int), np.ones(DAYS - 42, int)]
    kwh[:, 42:] = np.roll(kwh[:, 42:], -1, axis=2)  # an hour earlier in standard time
    assert find("time_shift", kwh, hours_ahead=ahead)[1] == []
    assert find("time_shift", kwh)[1] != []


def test_a_day_that_repeats_another_is_a_duplicate_with_its_distance():
    kwh = ordinary()
    kwh[0, 40:42] = kwh[0, 33:35]
    found, hits = find("duplicate", kwh)
    assert hits == [(0, 40), (0, 41)]
    assert found.value[0, 40] == 7


def test_flat_days_repeat_each_other_without_fault():
    kwh = ordinary()
    kwh[0, 30:] = np.r_[np.full(20, 0.1), np.full(4, 0.2)]
    assert find("duplicate", kwh)[1] == []


def test_two_meters_with_one_curve_have_one_week_key():
    kwh = ordinary(meters=3)
    kwh[2, -9:] = kwh[0, -9:]
    keys, mondays = rules.week_keys(curves(kwh), np.full(3, 24.0))
    assert mondays.tolist() == [49, 49, 49]
    assert keys[0] == keys[2] != keys[1]


def test_a_week_with_a_gap_or_without_change_has_no_key():
    kwh = ordinary(days=7)
    kwh[0, 3, 3] = np.nan
    kwh[1] = 0.1
    assert rules.week_keys(curves(kwh), np.full(2, 24.0))[1].tolist() == [-1, -1]


def test_week_keys_differ_from_week_to_week():
    kwh = np.repeat(ordinary(meters=1, days=7), 2, axis=1).reshape(1, 14, 24)
    kwh[:, 7:] = kwh[:, :7]
    first, both = (rules.week_keys(curves(kwh[:, :days]), np.array([24.0]))[0] for days in (7, 14))
    assert first != both


def test_lengths_of_runs_do_not_run_over_into_the_next_meter():
    flags = np.array([[1, 0, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]], bool)
    assert rules.run_lengths(flags).tolist() == [[1, 0, 2, 2], [2, 2, 0, 0], [0, 0, 0, 0], [4, 4, 4, 4]]


def test_a_window_begins_on_any_day_of_the_week():
    for offset in range(7):
        day = MONDAY + offset
        found = rules.week_keys(
            Curves(ordinary(1, 20), np.ones((1, 20), bool), day, np.zeros(1), np.full(1, 19), np.zeros(20, int)),
            np.array([24.0]),
        )[1]
        assert date.fromisoformat(str(day + int(found[0]))).weekday() == 0
