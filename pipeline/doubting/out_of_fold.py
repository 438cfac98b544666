"""What a fit would have said of its training images if it had not been trained on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts import LoadedModel, read_report
from pipeline.cache import read_features, stream_features
from pipeline.classifiers import PARAMETERS, default_value, fold_scores, scale_to, score_kind
from pipeline.config import FitConfig
from pipeline.doubting.training_rows import TrainingRows
from pipeline.errors import ClassifierError
from pipeline.fitting.choosing import MANY_ROWS, fit_rows
from pipeline.grouping import group_table
from pipeline.records import FeatureTable
from pipeline.splits import Rows, draw_folds
from pipeline.streaming import fit_stream, score_stream
from pipeline.views import average_views

FOLDS, FOLDS_OF_MANY = 5, 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutOfFold:
    """Scores of training rows from classifiers that were fitted without them.

    Attributes
    ----------
    scores : float ndarray of shape (n_train, n_classes)
    labels : int32 ndarray of shape (n_train,)
    """

    scores: NDArray[np.floating[Any]]
    labels: NDArray[np.int32]


def score_left_out(training: TrainingRows, model: LoadedModel) -> OutOfFold:
    """Fit the classifier again without each fold of the training rows, and score that fold.

    Its parameter is the one that was chosen for all of them.

    Parameters
    ----------
    training : TrainingRows
    model : LoadedModel

    Raises
    ------
    ClassifierError
        If the training rows are too few to make folds of.
    """
    rows, table, config = training.rows, training.table, training.config
    n_folds = FOLDS if len(rows) <= MANY_ROWS else FOLDS_OF_MANY
    try:
        fold = draw_folds(table, rows, n_folds=n_folds, seed=config.seed)
    except ClassifierError as exc:
        raise ClassifierError(
            f"--coverage leaves out each fifth of the training images in turn, for which these "
            f"{len(rows):,} are too few or too much alike. Leave out --coverage, or add images and "
            "fit again."
        ) from exc
    report = read_report(model.folder, model.info)
    used = report.settings.get("used", {})
    value = float(used.get(PARAMETERS[config.clf], default_value(config.clf, n_samples=len(rows))))
    score = _score_blocks if report.settings.get("stream") else _score_table
    return OutOfFold(
        scores=score(training, fold, value, score_kind(model.classifier)),
        labels=table.labels[rows],
    )


def _score_table(
    training: TrainingRows, fold: Rows, value: float, kind: str
) -> NDArray[np.floating[Any]]:
    """Score with all values in memory, as they were for the fit."""
    table = _read_table(training)
    rows, config, n_classes = training.rows, training.config, len(table.class_names)
    scores = np.empty((len(rows), n_classes))
    for k in np.unique(fold):
        outside, inside = rows[fold != k], rows[fold == k]
        of_fold = scale_to(config.clf, value, n_tuned=len(rows), n_samples=len(outside))
        fitted, _ = fit_rows(table, outside, config, of_fold, calibrate=kind == "probability")
        _check_kind(fitted, kind, config)
        asked = average_views(table.features[inside], n_views=training.n_views)
        scores[fold == k] = fold_scores(fitted, asked, n_classes=n_classes)
    return scores


def _read_table(training: TrainingRows) -> FeatureTable:
    table = read_features(training.store)
    if training.config.group_by is not None:
        table, _ = group_table(table, training.config.group_by)
    return table


def _check_kind(fitted: Any, kind: str, config: FitConfig) -> None:
    if score_kind(fitted) != kind:
        raise ClassifierError(
            f"--coverage needs more training images of each class: without a part of them "
            f"{config.clf} has no probabilities. Take --clf logreg, or add images and fit again."
        )


def _score_blocks(
    training: TrainingRows, fold: Rows, value: float, kind: str
) -> NDArray[np.floating[Any]]:
    """Score with few blocks in memory at a time, as the fit was made."""
    rows, table, config = training.rows, training.table, training.config
    blocks, n_classes = partial(stream_features, training.store), len(table.class_names)
    scores = np.empty((len(rows), n_classes))
    for k in np.unique(fold):
        outside, takes_C = rows[fold != k], PARAMETERS[config.clf] == "C"
        of_fold = scale_to(config.clf, value, n_tuned=len(rows), n_samples=len(outside))
        fitted = fit_stream(
            config.clf,
            blocks,
            table.labels,
            outside,
            C=of_fold if takes_C else None,
            tune=not takes_C and config.tune,
            class_weight=config.class_weight,
            n_views=training.n_views,
            units=training.units,
            random_state=config.seed,
        )
        _check_kind(fitted.classifier, kind, config)
        scores[fold == k] = score_stream(
            partial(fold_scores, fitted.classifier, n_classes=n_classes),
            blocks,
            rows[fold == k],
            n_classes=n_classes,
            n_views=training.n_views,
        )
    return scores
