"""From changed readings to stored hits, estimates and completeness."""

from contextlib import closing
from datetime import date, timedelta

import numpy as np
import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateRange
from django.test.utils import CaptureQueriesContext

from apps.readings.merge import raise_revisions
from apps.readings.models import (
    Channel,
    Completeness,
    Estimate,
    LoadProfile,
    MeterState,
    RegisterRead,
    ValidationHit,
    ValidationRule,
    ValidationShard,
)
from apps.readings.profiles import EPOCH, read_window
from apps.readings.quality import Quality
from apps.readings.tasks import import_pending, validate_pending
from apps.readings.validation import checking, running
from tests import factories
from tests.readings.files import hours, long_csv, send
from tests.readings.test_validation_rules import ordinary

pytestmark = pytest.mark.django_db
JANUARY = date(2026, 1, 5)  # a Monday
DAYS = 42


@pytest.fixture
def meters(north):
    """Two meters in the north with six weeks of ordinary days, not stored yet."""
    return [factories.InstallationFactory(consumer__zone=north).meter for _ in range(2)]


def day(number):
    return JANUARY + timedelta(days=number)


def store(meters, kwh, first_day=JANUARY):
    for meter, curve in zip(meters, kwh, strict=True):
        factories.store_profiles(meter, first_day, curve)


def touch(meter, first, last=None):
    """Days of the meter that are said to have changed, by their numbers."""
    days = np.array([(day(number) - EPOCH).days for number in (first, first if last is None else last)])
    raise_revisions(np.full(2, meter.pk), days, 60)


def hits(rule=None):
    found = ValidationHit.objects.filter(rule=rule) if rule else ValidationHit.objects.all()
    return list(found.order_by("meter", "rule", "day").values_list("meter_id", "rule", "day", "last_day"))


def test_days_that_follow_each_other_are_one_hit(meters):
    kwh = ordinary(days=DAYS)
    kwh[0, 10:20] = 0
    store(meters, kwh)
    assert validate_pending() == 2
    assert hits("zeros") == [(meters[0].pk, "zeros", day(10), day(19))]
    assert ValidationHit.objects.get(rule="zeros").value == 10
    assert not running.pending().exists()
    assert not ValidationShard.objects.exists()


def test_validating_twice_changes_nothing(meters):
    kwh = ordinary(days=DAYS)
    kwh[0, 10:20] = 0
    kwh[1, 30, 4:9] = np.nan
    store(meters, kwh)
    validate_pending()
    before = hits(), list(Estimate.objects.values_list("meter_id", "day", "slots", "kwh"))
    for first, last in ((0, DAYS - 1), (15, 15), (30, 31), (DAYS - 1, DAYS - 1)):
        touch(meters[0], first, last)
        touch(meters[1], first, last)
        assert validate_pending() == 2
        assert (hits(), list(Estimate.objects.values_list("meter_id", "day", "slots", "kwh"))) == before


def test_a_dead_meter_stays_one_row_day_by_day(meters):
    kwh = ordinary(days=DAYS)
    kwh[0, 20:] = 0
    store(meters[:1], kwh[:1, :30])
    validate_pending()
    for number in range(30, 34):
        factories.store_profiles(meters[0], day(number), kwh[0, number : number + 1])
        MeterState.objects.filter(meter=meters[0]).update(first_day=JANUARY, validated_revision=0)
        touch(meters[0], number)
        validate_pending()
    assert hits("zeros") == [(meters[0].pk, "zeros", day(20), day(33))]


def test_a_hit_goes_when_the_readings_are_mended(meters):
    kwh = ordinary(days=DAYS)
    kwh[0, 10:20] = 0
    store(meters, kwh)
    validate_pending()
    mended = ordinary(days=DAYS)[0]
    for number in range(12, 17):
        LoadProfile.objects.filter(meter=meters[0], day=day(number)).update(kwh=mended[number].tolist())
    touch(meters[0], 12, 16)
    validate_pending()
    assert hits("zeros") == [(meters[0].pk, "zeros", day(17), day(19))]  # two days before are too short


