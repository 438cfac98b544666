"""Intervals of proportions, also where rows are not independent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959963984540054  # the 0.975 quantile of the standard normal distribution


def wilson_interval(n_correct: int, n: int, *, z: float = Z_95) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion, by default the 95 % one.

    Unlike the textbook interval p ± z·sqrt(p(1-p)/n) it holds its level for few rows and for
    proportions near 0 and 1, which is where good classifiers are.

    Parameters
    ----------
    n_correct, n : int
        Successes out of n ≥ 1 trials.
    z : float

    Returns
    -------
    tuple of float
        Lower and upper end, 0-1.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal
    of the American Statistical Association 22 (1927) 209-212. Recommended by L. D. Brown, T. T.
    Cai and A. DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16
    (2001) 101-133.
    """
    low, high = wilson_ends(np.array([n_correct / n]), np.array([float(n)]), z=z)[0]
    return float(low), float(high)


def wilson_ends(
    p: NDArray[np.float64], n: NDArray[np.float64], *, z: float = Z_95
) -> NDArray[np.float64]:
    """Return Wilson's intervals of proportions.

    Parameters
    ----------
    p : float64 ndarray of shape (n_proportions,)
        0-1, or NaN.
    n : float64 ndarray of shape (n_proportions,)
        Effective numbers of trials, above 0.
    z : float

    Returns
    -------
    float64 ndarray of shape (n_proportions, 2)
        NaN where p is.
    """
    centre = p + z * z / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # Both ends lie in 0-1 and around p; rounding must not show -1e-17 to a reader.
    low = np.clip((centre - half) / scale, 0.0, p)
    return np.stack([low, np.clip((centre + half) / scale, p, 1.0)], axis=1)


def proportion_intervals(
    hit: NDArray[np.bool_],
    group: NDArray[np.integer],
    *,
    n_groups: int,
    units: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Return the 95 % interval of the share of hits in each group of rows.

    It is Wilson's, with the number of rows divided by their design effect. Where each row is a
    unit, that is Wilson's interval.

    In simulations of 4,000 sets of 40 and 100 units of 5 rows, correlated by 0, 0.1, 0.4 and 1,
    it covered shares of 0.75, 0.9 and 0.97 in 93.8-97.8 %; with 60 units of 1 to 10 rows in
    91.5-98.2 %, with 12 units of 5 in 91.4-97.9 %. Of independent rows Wilson's covers, exactly,
    from 93.6 % (0.9 of 100) to 96.9 % (0.97 of 100), and 94.3-95.9 % of 200 and 2,000.

    Parameters
    ----------
    hit : bool ndarray of shape (n_samples,)
    group : integer ndarray of shape (n_samples,)
        0 to n_groups - 1.
    n_groups : int
    units : intp ndarray of shape (n_samples,)
        0 to n_units - 1.

    Returns
    -------
    float64 ndarray of shape (n_groups, 2)
        NaN for a group without rows.

    References
    ----------
    N. Dean and M. Pagano, "Evaluating confidence interval methods for binomial proportions in
    clustered surveys", Journal of Survey Statistics and Methodology 3 (2015) 484-503. C. Franco,
    R. J. A. Little, T. A. Louis and E. V. Slud, "Comparative study of confidence intervals for
    proportions in complex sample surveys", ibid. 7 (2019) 334-364.
    """
    n = np.bincount(group, minlength=n_groups)
    some = n > 0
    p = np.full(n_groups, np.nan)
    p[some] = np.bincount(group, weights=hit, minlength=n_groups)[some] / n[some]
    effect = design_effects(hit, group, n_groups=n_groups, units=units)
    return wilson_ends(p, np.maximum(n, 1) / effect)


def design_effects(
    hit: NDArray[np.bool_],
    group: NDArray[np.integer],
    *,
    n_groups: int,
    units: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Return by how much units raise the variance of the share of hits in each group.

    It is the variance of a ratio over units, divided by that over independent rows; at least 1,
    for a chance estimate must not make more rows than there are. Two rows are added in thought,
    one right and one wrong, which act as units of the usual size: where all answers are right,
    nothing is known of their correlation, and the effect becomes the size of the units.

    Parameters
    ----------
    hit, group, n_groups, units
        See `proportion_intervals`.

    Returns
    -------
    float64 ndarray of shape (n_groups,)
        1 for a group without rows.

    References
    ----------
    L. Kish, "Survey Sampling", Wiley 1965, sections 5.4 and 8.2.
    """
    pairs, pair = np.unique(units * n_groups + group, return_inverse=True)
    of = pairs % n_groups
    size, hits = np.bincount(pair).astype(np.float64), np.bincount(pair, weights=hit)
    n = np.bincount(of, weights=size, minlength=n_groups)
    p = (np.bincount(of, weights=hits, minlength=n_groups) + 1) / (n + 2)
    usual = np.bincount(of, weights=size**2, minlength=n_groups) / np.maximum(n, 1)
    spread = np.bincount(of, weights=(hits - p[of] * size) ** 2, minlength=n_groups)
    effect = (spread + usual * (p**2 + (1 - p) ** 2)) / ((n + 2) * p * (1 - p))
    return np.maximum(effect, 1.0)
