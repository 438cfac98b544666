"""The best of several classifiers, and the cheapest that the test rows cannot tell from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics import mcnemar, paired_difference
from pipeline.ranking.costs import Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """How far a classifier is behind the best one on the same rows.

    Attributes
    ----------
    difference : float
        Its accuracy less the best one's, -1 to 0.
    interval : tuple of float
        Paired bootstrap, 95 %.
    n_only_this, n_only_best : int
        Rows on which only one of the two is right.
    p_value : float
        Of McNemar's exact test, corrected by Holm for all that were compared with the best.
    """

    difference: float
    interval: tuple[float, float]
    n_only_this: int
    n_only_best: int
    p_value: float

    @property
    def is_within_error(self) -> bool:
        """Whether the interval of the difference contains 0."""
        return self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How several classifiers did against the best of them.

    Attributes
    ----------
    order : tuple of int
        Which one is right most often, then the others; of equals the cheaper first.
    cheapest : int
        Which one costs least of the best and those within the error bar of it.
    gaps : tuple of Gap or None
        Of each; None for the best.
    """

    order: tuple[int, ...]
    cheapest: int
    gaps: tuple[Gap | None, ...]

    @property
    def best(self) -> int:
        """Which one is right most often."""
        return self.order[0]


def rank(correct: NDArray[np.bool_], costs: Sequence[Cost], *, random_state: int) -> Standing:
    """Compare classifiers with the best of them.

    The best is chosen on the rows that the differences are measured on, so that it is flattered a
    little: the more classifiers there are, the more.

    Parameters
    ----------
    correct : bool ndarray of shape (n_classifiers, n_rows)
        Whether each is right on the same rows. Every row is drawn on its own.
    costs : sequence of Cost
    random_state : int

    References
    ----------
    The cheapest within the error bar: after the one-standard-error rule of L. Breiman, J. H.
    Friedman, R. A. Olshen and C. J. Stone, "Classification and Regression Trees" (1984),
    section 3.4.3.
    """
    n_right = correct.sum(axis=1)
    order = sorted(range(len(correct)), key=lambda i: (-n_right[i], costs[i].order))
    best, *others = order
    tests = {i: mcnemar(correct[i], correct[best]) for i in others}
    p_values = dict(zip(others, correct_holm([tests[i].p_value for i in others]), strict=True))
    gaps: list[Gap | None] = [None] * len(correct)
    for i in others:
        found = paired_difference(
            correct[i],
            correct[best],
            units=np.arange(correct.shape[1]),
            random_state=random_state,
        )
        gaps[i] = Gap(
            difference=found.difference,
            interval=(found.low, found.high),
            n_only_this=tests[i].n_only_a,
            n_only_best=tests[i].n_only_b,
            p_value=p_values[i],
        )
    as_good = [i for i, gap in enumerate(gaps) if gap is None or gap.is_within_error]
    cheapest = min(as_good, key=lambda i: costs[i].order)
    return Standing(order=tuple(order), cheapest=cheapest, gaps=tuple(gaps))


def correct_holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number: all errors together stay below the level of one.

    References
    ----------
    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (1979) 65-70.
    """
    corrected, largest = [1.0] * len(p_values), 0.0
    ascending = sorted(range(len(p_values)), key=lambda i: p_values[i])
    for n_smaller, i in enumerate(ascending):
        largest = max(largest, (len(p_values) - n_smaller) * p_values[i])
        corrected[i] = min(1.0, largest)
    return corrected
