"""What a classifier on transfer values should beat, measured on the same test rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.classifiers import fit_classifier, fold_scores, make_classifier
from pipeline.config import FitConfig
from pipeline.fitting.choosing import fit_rows, take_some
from pipeline.fitting.measuring import accuracy_interval
from pipeline.records import FeatureTable, SampleTable
from pipeline.splits import Partition, Rows
from pipeline.views import average_views, count_views

Colours = Callable[[Rows], tuple[NDArray[np.float32], NDArray[np.bool_]]]
"""Takes rows of a table; returns (n_rows, n_colours) histograms and whether each row has one."""

# A baseline need not be sharp: decoding more photos would take longer than the fit.
COLOUR_TRAIN_ROWS, COLOUR_TEST_ROWS = 2_000, 1_000
# k-NN compares every test row with every training row.
KNN_PAIRS = 10**9


def measure_baselines(
    table: FeatureTable, part: Partition, config: FitConfig, *, colours: Colours | None
) -> tuple[dict[str, Any], ...]:
    """Return what simple answers score: the most frequent class, k-NN, a colour histogram.

    Parameters
    ----------
    table : FeatureTable
    part : Partition
    config : FitConfig
        Its seed draws the images whose colours are counted, where there are many.
    colours : callable, optional
        Without it there is no colour baseline, nor where its images are gone.

    Returns
    -------
    tuple of dict
        ``name accuracy accuracy_ci n_train n_test``, as in `Report.baselines`.
    """
    found = [measure_majority(table, part)]
    if len(part.train) * len(part.test) <= KNN_PAIRS:
        found.append(_measure_neighbours(table, part, config))
    if colours is not None:
        found += _measure_colours(table, part, config, colours)
    return tuple(found)


def measure_majority(table: SampleTable, part: Partition) -> dict[str, Any]:
    """Return what always answering the most frequent class of the training rows scores."""
    most = np.bincount(table.labels[part.train]).argmax()
    return _describe(
        "most frequent class",
        table,
        part.test,
        correct=table.labels[part.test] == most,
        n_train=len(part.train),
    )


def _describe(
    name: str, table: SampleTable, test: Rows, *, correct: NDArray[np.bool_], n_train: int
) -> dict[str, Any]:
    return {
        "name": name,
        "accuracy": float(correct.mean()),
        "accuracy_ci": list(accuracy_interval(table, test, correct)),
        "n_train": n_train,
        "n_test": len(test),
    }


def _measure_neighbours(table: FeatureTable, part: Partition, config: FitConfig) -> dict[str, Any]:
    n_views, n_classes = count_views(table.recipe), len(table.class_names)
    knn = FitConfig(clf="knn", seed=config.seed)
    n_neighbors = min(10, len(part.train))
    fitted, _ = fit_rows(table, part.train, knn, n_neighbors, calibrate=False)
    asked = average_views(table.features[part.test], n_views=n_views)
    y_pred = fold_scores(fitted, asked, n_classes=n_classes).argmax(axis=1)
    return _describe(
        f"{n_neighbors} nearest neighbours",
        table,
        part.test,
        correct=y_pred == table.labels[part.test],
        n_train=len(part.train),
    )


def _measure_colours(
    table: FeatureTable, part: Partition, config: FitConfig, colours: Colours
) -> list[dict[str, Any]]:
    train = take_some(table, part.train, COLOUR_TRAIN_ROWS, seed=config.seed)
    test = take_some(table, part.test, COLOUR_TEST_ROWS, seed=config.seed)
    histograms, ok = colours(np.concatenate([train, test]))
    (X, X_test), (kept, asked) = (np.split(array, [len(train)]) for array in (histograms, ok))
    y = table.labels[train[kept]]
    if len(np.unique(y)) < 2 or not asked.any():
        return []
    classifier = make_classifier("logreg", n_samples=len(y), value=1.0)
    # Rare classes and rare colours make it stop early at times: a baseline may.
    fitted, _ = fit_classifier(classifier, X[kept], y)
    n_classes = len(table.class_names)
    y_pred = fold_scores(fitted, X_test[asked], n_classes=n_classes).argmax(axis=1)
    shown = test[asked]
    correct = y_pred == table.labels[shown]
    return [_describe("colour histogram", table, shown, correct=correct, n_train=len(y))]
