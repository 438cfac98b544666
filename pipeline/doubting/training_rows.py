"""The rows that a fit was trained on, found again in its store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts import LoadedModel, read_vouched
from pipeline.artifacts.description import PREDICTIONS
from pipeline.cache import read_samples, stream_features
from pipeline.config import FitConfig
from pipeline.errors import CacheError, ClassifierError
from pipeline.grouping import group_table
from pipeline.learning_curve import nested_subset
from pipeline.predictions import parse_predictions
from pipeline.records import SampleTable
from pipeline.splits import Rows, find_units, split_rows
from pipeline.views import average_views, view_width


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingRows:
    """Which rows of a store a fit was trained on.

    Attributes
    ----------
    store : Path
    table : SampleTable
        In the groups that the fit was told of.
    rows : intp ndarray of shape (n_train,)
        Numbers of the rows, ascending.
    config : FitConfig
    """

    store: Path
    table: SampleTable
    rows: Rows
    config: FitConfig

    @property
    def n_views(self) -> int:
        """Views of an image in a row of the store."""
        return int(self.table.recipe.get("views", 1))

    @property
    def units(self) -> NDArray[np.intp]:
        """Unit of each row of the table: see `splits.find_units`."""
        return find_units(self.table.sha256, self.table.group)

    @property
    def width(self) -> int:
        """Transfer values of one view."""
        return view_width(self.table.n_features, n_views=self.n_views)


def find_training_rows(store: Path | None, model: LoadedModel, *, purpose: str) -> TrainingRows:
    """Split a store's rows as the fit did.

    Parameters
    ----------
    store : Path or None
        None if it is gone.
    model : LoadedModel
    purpose : str
        The flag that needs them.

    Raises
    ------
    ClassifierError
        If the store is gone, is not what was fitted on, or splits in another way by now.
    """
    if store is None:
        raise ClassifierError(
            f"{purpose} learns from the training images' transfer values, and the store that "
            f"{model.folder} was fitted on is not beside it. Run predict {purpose} where the store "
            "is: what it learns is kept in the fit's folder, and goes with it."
        )
    try:
        table = read_samples(store)
    except CacheError as exc:
        raise ClassifierError(
            f"{purpose} learns from the training images' transfer values: {exc}"
        ) from exc
    if table.content_sha256 != model.info["content_sha256"]:
        raise ClassifierError(
            f"{store} holds other transfer values than {model.folder} was fitted on, from which "
            f"{purpose} would learn. Run fit again."
        )
    config = FitConfig(**model.info["config"])
    if config.group_by is not None:
        table, _ = group_table(table, config.group_by)
    part = split_rows(table, config=config)
    _check_split(model, [table.paths[row] for row in part.test], purpose)
    return TrainingRows(store=store, table=table, rows=part.train, config=config)


def _check_split(model: LoadedModel, test_paths: Sequence[str], purpose: str) -> None:
    """Refuse a split that is not the fit's: test images must not be learned from."""
    kept = parse_predictions(read_vouched(model.folder, PREDICTIONS, model.info))
    if sorted(kept["path"]) != sorted(test_paths):
        raise ClassifierError(
            f"The images of {model.folder} are split in another way than when it was fitted, so "
            f"that {purpose} cannot tell which ones trained. Run fit again with --overwrite."
        )


def choose_some(training: TrainingRows, n_rows: int) -> Rows:
    """Return at most so many training rows, each of another image, of like class proportions.

    Returns
    -------
    intp ndarray of shape (n_chosen,)
        Ascending.
    """
    digests = [digest.tobytes() for digest in training.table.sha256[training.rows]]
    first = dict(zip(reversed(digests), reversed(training.rows.tolist()), strict=True))
    rows: Rows = np.sort(np.fromiter(first.values(), np.intp))
    if len(rows) <= n_rows:
        return rows
    order = np.random.default_rng(training.config.seed).permutation(len(rows))
    chosen: Rows = np.sort(rows[nested_subset(order, training.table.labels[rows], n_rows)])
    return chosen


def read_values(training: TrainingRows, rows: Rows) -> NDArray[np.float32]:
    """Read the values of some rows, views averaged; no more than these are held in memory.

    Parameters
    ----------
    training : TrainingRows
    rows : intp ndarray of shape (n_rows,)
        Ascending.

    Returns
    -------
    float32 ndarray of shape (n_rows, n_features)

    Raises
    ------
    CacheError
        If the store is damaged.
    """
    values = np.empty((len(rows), training.width), np.float32)
    for span, block in stream_features(training.store):
        first, stop = np.searchsorted(rows, (span.start, span.stop))
        if stop > first:
            some = block[rows[first:stop] - span.start]
            values[first:stop] = average_views(some, n_views=training.n_views)
    return values
