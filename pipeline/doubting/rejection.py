"""Which images are unlike all that a fit was trained on: a distance, and how far is too far.

The distances of training images to the others, each measured as if it were new, say what is usual;
no test image is looked at. See docs/doubt.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts import LoadedModel, keep_arrays, read_arrays
from pipeline.config import check_choice
from pipeline.doubting.distances import MahalanobisDistance, NeighbourDistance
from pipeline.doubting.ranks import CONFIDENCE, tolerance_rank
from pipeline.doubting.training_rows import (
    TrainingRows,
    choose_some,
    find_training_rows,
    read_values,
)
from pipeline.errors import ClassifierError, ConfigError
from pipeline.splits import draw_folds

METHODS = ("knn", "mahalanobis")
KEEP = 0.95
N_NEIGHBORS = 5
MAX_REFERENCES, MAX_BYTES = 5_000, 256_000_000
"""Training images that new ones are compared with, and the bytes of their values, at most."""
MAX_MAHALANOBIS = 4_096
"""Transfer values of an image, at most: their covariance has the square of that."""
FOLDS = 5

Floats = NDArray[np.float32]


class Distance(Protocol):
    """See `pipeline.doubting.distances`."""

    def measure(self, values: Floats) -> Floats:
        """Return how far each row of values (n, n_features) is, (n,)."""
        ...

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return what the distance can be made of again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rejection:
    """Tells which images are unknown.

    Attributes
    ----------
    method : str
        One of `METHODS`.
    keep : float
        Share of the images like the training images that are known.
    threshold : float
        Distance beyond which an image is unknown.
    distance : Distance
    notes : tuple of str
        Sentences for the user.
    """

    method: str
    keep: float
    threshold: float
    distance: Distance
    notes: tuple[str, ...] = ()

    def measure(self, values: Floats) -> Floats:
        """Return how far images are from the training images.

        Parameters
        ----------
        values : float32 ndarray of shape (n, n_features)
            Transfer values, views averaged.

        Returns
        -------
        float32 ndarray of shape (n,)

        Raises
        ------
        FeatureMismatchError
            If they are not as wide as those of the training images.
        """
        return self.distance.measure(values)


def find_rejection(
    store: Path | None, model: LoadedModel, *, method: str = "knn", keep: float = KEEP
) -> Rejection:
    """Find how far from the training images of a fit an image may be.

    What takes time is kept in the fit's folder, if that can be written, and used the next time.

    Parameters
    ----------
    store : Path or None
        What the fit was fitted on; None if it is gone, which is no matter where all was kept.
    model : LoadedModel
    method : {"knn", "mahalanobis"}
    keep : float
        Share of the images like the training images that is to be known, 0-1. At least as many
        are, with a confidence of 95 %.

    Raises
    ------
    ConfigError
        If the method is not known or `keep` is no share.
    ClassifierError
        If the training rows cannot be found, or are too few.
    CacheError
        If the store is damaged.
    """
    check_choice("--reject-by", method, METHODS)
    if not 0 < keep < 1:
        raise ConfigError(f"--keep must lie between 0 and 1. Got: {keep}.")
    name, settings = f"doubt-{method}", _SETTINGS[method]
    arrays = read_arrays(model.folder, name, info=model.info, settings=settings)
    if arrays is None:
        training = find_training_rows(store, model, purpose="--reject")
        arrays = _learn(training, method)
        keep_arrays(model.folder, name, arrays, info=model.info, settings=settings)
    return _make(method, keep, arrays)


_SETTINGS: dict[str, dict[str, Any]] = {
    "knn": {
        "n_neighbors": N_NEIGHBORS,
        "max_references": MAX_REFERENCES,
        "max_bytes": MAX_BYTES,
        "values": "unit length",
    },
    "mahalanobis": {"folds": FOLDS, "max_references": MAX_REFERENCES, "max_bytes": MAX_BYTES},
}


def _make(method: str, keep: float, arrays: Mapping[str, NDArray[Any]]) -> Rejection:
    usual = arrays["usual"]
    rank = tolerance_rank(len(usual), keep)
    notes: tuple[str, ...] = ()
    if rank is None:
        notes = (
            f"With {len(usual):,} training images it cannot be told with {CONFIDENCE:.0%} "
            f"confidence what {keep:.0%} of all images keep within: the largest distance among "
            "them was taken.",
        )
    make = NeighbourDistance if method == "knn" else MahalanobisDistance
    return Rejection(
        method=method,
        keep=keep,
        threshold=float(usual[(rank or len(usual)) - 1]),
        distance=make.from_arrays(arrays),
        notes=notes,
    )


def _learn(training: TrainingRows, method: str) -> dict[str, NDArray[Any]]:
    """Return a distance's arrays, and the sorted distances of images that it did not know."""
    if method == "mahalanobis" and training.width > MAX_MAHALANOBIS:
        raise ClassifierError(
            f"--reject-by mahalanobis takes at most {MAX_MAHALANOBIS:,} transfer values an image, "
            f"these are {training.width:,}. Take --reject-by knn."
        )
    n_rows = min(MAX_REFERENCES, max(MAX_BYTES // (4 * training.width), 100))
    rows = choose_some(training, n_rows)
    values = read_values(training, rows)
    learn = _learn_neighbours if method == "knn" else _learn_mahalanobis
    distance, usual = learn(training, rows, values)
    return {**distance.to_arrays(), "usual": np.sort(usual)}


def _learn_neighbours(
    training: TrainingRows, rows: NDArray[np.intp], values: Floats
) -> tuple[Distance, Floats]:
    """Measure each row's distance to those of other groups."""
    units = training.units[rows]
    fewest = len(rows) - int(np.unique(units, return_counts=True)[1].max())
    if fewest < 1:
        raise ClassifierError(
            f"--reject compares training images with each other: all {len(rows):,} belong to one "
            "group. Add images of others and fit again."
        )
    distance = NeighbourDistance.of(values, n_neighbors=min(N_NEIGHBORS, fewest))
    return distance, distance.measure_left_out(units)


def _learn_mahalanobis(
    training: TrainingRows, rows: NDArray[np.intp], values: Floats
) -> tuple[Distance, Floats]:
    """Measure each row's distance by a mean and a covariance of the other folds' rows."""
    labels = training.table.labels[rows]
    try:
        fold = draw_folds(training.table, rows, n_folds=FOLDS, seed=training.config.seed)
    except ClassifierError as exc:
        raise ClassifierError(
            f"--reject-by mahalanobis needs more different training images than {len(rows):,}. "
            "Take --reject-by knn, or add images and fit again."
        ) from exc
    usual = np.empty(len(rows), np.float32)
    for k in range(FOLDS):
        outside, inside = fold != k, fold == k
        without = MahalanobisDistance.of(values[outside], labels[outside])
        usual[inside] = without.measure(values[inside])
    return MahalanobisDistance.of(values, labels), usual
