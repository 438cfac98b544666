"""What else a fit shows: twins across the split, suspect labels, what more images would bring."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import metrics
from pipeline.classifiers import fold_scores, scale_to
from pipeline.config import FitConfig
from pipeline.errors import ClassifierError
from pipeline.fitting.choosing import Choice, fit_rows
from pipeline.label_errors import find_label_errors
from pipeline.learning_curve import curve_sizes, describe_learning_curve, nested_subset
from pipeline.records import FeatureTable
from pipeline.splits import Partition, Rows, draw_folds
from pipeline.twins import describe_twins, find_twins
from pipeline.views import average_views, count_views

N_SUSPECTS = 50
CURVE_FOLDS = 5


def measure_twins(
    table: FeatureTable, part: Partition, correct: NDArray[np.bool_]
) -> dict[str, Any]:
    """Return which test rows have a twin in training, and what that adds to the accuracy.

    Parameters
    ----------
    table : FeatureTable
    part : Partition
    correct : bool ndarray of shape (n_test,)
        Whether each test row was answered rightly.
    """
    n_views = count_views(table.recipe)
    test, train = (
        average_views(table.features[rows], n_views=n_views) for rows in (part.test, part.train)
    )
    twins = find_twins(
        test,
        train,
        sha256_test=table.sha256[part.test],
        sha256_train=table.sha256[part.train],
    )
    return describe_twins(
        twins,
        correct,
        test=part.test,
        train=part.train,
        paths=table.paths,
        labels=table.labels,
        interval=metrics.wilson_interval,
    )


def list_label_errors(
    table: FeatureTable, rows: Rows, scores: NDArray[np.floating[Any]]
) -> tuple[tuple[dict[str, Any], ...], int]:
    """Return the most suspect labels as `Report.label_errors` has them, and how many there are.

    Parameters
    ----------
    table : FeatureTable
    rows : intp ndarray
        Rows of the table.
    scores : float ndarray of shape (n_rows, n_classes)
        Of classifiers that had not seen them.
    """
    found = find_label_errors(table.labels[rows], scores)
    listed = tuple(
        {
            "path": table.paths[rows[row]],
            "label": table.class_names[table.labels[rows[row]]],
            "suggested": table.class_names[suggested],
            "score": float(margin),
        }
        for row, suggested, margin in zip(
            found.rows[:N_SUSPECTS], found.suggested, found.margin, strict=False
        )
    )
    return listed, len(found.rows)


def measure_learning_curve(
    table: FeatureTable, part: Partition, config: FitConfig, choice: Choice
) -> dict[str, Any]:
    """Return how the accuracy grows with the training images, and a forecast.

    The training rows alone are used: each fold is predicted by classifiers fitted on growing parts
    of the others. The parameter is the one that was chosen for all of them.

    Parameters
    ----------
    table : FeatureTable
    part : Partition
    config : FitConfig
    choice : Choice

    Raises
    ------
    ClassifierError
        If there are too few training rows to cross-validate on.
    """
    rows, n_classes = part.train, len(table.class_names)
    try:
        fold = draw_folds(table, rows, n_folds=CURVE_FOLDS, seed=config.seed)
    except ClassifierError as exc:
        raise ClassifierError(
            f"A learning curve needs more training images than {len(rows):,}. Leave out "
            "--learning-curve, or add images."
        ) from exc
    smallest = min(int((fold != k).sum()) for k in range(CURVE_FOLDS))
    sizes = curve_sizes(smallest, n_classes)
    accuracy = np.empty((CURVE_FOLDS, len(sizes)))
    n_views = count_views(table.recipe)
    for k in range(CURVE_FOLDS):
        outside, inside = rows[fold != k], rows[fold == k]
        order = np.random.default_rng((config.seed, k)).permutation(len(outside))
        asked = average_views(table.features[inside], n_views=n_views)
        for i, size in enumerate(sizes):
            some = outside[nested_subset(order, table.labels[outside], size)]
            value = scale_to(config.clf, choice.value, n_tuned=len(rows), n_samples=size)
            fitted, _ = fit_rows(table, some, config, value, calibrate=False)
            y_pred = fold_scores(fitted, asked, n_classes=n_classes).argmax(axis=1)
            accuracy[k, i] = np.mean(y_pred == table.labels[inside])
    return describe_learning_curve(sizes, accuracy, seed=config.seed)
