import numpy as np

from ml.calendar import from_civil_days, slots_ahead, to_civil_days

SPRING, AUTUMN = np.datetime64("2026-03-28"), np.datetime64("2026-10-24")


def hours_of_three_days():
    return np.arange(72, dtype=np.float32).reshape(1, 3, 24)


def test_nothing_moves_where_the_clock_never_changes():
    ahead = slots_ahead(SPRING, 3, 60, "Etc/GMT-10", 600)
    kwh = hours_of_three_days()
    assert not ahead.any()
    assert to_civil_days(kwh, ahead) is kwh


def test_in_spring_the_hour_that_never_was_is_missing():
    civil = to_civil_days(hours_of_three_days(), slots_ahead(SPRING, 3, 60, "Europe/London", 0))
    assert np.isnan(civil[0, 1, 1])
    assert civil[0, 1, 2] == 25  # what the meter calls one o'clock, the kitchen clock calls two
    assert civil[0, 2, 0] == 47


def test_in_autumn_the_repeated_hour_is_the_mean_of_both():
    civil = to_civil_days(hours_of_three_days(), slots_ahead(AUTUMN, 3, 60, "Europe/London", 0))
    assert civil[0, 1, 1] == (24 + 25) / 2
    assert civil[0, 1, 2] == 26
    assert np.isnan(civil[0, 0, 0])  # its reading lies before the window


def test_a_missing_half_of_the_repeated_hour_leaves_the_other():
    kwh = hours_of_three_days()
    kwh[0, 1, 0] = np.nan
    civil = to_civil_days(kwh, slots_ahead(AUTUMN, 3, 60, "Europe/London", 0))
    assert civil[0, 1, 1] == 25


def test_standard_time_of_another_continent_is_understood():
    ahead = slots_ahead(np.datetime64("2026-01-01"), 2, 30, "Australia/Sydney", 600)
    assert set(ahead.tolist()) == {2}


def test_there_and_back_keeps_the_hours_that_exist():
    civil = np.random.default_rng(1).random((2, 10, 24)).astype(np.float32)
    ahead = slots_ahead(SPRING, 10, 60, "Europe/London", 0)
    back = to_civil_days(from_civil_days(civil, ahead), ahead)
    there = ~np.isnan(back)
    assert there.mean() > 0.99
    assert np.array_equal(back[there], civil[there])


def test_daily_readings_have_no_hours_to_move():
    kwh = np.ones((2, 5, 1), np.float32)
    assert to_civil_days(kwh, slots_ahead(SPRING, 5, 1440, "Europe/London", 0)) is kwh
