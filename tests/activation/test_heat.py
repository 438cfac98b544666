import numpy as np
import pytest

from pipeline.activation import choose_limit, explain

RNG = np.random.default_rng(0)


def maps_of(*shapes):
    return [RNG.random(shape, np.float32) for shape in shapes]


def head_of(n_classes, n_features):
    return RNG.normal(size=(n_classes, n_features)), RNG.normal(size=n_classes)


@pytest.mark.parametrize(
    "shapes",
    [
        [(7, 7, 5)],
        [(4, 4, 3), (2, 2, 5)],
        [(7, 7, 3), (8, 8, 5), (3, 5, 2)],
        [(1, 1, 3), (5, 2, 4)],
    ],
)
def test_the_average_of_the_heat_is_the_difference_of_the_decision_scores(shapes):
    maps = maps_of(*shapes)
    values = np.concatenate([each.mean(axis=(0, 1), dtype=np.float64) for each in maps])
    weights, constants = head_of(4, len(values))
    scores = weights @ values + constants
    heat = explain(maps, weights, constants, answer=2, against=1)
    assert heat.shape == tuple(max(shape[axis] for shape in shapes) for axis in (0, 1))
    assert heat.mean() == pytest.approx(scores[2] - scores[1], rel=1e-9)


def test_one_place_speaks_for_the_answer_and_another_against_it():
    maps = [np.zeros((3, 3, 2), np.float32)]
    maps[0][0, 2, 0], maps[0][2, 1, 1] = 1, 1
    weights = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    heat = explain(maps, weights, np.zeros(3), answer=1, against=2)
    assert np.argwhere(heat > 0).tolist() == [[0, 2]]
    assert np.argwhere(heat < 0).tolist() == [[2, 1]]
    np.testing.assert_array_equal(explain(maps, weights, np.zeros(3), answer=2, against=1), -heat)


def test_a_coarse_map_is_laid_over_the_same_part_of_a_fine_one():
    coarse, fine = np.zeros((2, 2, 1), np.float32), np.zeros((6, 4, 1), np.float32)
    coarse[1, 0] = 1
    heat = explain(
        [coarse, fine], np.array([[1.0, 1.0], [0.0, 0.0]]), np.zeros(2), answer=0, against=1
    )
    expected = np.zeros((6, 4))
    expected[3:, :2] = 1
    np.testing.assert_allclose(heat, expected)


def test_the_weights_belong_to_the_maps_in_their_order():
    maps = [np.full((2, 2, 1), 10, np.float32), np.full((2, 2, 2), 1, np.float32)]
    weights = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(explain(maps, weights, np.zeros(2), answer=0, against=1), 15)


def test_the_limit_is_the_strongest_on_either_side():
    assert choose_limit(np.array([[-3.0, 2.0]])) == 3
    assert choose_limit(np.zeros((2, 2))) > 0
