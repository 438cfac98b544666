"""Which images make which batch of which epoch: told by the seed alone, so that a rerun goes on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backbones.quiet_keras import keras
from pipeline.finetuning.sources import Arrays, Source

_ORDER, _VIEW = 1, 2


class Feed(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of images with their classes, epoch after epoch.

    Parameters
    ----------
    source : Source
    rows : intp ndarray of shape (n_images,)
        Of the table.
    labels : int32 ndarray of shape (n_images,)
        Of these rows.
    n_classes, batch_size : int
    class_weights : float32 ndarray of shape (n_classes,), optional
        What an image of each class counts; by default 1.
    shuffled : bool
        Whether each epoch has an order, and views, of its own; else the images come as they are.
    seed : int
    epoch : int
        The first one; counted from 0.
    """

    def __init__(
        self,
        source: Source,
        rows: NDArray[np.intp],
        labels: NDArray[np.int32],
        *,
        n_classes: int,
        batch_size: int,
        class_weights: NDArray[np.float32] | None = None,
        shuffled: bool = False,
        seed: int = 0,
        epoch: int = 0,
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self._source = source
        self._rows = rows
        self._labels = dict(zip(rows.tolist(), labels.tolist(), strict=True))
        self._targets = np.eye(n_classes, dtype=np.float32)
        self._weights = np.ones(n_classes, np.float32) if class_weights is None else class_weights
        self._batch_size = batch_size
        self._shuffled = shuffled
        self._seed = seed
        self._epoch = epoch

    def __len__(self) -> int:
        return math.ceil(len(self._rows) / self._batch_size)

    def __getitem__(self, number: int) -> tuple[Any, NDArray[np.float32], NDArray[np.float32]]:
        """Return one batch: inputs, one-hot classes, and what each image counts."""
        places = slice(number * self._batch_size, (number + 1) * self._batch_size)
        rows = self._order[places]
        view = np.zeros(len(rows), np.intp)
        if self._shuffled and self._source.n_views > 1:
            rng = np.random.default_rng([self._seed, _VIEW, self._epoch, number])
            view = rng.integers(0, self._source.n_views, len(rows))
        inputs: Arrays = self._source.take(rows, view)
        labels = np.array([self._labels[row] for row in rows.tolist()])
        x = inputs if len(inputs) > 1 else inputs[0]
        return x, self._targets[labels], self._weights[labels]

    def on_epoch_end(self) -> None:
        """Go on to the next epoch; called by Keras."""
        self._epoch += 1
        self.__dict__.pop("_order", None)

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        if not self._shuffled:
            return self._rows
        rng = np.random.default_rng([self._seed, _ORDER, self._epoch])
        return shuffle(self._source, self._rows, rng)


def make_feeds(
    source: Source,
    uses: Mapping[str, NDArray[np.intp]],
    labels: NDArray[np.int32],
    *,
    n_classes: int,
    batch_size: int,
    is_balanced: bool,
    seed: int,
    epoch: int,
) -> dict[str, Feed]:
    """Return the feed of each use of images; only those that train are shuffled and weighted.

    Parameters
    ----------
    source : Source
    uses : mapping of str to intp ndarray
        Rows of the table: "train" and others.
    labels : int32 ndarray of shape (n_samples,)
        Of the table.
    n_classes, batch_size : int
    is_balanced : bool
        Whether all classes count the same, whatever they have of images.
    seed, epoch : int
    """
    weights = balance_classes(labels[uses["train"]], n_classes=n_classes) if is_balanced else None
    return {
        use: Feed(
            source,
            rows,
            labels[rows],
            n_classes=n_classes,
            batch_size=batch_size,
            class_weights=weights if use == "train" else None,
            shuffled=use == "train",
            seed=seed,
            epoch=epoch,
        )
        for use, rows in uses.items()
    }


def shuffle(source: Source, rows: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return rows in a random order that keeps those together that must be read together.

    Blocks come in a random order, and the rows of as many of them as fit into the memory are mixed.
    """
    pools = source.pools(rows)
    if len(pools) == 1:
        return rng.permutation(rows)
    n_mixed = source.blocks_at_once
    order = rng.permutation(len(pools))
    mixed = [
        rng.permutation(np.concatenate([pools[k] for k in order[first : first + n_mixed]]))
        for first in range(0, len(order), n_mixed)
    ]
    return np.concatenate(mixed)


def balance_classes(labels: NDArray[np.int32], *, n_classes: int) -> NDArray[np.float32]:
    """Return what an image of each class counts, so that all classes count the same.

    As scikit-learn's "balanced": n_images / (n_classes · images of the class).
    """
    counts = np.bincount(labels, minlength=n_classes)
    present = int((counts > 0).sum())
    weights = len(labels) / (present * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 0).astype(np.float32)
