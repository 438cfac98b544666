"""Two classifiers on the same rows: is one better, and by how much."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.units import number_units, sum_draws, usual_size


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """Rows that only one of two classifiers answered rightly, and what chance has to do with it.

    Attributes
    ----------
    n_only_a, n_only_b : int
    p_value : float
        Probability of a division at least as uneven if both are equally good, 0-1.
    """

    n_only_a: int
    n_only_b: int
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Accuracy of a minus that of b, and its 95 % interval; -1 to 1."""

    difference: float
    low: float
    high: float


def mcnemar(correct_a: NDArray[np.bool_], correct_b: NDArray[np.bool_]) -> McNemar:
    """Test whether two classifiers are equally good, by the rows that only one answered rightly.

    The test is exact and two-sided: under the hypothesis either is as likely to be the right one.
    Of equally good classifiers it rejects at most 5 % at 5 %, if rows are independent. Of copies
    give one row each: with 5 correlated rows a unit it rejected 11-13 % in simulations.

    Parameters
    ----------
    correct_a, correct_b : bool ndarray of shape (n_samples,)

    References
    ----------
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12 (1947) 153-157. Recommended for classifiers by T. G. Dietterich,
    "Approximate statistical tests for comparing supervised classification learning algorithms",
    Neural Computation 10 (1998) 1895-1923.
    """
    only_a = int(np.count_nonzero(correct_a & ~correct_b))
    only_b = int(np.count_nonzero(correct_b & ~correct_a))
    p_value = min(1.0, 2 * _coin_tail(min(only_a, only_b), only_a + only_b))
    return McNemar(n_only_a=only_a, n_only_b=only_b, p_value=p_value)


def _coin_tail(k: int, n: int) -> float:
    """Return the probability of at most k heads in n tosses of a fair coin."""
    at_k = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
    heads = np.arange(k, 0, -1.0)
    ratios = np.exp(np.cumsum(np.log(heads / (n - heads + 1))))  # of each term to that of k
    return math.exp(at_k) * (1 + float(ratios.sum()))


def paired_difference(
    correct_a: NDArray[np.bool_],
    correct_b: NDArray[np.bool_],
    *,
    units: NDArray[np.integer],
    random_state: int,
    n_draws: int = 2000,
) -> Difference:
    """Return accuracy of a minus accuracy of b on the same rows, and its 95 % interval.

    The interval is of bootstrap percentiles, from the units and two halves of a row more: one that
    only a, and one that only b answered rightly. Otherwise two classifiers that agree on the rows
    there are would count as equal for certain.

    Over 1,000-3,000 simulated pairs with 200 to 2,000 rows, of which 2-10 % are answered rightly
    by only one or only the other, it covered the difference in 94.1-95.7 %.

    Parameters
    ----------
    correct_a, correct_b : bool ndarray of shape (n_samples,)
    units : integer ndarray of shape (n_samples,)
        Rows of one unit are not independent, and are drawn together.
    random_state : int
        Seed of the draws.
    n_draws : int

    References
    ----------
    A. Agresti and Y. Min, "Simple improved confidence intervals for comparing matched proportions",
    Statistics in Medicine 24 (2005) 729-740, for the halves.
    """
    unit = number_units(units)
    lead = np.bincount(unit, weights=correct_a.astype(np.float64) - correct_b)
    # Half a row of variance each, or of the units that rows are in.
    added = math.sqrt(usual_size(unit) / 2)
    values = np.stack([np.bincount(unit).astype(np.float64), lead], axis=1)
    values = np.vstack([values, [[added, added], [added, -added]]])
    sums = sum_draws(values, n_draws=n_draws, rng=np.random.default_rng(random_state))
    low, high = np.quantile(sums[:, 1] / sums[:, 0], [0.025, 0.975])
    estimate = float(lead.sum() / len(unit))
    return Difference(
        difference=estimate, low=min(float(low), estimate), high=max(float(high), estimate)
    )
