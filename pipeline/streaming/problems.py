"""The linear classifiers as problems of minimisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.streaming.losses import CROSS_ENTROPY, SQUARED_ERROR, SQUARED_HINGE, Loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What one linear classifier is fitted to.

    Attributes
    ----------
    loss : Loss
    parameter : {"C", "alpha"}
        C weighs the losses, alpha the penalty.
    default : callable
        Takes the number of rows to fit, returns the parameter's default.
    n_beside : int
        How many values are tried on each side of the default, each half a decade on.
    """

    loss: Loss
    parameter: str
    default: Callable[[int], float]
    n_beside: int

    def grid(self, n_samples: int) -> list[float]:
        """Return the values that are tried, ascending: powers of the root of ten."""
        centre = round(2 * np.log10(self.default(n_samples)))
        return [half_decades(centre + k) for k in range(-self.n_beside, self.n_beside + 1)]

    def l2(self, value: float, *, weight: float) -> float:
        """Return the penalty's weight where the losses are averaged; `weight` is theirs in all."""
        return (1 / value if self.parameter == "C" else 2 * value) / weight


def half_decades(n: int) -> float:
    """Return the root of ten to the power of `n`, of two digits: what --C repeats."""
    return float(f"{10 ** (n / 2):.2g}")


# The defaults are those of the same classifiers in memory; see `pipeline.classifiers.making`.
PROBLEMS = {
    "logreg": Problem(
        loss=CROSS_ENTROPY,
        parameter="C",
        default=lambda n: float(f"{min(1.0, max(3e-3, 30 / n)):.2g}"),
        n_beside=2,
    ),
    "linear-svm": Problem(loss=SQUARED_HINGE, parameter="C", default=lambda _: 1e-3, n_beside=2),
    "ridge": Problem(
        loss=SQUARED_ERROR, parameter="alpha", default=lambda n: float(f"{0.1 * n:.2g}"), n_beside=4
    ),
}
