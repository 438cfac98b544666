"""The numbers of a report: what the answers on the test rows are worth, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import metrics
from pipeline.predictions import format_predictions
from pipeline.records import SampleTable, Split
from pipeline.splits import Partition, Rows, find_units

N_PAIRS = 20
N_MISTAKES = 20
MEASURES = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "calibration_error")


def measure_answers(
    table: SampleTable,
    part: Partition,
    scores: NDArray[np.floating],
    *,
    are_probabilities: bool,
    seed: int,
) -> dict[str, Any]:
    """Return the fields of a `Report` that come from the answers on the test rows.

    Parameters
    ----------
    table : SampleTable
    part : Partition
    scores : float ndarray of shape (n_test, n_classes)
        The answer is the class of the highest.
    are_probabilities : bool
        Whether the scores are; otherwise there is no log loss and no calibration.
    seed : int
        Of the bootstrap draws.
    """
    names, n_classes = table.class_names, len(table.class_names)
    y_train, y_test = table.labels[part.train], table.labels[part.test]
    y_pred = scores.argmax(axis=1)
    matrix = metrics.confusion_matrix(y_test, y_pred, n_classes=n_classes)
    probabilities = scores.astype(np.float64) if are_probabilities else None
    rankings = metrics.rank_classes(y_test, scores)
    intervals = metrics.measure_intervals(
        y_test,
        y_pred,
        probabilities,
        n_classes=n_classes,
        units=find_units(table.sha256, table.group)[part.test],
        random_state=seed,
    )
    return {
        "confusion_matrix": tuple(tuple(row) for row in matrix.tolist()),
        "accuracy": metrics.accuracy(matrix),
        "balanced_accuracy": metrics.balanced_accuracy(matrix),
        "macro_f1": metrics.macro_f1(matrix),
        **_measure_probabilities(y_test, probabilities),
        "roc_auc": _mean_of_known(rankings.roc_auc),
        "average_precision": _mean_of_known(rankings.average_precision),
        "intervals": {name: _none_if_any_nan(getattr(intervals, name)) for name in MEASURES},
        "per_class": _measure_classes(
            names, matrix, intervals, rankings, np.bincount(y_train, minlength=n_classes)
        ),
        "confused_pairs": tuple(
            {"true": names[true], "predicted": names[predicted], "count": count}
            for true, predicted, count in metrics.confused_pairs(matrix, limit=N_PAIRS)
        ),
        "mistakes": tuple(
            {
                "path": table.paths[part.test[row]],
                "true": names[y_test[row]],
                "predicted": names[y_pred[row]],
                "score": float(scores[row].max()),
            }
            for row in metrics.confident_mistakes(y_test, scores, limit=N_MISTAKES)
        ),
    }


def _measure_probabilities(
    y_test: NDArray[np.integer], probabilities: NDArray[np.float64] | None
) -> dict[str, Any]:
    if probabilities is None:
        return {"log_loss": None, "calibration_error": None, "calibration": ()}
    bins = metrics.calibration_bins(y_test, probabilities)
    return {
        "log_loss": metrics.log_loss(y_test, probabilities),
        "calibration_error": metrics.calibration_error(y_test, probabilities),
        "calibration": tuple(map(asdict, bins)),
    }


def _measure_classes(
    names: tuple[str, ...],
    matrix: NDArray[np.int64],
    intervals: metrics.Intervals,
    rankings: metrics.ClassRankings,
    n_train: NDArray[np.int64],
) -> tuple[dict[str, Any], ...]:
    scores = metrics.class_scores(matrix)
    return tuple(
        {
            "name": name,
            "precision": _none_if_nan(scores.precision[i]),
            "precision_ci": _none_if_any_nan(intervals.precision[i]),
            "recall": _none_if_nan(scores.recall[i]),
            "recall_ci": _none_if_any_nan(intervals.recall[i]),
            "f1": _none_if_nan(scores.f1[i]),
            "roc_auc": _none_if_nan(rankings.roc_auc[i]),
            "average_precision": _none_if_nan(rankings.average_precision[i]),
            "n_test": int(scores.support[i]),
            "n_train": int(n_train[i]),
        }
        for i, name in enumerate(names)
    )


def _mean_of_known(values: NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _none_if_nan(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _none_if_any_nan(values: Iterable[float] | None) -> list[float] | None:
    found = [] if values is None else [float(value) for value in values]
    return None if not found or any(map(math.isnan, found)) else found


def accuracy_interval(
    table: SampleTable, rows: Rows, correct: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return the 95 % interval of an accuracy on rows of a table.

    Parameters
    ----------
    table : SampleTable
        Says which of its rows are copies of each other, or of one group.
    rows : intp ndarray of shape (n_rows,)
    correct : bool ndarray of shape (n_rows,)
    """
    low, high = metrics.proportion_intervals(
        correct,
        np.zeros(len(rows), np.intp),
        n_groups=1,
        units=find_units(table.sha256, table.group)[rows],
    )[0]
    return float(low), float(high)


def predictions_csv(table: SampleTable, part: Partition, scores: NDArray[np.floating]) -> bytes:
    """Return the content of predictions.csv: every test row with its answer and scores."""
    return format_predictions(
        paths=[table.paths[row] for row in part.test],
        y_true=table.labels[part.test],
        y_pred=scores.argmax(axis=1),
        split=[Split(table.split[row]).name.lower() for row in part.test],
        scores=scores,
        class_names=table.class_names,
    )
