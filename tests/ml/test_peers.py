import numpy as np
import pytest

from ml.peers import known_median_of_others, median_of_others


def naive(values, group):
    others = np.zeros_like(values)
    for row in range(len(values)):
        pool = np.delete(values, row, axis=0)[np.delete(group, row) == group[row]]
        pool = np.where(np.isnan(pool).all(0), 0, pool)
        others[row] = np.nanmedian(pool, axis=0)
    return others


def test_the_median_leaves_the_row_itself_out():
    rng = np.random.default_rng(1)
    values, group = rng.normal(size=(40, 9)), np.repeat([4, 9, 2], [12, 17, 11])
    values[rng.random(values.shape) < 0.2] = np.nan
    others, count = median_of_others(values, group)
    assert others == pytest.approx(naive(values, group))
    assert count.tolist() == [11] * 12 + [16] * 17 + [10] * 11


def test_equal_values_are_left_out_once():
    values = np.array([[1.0], [1.0], [1.0], [5.0], [5.0], [5.0], [5.0]])
    others, _ = median_of_others(values, np.zeros(7, int))
    assert others[:, 0].tolist() == [5, 5, 5, 3, 3, 3, 3]


def test_a_lonely_meter_is_compared_with_the_whole_window():
    values = np.arange(21, dtype=float).reshape(21, 1)
    others, count = median_of_others(values, np.r_[np.zeros(20, int), -1])
    assert (others[20, 0], count[20]) == (9.5, 20)


def test_without_anybody_else_there_is_no_movement_to_take_out():
    others, count = median_of_others(np.array([[3.0, np.nan]]), np.array([0]))
    assert (others.tolist(), count.tolist()) == ([[0, 0]], [0])


def test_silence_of_all_others_is_not_nothing():
    values = np.ones((7, 3))
    values[:, 1], values[:, 2] = np.nan, 0.0

    others, _ = known_median_of_others(values, np.zeros(7, int))

    assert np.isnan(others[:, 1]).all()
    assert (others[:, 2] == 0).all()
