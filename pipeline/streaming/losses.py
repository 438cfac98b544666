"""What each linear classifier minimises, as scikit-learn defines it.

All are ``sum of s_i loss(z_i, y_i) + l2 / 2 |W|^2``, with ``z_i = x_i W + b`` and s_i the weight
of the row's class. Two classes share a column of scores, more have one each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """One loss.

    Attributes
    ----------
    compute : callable
        Takes scores, float32 of shape (n_rows, n_columns), the classes' indices, and the classes'
        weights; returns the weighted loss of each row and its derivative by the scores.
    curvature : float
        No second derivative by a score is greater.
    penalises_intercept : bool
    """

    compute: Callable[[Scores, NDArray[np.intp], Scores], tuple[Scores, Scores]]
    curvature: float
    penalises_intercept: bool


def _cross_entropy(
    scores: Scores, y: NDArray[np.intp], class_weights: Scores
) -> tuple[Scores, Scores]:
    binary = scores.shape[1] == 1
    logits = np.hstack([np.zeros_like(scores), scores]) if binary else scores
    rows, weights = np.arange(len(y)), class_weights[y]
    shifted = logits - logits.max(axis=1, keepdims=True)
    slopes = np.exp(shifted)
    total = slopes.sum(axis=1, keepdims=True)
    losses = np.log(total[:, 0]) - shifted[rows, y]
    slopes /= total
    slopes[rows, y] -= 1
    slopes *= weights[:, np.newaxis]
    return weights * losses, slopes[:, 1:] if binary else slopes


def _squared_hinge(
    scores: Scores, y: NDArray[np.intp], class_weights: Scores
) -> tuple[Scores, Scores]:
    targets = _one_against_rest(scores, y)
    short = np.maximum(0, 1 - targets * scores)
    weights = class_weights[y][:, np.newaxis]
    if scores.shape[1] > 1:
        # LIBLINEAR weighs a row where its class is told from the rest, and nowhere else.
        weights = np.where(targets > 0, weights, np.float32(1))
    return (weights * np.square(short)).sum(axis=1), -2 * weights * targets * short


def _squared_error(
    scores: Scores, y: NDArray[np.intp], class_weights: Scores
) -> tuple[Scores, Scores]:
    off = scores - _one_against_rest(scores, y)
    weights = class_weights[y][:, np.newaxis]
    return (weights * np.square(off)).sum(axis=1), 2 * weights * off


def _one_against_rest(scores: Scores, y: NDArray[np.intp]) -> Scores:
    """Return 1 in the column of each row's class, -1 elsewhere."""
    if scores.shape[1] == 1:
        return np.where(y == 1, 1, -1).astype(scores.dtype)[:, np.newaxis]
    targets = np.full_like(scores, -1)
    targets[np.arange(len(y)), y] = 1
    return targets


# The Hessian of the softmax is at most half the identity (Böhning 1992).
CROSS_ENTROPY = Loss(compute=_cross_entropy, curvature=0.5, penalises_intercept=False)
# LIBLINEAR takes the intercept for one more weight.
SQUARED_HINGE = Loss(compute=_squared_hinge, curvature=2.0, penalises_intercept=True)
SQUARED_ERROR = Loss(compute=_squared_error, curvature=2.0, penalises_intercept=False)
