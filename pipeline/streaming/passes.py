"""The training rows of blocks, pass by pass: found, checked, scaled, and told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from pipeline.errors import ClassifierError
from pipeline.records import OnProgress
from pipeline.views import view_width

Rows = NDArray[np.intp]
Blocks = Callable[[NDArray[np.intp] | None], Iterator[tuple[slice, NDArray[np.float32]]]]
"""One pass over all rows, block by block: which rows these are, and their values.

Given block numbers, it reads these blocks in this order; given None, every block in order.
"""

HELD_OUT_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """The training rows of one block.

    Attributes
    ----------
    X : float32 ndarray of shape (n_rows, n_views, n_features)
    y : intp ndarray of shape (n_rows,)
        Indices into the classes of the training rows.
    held_out : bool ndarray of shape (n_rows,)
    places : slice
        Which of the training rows they are.
    """

    X: NDArray[np.float32]
    y: NDArray[np.intp]
    held_out: NDArray[np.bool_]
    places: slice


def unfold(part: Part, chosen: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return some rows of a part, each view a row of its own, and their classes' indices."""
    X = part.X[chosen]
    return X.reshape(-1, X.shape[2]), np.repeat(part.y[chosen], X.shape[1])


@dataclass(kw_only=True, eq=False)
class TrainingRows:
    """The training rows of a store, which are read anew in every pass.

    Attributes
    ----------
    blocks : Blocks
    rows : intp ndarray of shape (n_train,)
        Ascending.
    y : intp ndarray of shape (n_train,)
        Index of each row's class.
    held_out : bool ndarray of shape (n_train,)
        Rows that choose between settings, and teach none of them.
    n_views : int
    on_progress : callable, optional
        Told of the rows that were read, of all passes together.
    scaler : StandardScaler
        Fitted by `measure`.
    n_blocks, n_read, n_passes : int
    """

    blocks: Blocks
    rows: Rows
    y: NDArray[np.intp]
    held_out: NDArray[np.bool_]
    n_views: int
    on_progress: OnProgress | None = None
    scaler: StandardScaler = field(default_factory=StandardScaler)
    n_blocks: int = 0
    n_read: int = 0
    n_passes: int = 0

    @property
    def width(self) -> int:
        """Values of one view."""
        return int(self.scaler.n_features_in_)

    def measure(self) -> None:
        """Fit the scaler, in one pass.

        Raises
        ------
        ClassifierError
            If a training row holds a value that is not finite, or was not among the blocks.
        """
        n_found = 0
        for part in self._read(None):
            self.n_blocks += 1
            n_found += len(part.X)
            if len(part.X):
                _check_finite(part.X, self.rows[part.places])
                self.scaler.partial_fit(part.X.reshape(-1, part.X.shape[2]))
        if n_found != len(self.rows):
            raise ClassifierError(
                f"The blocks of transfer values hold {n_found:,} of {len(self.rows):,} training "
                "images: expected all of them. Run extract again with --overwrite."
            )

    @property
    def is_constant(self) -> bool:
        """Whether no value differs between the training rows."""
        return bool((self.scaler.var_ == 0).all())

    def read(self, order: NDArray[np.intp] | None = None) -> Iterator[Part]:
        """Yield the training rows block by block, scaled, in one pass.

        Parameters
        ----------
        order : intp ndarray of shape (n_blocks,), optional
            Numbers of the blocks, in the order to read them.
        """
        mean = self.scaler.mean_.astype(np.float32)
        scale = self.scaler.scale_.astype(np.float32)
        for part in self._read(order):
            if len(part.X):
                yield replace(part, X=(part.X - mean) / scale)

    def _read(self, order: NDArray[np.intp] | None) -> Iterator[Part]:
        """Yield the training rows of each block as they are, and of none where it has none."""
        for span, values in self.blocks(order):
            places = slice(*(int(i) for i in np.searchsorted(self.rows, (span.start, span.stop))))
            X = values[self.rows[places] - span.start]
            width = view_width(X.shape[1], n_views=self.n_views)
            yield Part(
                X=X.reshape(len(X), self.n_views, width),
                y=self.y[places],
                held_out=self.held_out[places],
                places=places,
            )
            self.n_read += len(values)
            if self.on_progress:
                self.on_progress(self.n_read, 0)
        self.n_passes += 1


def _check_finite(X: NDArray[np.float32], rows: Rows) -> None:
    bad = rows[~np.isfinite(X).all(axis=(1, 2))]
    if len(bad):
        raise ClassifierError(
            f"Row {bad[0]} of the transfer values is not finite (NaN or infinite): expected finite "
            "numbers alone. Run extract again with --overwrite."
        )


def hold_out(y: NDArray[np.intp], units: NDArray[np.intp], *, seed: int) -> NDArray[np.bool_]:
    """Choose the training rows that choose between settings: whole units, about a tenth.

    Every class keeps rows to learn from; the choice may be empty where there are few.

    Parameters
    ----------
    y : intp ndarray of shape (n_train,)
        Indices of classes.
    units : intp ndarray of shape (n_train,)
        Rows of one number stay together.
    seed : int

    Returns
    -------
    bool ndarray of shape (n_train,)
    """
    unit = np.unique(units, return_inverse=True)[1]
    sizes = np.bincount(unit)
    drawn = np.random.default_rng(seed).permutation(len(sizes))
    chosen = np.zeros(len(sizes), bool)
    chosen[drawn[np.cumsum(sizes[drawn]) <= HELD_OUT_SHARE * len(y)]] = True
    held_out = chosen[unit]
    left = np.bincount(y[~held_out], minlength=int(y.max()) + 1)
    chosen[unit[left[y] == 0]] = False
    return chosen[unit]
