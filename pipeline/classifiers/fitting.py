"""Fitting one classifier, with probabilities where it has none of its own."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from pipeline.classifiers.accelerated import accelerate, to_plain
from pipeline.errors import ClassifierError


def fit_classifier(
    classifier: Pipeline, X: NDArray[np.float32], y: NDArray[np.integer]
) -> tuple[Pipeline, tuple[str, ...]]:
    """Fit a copy of a classifier and say whether it converged.

    Parameters
    ----------
    classifier : Pipeline
        Left as it is.
    X : float32 ndarray of shape (n_samples, n_features)
    y : integer ndarray of shape (n_samples,)

    Returns
    -------
    fitted : Pipeline
        Of scikit-learn's own estimators, whatever fitted them.
    notes : tuple of str
        A sentence if the solver stopped before it converged, or had nothing to go by.

    Raises
    ------
    ClassifierError
        If `X` holds a value that is not finite.
    """
    check_finite(X)
    prepared = _prepare(classifier, y)
    with quiet_fits():
        fitted, notes = fit_watched(accelerate(prepared), X, y)
        try:
            return to_plain(fitted), notes
        except (AttributeError, TypeError, ValueError):  # a scikit-learn that we do not know
            return fit_watched(prepared, X, y)


def fit_calibrated(
    classifier: Pipeline,
    X: NDArray[np.float32],
    y: NDArray[np.integer],
    *,
    fold: NDArray[np.intp],
) -> tuple[Any, tuple[str, ...]]:
    """Fit a classifier that has no probabilities, and learn them from rows it had not seen.

    Out-of-fold decision scores are turned into probabilities by one temperature for all classes,
    which never changes the answer; one number needs few rows. On 10,000 CIFAR-10 images it left a
    log loss of 0.45 where Platt's sigmoids left 0.51 (svm), and 0.35 where they left 0.36
    (linear-svm), with a smaller calibration error, too.

    Parameters
    ----------
    classifier : Pipeline
        Left as it is.
    X : float32 ndarray of shape (n_samples, n_features)
    y : integer ndarray of shape (n_samples,)
    fold : intp ndarray of shape (n_samples,)
        Which fold each row belongs to; every class is outside of every fold.

    Returns
    -------
    fitted : CalibratedClassifierCV
        Of scikit-learn's own estimators.
    notes : tuple of str

    Raises
    ------
    ClassifierError
        If `X` holds a value that is not finite.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML
    2017, for the temperature.
    """
    check_finite(X)
    prepared = _prepare(classifier, y)
    # scikit-learn 1.9 takes labels for columns of the scores when it looks for the temperature: of
    # labels with gaps it reads past the end of a row, and whatever lies there.
    known, y = np.unique(y, return_inverse=True)
    with quiet_fits():
        fitted, notes = fit_watched(_calibrated(accelerate(prepared), fold), X, y)
        inner = fitted.calibrated_classifiers_[0]
        try:
            inner.estimator = to_plain(inner.estimator)
        except (AttributeError, TypeError, ValueError):  # a scikit-learn that we do not know
            fitted, notes = fit_watched(_calibrated(prepared, fold), X, y)
    _name_classes(fitted, known)
    # The folds are of no use any more, and as large as the labels.
    fitted.set_params(estimator=classifier, cv=len(np.unique(fold)))
    return fitted, notes


def _name_classes(fitted: CalibratedClassifierCV, known: NDArray[np.integer]) -> None:
    """Give the labels back to what was fitted on their places."""
    inner = fitted.calibrated_classifiers_[0]
    estimator = inner.estimator[-1]
    fitted.classes_ = inner.classes = known
    if hasattr(estimator, "_label_binarizer"):  # Ridge has them there, too, or there alone
        estimator._label_binarizer.classes_ = known
    if not np.array_equal(estimator.classes_, known):
        estimator.classes_ = known


def can_calibrate(y: NDArray[np.integer], fold: NDArray[np.intp]) -> bool:
    """Tell whether every class is outside of every fold, which calibration needs."""
    classes = np.unique(y)
    return all(np.array_equal(np.unique(y[fold != k]), classes) for k in np.unique(fold))


def has_probabilities(classifier: Pipeline) -> bool:
    """Tell whether a classifier has probabilities of its own."""
    return hasattr(classifier, "predict_proba")


def _calibrated(classifier: Pipeline, fold: NDArray[np.intp]) -> CalibratedClassifierCV:
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in np.unique(fold)]
    return CalibratedClassifierCV(classifier, method="temperature", ensemble=False, cv=splits)


def _prepare(classifier: Pipeline, y: NDArray[np.integer]) -> Pipeline:
    """Return an unfitted copy that these labels can be given to."""
    prepared = clone(classifier)
    estimator = prepared[-1]
    # Stopping early holds out rows of every class, so that a class of one cannot be.
    if isinstance(estimator, MLPClassifier) and np.bincount(y)[np.unique(y)].min() < 2:
        estimator.set_params(early_stopping=False)
    return prepared


@contextmanager
def quiet_fits() -> Iterator[None]:
    """Keep scikit-learn from warning of what our notes say; around threads, never within one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Said of data with one or two images a class; our labels are classes, never numbers.
        warnings.filterwarnings("ignore", "The number of unique classes is greater than 50%")
        yield


def fit_watched(
    classifier: Any, X: NDArray[np.float32], y: NDArray[np.integer]
) -> tuple[Any, tuple[str, ...]]:
    """Fit a classifier in place and return it with what is to be said of the fit."""
    with _limit_threads(classifier):
        classifier.fit(X, y)
    notes: list[str] = []
    if (X.min(axis=0) == X.max(axis=0)).all():
        notes.append(
            "The transfer values of all training images are the same: the classifier can only "
            "guess. Is --weights or --layer the right one?"
        )
    estimator = last_step(classifier)
    n_iter = getattr(estimator, "n_iter_", None)
    # Asked of the estimator: warnings are the process's, and fits run side by side.
    if n_iter is not None and 0 < getattr(estimator, "max_iter", 0) <= np.max(n_iter):
        notes.append(_convergence_note(estimator))
    return classifier, tuple(notes)


def _limit_threads(classifier: Any) -> AbstractContextManager[Any]:
    """Keep logistic regression to one thread: with two of OpenBLAS it took three times as long."""
    alone = isinstance(classifier, Pipeline) and isinstance(classifier[-1], LogisticRegression)
    return threadpool_limits(1) if alone else nullcontext()


def last_step(classifier: Any) -> Any:
    """Return the estimator behind the scaler, and within the calibration if there is one."""
    if isinstance(classifier, CalibratedClassifierCV):
        classifier = classifier.calibrated_classifiers_[0].estimator
    return classifier[-1]


def _convergence_note(estimator: Any) -> str:
    has_C = hasattr(estimator, "C")
    return (
        f"The solver stopped after {estimator.max_iter:,} iterations without having converged: "
        "the accuracy is that of an unfinished fit. "
        + (f"Take a smaller --C than {estimator.C:g}." if has_C else "Try --clf logreg.")
    )


def check_finite(X: NDArray[np.floating]) -> None:
    """Raise ClassifierError if a row of transfer values is not finite."""
    bad = np.flatnonzero(~np.isfinite(X).all(axis=1))
    if len(bad):
        raise ClassifierError(
            f"Row {bad[0]} of the transfer values is not finite (NaN or infinite), as are "
            f"{len(bad) - 1:,} more: expected finite numbers alone. "
            "Run extract again with --overwrite."
        )
