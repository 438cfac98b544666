"""Several descents on the same training rows: one pass serves all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.streaming.curvature import Curvature
from pipeline.streaming.descent import Descent, Vector
from pipeline.streaming.losses import Loss
from pipeline.streaming.passes import TrainingRows, unfold
from pipeline.streaming.problems import Problem

MAX_PASSES = 100


@dataclass(kw_only=True, eq=False)
class Candidate:
    """One value of C or alpha on its way.

    Attributes
    ----------
    value, l2 : float
        The value, and the penalty's weight beside the mean of the losses.
    descent : Descent
    n_right, n_asked : intp ndarray of shape (n_classes,)
        Held-out rows of each class: of which the descent's best point names the class, and all.
    n_passes : int
    """

    value: float
    l2: float
    descent: Descent
    n_right: NDArray[np.intp]
    n_asked: NDArray[np.intp]
    n_passes: int = 0


class Descents:
    """Runs descents on the same training rows."""

    def __init__(
        self, training: TrainingRows, problem: Problem, class_weights: NDArray[np.float32]
    ) -> None:
        self.training = training
        self.problem = problem
        self.class_weights = class_weights
        self._curvature = Curvature(training)
        n_classes = len(class_weights)
        n_columns = 1 if n_classes == 2 else n_classes
        self.n_samples = len(training.rows) * training.n_views
        self.default = problem.default(self.n_samples)
        self.origin = np.zeros((training.width + 1, n_columns))

    def make(
        self,
        value: float,
        *,
        start: Vector,
        tolerance: float,
        everyone: bool = False,
    ) -> Candidate:
        """Return a descent for one value, on all training rows or on those not held out."""
        l2 = self.problem.l2(value, weight=self._total_weight(everyone=everyone))
        solver = self._curvature.solver(self.problem.loss, l2=l2)
        descent = Descent(start, precondition=solver, tolerance=tolerance)
        none = np.zeros(len(self.class_weights), np.intp)
        return Candidate(value=value, l2=l2, descent=descent, n_right=none, n_asked=none)

    def _total_weight(self, *, everyone: bool) -> float:
        y = self.training.y if everyone else self.training.y[~self.training.held_out]
        counts = np.bincount(y, minlength=len(self.class_weights))
        return float(counts @ self.class_weights) * self.training.n_views

    def run(self, candidates: Sequence[Candidate], *, everyone: bool = False) -> None:
        """Descend until all have converged, or the passes are spent."""
        for _ in range(MAX_PASSES):
            active = [one for one in candidates if not one.descent.finished]
            if not active:
                return
            self._step(active, everyone=everyone)

    def _step(self, active: Sequence[Candidate], *, everyone: bool) -> None:
        """Evaluate candidates in one pass."""
        sums = [_Sums(one.descent.point, self.problem.loss, self.class_weights) for one in active]
        for part in self.training.read():
            learn = np.ones(len(part.y), bool) if everyone else ~part.held_out
            X, y = unfold(part, learn)
            asked = part.X[~learn].mean(axis=1)
            for one in sums:
                one.learn(X, y)
                one.ask(asked, part.y[~learn])
        weight = self._total_weight(everyone=everyone)
        for candidate, one in zip(active, sums, strict=True):
            value, gradient = one.penalised(candidate.l2, weight=weight)
            candidate.descent.tell(value, gradient)
            candidate.n_passes += 1
            if candidate.descent.best is one.point:
                candidate.n_right, candidate.n_asked = one.n_right, one.n_asked


class _Sums:
    """What one pass adds up for one candidate."""

    def __init__(self, point: Vector, loss: Loss, class_weights: NDArray[np.float32]) -> None:
        self.point = point
        self.n_right = np.zeros(len(class_weights), np.intp)
        self.n_asked = self.n_right.copy()
        self._loss = loss
        self._class_weights = class_weights
        self._coef = point[:-1].astype(np.float32)
        self._intercept = point[-1].astype(np.float32)
        self._value = 0.0
        self._gradient = np.zeros_like(point)

    def learn(self, X: NDArray[np.float32], y: NDArray[np.intp]) -> None:
        scores = X @ self._coef + self._intercept
        losses, slopes = self._loss.compute(scores, y, self._class_weights)
        self._value += float(losses.sum(dtype=np.float64))
        self._gradient[:-1] += X.T @ slopes
        self._gradient[-1] += slopes.sum(axis=0)

    def ask(self, X: NDArray[np.float32], y: NDArray[np.intp]) -> None:
        scores = X @ self._coef + self._intercept
        answers = scores[:, 0] > 0 if scores.shape[1] == 1 else scores.argmax(axis=1)
        n_classes = len(self.n_asked)
        self.n_right += np.bincount(y[answers == y], minlength=n_classes)
        self.n_asked += np.bincount(y, minlength=n_classes)

    def penalised(self, l2: float, *, weight: float) -> tuple[float, Vector]:
        """Return the mean loss with the penalty, and its gradient."""
        shrunk = self.point.copy()
        if not self._loss.penalises_intercept:
            shrunk[-1] = 0
        value = self._value / weight + l2 / 2 * float(np.vdot(shrunk, shrunk))
        return value, self._gradient / weight + l2 * shrunk