def test_an_import_says_which_days_to_validate(rung):
    send(long_csv(*hours(day="2026-03-01"), *hours(day="2026-03-02")))
    send(long_csv(*hours(day="2026-03-05")))
    state = MeterState.objects.get()
    assert (state.unvalidated_from, state.unvalidated_until) == (date(2026, 3, 1), date(2026, 3, 5))
    assert validate_pending() == 1
    state.refresh_from_db()
    assert (state.unvalidated_from, state.validated_revision) == (None, state.revision)
    assert hits("gap") == [(state.meter_id, "gap", date(2026, 3, 3), date(2026, 3, 4))]
    assert import_pending() == validate_pending() == 0


def test_what_changes_while_it_is_validated_stays_pending(meters, monkeypatch):
    store(meters, ordinary(days=DAYS))
    check = checking.check

    def check_while_readings_come(waiting):
        found = check(waiting)
        touch(meters[1], 3)
        monkeypatch.setattr(checking, "check", check)
        return found

    monkeypatch.setattr(checking, "check", check_while_readings_come)
    shard_of = running.cut() and ValidationShard.objects.get()
    assert running.attempt(shard_of) == 1
    assert list(running.pending().values_list("meter", flat=True)) == [meters[1].pk]


def test_a_rule_that_is_set_while_days_are_checked_is_not_lost(meters, monkeypatch):
    kwh = ordinary(days=DAYS)
    kwh[0, 10:12] = 0
    store(meters, kwh)
    check = checking.check

    def check_while_somebody_sets_a_rule(waiting):
        found = check(waiting)
        ValidationRule.objects.create(rule="zeros", limits={"days": 2})
        running.validate_again(None)
        monkeypatch.setattr(checking, "check", check)
        return found

    monkeypatch.setattr(checking, "check", check_while_somebody_sets_a_rule)
    assert validate_pending() == 2
    assert hits("zeros") == [(meters[0].pk, "zeros", day(10), day(11))]


def test_a_shard_that_fails_three_times_is_parked_and_the_others_go_on(meters, monkeypatch):
    store(meters, ordinary(days=DAYS))
    check = checking.check

    def stumble(waiting):
        if meters[0].pk in waiting.meters:
            raise ValueError("a reading of 1.234 kWh")
        return check(waiting)

    monkeypatch.setattr(checking, "check", stumble)
    monkeypatch.setattr(running, "CELLS", 1)
    assert validate_pending() == 1
    assert [validate_pending() for _ in range(3)] == [0, 0, 0]
    parked = ValidationShard.objects.get()
    assert (parked.status, parked.error, parked.meter_ids) == ("failed", "ValueError", [meters[0].pk])
    monkeypatch.setattr(checking, "check", check)
    running.retry()
    assert validate_pending() == 1


def test_meters_do_not_stand_still_with_one_whose_days_cannot_be_checked(north, monkeypatch):
    meters = [factories.InstallationFactory(consumer__zone=north).meter for _ in range(4)]
    store(meters, ordinary(4, 10))
    check = checking.check

    def stumble(waiting):
        if meters[2].pk in waiting.meters:
            raise ValueError
        return check(waiting)

    monkeypatch.setattr(checking, "check", stumble)
    assert sum(validate_pending() for _ in range(3 * 3)) == 3
    parked = ValidationShard.objects.get()
    assert (parked.status, parked.meter_ids) == ("failed", [meters[2].pk])


def test_it_looks_up_after_some_seconds_and_rings_for_the_rest(
    meters, monkeypatch, rung, django_capture_on_commit_callbacks
):
    store(meters, ordinary(days=DAYS))
    monkeypatch.setattr(running, "CELLS", 1)
    monkeypatch.setattr(running, "SECONDS_AT_ONCE", 0)
    with django_capture_on_commit_callbacks(execute=True):
        assert validate_pending() == 1
    assert rung == ["readings.validate_pending"]


def test_one_worker_validates_at_a_time(meters):
    store(meters, ordinary(days=10))
    with closing(connection.copy()) as another:
        another.cursor().execute("SELECT pg_advisory_lock(hashtext('readings.validating'))")
        assert validate_pending() == 0
        another.cursor().execute("SELECT pg_advisory_unlock_all()")
    assert validate_pending() == 2


