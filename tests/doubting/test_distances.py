import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf
from sklearn.metrics.pairwise import cosine_distances

from pipeline.doubting.distances import (
    MahalanobisDistance,
    NeighbourDistance,
    shrink_covariance,
)
from pipeline.errors import FeatureMismatchError


@pytest.fixture
def values():
    return np.random.default_rng(0).random((70, 48), np.float32)


def make_both(values):
    labels = np.arange(len(values)) % 3
    return [
        NeighbourDistance.of(values[:50], n_neighbors=5),
        MahalanobisDistance.of(values[:50], labels[:50]),
    ]


def test_the_neighbour_is_the_one_that_scikit_learn_finds(values):
    distance = NeighbourDistance.of(values[:50], n_neighbors=5)
    expected = np.sort(cosine_distances(values[50:], values[:50]), axis=1)[:, 4]
    assert distance.measure(values[50:]) == pytest.approx(expected, abs=1e-6)


def test_lengths_do_not_count(values):
    distance = NeighbourDistance.of(values[:50], n_neighbors=5)
    expected = distance.measure(values[50:])
    assert distance.measure(values[50:] * np.float32(1e25)) == pytest.approx(expected, abs=1e-6)
    assert distance.measure(np.zeros((1, 48), np.float32)) == 1


def test_left_out_is_without_the_whole_unit(values):
    units = np.arange(50) // 2
    distance = NeighbourDistance.of(values[:50], n_neighbors=1)
    found = distance.measure_left_out(units)
    for row in range(50):
        others = NeighbourDistance.of(values[:50][units != units[row]], n_neighbors=1)
        assert found[row] == pytest.approx(others.measure(values[row : row + 1])[0], abs=1e-6)


def test_fault_51_one_row_has_the_distance_that_it_has_among_others(values):
    for distance in make_both(values):
        together = distance.measure(values)
        assert distance.measure(values[:0]).shape == (0,)
        for row in range(len(values)):
            assert np.array_equal(distance.measure(values[row : row + 1]), together[row : row + 1])


def test_distances_survive_being_kept(values):
    for distance in make_both(values):
        again = type(distance).from_arrays(distance.to_arrays())
        assert np.array_equal(again.measure(values), distance.measure(values))


def test_other_widths_are_refused(values):
    for distance in make_both(values):
        with pytest.raises(FeatureMismatchError, match=r"48 transfer values .* got \(70, 40\)"):
            distance.measure(values[:, :40])


def test_the_covariance_is_ledoits_and_wolfs(values):
    X = values.astype(np.float64)
    X -= X.mean(axis=0)
    expected, _ = ledoit_wolf(X, assume_centered=True)
    assert shrink_covariance(X) == pytest.approx(expected, abs=1e-12)


def test_mahalanobis_is_of_the_nearest_class():
    rng = np.random.default_rng(0)
    spread = np.array([1, 5, 0.2, 1])
    centres = np.array([[0, 0, 0, 0], [9, 0, 0, 0]])
    labels = np.arange(4000) % 2
    values = (centres[labels] + spread * rng.normal(size=(4000, 4))).astype(np.float32)
    distance = MahalanobisDistance.of(values, labels)
    asked = np.array([[0, 5, 0, 0], [9, 5, 0, 0], [0, 0, 0.6, 0]], np.float32)
    assert distance.measure(asked) == pytest.approx([1, 1, 3], rel=0.1)


def test_a_value_that_is_constant_counts_for_nothing(values):
    values[:, 7] = 3
    with_it, without = values, np.delete(values, 7, axis=1)
    labels = np.arange(70) % 3
    one = MahalanobisDistance.of(with_it, labels).measure(with_it)
    other = MahalanobisDistance.of(without, labels).measure(without)
    # The shrinkage is towards the mean of the variances, of which one is 0 now.
    assert one == pytest.approx(other, rel=0.05)
    assert np.isfinite(one).all()
