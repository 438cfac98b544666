"""Fitting a classifier on transfer values that are read block by block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import LinearSVC

from pipeline.errors import ClassifierError, ConfigError
from pipeline.records import OnProgress
from pipeline.streaming.linear import LinearFit, fit_linear
from pipeline.streaming.network import train_network
from pipeline.streaming.passes import Blocks, Rows, TrainingRows, hold_out
from pipeline.streaming.problems import PROBLEMS

STREAMED = (*PROBLEMS, "mlp")
TAKES_C = ("logreg", "linear-svm")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreamedFit:
    """A classifier that was fitted block by block.

    Attributes
    ----------
    classifier : Pipeline
        StandardScaler and estimator, fitted; scikit-learn's own classes.
    tuning : mapping or None
        As in `Report.tuning`: ``n_folds`` is 1, ``means`` are the accuracies on the training rows
        that were held out, ``stds`` these accuracies' standard errors.
    used : mapping
        The parameters that it was fitted with.
    notes : tuple of str
        Sentences on what a reader could stumble over.
    loss_curve : mapping or None
        As in `Report.loss_curve`.
    """

    classifier: Pipeline
    tuning: Mapping[str, Any] | None
    used: Mapping[str, Any]
    notes: tuple[str, ...]
    loss_curve: Mapping[str, Any] | None = None


def fit_stream(
    clf: str,
    blocks: Blocks,
    labels: NDArray[np.integer],
    train: Rows | NDArray[np.bool_],
    *,
    C: float | None = None,
    tune: bool = True,
    class_weight: str | None = None,
    n_views: int = 1,
    units: NDArray[np.intp] | None = None,
    random_state: int = 0,
    on_progress: OnProgress | None = None,
) -> StreamedFit:
    """Fit a classifier in several passes over blocks, of which few are in memory at a time.

    A tenth of the training rows is held out: it chooses C (alpha for ridge), after which all
    training rows are fitted, or ends the training of the mlp. Test rows teach nothing, nor do
    their labels.

    Parameters
    ----------
    clf : {"logreg", "linear-svm", "ridge", "mlp"}
    blocks : Blocks
        `cache.stream_features` of a store, say.
    labels : integer ndarray of shape (n_rows,)
        Class index of every row; only those of training rows are looked at.
    train : intp ndarray of shape (n_train,), or bool ndarray of shape (n_rows,)
        The training rows: their numbers, ascending, or a mask.
    C : float, optional
        Fixes C instead of tuning it; it means what it means in memory.
    tune : bool
        Whether to tune; otherwise C or alpha is the default.
    class_weight : {"balanced"}, optional
        Weigh each class by the inverse of its frequency among the training rows.
    n_views : int
        Views of an image in a row: fitted on each, asked about their average.
    units : intp ndarray of shape (n_rows,), optional
        Rows of one number are held out together; see `pipeline.splits.find_units`.
    random_state : int
    on_progress : callable, optional
        Told of the rows that were read, of all passes together.

    Raises
    ------
    ConfigError
        If the classifier cannot be streamed, or does not take C or class weights.
    ClassifierError
        If a training row holds a value that is not finite, or fewer than two classes train.
    """
    _check_settings(clf, C=C, class_weight=class_weight)
    rows = np.flatnonzero(train) if train.dtype == bool else train.astype(np.intp)
    classes, y = np.unique(labels[rows], return_inverse=True)
    if len(classes) < 2:
        raise ClassifierError(
            f"A classifier needs training images of at least 2 classes. Got: {len(rows):,} images "
            f"of {len(classes)}. Add images of other classes."
        )
    seed = random_state % 2**32  # scikit-learn's range
    training = TrainingRows(
        blocks=blocks,
        rows=rows,
        y=y,
        held_out=hold_out(y, rows if units is None else units[rows], seed=seed),
        n_views=n_views,
        on_progress=on_progress,
    )
    training.measure()
    if clf == "mlp":
        fitted = _fit_mlp(training, classes, seed=seed)
    else:
        fitted = _fit_linear(clf, training, classes, value=C, tune=tune, class_weight=class_weight)
    return StreamedFit(
        classifier=fitted.classifier,
        tuning=fitted.tuning,
        used={**fitted.used, "n_passes": training.n_passes},
        notes=(*_constant_notes(training), *fitted.notes),
        loss_curve=fitted.loss_curve,
    )


def _check_settings(clf: str, *, C: float | None, class_weight: str | None) -> None:
    if clf not in STREAMED:
        raise ConfigError(
            f"--stream fits block by block, which {', '.join(STREAMED)} can. Got: --clf {clf}, "
            "which needs all transfer values in memory. Take one of these, or leave out --stream."
        )
    if C is not None and clf not in TAKES_C:
        raise ConfigError(
            f"--C is, with --stream, a setting of {', '.join(TAKES_C)}. "
            f"Got: --clf {clf} --C {C:g}. Leave out --C."
        )
    if class_weight is not None and clf not in PROBLEMS:
        raise ConfigError(
            f"--class-weight is, with --stream, a setting of {', '.join(PROBLEMS)}. "
            f"Got: --clf {clf} --class-weight {class_weight}. Leave out --class-weight."
        )


def _constant_notes(training: TrainingRows) -> tuple[str, ...]:
    if not training.is_constant:
        return ()
    return (
        "The transfer values of all training images are the same: the classifier can only "
        "guess. Is --weights or --layer the right one?",
    )


def _fit_linear(
    clf: str,
    training: TrainingRows,
    classes: NDArray[np.integer],
    *,
    value: float | None,
    tune: bool,
    class_weight: str | None,
) -> StreamedFit:
    problem = PROBLEMS[clf]
    balanced = class_weight == "balanced"
    fit = fit_linear(training, problem, value=value, tune=tune, balanced=balanced)
    estimator = _make_estimator(clf, value=fit.value, class_weight=class_weight)
    return StreamedFit(
        classifier=make_pipeline(training.scaler, _give_weights(estimator, fit, classes)),
        tuning=fit.tuning,
        used={problem.parameter: fit.value, "class_weight": class_weight},
        notes=fit.notes,
    )


def _make_estimator(clf: str, *, value: float, class_weight: str | None) -> Any:
    if clf == "logreg":
        return LogisticRegression(C=value, class_weight=class_weight)
    if clf == "linear-svm":
        return LinearSVC(C=value, class_weight=class_weight)
    return RidgeClassifier(alpha=value, class_weight=class_weight)


def _give_weights(estimator: Any, fit: LinearFit, classes: NDArray[np.integer]) -> Any:
    """Make an estimator a fitted one: it learns the classes from no data, then gets the weights."""
    y = np.repeat(classes, 3)  # scikit-learn takes as many classes as rows for a mistake
    estimator.fit(np.zeros((len(y), len(fit.weights) - 1), np.float32), y)
    estimator.coef_ = fit.weights[:-1].T.reshape(estimator.coef_.shape)
    estimator.intercept_ = fit.weights[-1].reshape(np.shape(estimator.intercept_))
    return estimator


def _fit_mlp(training: TrainingRows, classes: NDArray[np.integer], *, seed: int) -> StreamedFit:
    fit = train_network(training, classes, seed=seed)
    return StreamedFit(
        classifier=make_pipeline(training.scaler, fit.network),
        tuning=None,
        used={
            "hidden_layer_sizes": fit.network.hidden_layer_sizes,
            "alpha": fit.network.alpha,
            "n_epochs": fit.n_epochs,
        },
        notes=fit.notes,
        loss_curve=fit.loss_curve,
    )
