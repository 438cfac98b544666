"""Which strength of regularisation suits the data, by the training rows that are held out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.streaming.descent import Vector
from pipeline.streaming.descents import Candidate, Descents
from pipeline.streaming.problems import half_decades

TOLERANCE = 1e-3  # of the objective: the answers stand still long before it does
MAX_EXTENSIONS = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """What was chosen, and where the descent on all training rows starts.

    Attributes
    ----------
    value : float
    start : float64 ndarray of shape (n_features + 1, n_columns)
    tuning : mapping or None
        As in `Report.tuning`. None if nothing was tried.
    notes : tuple of str
    """

    value: float
    start: Vector
    tuning: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Tried:
    """A value, the score of its fit on the held-out rows, and that score's standard error."""

    value: float
    score: float
    error: float
    weights: Vector


def choose_value(descents: Descents, *, balanced: bool) -> Choice:
    """Try a grid of values side by side, and go on beyond its edge while the best is there.

    Parameters
    ----------
    descents : Descents
    balanced : bool
        Whether every class counts alike.
    """
    parameter, default = descents.problem.parameter, descents.default
    if not descents.training.held_out.any():
        note = f"Too few training images to hold some out: {parameter} = {default:g} was not tuned."
        return Choice(value=default, start=descents.origin, notes=(note,))
    grid = descents.problem.grid(descents.n_samples)
    tried = _try(descents, grid, start=descents.origin, balanced=balanced)
    best = _best_of(tried, default)
    while len(tried) < len(grid) + MAX_EXTENSIONS and (beyond := _beyond(tried, best)):
        tried += _try(descents, [beyond], start=best.weights, balanced=balanced)
        tried.sort(key=lambda one: one.value)
        best = _best_of(tried, default)
    tuning = {
        "parameter": parameter,
        "scoring": "balanced accuracy" if balanced else "accuracy",
        "n_folds": 1,
        "n_rows": len(descents.training.rows),
        "values": [one.value for one in tried],
        "means": [one.score for one in tried],
        "stds": [one.error for one in tried],
        "best": best.value,
        "extended": len(tried) > len(grid),
    }
    notes = _edge_notes(tried, best, parameter)
    return Choice(value=best.value, start=best.weights, tuning=tuning, notes=notes)


def _try(
    descents: Descents, values: Sequence[float], *, start: Vector, balanced: bool
) -> list[_Tried]:
    candidates = [descents.make(value, start=start, tolerance=TOLERANCE) for value in values]
    descents.run(candidates)
    return [
        _Tried(
            value=one.value,
            score=float(np.mean(shares)),
            error=float(np.sqrt(np.sum(shares * (1 - shares) / asked)) / len(asked)),
            weights=one.descent.best,
        )
        for one in candidates
        for shares, asked in (_shares_right(one, balanced=balanced),)
    ]


def _shares_right(
    one: Candidate, *, balanced: bool
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the share of held-out rows that was named, and their number, of each class or all."""
    right, asked = one.n_right, one.n_asked
    if not balanced:
        right, asked = right.sum(keepdims=True), asked.sum(keepdims=True)
    present = asked > 0
    return right[present] / asked[present], asked[present]


def _best_of(tried: Sequence[_Tried], default: float) -> _Tried:
    """Return the best, among equals the one nearest to the default."""
    return max(tried, key=lambda one: (one.score, -abs(math.log(one.value / default))))


def _beyond(tried: Sequence[_Tried], best: _Tried) -> float | None:
    """Return the next value outside the grid if the best is at its edge."""
    exponent = round(2 * math.log10(best.value))
    if best is tried[0]:
        return half_decades(exponent - 1)
    return half_decades(exponent + 1) if best is tried[-1] else None


def _edge_notes(tried: Sequence[_Tried], best: _Tried, parameter: str) -> tuple[str, ...]:
    if best is not tried[0] and best is not tried[-1]:
        return ()
    side = "smallest" if best is tried[0] else "greatest"
    return (
        f"The best {parameter}, {best.value:g}, is the {side} that was tried: one beyond may be "
        "better.",
    )
