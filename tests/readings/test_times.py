"""The utility's standard time: days are stored in it, and detection turns them back to the clock on the wall."""

import pytest

from apps.readings import times


@pytest.mark.parametrize(
    ("zone", "minutes"),
    [
        ("Europe/London", 0),
        ("Europe/Dublin", 0),  # whose law calls summer the standard
        ("Australia/Sydney", 600),
        ("America/Sao_Paulo", -180),  # gave up daylight saving
        ("Europe/Istanbul", 180),  # stayed in summer time for good
        ("Europe/Saratov", 240),  # moved to another zone
        ("Asia/Kolkata", 330),
    ],
)
def test_standard_time_is_the_smaller_offset_of_these_years(settings, zone, minutes):
    settings.UTILITY_TIME_ZONE = zone
    assert times.utility_offset_minutes() == minutes
