"""Whatever a window holds, each meter gets a finding that can be stored, sent and said."""

import json
from dataclasses import asdict, fields

import numpy as np
import pytest

from ml.findings import LEVELS, UNSCORED, Finding
from ml.reasons import sentence
from tests.ml.conftest import make_street, make_window

ALONE = np.full(20, -1)


def check(finding: Finding) -> None:
    """Plain finite values throughout: JSON takes neither NaN nor a NumPy scalar."""
    json.dumps(asdict(finding), allow_nan=False, default=lambda value: value.isoformat())
    assert all(sentence(reason) for reason in finding.reasons)
    assert finding.missing_kwh >= 0
    assert finding.kwh_missing_per_month >= 0
    if finding.score is None:
        assert finding.level == UNSCORED
    else:
        assert 0 <= finding.score <= 1
        assert 0 <= finding.probability <= 1
        assert finding.level in LEVELS
        assert sum(finding.parts.values()) == pytest.approx(finding.score)


def explained(ensemble, kwh, **changes) -> list[Finding]:
    findings = ensemble.explain(make_window(kwh, **changes))
    assert len(findings) == len(kwh)
    for finding in findings:
        check(finding)
    return findings


@pytest.mark.parametrize("value", [np.nan, 0, 1e-30, 0.5, -1, 9e5, 1e9])
def test_constants_of_any_size(ensemble, street, value):
    street[0], street[1, 60:], street[2, :, 18], street[3, ::2], street[4, 60:, :12] = (value,) * 5
    explained(ensemble, street)
    explained(ensemble, street, peer_group=ALONE)
    explained(ensemble, np.full_like(street, value))


@pytest.mark.parametrize("slots", [1, 24, 48, 96, 288])
@pytest.mark.parametrize("days", [1, 2, 27, 28, 36, 45, 60])
def test_short_windows_of_any_interval(ensemble, days, slots):
    kwh = make_street(homes=7, days=days, slots=slots)
    kwh[2, days // 2 :] = 0
    levels = {finding.level for finding in explained(ensemble, kwh)}
    assert (levels == {UNSCORED}) == (days < 28)


@pytest.mark.parametrize("slots", [1, 24])
def test_windows_of_more_than_a_year(ensemble, slots):
    kwh = make_street(homes=6, days=500, slots=slots)
    kwh[2, 450:] *= 0.3
    kwh[3, :400] = np.nan
    explained(ensemble, kwh)


@pytest.mark.parametrize("homes", [0, 1, 2, 6])
def test_few_meters_with_and_without_neighbours(ensemble, homes):
    kwh = make_street(homes=homes)
    kwh[:1, 70:] *= 0.3
    explained(ensemble, kwh)
    explained(ensemble, kwh, peer_group=np.full(homes, -1))


@pytest.mark.parametrize("sums", [np.nan, 0, -1, 1e9, 7])
def test_sum_meters_that_measure_nonsense(ensemble, street, sums):
    explained(ensemble, street, sums=np.full((2, 120, 24), sums), sum_row=np.arange(20) % 2)


def test_a_sum_meter_without_any_meter_and_one_with_a_single_one(ensemble, street):
    sums = np.stack([street.sum(0), street[0]])
    sum_row = np.full(20, -1)
    explained(ensemble, street, sums=sums, sum_row=sum_row)
    sum_row[0] = 1
    explained(ensemble, street, sums=sums, sum_row=sum_row)
    explained(ensemble, street, sums=np.zeros((0, 120, 24)), sum_row=np.full(20, -1))


def test_a_sum_meter_with_gaps_over_dead_and_negative_meters(ensemble, street):
    sums = street.sum(0)[None] * 1.04
    sums[0, ::3, 5:9] = np.nan
    street[0], street[1], street[2, 60:] = np.nan, -1, 1e9
    explained(ensemble, street, sums=sums, sum_row=np.zeros(20, int))


def test_noise_of_all_sizes(ensemble):
    rng = np.random.default_rng(0)
    kwh = rng.exponential(10.0 ** rng.integers(-6, 7, (20, 1, 1)), (20, 90, 24))
    kwh[rng.random(kwh.shape) < 0.2] = np.nan
    explained(ensemble, kwh)


def test_contracts_that_come_and_go(ensemble, street):
    active = np.random.default_rng(0).random((20, 120)) < np.linspace(0, 1, 20)[:, None]
    explained(ensemble, street, contract_active=active)


def test_a_meter_without_a_score_has_none_of_what_a_score_says(ensemble, street):
    street[3] = np.nan
    finding = explained(ensemble, street)[3]
    said = {field.name: getattr(finding, field.name) for field in fields(finding)}
    assert [name for name, value in said.items() if value] == ["meter", "level", "reasons"]
