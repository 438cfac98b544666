"""Rows by their units, and bootstrap draws of whole units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CHUNK = 1_000_000  # units drawn at once: 16 MB of numbers and counts


def number_units(units: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return the units of the rows, renumbered 0 to n_units - 1."""
    numbers: NDArray[np.intp] = np.unique(units, return_inverse=True)[1]
    return numbers


def usual_size(units: NDArray[np.intp]) -> float:
    """Return the number of rows in the unit of the average row: 1 where each row is a unit.

    Parameters
    ----------
    units : intp ndarray of shape (n_samples,)
        0 to n_units - 1.
    """
    return float((np.bincount(units) ** 2).sum() / len(units))


def sum_draws(
    values: NDArray[np.float64], *, n_draws: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw as many units as there are, with replacement, and add up their values; many times.

    Parameters
    ----------
    values : float64 ndarray of shape (n_units, n_values)
    n_draws : int
    rng : numpy.random.Generator

    Returns
    -------
    float64 ndarray of shape (n_draws, n_values)

    References
    ----------
    B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979)
    1-26. Units for rows: A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their
    Application", Cambridge 1997, section 3.8.
    """
    n_units = len(values)
    sums = np.empty((n_draws, values.shape[1]))
    step = max(1, CHUNK // n_units)
    for first in range(0, n_draws, step):
        n = min(step, n_draws - first)
        drawn = rng.integers(n_units, size=(n, n_units)) + n_units * np.arange(n)[:, None]
        times = np.bincount(drawn.ravel(), minlength=n * n_units).reshape(n, n_units)
        sums[first : first + n] = times.astype(np.float64) @ values
    return sums
