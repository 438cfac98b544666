"""UMAP of rows that PCA has reduced, where umap-learn is installed."""

from __future__ import annotations

import warnings
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

PACKAGE = "umap-learn"
N_NEIGHBORS = 15  # umap-learn's own


def is_installed() -> bool:
    """Tell whether umap-learn can be imported, without doing so: that takes seconds."""
    return find_spec("umap") is not None


def embed(values: NDArray[np.float32], *, random_state: int) -> NDArray[np.float32]:
    """Return a map in which neighbours stay neighbours, from the plane of the first two components.

    A seed that is heeded leaves it one thread.

    Parameters
    ----------
    values : float32 ndarray of shape (n_samples, n_components)
        At least 4 rows, not all the same; the widest component first.
    random_state : int

    Returns
    -------
    float32 ndarray of shape (n_samples, 2)

    References
    ----------
    L. McInnes, J. Healy and J. Melville, "UMAP: uniform manifold approximation and projection for
    dimension reduction", arXiv:1802.03426 (2018).
    """
    plane = values[:, :2]
    # It divides by the width of the start along both axes, which of a line is 0.
    start = plane if plane[:, 1].any() else "random"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numba's and of umap-learn's, none is ours to mend
        reducer = import_module("umap").UMAP(
            n_neighbors=min(N_NEIGHBORS, len(values) - 1),
            init=start,
            random_state=random_state,
            n_jobs=1,
        )
        return np.asarray(reducer.fit_transform(values), np.float32)