def test_hits_beyond_what_a_withdrawal_left_go(meters):
    kwh = ordinary(days=DAYS)
    kwh[0, 30:] = 0
    store(meters[:1], kwh[:1])
    validate_pending()
    assert hits("zeros")
    LoadProfile.objects.filter(day__gte=day(20)).delete()
    touch(meters[0], 20, DAYS - 1)
    MeterState.objects.update(last_day=day(19))
    validate_pending()
    assert hits() == []
    assert Completeness.objects.latest("day").day == day(19)


def test_two_thousand_meters_take_no_more_questions_than_twenty(north):
    def questions(many):
        meters = [factories.InstallationFactory(consumer__zone=north).meter for _ in range(many)]
        store(meters, ordinary(meters=many, days=10))
        with CaptureQueriesContext(connection) as asked:
            validate_pending()
        return len(asked)

    questions(2)  # whose curves all that follow repeat, so that there are hits to count
    assert questions(3) == questions(12)


def test_limits_of_the_zone_win_over_those_of_everywhere(meters, south):
    third = factories.InstallationFactory(consumer__zone=south).meter
    everyone = [*meters, third]
    kwh = ordinary(meters=3, days=DAYS)
    kwh[:, 10:12] = 0
    store(everyone, kwh)
    ValidationRule.objects.create(zone=None, rule="zeros", limits={"days": 2})
    ValidationRule.objects.create(zone=south, rule="zeros", limits={"days": 4})
    ValidationRule.objects.create(zone=south, rule="low_usage", enabled=False)
    validate_pending()
    assert [meter for meter, *_ in hits("zeros")] == [meter.pk for meter in meters]
    assert third.pk not in [meter for meter, *_ in hits("low_usage")]


def test_a_long_silence_is_one_gap_once_the_meter_speaks_again(meters):
    kwh = ordinary(days=100)
    store(meters[:1], kwh[:1, :10])
    validate_pending()
    factories.store_profiles(meters[0], day(90), kwh[0, 90:])
    MeterState.objects.update(first_day=JANUARY, validated_revision=0)
    touch(meters[0], 90, 99)
    validate_pending()
    assert hits("gap") == [(meters[0].pk, "gap", day(10), day(89))]


def test_days_that_are_filled_in_before_others_leave_a_gap_between(meters):
    kwh = ordinary(days=100)
    factories.store_profiles(meters[0], day(90), kwh[0, 90:])
    validate_pending()
    store(meters[:1], kwh[:1, :10])
    MeterState.objects.update(last_day=day(99), validated_revision=0)
    touch(meters[0], 0, 9)
    validate_pending()
    assert hits("gap") == [(meters[0].pk, "gap", day(10), day(89))]


def test_a_meter_that_only_gives_energy_away_has_no_gap(meters):
    factories.store_profiles(meters[0], JANUARY, ordinary(1, 160)[0])
    LoadProfile.objects.update(channel=Channel.EXPORT)
    validate_pending()
    touch(meters[0], 80)
    validate_pending()
    assert hits() == []


def test_days_on_a_shelf_between_two_consumers_are_no_gap_and_get_no_estimate(north):
    first = factories.InstallationFactory(consumer__zone=north, valid=DateRange(None, day(30)))
    factories.InstallationFactory(consumer__zone=north, meter=first.meter, valid=DateRange(day(33), None))
    kwh = ordinary(1, DAYS)
    kwh[0, 30:34] = np.nan
    store([first.meter], kwh)
    validate_pending()
    assert hits() == [(first.meter.pk, "gap", day(33), day(33))]
    assert not Estimate.objects.exists()  # at neither consumer do these days lie between two readings


def test_a_meter_that_moved_is_not_held_against_the_habits_of_whom_it_measured_before(north):
    meter = factories.MeterFactory()
    for since, until in ((None, 40), (40, 55), (55, None)):
        days = DateRange(since and day(since), until and day(until))
        factories.InstallationFactory(consumer__zone=north, meter=meter, valid=days)
    kwh = ordinary(1, 60)
    kwh[0, 40:55] *= 9
    kwh[0, 55:] *= 0.05
    kwh[0, 45, 3:6] = np.nan
    store([meter], kwh)
    validate_pending()
    assert [(rule, first, last) for _meter, rule, first, last in hits()] == [("gap", day(45), day(45))]


