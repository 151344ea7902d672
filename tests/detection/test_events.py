from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from apps.detection import reasons, scoring, words
from apps.detection.api import risk_of
from apps.detection.models import RiskScore, Standing
from apps.readings.models import LoadProfile, MeterEvent, MeterState
from ml import events as evidence_of
from tests import factories
from tests.neighbourhood import DAYS, FIRST_DAY
from tests.readings.files import long_csv, send

CHANGED = datetime.combine(FIRST_DAY + timedelta(days=50), datetime.min.time(), UTC)
RECENT = datetime.combine(FIRST_DAY + timedelta(days=DAYS - 4), datetime.min.time(), UTC)


def report(consumer, code: str, at: datetime) -> MeterEvent:
    """As an import does: the event, and a revision that makes the meter pending."""
    meter = consumer.installations.get().meter
    event = meter.events.create(code=code, at=at)
    state = MeterState.objects.get(meter=meter)
    state.revision += 1
    state.save()
    return event


def scored(consumer) -> RiskScore:
    scoring.score_pending()
    return Standing.objects.get(consumer=consumer).score


def test_every_kind_that_weighs_something_is_in_our_vocabulary():
    assert set(evidence_of.KINDS) < set(MeterEvent.Code.values)


def test_what_a_meter_reports_alone_is_a_part_of_its_own_and_sends_nobody(neighbourhood, model):
    honest = neighbourhood[9]
    before = scored(honest)
    for code in ("magnetic_field", "cover_opened", "reverse_rotation", "load_side_voltage"):
        event = report(honest, code, RECENT)
    after = scored(honest)
    assert after.level in {"low", "medium"}
    assert after.score == pytest.approx(before.score + evidence_of.MOST_LIFT)
    assert sum(after.parts.values()) == pytest.approx(after.score)
    assert after.parts["events"] == pytest.approx(after.score - before.score)
    assert sum(reason["share"] for reason in after.reasons) == pytest.approx(1, abs=0.01)
    assert "magnetic field" in reasons.summary(after)
    assert "on the curve alone" in risk_of(after)["notes"][-1]["sentence"]
    assert {"id": event.pk, "weight": 0.477, "why": "counts"} in after.events


def test_an_event_when_the_curve_changed_lifts_more_than_one_long_after(neighbourhood, model):
    consumer = neighbourhood[11]
    meter = consumer.installations.get().meter
    for profile in LoadProfile.objects.filter(meter=meter, day__gt=CHANGED.date()):
        profile.kwh = (np.array(profile.kwh) * 0.7).tolist()
        profile.save()
    curve = scored(consumer).score
    report(consumer, "terminal_cover_opened", RECENT)
    late = scored(consumer)
    MeterEvent.objects.all().delete()
    report(consumer, "terminal_cover_opened", CHANGED)
    then = scored(consumer)
    assert curve <= late.score < then.score <= curve + evidence_of.MOST_LIFT
    assert then.reasons[0]["code"] == "event_with_change" or curve > 0.5
    assert then.events[0]["why"] == "with_change"


def test_a_file_of_events_is_enough_for_a_new_score(neighbourhood, model):
    honest = neighbourhood[9]
    before = scored(honest)
    serial = honest.installations.get().meter.serial
    send(long_csv((serial, f"{RECENT:%Y-%m-%d %H:%M}", 42), header="meter,time,event_code"))
    after = scored(honest)
    assert (after.run_id > before.run_id, after.events[0]["why"]) == (True, "counts")


def test_a_storm_behind_a_transformer_moves_no_score_and_says_why(neighbourhood, model):
    street = neighbourhood[::2]
    before = scored(street[5]).score
    for minute, consumer in enumerate(street[:14]):
        report(consumer, "cover_opened", RECENT + timedelta(minutes=minute // 3))
    after = scored(street[5])
    assert after.score == pytest.approx(before)
    assert "events" not in after.parts
    (kept,) = after.events
    code = street[5].connections.get().transformer.code
    expected = f"14 of 16 meters behind transformer {code} reported it within 4 minutes: a common cause, no tamper"
    assert words.event_note(kept) == expected


def test_a_storm_in_a_zone_without_known_transformers_is_seen_by_zone(neighbourhood, model):
    from apps.grid.models import Connection

    Connection.objects.all().delete()
    for consumer in neighbourhood[:25]:
        report(consumer, "cover_opened", RECENT)
    (kept,) = scored(neighbourhood[3]).events
    assert words.event_note(kept).startswith("25 of 32 meters in zone North reported it in the same minute")


def test_an_inspection_answers_what_the_meter_reported_before(neighbourhood, model):
    honest = neighbourhood[9]
    factories.InspectionFactory(consumer=honest, outcome="nothing_found", inspected_on=RECENT.date() + timedelta(2))
    report(honest, "magnetic_field", RECENT - timedelta(days=9))
    (kept,) = scored(honest).events
    assert (kept["why"], kept["weight"]) == ("settled", 0)


def test_what_a_meter_reported_at_another_consumer_is_no_evidence_here(neighbourhood, model):
    from apps.grid.models import Installation

    Installation.objects.filter(consumer=neighbourhood[9]).update(valid=(FIRST_DAY + timedelta(days=20), None))
    report(neighbourhood[9], "magnetic_field", datetime.combine(FIRST_DAY, datetime.min.time(), UTC))
    assert scored(neighbourhood[9]).events == []
