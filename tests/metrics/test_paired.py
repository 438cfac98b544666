import numpy as np
import pytest
from scipy.stats import binomtest

from pipeline import metrics
from tests.metrics.simulation import coverage


def draw_pair(only_a, only_b, *, n, size=1, rng):
    """Draw hits of two classifiers; half of the rows of a unit repeat its draw."""
    own, shared = rng.random((n, size)), rng.random((n, 1))
    at = np.where(rng.random((n, size)) < (0.5 if size > 1 else 0), shared, own).ravel()
    both_wrong = at > 0.97
    a = (at >= only_b) & ~both_wrong
    b = ((at < only_b) | (at >= only_b + only_a)) & ~both_wrong
    return a, b


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (0, 1), (3, 9), (25, 25), (400, 460)])
def test_mcnemar_agrees_with_scipy(only_a, only_b):
    a = np.repeat([True, False, True], [only_a, only_b, 7])
    b = np.repeat([False, True, True], [only_a, only_b, 7])
    found = metrics.mcnemar(a, b)
    assert (found.n_only_a, found.n_only_b) == (only_a, only_b)
    n = only_a + only_b
    expected = binomtest(only_a, n).pvalue if n else 1.0
    assert found.p_value == pytest.approx(expected, rel=1e-9)
    assert metrics.mcnemar(b, a).p_value == found.p_value


def test_mcnemar_of_many_rows_neither_overflows_nor_warns():
    a = np.arange(1_000_000) % 1000 < 501
    found = metrics.mcnemar(a, ~a)
    assert found.p_value == pytest.approx(binomtest(501_000, 1_000_000).pvalue, rel=1e-6)
    everything = np.ones(100_000, bool)
    assert metrics.mcnemar(everything, ~everything).p_value == 0


@pytest.mark.parametrize(("n", "apart"), [(200, 0.05), (500, 0.1), (2000, 0.1)])
def test_mcnemar_rarely_tells_equally_good_classifiers_apart(n, apart):
    rng = np.random.default_rng(0)
    found = [metrics.mcnemar(*draw_pair(apart, apart, n=n, rng=rng)) for _ in range(2000)]
    false_positives = np.mean([one.p_value <= 0.05 for one in found])
    assert 0.005 < false_positives <= 0.06


def test_mcnemar_finds_a_difference():
    rng = np.random.default_rng(0)
    found = [metrics.mcnemar(*draw_pair(0.1, 0.03, n=500, rng=rng)) for _ in range(100)]
    assert np.mean([one.p_value <= 0.05 for one in found]) > 0.9


@pytest.mark.parametrize(
    ("only_a", "only_b", "n", "size"),
    [(0.05, 0.05, 200, 1), (0.1, 0.05, 300, 1), (0.1, 0.05, 100, 4)],
)
def test_interval_of_the_difference_covers_the_truth(only_a, only_b, n, size):
    rng = np.random.default_rng(0)
    ends = []
    for seed in range(1000):
        a, b = draw_pair(only_a, only_b, n=n, size=size, rng=rng)
        found = metrics.paired_difference(
            a, b, units=np.repeat(np.arange(n), size), random_state=seed, n_draws=400
        )
        ends.append((found.low, found.high))
    assert 0.93 <= coverage(ends, only_a - only_b) <= 0.97


def test_difference_is_that_of_the_accuracies_and_changes_its_sign():
    a, b = draw_pair(0.1, 0.05, n=300, rng=np.random.default_rng(1))
    found = metrics.paired_difference(a, b, units=np.arange(300), random_state=0)
    assert found.difference == pytest.approx(a.mean() - b.mean())
    assert found.low < found.difference < found.high
    swapped = metrics.paired_difference(b, a, units=np.arange(300), random_state=0)
    assert swapped.difference == -found.difference
    assert (-swapped.high, -swapped.low) == pytest.approx((found.low, found.high), abs=0.01)


def test_classifiers_that_agree_are_not_equal_for_certain():
    a = np.arange(100) % 10 > 0
    found = metrics.paired_difference(a, a, units=np.arange(100), random_state=0)
    assert found.difference == 0
    assert -0.06 < found.low < -0.01 < 0.01 < found.high < 0.06


def test_copies_count_once():
    a, b = draw_pair(0.1, 0.05, n=300, rng=np.random.default_rng(1))
    once = metrics.paired_difference(a, b, units=np.arange(300), random_state=0)
    thrice = metrics.paired_difference(
        np.repeat(a, 3), np.repeat(b, 3), units=np.repeat(np.arange(300), 3), random_state=0
    )
    assert thrice.difference == pytest.approx(once.difference)
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high), abs=0.005)
