"""The learning curve: accuracy by the number of training images, and what more would bring.

The error is taken to fall as a power of the number n of training rows towards a floor:
error(n) = a + b · n^-c, with a, b and c at least 0.

References
----------
C. Cortes et al., "Learning curves: asymptotic values and rate of convergence", NIPS 1993. J.
Hestness et al., "Deep learning scaling is predictable, empirically", arXiv:1712.00409 (2017).
T. Viering and M. Loog, "The shape of learning curves: a review", IEEE Transactions on Pattern
Analysis and Machine Intelligence 45 (2023) 7799-7819, arXiv:2103.10948 (2021): not every curve is
a power law, so a forecast holds only as long as the law does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ClassifierError

N_SIZES = 6
SMALLEST_SHARE = 0.1
FACTORS = (2, 4, 10)
"""Multiples of the training rows there are that a forecast is made for."""

MIN_SIZES = 3
"""Fewer sizes cannot tell a, b and c apart."""

_RATES = np.linspace(0.02, 2, 199)
"""The values of c that are tried. Image classifiers' lie between 0.07 and 1 (Hestness; Cortes)."""

_REFINED = 21
_ROUNDING = 1e-12
_N_DRAWS = 1000

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLaw:
    """The error of a classifier by its number of training rows: a + b · n^-c.

    Attributes
    ----------
    a : float
        What is left however many rows there are, 0-1.
    b : float
        At least 0; 0 for a curve that does not fall.
    c : float
        The rate, at least 0; 0 where b is 0.
    """

    a: float
    b: float
    c: float

    def error(self, n: float) -> float:
        """Return the error after training on n rows: never above 1."""
        return min(1.0, self.a + self.b * math.pow(n, -self.c))


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The accuracy that is expected of n training rows, with a 95 % interval, 0-1."""

    n: int
    accuracy: float
    low: float
    high: float


def curve_sizes(n: int, n_classes: int) -> list[int]:
    """Return up to six training sizes, at equal ratios from a tenth of n rows to all of them.

    The smallest has room for two rows of each class.
    """
    smallest = min(n, max(2 * n_classes, round(SMALLEST_SHARE * n), 1))
    return sorted({round(size) for size in np.geomspace(smallest, n, N_SIZES).tolist()})


def nested_subset(order: NDArray[np.intp], y: NDArray[np.integer], size: int) -> NDArray[np.intp]:
    """Choose rows so that smaller choices are part of larger ones, and classes keep their share.

    The first two rows of every class come first, then each class by its share: so even a small
    subset can be trained on.

    Parameters
    ----------
    order : intp ndarray of shape (n_rows,)
        The rows to choose from, in random order.
    y : integer ndarray of shape (n_samples,)
        Class of every row that `order` may name.
    size : int
        At most n_rows.

    Returns
    -------
    intp ndarray of shape (size,)
    """
    labels = y[order]
    share = np.empty(len(order))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        share[members] = np.maximum(np.arange(len(members)) - 1, 0) / len(members)
    return order[np.argsort(share, kind="stable")[:size]]


def fit_power_law(
    n: NDArray[np.number] | Sequence[int], error: Floats, *, weights: Floats | None = None
) -> PowerLaw:
    """Fit error(n) = a + b · n^-c by least squares.

    For a given c, a and b follow without search, so that c alone is looked for, on a grid:
    there is no start to choose and no failure to converge. A curve that is flat or rises gives
    its mean as a, and b = c = 0.

    Parameters
    ----------
    n : array of shape (n_sizes,)
        Training rows, greater than 0.
    error : float64 ndarray of shape (n_sizes,)
        0-1.
    weights : float64 ndarray of shape (n_sizes,)
        Of the squared residuals; the same for all by default.

    Raises
    ------
    ClassifierError
        If there are fewer than three different sizes.
    """
    sizes = np.asarray(n, np.float64)
    a, b, c = _fit_many(sizes, np.asarray(error, np.float64)[None], _weights(sizes, weights))
    return PowerLaw(a=float(a[0]), b=float(b[0]), c=float(c[0]))


def forecast(
    n: NDArray[np.number] | Sequence[int],
    errors: Floats,
    at: Sequence[int],
    *,
    seed: int,
    weights: Floats | None = None,
) -> list[Forecast]:
    """Forecast the accuracy of larger training sets, with 95 % intervals.

    The folds' errors are resampled, whole folds at a time because one fold's errors at two sizes
    go together, and the law is fitted to each draw. With few folds, drawing them with replacement
    gives intervals that are too narrow; the folds' deviations from their mean are instead given
    normal weights, and the sum Student's spread, as for a mean of that many values.

    The interval knows of the folds' noise, and of nothing else: not of curves that are no power
    law, and it has no width where every fold is without error. On simulated laws (3 or 5 folds of
    400 test rows, 100 to 200 draws each, 2, 4 and 10 times the rows) it covers the truth in 94 to
    99 % of the draws where the floor is clearly above 0, in 82 to 95 % where the floor is 0 or
    nearly so or the curve is flat: a floor cannot be estimated below 0, so that forecasts err to
    the pessimistic side. Of real pictures, where a quarter of the training rows forecast the
    accuracy of all, CIFAR-10's 0.895 lay within 0.878 to 0.910, cats and dogs' 0.991 within 0.984
    to 0.995.

    Parameters
    ----------
    n : array of shape (n_sizes,)
        Training rows.
    errors : float64 ndarray of shape (n_folds, n_sizes)
        Of each fold, 0-1; at least two folds.
    at : sequence of int
        Training rows to forecast for.
    seed : int
    weights : float64 ndarray of shape (n_sizes,)

    Raises
    ------
    ClassifierError
        If there are fewer than three different sizes, or one fold.
    """
    if len(errors) < 2:
        raise ClassifierError(
            f"A forecast's interval needs the errors of at least 2 folds, got {len(errors)}: "
            "a single one does not show by how much they vary."
        )
    sizes = np.asarray(n, np.float64)
    draws = np.concatenate([errors.mean(axis=0)[None], _draw_means(errors, seed=seed)])
    a, b, c = _fit_many(sizes, draws, _weights(sizes, weights))
    made = []
    for size in at:
        accuracy = 1 - np.clip(a + b * float(size) ** -c, 0, 1)
        low, high = np.quantile(accuracy[1:], (0.025, 0.975))
        made.append(
            Forecast(n=int(size), accuracy=float(accuracy[0]), low=float(low), high=float(high))
        )
    return made


def describe_learning_curve(sizes: Sequence[int], accuracy: Floats, *, seed: int) -> dict[str, Any]:
    """Return what a report says of a learning curve, as JSON values.

    Parameters
    ----------
    sizes : sequence of int
        Training rows, ascending.
    accuracy : float64 ndarray of shape (n_folds, n_sizes)
        0-1.
    seed : int

    Returns
    -------
    dict
        ``sizes accuracy std n_folds law forecast``: means and standard deviations over the folds
        (deviations None for a single fold), ``a b c`` of the law, and ``n accuracy low high`` for
        2, 4 and 10 times the largest size. Without three sizes the law is None; without them or
        two folds the forecast is empty.
    """
    n_folds = len(accuracy)
    errors = 1 - accuracy
    fits = len(set(sizes)) >= MIN_SIZES
    at = [factor * max(sizes) for factor in FACTORS]
    made = forecast(sizes, errors, at, seed=seed) if fits and n_folds > 1 else []
    return {
        "sizes": [int(size) for size in sizes],
        "accuracy": accuracy.mean(axis=0).tolist(),
        "std": accuracy.std(axis=0, ddof=1).tolist() if n_folds > 1 else None,
        "n_folds": n_folds,
        "law": asdict(fit_power_law(sizes, errors.mean(axis=0))) if fits else None,
        "forecast": [asdict(one) for one in made],
    }


def _weights(sizes: Floats, weights: Floats | None) -> Floats:
    if len(np.unique(sizes)) < MIN_SIZES:
        raise ClassifierError(
            f"A power law needs the errors at {MIN_SIZES} different training sizes at least, got "
            f"{len(np.unique(sizes))}. Add training images."
        )
    return np.ones(len(sizes)) if weights is None else np.asarray(weights, np.float64)


def _draw_means(errors: Floats, *, seed: int) -> Floats:
    """Draw what the folds' mean could have been: float64 ndarray of shape (n_draws, n_sizes)."""
    rng = np.random.default_rng(seed)
    k, mean = len(errors), errors.mean(axis=0)
    sums = rng.standard_normal((_N_DRAWS, k)) @ (errors - mean) / np.sqrt(k * (k - 1))
    heavier = np.sqrt((k - 1) / rng.chisquare(k - 1, _N_DRAWS))
    drawn: Floats = np.clip(mean + sums * heavier[:, None], 0, 1)
    return drawn


