import numpy as np

from pipeline.metrics import units
from pipeline.metrics.units import number_units, sum_draws, usual_size


def test_units_are_renumbered():
    assert number_units(np.array([7, -1, 7, 3])).tolist() == [2, 0, 2, 1]


def test_usual_size_is_the_average_rows():
    assert usual_size(np.arange(4)) == 1
    assert usual_size(np.array([0, 0, 0, 1])) == (3 * 3 + 1) / 4


def test_each_draw_has_as_many_units_and_keeps_a_units_values_together():
    values = np.array([[1.0, 10.0], [1.0, 20.0], [1.0, 30.0]])
    sums = sum_draws(values, n_draws=2000, rng=np.random.default_rng(0))
    assert sums.shape == (2000, 2)
    np.testing.assert_array_equal(sums[:, 0], 3)
    assert set(sums[:, 1]) == {30, 40, 50, 60, 70, 80, 90}
    assert abs(sums[:, 1].mean() - 60) < 1
    # Of a mean of three draws: variance 200 / 3, and three times three of it.
    assert abs(sums[:, 1].var() / 200 - 1) < 0.1


def test_chunks_do_not_change_the_draws(monkeypatch):
    values = np.arange(12.0).reshape(6, 2)
    at_once = sum_draws(values, n_draws=50, rng=np.random.default_rng(1))
    monkeypatch.setattr(units, "CHUNK", 13)
    in_parts = sum_draws(values, n_draws=50, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(at_once, in_parts)
