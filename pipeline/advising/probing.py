"""Two layers tried on the same images: a linear classifier on each, in cross-validation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.classifiers import fold_scores
from pipeline.config import FitConfig
from pipeline.errors import ClassifierError
from pipeline.fitting.choosing import choose_value, fit_rows
from pipeline.fitting.measuring import accuracy_interval
from pipeline.learning_curve import nested_subset
from pipeline.metrics import paired_difference
from pipeline.records import FeatureTable, OnProgress, Probe, Probed
from pipeline.splits import Rows, draw_folds, find_units

CLASSIFIER = "logreg"
"""Linear, and what the command that is advised fits.

Its C is the default for so many rows. Tuned in each fold it takes ten times as long, and the
difference between the layers came out the same within its interval: of EfficientNet-Lite0 on 1,120
training images -2.1 points untuned and -2.6 tuned for digits, 3.4 and 4.2 for cats and dogs, 10.2
and 9.9 for CIFAR-10.
"""

N_FOLDS = 5


def order_rows(labels: NDArray[np.integer], rows: Rows, n_rows: int, *, seed: int) -> Rows:
    """Return some of the rows in an order of which every beginning has all classes' shares.

    Parameters
    ----------
    labels : integer ndarray of shape (n_samples,)
    rows : intp ndarray
    n_rows : int
        At most so many.
    seed : int
    """
    shuffled = np.random.default_rng(seed).permutation(rows)
    return nested_subset(shuffled, labels, min(n_rows, len(rows)))


def probe_layers(
    late: FeatureTable,
    early: FeatureTable,
    *,
    layer: str,
    n_wanted: int,
    was_cut: bool,
    seed: int,
    on_progress: OnProgress | None = None,
) -> Probed:
    """Try both layers in the same folds, each fold by a classifier that was fitted without it.

    The intervals know of the images that were tried, not of how the classifiers would vary with
    other ones.

    Parameters
    ----------
    late, early : FeatureTable
        The same rows with the values of either layer.
    layer : str
        Name of the early one.
    n_wanted : int
        Rows that should have been there.
    was_cut : bool
        Whether the time was over before they were.
    seed : int
    on_progress : callable, optional
        Called with (fits done, fits in all).
    """
    rows = np.arange(len(late.labels))
    counted = np.bincount(late.labels, minlength=1)
    most_frequent = float(counted.max() / max(len(rows), 1))
    nothing = Probed(
        n_images=len(rows),
        n_wanted=n_wanted,
        most_frequent=most_frequent,
        late=None,
        early=None,
        difference=None,
        was_cut=was_cut,
    )
    try:
        fold = draw_folds(late, rows, n_folds=N_FOLDS, seed=seed)
    except ClassifierError:
        return nothing
    correct = []
    for number, table in enumerate((late, early)):
        right = np.zeros(len(rows), np.bool_)
        for k in range(N_FOLDS):
            if on_progress:
                on_progress(number * N_FOLDS + k, 2 * N_FOLDS)
            right[fold == k] = _answer(table, rows, fold == k, seed=seed)
        correct.append(right)
    made = paired_difference(
        correct[0],
        correct[1],
        units=find_units(late.sha256, late.group),
        random_state=seed,
    )
    return Probed(
        n_images=len(rows),
        n_wanted=n_wanted,
        most_frequent=most_frequent,
        late=_describe(late, correct[0], ""),
        early=_describe(early, correct[1], layer),
        difference=(made.difference, made.low, made.high),
        was_cut=was_cut,
    )


def _answer(
    table: FeatureTable, rows: Rows, asked: NDArray[np.bool_], *, seed: int
) -> NDArray[np.bool_]:
    """Return whether each row of a fold is answered rightly by what the others were fitted on."""
    config = FitConfig(clf=CLASSIFIER, seed=seed, tune=False)
    outside, inside = rows[~asked], rows[asked]
    value = choose_value(table, outside, config).value
    fitted, _ = fit_rows(table, outside, config, value, calibrate=False)
    scores = fold_scores(fitted, table.features[inside], n_classes=len(table.class_names))
    right: NDArray[np.bool_] = scores.argmax(axis=1) == table.labels[inside]
    return right


def _describe(table: FeatureTable, correct: NDArray[np.bool_], layer: str) -> Probe:
    low, high = accuracy_interval(table, np.arange(len(correct)), correct)
    return Probe(
        layer=layer,
        width=table.features.shape[1],
        accuracy=float(correct.mean()),
        low=low,
        high=high,
    )
