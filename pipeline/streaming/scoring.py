"""Whether transfer values are too many for the memory, and scores of those that are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.streaming.passes import Blocks, Rows
from pipeline.views import average_views

MEMORY_SHARE = 0.5  # scaling them in memory makes a copy


def needs_streaming(n_bytes: int, *, free: int | None) -> bool:
    """Tell whether transfer values of `n_bytes` are more than half of the free memory.

    Parameters
    ----------
    n_bytes : int
        As float32.
    free : int or None
        Bytes, None where that is not known; see `pipeline.machine.free_memory`.
    """
    return free is not None and n_bytes > MEMORY_SHARE * free


def score_stream(
    score: Callable[[NDArray[np.float32]], NDArray[np.floating[Any]]],
    blocks: Blocks,
    rows: Rows,
    *,
    n_classes: int,
    n_views: int = 1,
) -> NDArray[np.floating[Any]]:
    """Score some rows of blocks, in one pass.

    Parameters
    ----------
    score : callable
        Takes float32 of shape (n, n_features), the average of each row's views; returns float of
        shape (n, n_classes).
    blocks : Blocks
    rows : intp ndarray of shape (n_rows,)
        Ascending.
    n_classes : int
    n_views : int

    Returns
    -------
    float ndarray of shape (n_rows, n_classes)
        Row for row as `rows`.
    """
    scores: list[NDArray[np.floating[Any]]] = []
    for span, values in blocks(None):
        first, stop = np.searchsorted(rows, (span.start, span.stop))
        if stop > first:
            X = values[rows[first:stop] - span.start]
            scores.append(score(average_views(X, n_views=n_views)))
    return np.concatenate(scores) if scores else np.empty((0, n_classes))
