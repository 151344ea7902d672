from dataclasses import replace

import numpy as np
import pytest

from ml.evidence import fill_gaps
from ml.findings import KINDS
from ml.synthetic.city import AS_ORIGINALLY_DESCRIBED, ORDINARY, generate_city, stream_city


def test_the_same_seed_gives_the_same_city(small_city):
    again = generate_city(1, consumers=300, days=120)
    assert np.array_equal(again.kwh, small_city.kwh, equal_nan=True)
    assert again.consumers == small_city.consumers
    assert not np.array_equal(generate_city(2, 300, 120).kwh[:300], small_city.kwh[:300], equal_nan=True)


def test_shares_of_thieves_and_look_alikes_are_as_promised():
    truth = generate_city(3, consumers=2000, days=60, interval_minutes=1440).truth
    assert truth.steals.mean() == 0.05
    assert (truth.look_alike != "").mean() == 0.15
    assert set(truth.kind[truth.steals]) == set(KINDS)
    assert not (truth.steals & truth.past_theft).any()


def test_a_sum_meter_measures_its_consumers_and_a_technical_loss(small_city):
    honest = ~(small_city.truth.steals | small_city.truth.past_theft)
    window = small_city.window()
    for group in range(len(small_city.transformers)):
        rows = window.peer_group == group
        if honest[rows].all():
            there = ~np.isnan(window.kwh[rows]).any(0)
            ratio = small_city.transformer_kwh[group][there].sum() / window.kwh[rows][:, there].sum()
            assert 1.02 < ratio < 1.065


def test_readings_are_whole_watt_hours_and_a_few_are_missing_for_everybody(small_city):
    kwh = small_city.window().kwh
    missing = np.isnan(kwh).mean(axis=(1, 2))
    steals = small_city.truth.steals
    assert 0.005 < missing.mean() < 0.02
    assert missing[steals].mean() == pytest.approx(missing[~steals].mean(), abs=0.006)
    assert np.nanmax(abs(kwh * 1000 - np.round(kwh * 1000))) < 0.01
    assert np.nanmin(kwh) >= 0


def test_zones_leave_no_gap_and_hold_their_consumers(small_city):
    edges = [edge for zone in small_city.zones for edge in zip(zone.ring, zone.ring[1:], strict=False)]
    outer = [(start, end) for start, end in edges if (end, start) not in set(edges)]
    assert len(outer) == len(edges) * 12 / 32  # of eight zones in two rows, all other sides are shared
    assert {start for start, _end in outer} == {end for _start, end in outer}  # one closed outline
    assert {"North", "South"} <= {zone.name for zone in small_city.zones}
    for consumer in small_city.consumers:
        assert is_inside(small_city.zones[consumer.zone].ring, consumer.place)


def test_feeders_end_at_their_transformers(small_city):
    for transformer in small_city.transformers:
        assert transformer.place in small_city.feeders[transformer.feeder].line


def is_inside(ring, place):
    """A ray to the east crosses the ring an odd number of times."""
    (x0, y0), (x1, y1) = np.array(ring[:-1]).T, np.array(ring[1:]).T
    passes = (y0 > place[1]) != (y1 > place[1])
    at = x0[passes] + (place[1] - y0[passes]) / (y1 - y0)[passes] * (x1 - x0)[passes]
    return np.count_nonzero(at > place[0]) % 2 == 1


def test_a_replaced_meter_takes_over_where_the_first_one_ends():
    city = generate_city(2, consumers=300, days=60)
    second = city.meters[300]
    first = city.meters[second.consumer]
    assert first.until_day == second.from_day
    row = city.window().kwh[second.consumer]
    day = (np.datetime64(second.from_day) - city.first_day).astype(int)
    assert np.array_equal(row[day:], city.kwh[300, day:], equal_nan=True)
    assert np.array_equal(row[:day], city.kwh[second.consumer, :day], equal_nan=True)


def test_what_crews_found_agrees_with_the_truth():
    city = generate_city(2, consumers=2000, days=120, interval_minutes=1440)
    finds = {"bypass", "meter_tampering", "illegal_connection", "meter_fault"}
    found = {visit.consumer for visit in city.inspections if visit.outcome in finds}
    assert 90 < len(city.inspections) < 150
    assert found == set(np.flatnonzero(city.truth.past_theft))


def test_moving_out_mostly_ends_the_contract():
    city = generate_city(2, consumers=2000, days=120, interval_minutes=1440)
    left = city.truth.look_alike == "moved_out"
    assert not city.contract_active[left, -1].all()
    assert city.contract_active[~left, -1].all()


