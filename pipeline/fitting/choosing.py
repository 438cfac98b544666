"""Which value a classifier's parameter gets: given, tuned on training rows, or its default."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.classifiers import (
    PARAMETERS,
    Tuning,
    can_calibrate,
    default_value,
    fit_calibrated,
    fit_classifier,
    has_probabilities,
    make_classifier,
    scale_to,
    tune,
)
from pipeline.config import FitConfig
from pipeline.errors import ClassifierError
from pipeline.learning_curve import nested_subset
from pipeline.records import FeatureTable, OnProgress
from pipeline.splits import Rows, draw_folds
from pipeline.views import count_views, unfold_views

# More rows than these say the same about C, and cost their fits.
TUNE_ROWS = 10_000
MANY_ROWS = 3_000
FOLDS, FOLDS_OF_MANY = 5, 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """The value of a classifier's parameter, and how it came about.

    Attributes
    ----------
    value : float
    tuning : Tuning or None
        None if the value was given, or could not be tuned.
    rows : intp ndarray
        The rows of the table that it was tuned on.
    seconds : float
        Of the tuning.
    notes : tuple of str
    """

    value: float
    tuning: Tuning | None
    rows: Rows
    seconds: float
    notes: tuple[str, ...]


def choose_value(
    table: FeatureTable, rows: Rows, config: FitConfig, *, on_progress: OnProgress | None = None
) -> Choice:
    """Choose what a classifier's parameter is to be, from the given rows alone.

    Parameters
    ----------
    table : FeatureTable
    rows : intp ndarray
        Training rows; no other row's values or labels are looked at.
    config : FitConfig
    on_progress : callable, optional
        Called with (fits done, fits expected).
    """
    n_samples = len(rows) * count_views(table.recipe)
    given = config.C
    notes: tuple[str, ...] = ()
    if given is None and config.tune:
        tuned = _try_to_tune(table, rows, config, on_progress=on_progress)
        if isinstance(tuned, Choice):
            return tuned
        notes = (tuned,)
    value = default_value(config.clf, n_samples=n_samples) if given is None else given
    return Choice(value=value, tuning=None, rows=rows[:0], seconds=0.0, notes=notes)


def _try_to_tune(
    table: FeatureTable, rows: Rows, config: FitConfig, *, on_progress: OnProgress | None
) -> Choice | str:
    """Return what tuning comes to, or why there is none."""
    started = time.perf_counter()
    some = take_some(table, rows, TUNE_ROWS, seed=config.seed)
    n_folds = FOLDS if len(some) <= MANY_ROWS else FOLDS_OF_MANY
    try:
        fold = draw_folds(table, some, n_folds=n_folds, seed=config.seed)
    except ClassifierError:
        default = default_value(config.clf, n_samples=len(rows))
        name = PARAMETERS[config.clf]
        return (
            f"{name} was not tuned: there are too few training images to cross-validate on. "
            f"The default, {default:g}, was taken."
        )
    n_views = count_views(table.recipe)
    tuning = tune(
        config.clf,
        table.features[some],
        table.labels[some],
        fold=fold,
        n_classes=len(table.class_names),
        n_views=n_views,
        class_weight=config.class_weight,
        random_state=config.seed,
        on_progress=on_progress,
    )
    notes = tuning.notes
    if len(some) < len(rows):
        notes = (*notes, f"Tuned on {len(some):,} of the {len(rows):,} training images.")
    return Choice(
        value=scale_to(config.clf, tuning.best, n_tuned=len(some), n_samples=len(rows)),
        tuning=tuning,
        rows=some,
        seconds=time.perf_counter() - started,
        notes=notes,
    )


def take_some(table: FeatureTable, rows: Rows, n_rows: int, *, seed: int) -> Rows:
    """Return at most so many of the rows, of like class proportions, ascending."""
    if len(rows) <= n_rows:
        return rows
    order = np.random.default_rng(seed).permutation(len(rows))
    chosen: Rows = np.sort(rows[nested_subset(order, table.labels[rows], n_rows)])
    return chosen


def fit_rows(
    table: FeatureTable, rows: Rows, config: FitConfig, value: float, *, calibrate: bool
) -> tuple[Any, tuple[str, ...]]:
    """Fit a classifier on rows of a table, each view of an image a row of its own.

    Parameters
    ----------
    table : FeatureTable
    rows : intp ndarray
    config : FitConfig
    value : float
        Of the classifier's parameter.
    calibrate : bool
        Learn probabilities where the classifier has none, if there are rows enough.

    Returns
    -------
    fitted : Pipeline or CalibratedClassifierCV
    notes : tuple of str
    """
    n_views = count_views(table.recipe)
    X, y = unfold_views(table.features[rows], table.labels[rows], n_views=n_views)
    classifier = make_classifier(
        config.clf,
        n_samples=len(y),
        value=value,
        class_weight=config.class_weight,
        random_state=config.seed,
    )
    if has_probabilities(classifier) or not calibrate:
        return fit_classifier(classifier, X, y)
    fold = _fold_to_calibrate(table, rows, config)
    if fold is None:
        fitted, notes = fit_classifier(classifier, X, y)
        few = f"{config.clf} has no probabilities here: too few training images to learn them from."
        return fitted, (*notes, few)
    return fit_calibrated(classifier, X, y, fold=np.repeat(fold, n_views))


def _fold_to_calibrate(
    table: FeatureTable, rows: Rows, config: FitConfig
) -> NDArray[np.intp] | None:
    try:
        fold = draw_folds(table, rows, n_folds=FOLDS_OF_MANY, seed=config.seed)
    except ClassifierError:
        return None
    return fold if can_calibrate(table.labels[rows], fold) else None
