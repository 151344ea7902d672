import numpy as np
import pytest

from ml.synthetic.faults import as_registered, delayed, draw_fault, draw_gaps, register_steps


@pytest.mark.parametrize("step", [0.1, 0.01, 0.001, 0.0005])
def test_a_registers_step_is_read_from_its_readings(step):
    counts = np.random.default_rng(1).poisson(7, (3, 40, 24))
    assert register_steps((counts * step).astype(np.float32)) == pytest.approx(np.full(3, step))


def test_readings_without_a_step_stay_as_they_are():
    kwh = np.random.default_rng(1).random((1, 40, 24), dtype=np.float32)
    assert register_steps(kwh)[0] == 0
    assert as_registered(kwh, 0) is kwh


def test_one_odd_reading_hides_no_step():
    kwh = np.random.default_rng(1).integers(0, 900, (1, 40, 24)) / np.float32(1000)
    kwh[0, 3, 3] = 0.12345
    assert register_steps(kwh)[0] == pytest.approx(0.001)


def test_heavy_gaps_are_heavier():
    light, heavy = (
        np.mean([draw_gaps(np.random.default_rng(seed), 91, 48, heavy).mean() for seed in range(40)])
        for heavy in (False, True)
    )
    assert 0.005 < light < 0.06 < heavy < 0.4


def test_a_late_clock_moves_the_sums_and_daily_ones_have_none():
    kwh = np.arange(8.0).reshape(2, 4)
    assert delayed(kwh, 1).tolist() == [[7, 0, 1, 2], [3, 4, 5, 6]]
    faults = [draw_fault(np.random.default_rng(seed), 1, faulty=1) for seed in range(40)]
    assert not any(fault.lag for fault in faults)
    assert any(fault.unlisted for fault in faults)
    assert any(fault.foreign for fault in faults)