def test_a_city_of_one_and_quarter_hours_can_be_built():
    city = generate_city(5, consumers=1, days=60, interval_minutes=15)
    assert city.kwh.shape[1:] == (60, 96)
    assert city.transformer_kwh.shape == (1, 60, 96)


def test_a_city_needs_sixty_days():
    with pytest.raises(ValueError, match="60 days"):
        generate_city(1, days=30)


def test_a_streamed_city_is_the_generated_one():
    city = generate_city(6, consumers=900, days=60)
    blocks = list(stream_city(6, consumers=900, days=60, first_day=city.first_day))
    assert [len(block.transformers) for block in blocks] == [16, 16, 4]
    window = city.window()
    assert np.array_equal(np.concatenate([block.kwh for block in blocks]), window.kwh, equal_nan=True)
    assert np.array_equal(np.concatenate([block.transformer_kwh for block in blocks]), window.sums)
    assert [consumer for block in blocks for consumer in block.consumers] == city.consumers
    last = blocks[-1].window()
    assert np.array_equal(last.contract_active, window.contract_active[-len(last) :])
    assert set(last.sum_row) == {0, 1, 2, 3}


def test_missing_energy_is_what_the_sum_meters_see_missing(small_city):
    truth, window = small_city.truth, small_city.window()
    assert (truth.missing_kwh[~(truth.steals | truth.past_theft)] == 0).all()
    assert (truth.missing_kwh > 0).sum() > 10
    reported, delivered = fill_gaps(window.kwh).sum(dtype=float), window.sums.sum(dtype=float)
    assert delivered / 1.04 - reported == pytest.approx(truth.missing_kwh.sum(), rel=0.35)


def test_theft_has_neighbourhoods_unless_told_otherwise():
    def most(recipe):
        city = generate_city(8, consumers=2000, days=60, interval_minutes=1440, recipe=recipe)
        transformer = np.array([consumer.transformer for consumer in city.consumers])
        return np.sort(np.bincount(transformer[city.truth.steals], minlength=80))[-8:].mean()

    assert most(ORDINARY) > most(replace(ORDINARY, clustered=False)) + 0.8


def test_the_city_as_originally_described_has_five_anomalies_and_nothing_else():
    city = generate_city(4, consumers=1500, days=90, recipe=AS_ORIGINALLY_DESCRIBED)
    truth = city.truth
    assert truth.steals.mean() == 0.05
    assert set(truth.formula) - {""} == set(KINDS)
    assert not (truth.look_alike != "").any()
    assert not truth.past_theft.any()


def test_natural_spikes_are_honest_and_rare():
    plain, spiky = (
        generate_city(4, 100, 60, recipe=replace(AS_ORIGINALLY_DESCRIBED, natural_spikes=share)) for share in (0, 0.5)
    )
    peak = [
        np.nanmax(city.window().kwh / np.nanmean(city.window().kwh, (1, 2), keepdims=True)) for city in (plain, spiky)
    ]
    assert peak[1] != peak[0]
    assert spiky.truth.steals.sum() == plain.truth.steals.sum() == 5


def test_faults_make_sum_meters_disagree_with_their_lists():
    def errors(faulty):
        city = generate_city(4, 600, 60, recipe=replace(ORDINARY, thieves=0, past_thieves=0, faulty=faulty))
        window = city.window()
        reported = np.zeros_like(window.sums)
        np.add.at(reported, window.sum_row, np.nan_to_num(window.kwh))
        return np.abs(window.sums.sum((1, 2)) / reported.sum((1, 2)) - 1.05)

    assert errors(0.0).max() < 0.05
    assert (errors(1.0) > 0.05).mean() > 0.2


def test_magnets_and_covers_are_reported_more_by_those_who_use_them():
    city = generate_city(9, consumers=4000, days=60, interval_minutes=1440)
    sent = {event.meter for event in city.events if event.code != "power_outage"}
    says = np.array([meter.serial in sent for meter in city.meters[:4000]])
    stole = city.truth.steals | city.truth.past_theft
    assert says[stole].mean() > 2 * says[~stole].mean() > 0
    assert {"cover_opened", "terminal_cover_opened", "magnetic_field", "clock_set"} <= {
        event.code for event in city.events
    }


def test_winter_shops_and_holidays_look_different():
    city = generate_city(9, consumers=400, days=365, interval_minutes=1440, first_day="2025-01-01")
    daily, kind = city.window().kwh[:, :, 0], np.array([consumer.kind for consumer in city.consumers])
    shops = np.nanmean(daily[kind == "shop"], 0)
    homes = np.nanmean(daily[kind == "household"], 0)
    assert homes[:31].mean() > 1.1 * homes[181:212].mean()
    assert shops[358] < 0.9 * shops[343:357].mean()  # Christmas Day
