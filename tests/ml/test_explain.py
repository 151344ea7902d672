import json
from datetime import date

import numpy as np
import pytest

from ml.reasons import sentence
from tests.ml.conftest import SUSPECT, make_window


def test_a_drop_is_told_with_its_day_its_size_and_the_neighbours(finding, street):
    street[SUSPECT, 80:] *= 0.3
    found = finding()
    assert found.kind == "neighbourhood_deviation"
    assert abs((found.onset_day - date(2026, 3, 26)).days) <= 3
    assert found.reasons[0].code == "drop_beyond_neighbours"
    told = found.reasons[0].params
    assert told["neighbour_percent"] < -5  # the cold spell is over
    assert told["percent"] == pytest.approx(100 - 0.3 * (100 + told["neighbour_percent"]), abs=5)


def test_the_missing_energy_is_what_neighbours_and_past_let_expect(finding, street):
    true = street[SUSPECT, -28:].sum() / 28 * 30
    street[SUSPECT, 80:] *= 0.3
    assert finding().kwh_missing_per_month == pytest.approx(0.7 * true, rel=0.1)


def test_a_run_of_zeros_is_marked_from_its_first_day(finding, street):
    street[SUSPECT, 90:] = 0
    found = finding()
    assert (found.kind, found.onset_day) == ("zero_consumption", date(2026, 4, 5))
    assert [(span.first_day, span.last_day) for span in found.spans] == [(date(2026, 4, 5), date(2026, 5, 4))]
    assert found.reasons[0].params == {"days": 30, "since": "2026-04-05"}


def test_zeros_after_the_contract_ended_are_explained_and_miss_nothing(finding, street):
    street[SUSPECT, 90:] = 0
    active = np.ones((20, 120), bool)
    active[SUSPECT, 92:] = False
    found = finding(contract_active=active)
    assert (found.score, found.level, found.kwh_missing_per_month) == (0, "low", 0)
    assert [reason.code for reason in found.reasons] == ["no_contract"]
    assert found.reasons[0].params == {"since": "2026-04-07"}


def test_use_without_a_contract_is_said(finding, street):
    active = np.ones((20, 120), bool)
    active[SUSPECT, 92:] = False
    assert "use_without_contract" in [reason.code for reason in finding(contract_active=active).reasons]


def test_too_few_days_are_not_scored_and_say_so(finding, street):
    street[SUSPECT, :93] = np.nan
    found = finding()
    assert (found.score, found.level, found.kind, found.parts) == (None, "unscored", None, {})
    assert sentence(found.reasons[0]) == "Too little data to score: 27 days with readings, 28 are needed."
    assert (found.data_from, found.data_until) == (date(2026, 4, 8), date(2026, 5, 4))


def test_a_meter_that_never_reported_is_not_scored(finding, street):
    street[SUSPECT] = np.nan
    found = finding()
    assert (found.level, found.reasons[0].params["days"], found.data_until) == ("unscored", 0, None)


def test_data_until_is_the_last_day_with_readings(finding, street):
    street[SUSPECT, 110:] = np.nan
    assert finding().data_until == date(2026, 4, 24)


def test_a_meter_that_was_always_zero_is_no_more_than_a_remark(finding, street):
    street[SUSPECT] = 0
    found = finding()
    assert found.level in ("low", "medium")
    assert found.reasons[0].code in ("always_zero", "unusual_combination")


def test_the_shares_of_the_reasons_sum_to_one(finding, street):
    street[SUSPECT, 80:] *= 0.2
    assert sum(reason.share for reason in finding().reasons) == pytest.approx(1, abs=0.01)


def test_every_finding_of_a_city_can_be_said_and_sent(ensemble, small_city):
    for found in ensemble.explain(small_city.window()):
        for reason in found.reasons:
            assert sentence(reason)
            json.dumps(reason.params, allow_nan=False)


def test_findings_come_in_the_order_of_the_window(ensemble, street):
    window = make_window(street)
    assert [found.meter for found in ensemble.explain(window)] == window.meters.tolist()