def _fit_many(sizes: Floats, errors: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Fit a law to each row of errors; a, b, c of shape (n_rows,)."""
    unit = sizes / sizes.max()  # n^-c of large n and c would lose its digits against a
    rates = np.tile(_RATES, (len(errors), 1))
    a, b, c = _best_of(unit, errors, weights, rates)
    step = _RATES[1] - _RATES[0]
    near = np.clip(c[:, None] + np.linspace(-step, step, _REFINED), _RATES[0], _RATES[-1])
    a, b, c = _best_of(unit, errors, weights, near)
    falls = b > _ROUNDING
    return a, np.where(falls, b * sizes.max() ** c, 0.0), np.where(falls, c, 0.0)


def _best_of(
    sizes: Floats, errors: Floats, weights: Floats, rates: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return a, b and c of each row of errors, c being the best of its row of rates.

    The a and b that minimise the sum of w·(a + b·x - error)², x = n^-c, under a, b ≥ 0, lie
    inside, or on the edge a = 0, or on the edge b = 0.
    """
    x = sizes ** -rates[..., None]  # (n_rows, n_rates, n_sizes)
    w = weights / weights.sum()
    mean_x, mean_y = x @ w, (errors @ w)[:, None]
    mean_xx, mean_xy = (x * x) @ w, np.einsum("rks,rs,s->rk", x, errors, w)
    mean_yy = ((errors * errors) @ w)[:, None]
    slope = (mean_xy - mean_x * mean_y) / (mean_xx - mean_x**2)
    inside = mean_y - slope * mean_x
    b = np.where(inside < 0, mean_xy / mean_xx, np.maximum(slope, 0))
    a = np.where(inside < 0, 0.0, np.where(slope < 0, mean_y, inside))
    loss = a * a + 2 * a * b * mean_x + b * b * mean_xx - 2 * (a * mean_y + b * mean_xy) + mean_yy
    best = loss.argmin(axis=1)
    rows = np.arange(len(errors))
    return a[rows, best], b[rows, best], rates[rows, best]
