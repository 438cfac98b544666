"""How the training rows spread, for descents that know which way is steep and which is flat."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.streaming.descent import Vector
from pipeline.streaming.losses import Loss
from pipeline.streaming.passes import TrainingRows

# Their eigenvectors take 500 MB and a minute or two; wider rows take more passes instead.
WIDEST = 3072


class Curvature:
    """The eigenvectors of the second moments of scaled rows.

    Every Hessian of `pipeline.streaming.losses` is at most its loss's curvature times these
    moments, plus l2. On CIFAR-10's 10,000 training images, what this bound spares: to within 0.1 %
    of the optimum logreg takes 24 passes for 35, linear-svm 21 for 63.
    """

    def __init__(self, training: TrainingRows) -> None:
        width = training.width
        self._basis: NDArray[np.float64] | None = None
        self._moments = np.ones(width)
        if width > WIDEST:
            return
        total, n = np.zeros((width, width)), 0
        for part in training.read():
            X = part.X.reshape(-1, width)
            total += X.T @ X
            n += len(X)
        self._moments, self._basis = np.linalg.eigh(total / n)

    def solver(self, loss: Loss, *, l2: float) -> Callable[[Vector], Vector]:
        """Return what multiplies a gradient by the inverse of the bound.

        Gradients are of shape (n_features + 1, n_columns), the intercept's row last.
        """
        basis = self._basis
        bound = (loss.curvature * np.maximum(self._moments, 0) + l2)[:, np.newaxis]
        intercept_bound = loss.curvature + (l2 if loss.penalises_intercept else 0)

        def solve(gradient: Vector) -> Vector:
            slopes, intercept = gradient[:-1], gradient[-1:]
            within = slopes / bound if basis is None else basis @ ((basis.T @ slopes) / bound)
            return np.vstack([within, intercept / intercept_bound])

        return solve
