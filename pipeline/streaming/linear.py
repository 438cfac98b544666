"""logreg, linear-svm and ridge on streamed rows: the optimum that they have in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.streaming.choosing import Choice, choose_value
from pipeline.streaming.descent import Vector
from pipeline.streaming.descents import Candidate, Descents
from pipeline.streaming.passes import TrainingRows
from pipeline.streaming.problems import Problem

TOLERANCE = 1e-4  # of the objective, what is left to gain


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearFit:
    """Weights at the optimum.

    Attributes
    ----------
    weights : float64 ndarray of shape (n_features + 1, n_columns)
        Of scaled values; the intercept's row last.
    value : float
        Of C or alpha.
    tuning : mapping or None
        As in `Report.tuning`.
    notes : tuple of str
    """

    weights: Vector
    value: float
    tuning: Mapping[str, Any] | None
    notes: tuple[str, ...]


def fit_linear(
    training: TrainingRows,
    problem: Problem,
    *,
    value: float | None,
    tune: bool,
    balanced: bool,
) -> LinearFit:
    """Fit one linear classifier.

    Parameters
    ----------
    training : TrainingRows
        Measured.
    problem : Problem
    value : float, optional
        Of C or alpha; tuned if it is not given, or the default where `tune` is off.
    tune : bool
    balanced : bool
        Whether each class weighs by the inverse of its frequency.
    """
    descents = Descents(training, problem, _weigh_classes(training.y, balanced=balanced))
    if value is None and tune:
        choice = choose_value(descents, balanced=balanced)
    else:
        choice = Choice(value=value or descents.default, start=descents.origin)
    last = descents.make(choice.value, start=choice.start, tolerance=TOLERANCE, everyone=True)
    descents.run([last], everyone=True)
    return LinearFit(
        weights=last.descent.best,
        value=choice.value,
        tuning=choice.tuning,
        notes=(*choice.notes, *_convergence_notes(last, problem.parameter)),
    )


def _weigh_classes(y: NDArray[np.intp], *, balanced: bool) -> NDArray[np.float32]:
    counts = np.bincount(y)
    weights = len(y) / (len(counts) * counts) if balanced else np.ones(len(counts))
    return weights.astype(np.float32)


def _convergence_notes(last: Candidate, parameter: str) -> tuple[str, ...]:
    if last.descent.finished:
        return ()
    other = "smaller --C" if parameter == "C" else "greater alpha"
    return (
        f"The solver stopped after {last.n_passes} passes over the transfer values without having "
        f"converged: the accuracy is that of an unfinished fit. Take a {other} than "
        f"{last.value:g}.",
    )
