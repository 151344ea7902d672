"""What is older than it may be kept goes, all of it, and nothing else."""

from datetime import date
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.readings import held, partitions, times
from apps.readings.models import Completeness, LoadProfile, LoadProfileRevision, MeterState, RegisterRead, RejectedLine
from tests.factories import MeterFactory
from tests.readings.files import hours, long_csv, send, stored

pytestmark = pytest.mark.django_db


def forget(*arguments: str) -> str:
    out = StringIO()
    call_command("forget_readings", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture(autouse=True)
def today(monkeypatch):
    monkeypatch.setattr(times, "today", lambda: (date(2026, 3, 20) - date(1970, 1, 1)).days)


@pytest.fixture
def old_and_new():
    """Days on both sides of March 2021, and one that a later upload changed."""
    old = send(long_csv(*hours(day="2021-02-27"), ("M-1", "2021-02-28 00:00", "x")))
    send(long_csv(*hours(day="2021-02-27", values=range(1, 25)), *hours(day="2021-03-01"), *hours(day="2026-03-01")))
    send("meter,date,kwh\nB,2020-12-01,10\nB,2021-01-01,11\nB,2021-03-01,12\n")
    return old


def test_where_there_is_nothing_to_forget_it_is_said():
    send(long_csv(*hours(day="2026-03-01")))
    assert "\n  nothing: all that there is came later\n" in forget("--older-than", "5y", "--dry-run")


def test_a_dry_run_says_what_would_go_and_leaves_it(old_and_new):
    said = forget("--older-than", "5y", "--dry-run")
    assert "before 2021-03-01" in said
    assert "load profiles of 2021-02: 1," in said
    assert "earlier states of load profiles: 1" in said
    assert "register reads: 2" in said
    assert "raw files: 1," in said
    assert "Nothing was changed." in said
    assert (LoadProfile.objects.count(), old_and_new.path.exists()) == (3, True)


def test_what_lies_before_the_month_goes_with_its_raw_file_and_the_rest_stays(old_and_new):
    forget("--older-than", "5y")
    assert date(2021, 2, 1) not in partitions.existing_months()
    assert stored("M-1", "2021-03-01") == [float(hour) for hour in range(24)]
    assert not old_and_new.path.exists()
    assert (LoadProfileRevision.objects.count(), RejectedLine.objects.count()) == (0, 0)
    assert list(RegisterRead.objects.values_list("start", flat=True)) == [date(2021, 3, 1)]
    assert MeterState.objects.get(meter__serial="M-1").first_day == date(2021, 3, 1)


def test_how_complete_forgotten_days_were_goes_too(north):
    counts = {"meters": 1, "silent": 0, "expected": 24, "came": 24}
    for day in (date(2021, 2, 28), date(2021, 3, 1)):
        Completeness.objects.create(zone=north, day=day, **counts)
    assert "completeness of zones: 1" in forget("--older-than", "5y")
    assert Completeness.objects.get().day == date(2021, 3, 1)


def test_registering_a_meter_asks_for_no_file_that_is_forgotten(settings):
    settings.REGISTER_UNKNOWN_METERS = False
    MeterFactory(serial="M-1")
    upload = send(long_csv(*hours(day="2021-02-27"), *hours("M-2", day="2021-02-27")))
    forget("--older-than", "5y")
    MeterFactory(serial="M-2")
    assert (upload.path.exists(), held.release()) == (False, 0)


def test_a_forgotten_month_can_be_sent_again(old_and_new):
    forget("--older-than", "5y")
    send(long_csv(*hours(day="2021-02-26")))
    assert stored("M-1", "2021-02-26")[5] == 5


@pytest.mark.parametrize("wish", ["5", "0y", "five years"])
def test_a_wish_that_is_no_number_of_years_is_refused(wish):
    with pytest.raises(CommandError, match="whole years"):
        forget("--older-than", wish)


def test_without_a_wish_and_a_setting_nothing_is_forgotten(settings):
    with pytest.raises(CommandError, match="READINGS_KEEP_YEARS"):
        forget()
    settings.READINGS_KEEP_YEARS = 5
    assert "before 2021-03-01" in forget("--dry-run")
