"""The 95 % intervals of what `metrics` measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.class_means import balanced_accuracy_interval, macro_f1_interval
from pipeline.metrics.confusion import check_labels
from pipeline.metrics.probabilities import calibration_interval, log_loss_interval
from pipeline.metrics.proportions import proportion_intervals
from pipeline.metrics.units import number_units

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Intervals:
    """95 % intervals: lower and upper end, the estimate always between.

    Attributes
    ----------
    accuracy, balanced_accuracy, macro_f1 : tuple of float
        0-1.
    log_loss, calibration_error : tuple of float, or None
        None without probabilities; NaN where the rows do not tell.
    precision, recall : float64 ndarray of shape (n_classes, 2)
        0-1. NaN where the class was never predicted, or has no rows.
    """

    accuracy: Interval
    balanced_accuracy: Interval
    macro_f1: Interval
    log_loss: Interval | None
    calibration_error: Interval | None
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]


def measure_intervals(
    y_true: NDArray[np.integer],
    y_pred: NDArray[np.integer],
    probabilities: NDArray[np.floating] | None,
    *,
    n_classes: int,
    units: NDArray[np.integer],
    random_state: int,
    n_draws: int = 1000,
) -> Intervals:
    """Return the 95 % intervals of all that is measured on the test rows.

    Each measure has the interval that covered best in simulations; the functions that make them
    say which those were: Wilson's for shares (`proportion_intervals`), Wilson's at the variance
    that the bootstrap tends to for means over classes (`class_means`), bootstrap draws for what
    probabilities are worth (`log_loss_interval`, `calibration_interval`).

    The classifier is taken as it is: how it would vary with other training rows is not in it.

    Parameters
    ----------
    y_true, y_pred : integer ndarray of shape (n_samples,)
        Class indices, 0 to n_classes - 1; at least one row.
    probabilities : float ndarray of shape (n_samples, n_classes), or None
        0-1, rows add up to 1.
    n_classes : int
    units : integer ndarray of shape (n_samples,)
        Rows of one unit are not independent, and are drawn together.
    random_state : int
        Seed of the draws.
    n_draws : int

    Raises
    ------
    ClassifierError
        If a label is not one of the classes.
    """
    check_labels(y_true, n_classes=n_classes, what="true")
    check_labels(y_pred, n_classes=n_classes, what="predicted")
    y_true, y_pred = y_true.astype(np.intp), y_pred.astype(np.intp)
    unit, hit = number_units(units), y_true == y_pred
    everything = proportion_intervals(hit, np.zeros_like(y_true), n_groups=1, units=unit)
    loss, calibration = None, None
    if probabilities is not None:
        rng = np.random.default_rng(random_state)
        loss = log_loss_interval(y_true, probabilities, units=unit, n_draws=n_draws, rng=rng)
        calibration = calibration_interval(
            y_true, probabilities, units=unit, n_draws=n_draws, rng=rng
        )
    return Intervals(
        accuracy=(float(everything[0, 0]), float(everything[0, 1])),
        balanced_accuracy=balanced_accuracy_interval(
            y_true, y_pred, n_classes=n_classes, units=unit
        ),
        macro_f1=macro_f1_interval(y_true, y_pred, n_classes=n_classes, units=unit),
        log_loss=loss,
        calibration_error=calibration,
        precision=proportion_intervals(hit, y_pred, n_groups=n_classes, units=unit),
        recall=proportion_intervals(hit, y_true, n_groups=n_classes, units=unit),
    )
