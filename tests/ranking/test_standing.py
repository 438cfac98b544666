import numpy as np
import pytest

from pipeline.ranking.standing import correct_holm, rank
from tests.ranking.test_costs import make_cost


def with_errors(*errors, n=400):
    """Rows of True, but for the first so many of each, so that errors are shared."""
    return np.array([np.arange(n) >= wrong for wrong in errors])


def standing(correct, ms):
    return rank(correct, [make_cost(ms_per_image=each) for each in ms], random_state=0)


def test_the_best_is_right_most_often():
    found = standing(with_errors(40, 20, 60), [1, 2, 3])
    assert (found.best, found.order) == (1, (1, 0, 2))
    assert found.gaps[1] is None
    assert found.gaps[0].difference == pytest.approx(-20 / 400)
    assert (found.gaps[0].n_only_this, found.gaps[0].n_only_best) == (0, 20)


def test_the_cheapest_within_the_error_bar():
    correct = with_errors(20, 20, 22, 80)
    correct[2, :10], correct[2, 22:34] = True, False  # 10 that only it has right, 14 only the best
    found = standing(correct, [9, 8, 2, 1])
    assert found.best == 1  # of equals the cheaper
    assert [gap is None or gap.is_within_error for gap in found.gaps] == [True, True, True, False]
    assert found.cheapest == 2


def test_the_cheapest_is_not_chosen_from_the_worse():
    assert standing(with_errors(20, 80), [9, 1]).cheapest == 0


def test_unknown_costs_are_the_most_expensive():
    correct = with_errors(20, 20)
    assert standing(correct, [None, 5]).cheapest == 1
    assert standing(correct, [5, None]).cheapest == 0
    both = [make_cost(ms_per_image=None, n_features=n) for n in (30, 20)]
    assert rank(correct, both, random_state=0).cheapest == 1


def test_p_values_are_corrected_for_their_number():
    correct = with_errors(0, 6, 7, 8)
    p_values = [gap.p_value for gap in standing(correct, [1] * 4).gaps if gap]
    raw = [2 / 2**n for n in (6, 7, 8)]
    assert p_values == pytest.approx([raw[0], 2 * raw[1], 3 * raw[2]])


def test_holm():
    assert correct_holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert correct_holm([0.5, 0.9]) == [1.0, 1.0]
    assert correct_holm([]) == []


def test_the_same_seed_gives_the_same_intervals():
    correct = np.random.default_rng(0).random((3, 200)) < 0.8
    assert standing(correct, [1, 2, 3]) == standing(correct, [1, 2, 3])


def test_one_alone_is_the_best_and_the_cheapest():
    found = standing(with_errors(3), [None])
    assert (found.best, found.cheapest, found.gaps) == (0, 0, (None,))
