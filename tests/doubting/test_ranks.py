import math

import numpy as np
import pytest

from pipeline.doubting.ranks import conformal_rank, tolerance_rank


@pytest.mark.parametrize(
    ("n", "keep", "rank"),
    # From the tables of one-sided, distribution-free tolerance limits at 95 % confidence.
    [(58, 0.95, None), (59, 0.95, 59), (93, 0.95, 92), (124, 0.95, 122), (29, 0.9, 29)],
)
def test_the_rank_is_that_of_the_tables(n, keep, rank):
    assert tolerance_rank(n, keep) == rank


def test_many_rows_need_no_large_numbers():
    rank = tolerance_rank(100_000, 0.95)
    deviation = math.sqrt(0.05 * 0.95 / 100_000)
    assert rank / 100_000 == pytest.approx(0.95 + 1.645 * deviation, abs=1e-4)


def test_the_share_is_reached_as_often_as_promised():
    rng = np.random.default_rng(0)
    n, keep = 200, 0.9
    rank = tolerance_rank(n, keep)
    # Of uniform numbers the share below a threshold is the threshold.
    shares = np.sort(rng.random((4000, n)), axis=1)[:, rank - 1]
    assert 0.93 < np.mean(shares >= keep) < 0.98
    assert shares.mean() < keep + 0.06


@pytest.mark.parametrize(
    ("n", "coverage", "rank"), [(19, 0.95, 19), (18, 0.95, None), (99, 0.9, 90), (100, 0.9, 91)]
)
def test_the_conformal_rank_counts_the_new_one_too(n, coverage, rank):
    assert conformal_rank(n, coverage) == rank


def test_a_new_score_is_covered_as_often_as_asked():
    rng = np.random.default_rng(0)
    scores = rng.random((20_000, 30))
    threshold = np.sort(scores[:, :29], axis=1)[:, conformal_rank(29, 0.8) - 1]
    assert np.mean(scores[:, 29] <= threshold) == pytest.approx(0.8, abs=0.01)
