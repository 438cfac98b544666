"""Minimising a smooth convex function of which every value costs a pass over the data."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

MEMORY = 10  # steps whose curvature is remembered; more bring little (Nocedal & Wright, 7.2)
MEMORY_BYTES = 64 << 20  # they take no more, unless three do: weights of many classes are large
SUFFICIENT = 1e-4  # share of the promised decrease that makes a step (Nocedal & Wright, 3.1)
SHORTEST = 1e-6  # steps below it are lost in the rounding of float32 products


class Descent:
    """L-BFGS that asks instead of calling: evaluate `point`, `tell` the outcome, repeat.

    So one pass over the data serves many descents at once.

    Parameters
    ----------
    start : float64 ndarray of any shape
    precondition : callable
        Takes a gradient, returns about the inverse Hessian's product with it.
    tolerance : float
        The descent has converged when what it expects to gain yet is less than this share of the
        value.

    Attributes
    ----------
    point : float64 ndarray
        Where the function is to be evaluated next.
    best : float64 ndarray
        The lowest point so far.
    converged, stuck : bool
        Stuck: no step along the descent was lower, so rounding ends it.

    References
    ----------
    Nocedal & Wright, Numerical Optimization (2nd ed., 2006), algorithms 7.4 and 3.1.
    """

    def __init__(
        self, start: Vector, *, precondition: Callable[[Vector], Vector], tolerance: float
    ) -> None:
        self.point = self.best = start
        self.converged = self.stuck = False
        self._precondition = precondition
        self._tolerance = tolerance
        n_pairs = min(MEMORY, max(3, MEMORY_BYTES // (2 * start.nbytes)))
        self._pairs: deque[tuple[Vector, Vector]] = deque(maxlen=n_pairs)
        self._value = np.inf
        self._gradient = self._direction = np.zeros_like(start)
        self._slope, self._step = 0.0, 1.0

    @property
    def finished(self) -> bool:
        """Whether there is nothing more to evaluate."""
        return self.converged or self.stuck

    def tell(self, value: float, gradient: Vector) -> None:
        """Take the function's value and gradient at `point`, and choose the next point."""
        promised = self._value + SUFFICIENT * self._step * self._slope
        if value <= promised:
            self._accept(value, gradient)
        else:
            self._shorten(value)
        self.point = self.best + self._step * self._direction

    def _accept(self, value: float, gradient: Vector) -> None:
        if np.isfinite(self._value):
            moved, change = self.point - self.best, gradient - self._gradient
            if np.vdot(moved, change) > 0:
                self._pairs.append((moved, change))
        self.best, self._value, self._gradient = self.point, value, gradient
        self._direction = -self._solve(gradient)
        self._slope, self._step = float(np.vdot(gradient, self._direction)), 1.0
        # For a quadratic function this is what lies between here and the minimum.
        self.converged = -self._slope / 2 <= self._tolerance * abs(value)

    def _shorten(self, value: float) -> None:
        """Go to the minimum of the parabola through what is known, within bounds."""
        rise = value - self._value - self._step * self._slope
        fitted = -self._slope * self._step**2 / (2 * rise) if np.isfinite(rise) else 0.0
        self._step = min(max(fitted, self._step / 10), self._step / 2)
        self.stuck = self._step < SHORTEST

    def _solve(self, gradient: Vector) -> Vector:
        """Return the inverse Hessian's product with a gradient, by the two-loop recursion."""
        rest, shares = gradient.copy(), []
        for moved, change in reversed(self._pairs):
            share = np.vdot(moved, rest) / np.vdot(moved, change)
            rest -= share * change
            shares.append(share)
        solved = self._precondition(rest)
        if self._pairs:
            moved, change = self._pairs[-1]
            solved *= np.vdot(moved, change) / np.vdot(change, self._precondition(change))
        for (moved, change), share in zip(self._pairs, reversed(shares), strict=True):
            solved += (share - np.vdot(change, solved) / np.vdot(moved, change)) * moved
        return solved
