"""t-SNE of rows that PCA has reduced."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

PERPLEXITY = 30.0
START = 1e-4  # standard deviation: so small that the map unfolds from there
N_STEPS = 750  # openTSNE's number; the last 250 of scikit-learn's 1,000 bring next to nothing

ALONE_BELOW = 3000
"""Fewer rows get one thread: threads wait for each other twice in each step. 1,000 steps of 2,000
rows took 3.8 seconds on two free cores and 6.3 on one; where others were at work, 109 and 38."""


def embed(values: NDArray[np.float32], *, random_state: int) -> NDArray[np.float32]:
    """Return a map in which neighbours stay neighbours.

    Barnes-Hut, from the plane of the first two components. Another number of threads rounds one
    sum differently; of 2,000 rows it did not change a bit of the map.

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
    L. van der Maaten, "Accelerating t-SNE using tree-based algorithms", JMLR 15 (2014) 3221-3245.
    """
    # Three times as many neighbours are looked at: there must be so many.
    perplexity = min(PERPLEXITY, (len(values) - 1) / 3)
    start = (values[:, :2] * np.float32(START / values[:, 0].std())).astype(np.float32)
    tsne = TSNE(perplexity=perplexity, max_iter=N_STEPS, init=start, random_state=random_state)
    with threadpool_limits(1, "openmp") if len(values) < ALONE_BELOW else nullcontext():
        return np.asarray(tsne.fit_transform(values), np.float32)
