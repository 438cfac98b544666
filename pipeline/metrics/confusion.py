"""What was answered for what: the confusion matrix, and the scores that come from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ClassifierError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassScores:
    """Precision, recall and F1 of every class.

    Attributes
    ----------
    precision, recall, f1 : float64 ndarray of shape (n_classes,)
        0-1. NaN where undefined: the precision of a class that was never predicted, the recall of
        one that has no test row, the F1 of one that has neither.
    support : int64 ndarray of shape (n_classes,)
        Test rows of the class.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]


def confusion_matrix(
    y_true: NDArray[np.integer], y_pred: NDArray[np.integer], *, n_classes: int
) -> NDArray[np.int64]:
    """Count the rows by their true and their predicted class.

    The matrix always has a row and a column for every class, also for those without a test row,
    and no row is ever left out of it: its sum is the number of rows.

    Parameters
    ----------
    y_true, y_pred : integer ndarray of shape (n_samples,)
        Class indices, 0 to n_classes - 1.
    n_classes : int

    Returns
    -------
    int64 ndarray of shape (n_classes, n_classes)
        Rows are the true classes, columns the predicted ones.

    Raises
    ------
    ClassifierError
        If a label is not one of the classes.
    """
    check_labels(y_true, n_classes=n_classes, what="true")
    check_labels(y_pred, n_classes=n_classes, what="predicted")
    cells = y_true.astype(np.int64) * n_classes + y_pred
    return np.bincount(cells, minlength=n_classes * n_classes).reshape(n_classes, n_classes)


def check_labels(labels: NDArray[np.integer], *, n_classes: int, what: str) -> None:
    """Raise ClassifierError if a label is not the index of one of the classes."""
    unknown = labels[(labels < 0) | (labels >= n_classes)]
    if len(unknown):
        raise ClassifierError(
            f"A {what} label is not among the classes: expected 0 to {n_classes - 1}, "
            f"got {unknown[0]} in {len(unknown)} rows. Run extract again with --overwrite."
        )


def accuracy(matrix: NDArray[np.int64]) -> float:
    """Return the share of right answers: trace over sum of a confusion matrix."""
    return float(np.trace(matrix) / matrix.sum())


def class_scores(matrix: NDArray[np.int64]) -> ClassScores:
    """Return precision, recall, F1 and support of every class of a confusion matrix."""
    hits, support, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return ClassScores(
        precision=_divide(hits, predicted),
        recall=_divide(hits, support),
        f1=_divide(2 * hits, support + predicted),
        support=support,
    )


def _divide(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    ratio = np.full(len(whole), np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio


def balanced_accuracy(matrix: NDArray[np.int64]) -> float:
    """Return the mean recall of the classes that have test rows.

    References
    ----------
    K. H. Brodersen et al., "The balanced accuracy and its posterior distribution", ICPR 2010.
    """
    return float(np.nanmean(class_scores(matrix).recall))


def macro_f1(matrix: NDArray[np.int64]) -> float:
    """Return the mean F1 of the classes that have test rows or were predicted."""
    return float(np.nanmean(class_scores(matrix).f1))


def confused_pairs(matrix: NDArray[np.int64], *, limit: int) -> list[tuple[int, int, int]]:
    """Return (true, predicted, count) of the most frequent confusions, most frequent first."""
    wrong = matrix * ~np.eye(len(matrix), dtype=bool)
    true, predicted = np.nonzero(wrong)
    counts = wrong[true, predicted]
    order = np.argsort(-counts, kind="stable")[:limit]
    return [(int(true[i]), int(predicted[i]), int(counts[i])) for i in order]


def confident_mistakes(
    y_true: NDArray[np.integer], scores: NDArray[np.floating], *, limit: int
) -> NDArray[np.intp]:
    """Return the rows that were answered wrongly, highest score of the answer first.

    Parameters
    ----------
    y_true : integer ndarray of shape (n_samples,)
    scores : float ndarray of shape (n_samples, n_classes)
        The answer is the class of the highest score.
    limit : int
    """
    wrong = np.flatnonzero(scores.argmax(axis=1) != y_true)
    return wrong[np.argsort(-scores[wrong].max(axis=1), kind="stable")][:limit]
