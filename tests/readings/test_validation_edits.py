"""What people say of a day: flags and estimates change, readings never."""

from datetime import date, timedelta

import numpy as np
import pytest
from django.urls import reverse

from apps.detection import windows
from apps.readings.models import LoadProfile, MeterState, ReadingEdit
from apps.readings.profiles import read_window
from apps.readings.tasks import validate_pending
from apps.readings.validation import edits
from tests import factories
from tests.readings.files import hours, long_csv, send
from tests.readings.test_validation_rules import ordinary

pytestmark = pytest.mark.django_db
JANUARY, DAYS = date(2026, 1, 5), 42
DAY = JANUARY + timedelta(days=30)


@pytest.fixture
def meter(consumer):
    meter = factories.InstallationFactory(consumer=consumer).meter
    factories.store_profiles(meter, JANUARY, ordinary(1, DAYS)[0])
    validate_pending()
    return meter


def row():
    return LoadProfile.objects.get(day=DAY)


def test_a_substituted_day_keeps_its_readings_and_is_measured_no_more(meter, sam):
    sent = row().kwh
    edits.edit(meter=meter, day=DAY, verb="substitute", note="meter was swapped", by=sam)
    assert row().kwh == sent
    assert np.sum(row().estimated_kwh) == pytest.approx(np.sum(sent), rel=0.3)
    measured = read_window([meter.pk], DAY, DAY, measured_only=True)
    assert np.isnan(measured.kwh).all()


def test_neither_a_score_nor_a_training_sees_an_estimate(meter, sam, consumer):
    LoadProfile.objects.filter(day=DAY + timedelta(days=3)).delete()
    state = MeterState.objects.get()
    edits.edit(meter=meter, day=DAY, verb="substitute", note="", by=sam)
    MeterState.objects.update(validated_revision=0, unvalidated_from=None)
    validate_pending()
    assert LoadProfile.objects.exclude(estimated_kwh=None).count() == 2
    (drawn,) = windows.read([consumer.pk])  # what both read
    unknown = np.isnan(drawn.window.kwh[0]).all(1)
    assert np.flatnonzero(unknown).tolist() == [30, 33]
    assert MeterState.objects.get().revision > state.revision  # scored again without that day


def test_a_suspect_day_is_still_measured_as_its_oddness_may_be_the_theft(meter, sam):
    edits.edit(meter=meter, day=DAY, verb="suspect", note="", by=sam)
    assert set(row().quality) == {2}
    assert np.isfinite(read_window([meter.pk], DAY, DAY, measured_only=True).kwh).all()


def test_undoing_puts_everything_back(meter, sam):
    before = row().quality, row().estimated_kwh
    first = edits.edit(meter=meter, day=DAY, verb="suspect", note="", by=sam)
    second = edits.edit(meter=meter, day=DAY, verb="substitute", note="", by=sam)
    with pytest.raises(edits.EditRefused, match="undo that first"):
        edits.undo(edit=first, by=sam)
    for one in (second, first):
        edits.undo(edit=one, by=sam)
    assert (row().quality, row().estimated_kwh) == before
    with pytest.raises(edits.EditRefused):
        edits.undo(edit=first, by=sam)


def test_validation_leaves_a_persons_estimate_alone(meter, sam):
    edits.edit(meter=meter, day=DAY, verb="substitute", note="", by=sam)
    estimated = row().estimated_kwh
    validate_pending()
    assert row().estimated_kwh == estimated


def test_a_day_that_is_sent_again_is_a_new_day(meter, sam):
    done = edits.edit(meter=meter, day=DAY, verb="substitute", note="", by=sam)
    send(long_csv(*hours(meter.serial, DAY.isoformat(), np.arange(24) / 10)))
    assert row().estimated_kwh is None
    with pytest.raises(edits.EditRefused, match="sent again"):
        edits.undo(edit=done, by=sam)


def test_what_a_person_said_outlives_the_same_values_sent_again(sam):
    """Files overlap: each brings some days once more."""
    days = [JANUARY + timedelta(days=number) for number in range(22)]
    lines = {day: hours("M-1", day.isoformat(), 1 + np.arange(24) % 7 / 10) for day in days}
    send(long_csv(*(line for day in days for line in lines[day])))
    meter, (marked, replaced) = MeterState.objects.get().meter, days[20:]
    edits.edit(meter=meter, day=marked, verb="suspect", note="", by=sam)
    done = edits.edit(meter=meter, day=replaced, verb="substitute", note="", by=sam)
    again = send(long_csv(*lines[days[19]], *lines[marked], *lines[replaced]))
    assert (again.days_same, again.days_changed) == (3, 0)
    assert set(LoadProfile.objects.get(day=marked).quality) == {2}
    assert LoadProfile.objects.get(day=replaced).estimated_kwh is not None
    edits.undo(edit=done, by=sam)
    assert LoadProfile.objects.get(day=replaced).quality is None


def test_without_readings_there_is_nothing_to_edit_and_without_weeks_before_no_estimate(meter, sam):
    with pytest.raises(edits.EditRefused, match="nothing to edit"):
        edits.edit(meter=meter, day=JANUARY - timedelta(days=1), verb="suspect", note="", by=sam)
    with pytest.raises(edits.EditRefused, match="no estimate"):
        edits.edit(meter=meter, day=JANUARY, verb="substitute", note="", by=sam)


def test_a_meter_set_to_a_finer_interval_has_its_day_estimated_from_the_days_since(sam, consumer):
    meter = factories.InstallationFactory(consumer=consumer).meter
    factories.store_profiles(meter, JANUARY - timedelta(days=7), np.full((7, 24), 9))
    factories.store_profiles(meter, JANUARY, np.full((15, 96), 0.1))
    edits.edit(meter=meter, day=JANUARY + timedelta(days=14), verb="substitute", note="", by=sam)
    assert LoadProfile.objects.latest("day").estimated_kwh == pytest.approx([0.1] * 96)
    with pytest.raises(edits.EditRefused, match="no estimate"):
        edits.edit(meter=meter, day=JANUARY + timedelta(days=3), verb="substitute", note="", by=sam)


def edit_by_page(client, consumer, **more):
    return client.post(reverse("reading_edit", args=[consumer.number]), {"day": DAY, "verb": "suspect"} | more)


def test_a_supervisor_edits_and_undoes_on_the_consumers_page(client, meter, consumer, sam):
    client.force_login(sam)
    response = edit_by_page(client, consumer, note="clock was set")
    assert response.url == f"{reverse('consumer', args=[consumer.number])}?day={DAY}"
    text = client.get(response.url).content.decode()
    assert "clock was set" in text
    assert "4 Feb 2026 marked as suspect by sam" in text
    client.post(reverse("reading_edit_undo", args=[ReadingEdit.objects.get().pk]))
    assert ReadingEdit.objects.get().undone_by == sam
    assert row().quality is None


def test_who_may_not_edit_is_refused_and_another_zone_finds_nothing(client, meter, consumer, ines, south):
    client.force_login(ines)
    assert edit_by_page(client, consumer).status_code == 403
    southern = factories.UserFactory(username="sue", roles=["Supervisors"], zones=[south])
    client.force_login(southern)
    assert edit_by_page(client, consumer).status_code == 404


@pytest.mark.parametrize("wrong", [{"day": "yesterday"}, {"day": ""}, {"verb": "delete"}, {"day": "2020-01-01"}])
def test_a_wrong_wish_is_answered_with_words(client, meter, consumer, sam, wrong):
    client.force_login(sam)
    assert edit_by_page(client, consumer, **wrong).status_code == 302
    assert not ReadingEdit.objects.exists()
