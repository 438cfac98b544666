"""How well scores tell one class from the others at every threshold, and how far to trust them.

Rows of the same score are counted together, as scikit-learn does: no threshold lies between them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.probabilities import N_BINS, bin_answers

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RocCurve:
    """Which rows are taken for the class, from none to all; only the corners of the curve.

    Attributes
    ----------
    false_positive_rate, true_positive_rate : float64 ndarray of shape (n_points,)
        Shares of the rows of other classes, and of the class: both rise from 0 to 1. NaN where
        there are no such rows.
    """

    false_positive_rate: Floats
    true_positive_rate: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PrecisionRecallCurve:
    """What share of the class is found, and what share of what is found is of the class.

    Attributes
    ----------
    recall : float64 ndarray of shape (n_points,)
        Rises from 0 to 1. NaN where there are no rows of the class.
    precision : float64 ndarray of shape (n_points,)
        Where nothing is found yet it is 1.
    """

    recall: Floats
    precision: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassRankings:
    """How well each class's scores tell it from all others.

    Attributes
    ----------
    roc_auc, average_precision : float64 ndarray of shape (n_classes,)
        0-1. NaN where every row or none is of the class.
    """

    roc_auc: Floats
    average_precision: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBin:
    """Answers of about the same probability.

    Attributes
    ----------
    low, high : float
        The probabilities that are in it: above `low`, up to `high`. 0 is in the first.
    n : int
        Answers, at least one.
    confidence, accuracy : float
        Their mean probability, and the share of them that is right.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def roc_curve(positive: NDArray[np.bool_], score: NDArray[np.floating]) -> RocCurve:
    """Return the receiver operating characteristic of a score.

    Parameters
    ----------
    positive : bool ndarray of shape (n_samples,)
        Whether the row is of the class.
    score : float ndarray of shape (n_samples,)
        Higher where the row rather is; may be infinite.

    References
    ----------
    T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27 (2006) 861-874.
    """
    true, false = _count_from_the_top(positive, score)
    # Between the ends of a straight piece there is nothing to draw; as scikit-learn, which adds the
    # point of no rows afterwards and so keeps the one that follows it.
    corners = np.ones(len(true), bool)
    corners[2:-1] = (np.diff(true[1:], 2) != 0) | (np.diff(false[1:], 2) != 0)
    return RocCurve(
        false_positive_rate=_share(false[corners], false[-1]),
        true_positive_rate=_share(true[corners], true[-1]),
    )


def roc_auc(positive: NDArray[np.bool_], score: NDArray[np.floating]) -> float:
    """Return the area under the ROC curve: how often a row of the class has the higher score.

    Of two rows, one of the class and one of another; equal scores count half. NaN if every row or
    none is of the class.

    Parameters
    ----------
    positive, score
        As of `roc_curve`.
    """
    return _area(*_count_from_the_top(positive, score))


def precision_recall_curve(
    positive: NDArray[np.bool_], score: NDArray[np.floating]
) -> PrecisionRecallCurve:
    """Return precision against recall: a point for each score, after (0, 1) where nothing is found.

    Parameters
    ----------
    positive, score
        As of `roc_curve`.
    """
    true, false = _count_from_the_top(positive, score)
    precision = true / np.maximum(true + false, 1)
    precision[0] = 1.0
    return PrecisionRecallCurve(recall=_share(true, true[-1]), precision=precision)


def average_precision(positive: NDArray[np.bool_], score: NDArray[np.floating]) -> float:
    """Return the mean precision at the rows of the class; NaN if there are none.

    That is the area below the steps of the precision-recall curve, not below lines from point to
    point, which would promise too much.

    Parameters
    ----------
    positive, score
        As of `roc_curve`.

    References
    ----------
    J. Davis and M. Goadrich, "The relationship between precision-recall and ROC curves", ICML 2006.
    """
    return _mean_precision(*_count_from_the_top(positive, score))


def rank_classes(y_true: NDArray[np.integer], scores: NDArray[np.floating]) -> ClassRankings:
    """Return ROC AUC and average precision of every class against all others.

    Parameters
    ----------
    y_true : integer ndarray of shape (n_samples,)
    scores : float ndarray of shape (n_samples, n_classes)
    """
    n_classes = scores.shape[1]
    found = np.full((2, n_classes), np.nan)
    for k in range(n_classes):
        positive = y_true == k
        if positive.any() and not positive.all():
            counts = _count_from_the_top(positive, scores[:, k])
            found[:, k] = _area(*counts), _mean_precision(*counts)
    return ClassRankings(roc_auc=found[0], average_precision=found[1])


def calibration_bins(
    y_true: NDArray[np.integer], probabilities: NDArray[np.floating], *, n_bins: int = N_BINS
) -> tuple[CalibrationBin, ...]:
    """Return the bins of `calibration_error` that hold an answer, by rising probability.

    The error is the mean over all answers of their bin's abs(accuracy - confidence).

    Parameters
    ----------
    y_true : integer ndarray of shape (n_samples,)
    probabilities : float ndarray of shape (n_samples, n_classes)
    n_bins : int
        Of equal width, filled or not.
    """
    answers = bin_answers(y_true, probabilities, n_bins=n_bins)
    counts = np.bincount(answers.bins, minlength=n_bins)
    confidence = np.bincount(answers.bins, weights=answers.confidence, minlength=n_bins)
    right = np.bincount(answers.bins, weights=answers.is_right, minlength=n_bins)
    return tuple(
        CalibrationBin(
            low=k / n_bins,
            high=(k + 1) / n_bins,
            n=int(counts[k]),
            confidence=float(confidence[k] / counts[k]),
            accuracy=float(right[k] / counts[k]),
        )
        for k in map(int, np.flatnonzero(counts))
    )


def _count_from_the_top(
    positive: NDArray[np.bool_], score: NDArray[np.floating]
) -> tuple[Floats, Floats]:
    """Return how many rows of the class, and of others, score at least each value, from none on."""
    order = np.argsort(score)[::-1]
    ranked, hits = score[order], positive[order]
    # Compared, not subtracted: the difference of two infinite scores is no number.
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)])
    true = np.append(0, np.cumsum(hits)[last]).astype(np.float64)
    return true, np.append(0, last + 1) - true


def _area(true: Floats, false: Floats) -> float:
    if not true[-1] or not false[-1]:
        return math.nan
    pairs = np.sum(np.diff(false) * (true[1:] + true[:-1])) / 2
    return float(pairs / (true[-1] * false[-1]))


def _mean_precision(true: Floats, false: Floats) -> float:
    if not true[-1]:
        return math.nan
    return float(np.sum(np.diff(true) * true[1:] / (true[1:] + false[1:])) / true[-1])


def _share(part: Floats, whole: float) -> Floats:
    return part / whole if whole else np.full(len(part), np.nan)