def test_a_register_that_says_more_than_its_intervals_is_hit(meters):
    kwh = ordinary(days=DAYS)
    store(meters, kwh)
    month = kwh[:, 3:33].sum((1, 2), dtype=float)
    upload = factories.UploadFactory()
    for meter, said in zip(meters, (month[0] * 1.1, month[1] + 0.5), strict=True):
        RegisterRead.objects.create(meter=meter, start=day(3), end=day(32), kwh=round(said, 3), upload=upload)
    validate_pending()
    assert hits("register") == [(meters[0].pk, "register", day(3), day(32))]
    hit = ValidationHit.objects.get(rule="register")
    assert hit.value == pytest.approx(month[0] * 0.1, rel=1e-3)


def test_a_period_with_missing_readings_is_not_held_against_the_register(meters):
    kwh = ordinary(days=DAYS)
    kwh[:, 5, 5] = np.nan
    store(meters, kwh)
    RegisterRead.objects.create(meter=meters[0], start=day(3), end=day(32), kwh=9999, upload=factories.UploadFactory())
    validate_pending()
    assert hits("register") == []


def test_a_register_that_ran_backwards_is_negative(meters):
    store(meters, ordinary(days=DAYS))
    RegisterRead.objects.create(meter=meters[1], start=day(3), end=day(32), kwh=-5, upload=factories.UploadFactory())
    validate_pending()
    assert hits("negative") == [(meters[1].pk, "negative", day(3), day(32))]


def test_two_serials_with_one_curve_are_both_hit_whoever_came_first(meters):
    kwh = ordinary(days=DAYS)
    kwh[1] = kwh[0]
    store(meters[:1], kwh[:1])
    validate_pending()
    assert hits("same_curve") == []
    store(meters[1:], kwh[1:])
    validate_pending()
    assert hits("same_curve") == [(meter.pk, "same_curve", day(35), day(41)) for meter in meters]


def mend(meter, first, last, times=1.1):
    for row in LoadProfile.objects.filter(meter=meter, day__range=(day(first), day(last))):
        LoadProfile.objects.filter(meter=meter, day=row.day).update(kwh=[kwh * times for kwh in row.kwh])
    touch(meter, first, last)


def test_a_curve_that_is_mended_leaves_its_twin_unhit_too(north):
    meters = [factories.InstallationFactory(consumer__zone=north).meter for _ in range(3)]
    kwh = ordinary(meters=3, days=DAYS)
    kwh[1:] = kwh[0]
    store(meters, kwh)
    validate_pending()
    for left, times in ((2, 1.1), (0, 1.2)):
        mend(meters[left], 35, 41, times)
        validate_pending()
        assert [meter for meter, *_ in hits("same_curve")] == [meter.pk for meter in meters[:left]]


def test_twins_of_a_week_stay_hit_when_the_next_week_comes(meters):
    kwh = ordinary(days=DAYS + 7)
    kwh[1, :DAYS] = kwh[0, :DAYS]
    store(meters, kwh[:, :DAYS])
    validate_pending()
    for meter, curve in zip(meters, kwh, strict=True):
        factories.store_profiles(meter, day(DAYS), curve[DAYS:])
        MeterState.objects.filter(meter=meter).update(first_day=JANUARY, validated_revision=0)
        touch(meter, DAYS, DAYS + 6)
    validate_pending()
    assert hits("same_curve") == [(meter.pk, "same_curve", day(35), day(41)) for meter in meters]


def test_days_mended_long_after_hide_no_twin_of_the_last_week(meters):
    kwh = ordinary(days=100)
    kwh[1, 80:] = kwh[0, 80:]
    store(meters[:1], kwh[:1])
    validate_pending()
    mend(meters[0], 3, 3)
    validate_pending()
    store(meters[1:], kwh[1:])
    validate_pending()
    assert [meter for meter, *_ in hits("same_curve")] == [meter.pk for meter in meters]


