import numpy as np
import pytest

from ml.evidence import Neighbourhood, blocks, fill_gaps, reference_length, reference_mask, without_outages
from tests.ml.conftest import SUSPECT, make_street, make_window


def evidence_of(kwh, **changes):
    return Neighbourhood(make_window(kwh, **changes)).evidence(slice(None))


def test_negative_readings_and_days_without_a_contract_are_missing(street):
    street[SUSPECT, 3, 5] = -1
    active = np.ones(street.shape[:2], bool)
    active[SUSPECT, 100:] = False
    kwh = evidence_of(street, contract_active=active).kwh
    assert np.isnan(kwh[SUSPECT, 3, 5])
    assert np.isnan(kwh[SUSPECT, 100:]).all()
    assert np.isnan(kwh).sum() == 1 + 20 * 24


@pytest.mark.parametrize(("days", "length"), [(0, 0), (10, 10), (28, 14), (60, 20), (84, 28), (160, 40), (400, 56)])
def test_the_honest_past_is_a_quarter_of_a_long_history_and_a_third_of_a_short_one(days, length):
    assert reference_length(days) == length


def test_the_honest_past_begins_with_a_meters_own_first_day():
    usable = np.ones((3, 120), bool)
    usable[1, :30] = False
    usable[2] = False
    reference = reference_mask(usable)
    assert [np.flatnonzero(row)[[0, -1]].tolist() for row in reference[:2]] == [[0, 29], [30, 57]]
    assert not reference[2].any()


def test_what_a_meter_does_is_not_held_against_it_as_its_neighbours_doing(street):
    before = evidence_of(street).peer_level[SUSPECT]
    street[SUSPECT, 60:] = 0
    assert np.array_equal(evidence_of(street).peer_level[SUSPECT], before)


def test_the_neighbours_level_is_relative_to_their_own_past(street):
    before = evidence_of(street).peer_level[SUSPECT]
    street[:, 60:] *= 0.5
    after = evidence_of(street).peer_level[SUSPECT]
    assert before[:30].mean() == pytest.approx(1, abs=0.1)
    assert after[60:] == pytest.approx(0.5 * before[60:])


def test_a_meter_without_neighbours_has_a_level_of_one(street):
    assert (evidence_of(street[:1]).peer_level == 1).all()


def test_evidence_is_the_same_in_blocks_and_in_any_order(street):
    street[2, 10:30] = np.nan
    window, order = make_window(street), np.random.default_rng(0).permutation(20)
    whole = Neighbourhood(window).evidence(slice(None))
    parts = [part for _rows, part in blocks(window, size=7)]
    mixed = Neighbourhood(window.take(order)).evidence(slice(None))
    for name in ("kwh", "reference", "peer_level"):
        assert np.array_equal(
            np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name), equal_nan=True
        )
        assert np.array_equal(getattr(mixed, name), getattr(whole, name)[order], equal_nan=True)


def test_a_transformer_reports_what_its_meters_do_and_says_where_others_were_filled(street):
    used, sum_row = street.sum(0), np.zeros(20, int)
    sum_row[-1] = -1
    street[3, 50, 12] = np.nan
    evidence = evidence_of(street, sums=used[None], sum_row=sum_row)
    there = np.ones((120, 24), bool)
    there[50, 12] = False
    assert np.allclose(evidence.reported[0][there], street[:-1].sum(0)[there], rtol=1e-4)
    assert evidence.reported[0][50, 12] > np.nansum(street[:-1, 50, 12])
    assert (evidence.filled[0, 50, 12], evidence.filled[3, 50, 12], evidence.filled.max()) == (1, 0, 1)
    assert np.isnan(evidence.measured[-1]).all()


def test_a_day_with_half_of_its_readings_is_brought_up_to_a_whole_one():
    kwh = np.ones((1, 30, 24), np.float32)
    kwh[0, 4, 12:] = np.nan
    kwh[0, 5, 11:] = np.nan
    daily = evidence_of(kwh).at_interval(1440).kwh[0, :, 0]
    assert (daily[3], daily[4]) == (24, 24)
    assert np.isnan(daily[5])


def test_an_hour_with_a_missing_part_is_missing():
    kwh = np.ones((1, 30, 48), np.float32)
    kwh[0, 4, 7] = np.nan
    hourly = evidence_of(kwh).at_interval(60).kwh[0]
    assert np.isnan(hourly[4, 3])
    assert np.isnan(hourly).sum() == 1
    assert hourly[0, 0] == 2


def test_readings_do_not_become_finer_than_they_are(street):
    with pytest.raises(ValueError, match="do not make up 30 minutes"):
        evidence_of(street).at_interval(30)


def test_what_was_known_one_morning_has_the_same_honest_past(street):
    evidence = evidence_of(street, sums=street.sum(0)[None], sum_row=np.zeros(20, int))
    earlier = evidence.until(50)
    assert earlier.days == earlier.reported.shape[1] == 50
    assert np.array_equal(earlier.reference, evidence.reference[:, :50])
    assert earlier.without_sums().measured is None


def test_the_week_knows_its_days(street):
    assert evidence_of(street).weekday[:8].tolist() == [0, 1, 2, 3, 4, 5, 6, 0]  # 5 January 2026 is a Monday


def test_a_gap_is_filled_with_the_meters_median_of_that_hour():
    kwh = make_street(homes=2, days=31)
    kwh[1, 7, 4] = np.nan
    kwh[0, :, 9] = np.nan
    filled = fill_gaps(kwh)
    assert filled[1, 7, 4] in np.sort(np.delete(kwh[1, :, 4], 7))[[14, 15]]
    assert (filled[0, :, 9] == 0).all()
    assert np.isnan(kwh[1, 7, 4])


def test_a_day_on_which_all_neighbours_count_nothing_is_an_outage_and_missing(street):
    street[:, 60] = 0
    evidence = evidence_of(street)

    assert (evidence.peer_level[:, 60] < 0.05).all()
    assert np.isnan(without_outages(evidence).kwh[:, 60]).all()
    assert not np.isnan(without_outages(evidence).kwh[:, 61]).any()