def test_a_short_gap_is_estimated_beside_the_readings(meters):
    kwh = ordinary(days=DAYS)
    kwh[0, 30, 4] = kwh[0, 35, 8:14] = np.nan
    store(meters, kwh)
    validate_pending()
    made = list(Estimate.objects.order_by("day").values_list("meter_id", "method", "day", "slots"))
    assert made == [(meters[0].pk, "linear", day(30), 1), (meters[0].pk, "history", day(35), 6)]
    row = LoadProfile.objects.get(meter=meters[0], day=day(35))
    np.testing.assert_array_equal(np.isnan(row.kwh), np.isnan(kwh[0, 35]))
    np.testing.assert_array_equal(np.isnan(row.estimated_kwh), ~np.isnan(kwh[0, 35]))
    assert LoadProfile.objects.exclude(estimated_kwh=None).count() == 2


def test_a_day_without_any_reading_gets_a_row_that_says_nothing_but_an_estimate(meters):
    kwh = ordinary(days=DAYS)
    store(meters, kwh)
    LoadProfile.objects.filter(meter=meters[0], day__in=[day(30), day(31)]).delete()
    validate_pending()
    row = LoadProfile.objects.get(meter=meters[0], day=day(30))
    assert np.isnan(row.kwh).all()
    assert np.sum(row.estimated_kwh) == pytest.approx(kwh[0, 30].sum(), rel=0.2)
    assert row.upload_id == LoadProfile.objects.get(meter=meters[0], day=day(29)).upload_id
    # The day comes after all, and the placeholder goes.
    LoadProfile.objects.filter(meter=meters[0], day=day(30)).update(kwh=kwh[0, 30].tolist())
    LoadProfile.objects.filter(meter=meters[0], day=day(29)).update(kwh=[float("nan")] * 24)
    touch(meters[0], 29, 30)
    validate_pending()
    assert LoadProfile.objects.get(meter=meters[0], day=day(30)).estimated_kwh is None
    assert LoadProfile.objects.get(meter=meters[0], day=day(29)).estimated_kwh is not None


def test_a_window_never_holds_an_estimate(meters):
    kwh = ordinary(days=DAYS)
    kwh[0, 30] = np.nan
    store(meters, kwh)
    validate_pending()
    for measured_only in (False, True):
        stored = read_window([meters[0].pk], JANUARY, day(DAYS - 1), measured_only=measured_only).kwh[0]
        np.testing.assert_array_equal(np.isnan(stored), np.isnan(kwh[0]))


def test_a_day_that_comes_late_counts_as_new_although_it_was_estimated(meters):
    kwh = ordinary(days=DAYS)
    store(meters, kwh)
    LoadProfile.objects.filter(meter=meters[0], day=day(30)).delete()
    validate_pending()
    upload = send(long_csv(*hours(meters[0].serial, day(30).isoformat(), np.arange(24) / 10)))
    assert (upload.days_new, upload.days_changed) == (1, 0)
    assert LoadProfile.objects.get(meter=meters[0], day=day(30)).estimated_kwh is None


def test_completeness_counts_what_came_of_what_should(meters, north):
    kwh = ordinary(days=DAYS)
    kwh[0, 10, 12:] = np.nan
    store(meters, kwh)
    LoadProfile.objects.filter(meter=meters[1], day=day(11)).delete()
    validate_pending()
    counted = {one.day: one for one in Completeness.objects.filter(zone=north)}
    assert len(counted) == DAYS
    assert [(counted[day(n)].came, counted[day(n)].expected, counted[day(n)].silent) for n in (9, 10, 11)] == [
        (48, 48, 0),
        (36, 48, 0),
        (24, 48, 1),
    ]


def test_a_day_on_which_a_whole_zone_was_silent_counts(meters):
    kwh = ordinary(days=DAYS)
    store(meters, kwh[:, :10])
    validate_pending()
    for meter, curve in zip(meters, kwh, strict=True):
        factories.store_profiles(meter, day(12), curve[12:14])
        MeterState.objects.filter(meter=meter).update(first_day=JANUARY, validated_revision=0)
        touch(meter, 12, 13)
    validate_pending()
    counted = {one.day: (one.came, one.expected, one.silent) for one in Completeness.objects.all()}
    assert [counted.get(day(number)) for number in range(9, 13)] == [(48, 48, 0), (0, 48, 2), (0, 48, 2), (48, 48, 0)]


def test_days_that_a_withdrawal_left_to_nobody_are_not_counted_any_more(meters):
    store(meters[:1], ordinary(1, 20))
    validate_pending()
    LoadProfile.objects.filter(day__lt=day(10)).delete()
    MeterState.objects.update(first_day=day(10))
    touch(meters[0], 0, 9)
    MeterState.objects.update(first_day=day(10))
    validate_pending()
    assert Completeness.objects.earliest("day").day == day(10)


def test_a_dry_run_counts_and_stores_nothing(meters, north):
    kwh = ordinary(days=DAYS)
    kwh[0, 20:24] = 0
    store(meters, kwh)
    waiting = running.waiting(list(MeterState.objects.order_by("meter_id")), 60)
    for days, expected in ((3, (4, 1)), (5, (0, 0))):
        rows = [ValidationRule(zone=north, rule="zeros", limits={"days": days})]
        assert checking.dry_run(waiting, north.pk, [rows])[0]["zeros"] == expected
    assert not ValidationHit.objects.exists()


def test_another_limit_has_the_zones_meters_validated_again(meters, south, north):
    elsewhere = factories.InstallationFactory(consumer__zone=south).meter
    store([*meters, elsewhere], ordinary(meters=3, days=10))
    validate_pending()
    running.validate_again(north.pk)
    assert set(running.pending().values_list("meter", flat=True)) == {meter.pk for meter in meters}


def test_a_meter_that_was_replaced_is_validated_again_with_its_zone(north, consumer):
    old = factories.InstallationFactory(consumer=consumer, valid=DateRange(None, day(10))).meter
    new = factories.InstallationFactory(consumer=consumer, valid=DateRange(day(10), None)).meter
    for meter in (old, new):
        factories.store_profiles(meter, JANUARY, ordinary(1, 10)[0])
    validate_pending()
    running.validate_again(north.pk)
    assert set(running.pending().values_list("meter", flat=True)) == {old.pk, new.pk}


def at_two_intervals(meter):
    """Four weeks of a meter's days in quarters of an hour, then one in hours."""
    factories.store_profiles(meter, JANUARY, np.full((28, 96), 0.1))
    factories.store_profiles(meter, day(28), np.full((1, 24), 0.4))
    MeterState.objects.update(first_day=JANUARY, interval_minutes=60)


def test_an_estimate_rests_on_no_value_that_the_sender_estimated_at_a_finer_interval_either(meters):
    at_two_intervals(meters[0])
    LoadProfile.objects.filter(day__lt=day(20)).update(kwh=[9.0] * 96, quality=[Quality.ESTIMATED_BY_SENDER] * 96)
    LoadProfile.objects.filter(day=day(27)).delete()
    validate_pending()
    assert LoadProfile.objects.get(day=day(27)).estimated_kwh == pytest.approx([0.4] * 24)


def test_a_day_at_a_finer_interval_that_takes_no_estimate_is_not_said_to_have_one(meters):
    at_two_intervals(meters[0])
    LoadProfile.objects.filter(day=day(27)).update(kwh=[0.1] * 40 + [float("nan")] * 4 + [0.1] * 52)
    validate_pending()
    assert not Estimate.objects.exists()
    assert not LoadProfile.objects.exclude(estimated_kwh=None).exists()


def test_a_meter_that_was_set_from_ten_minutes_to_fifteen_is_checked_at_the_thirty_both_have():
    for first, step in ((0, 10), (3, 15)):
        clocks = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(0, 1440, step)]
        send(long_csv(*(("M-1", f"{day(n)} {clock}", 0) for n in range(first, first + 3) for clock in clocks)))
    assert MeterState.objects.get().interval_minutes == 30
    assert validate_pending() == 1
    assert [(first, last) for _meter, _rule, first, last in hits("zeros")] == [(day(0), day(5))]
