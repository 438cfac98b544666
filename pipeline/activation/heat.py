"""From activation maps and the weights of two classes to one map, whose average is the decision.

With the transfer values x_d the averages of maps a_d(h, w), the decision score of class c is

    s_c = sum_d w_cd x_d + b_c = mean over (h, w) of [sum_d w_cd a_d(h, w) + b_c],

so that what stands in the brackets says how much each place of the image contributed to it.

References
----------
B. Zhou, A. Khosla, A. Lapedriza, A. Oliva, A. Torralba, "Learning deep features for discriminative
localization", CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SMALLEST_LIMIT = 1e-12


def explain(
    maps: Sequence[NDArray[np.float32]],
    weights: NDArray[np.float64],
    constants: NDArray[np.float64],
    *,
    answer: int,
    against: int,
) -> NDArray[np.float64]:
    """Return what each place of one image says for one class and against another.

    Parameters
    ----------
    maps : sequence of float32 ndarray of shape (h, w, c)
        Of the layers whose averages are joined to a row of transfer values, in that order. Each
        covers the whole image; grids of other shapes are brought to the finest.
    weights : float64 ndarray of shape (n_classes, n_features)
        Of the transfer values as they are, not scaled.
    constants : float64 ndarray of shape (n_classes,)
    answer, against : int
        Classes.

    Returns
    -------
    float64 ndarray of shape (h, w)
        Its average is the decision score of `answer` less that of `against`. The constants are
        spread evenly: the zero is an image that has the same everywhere and is undecided.
    """
    weight = weights[answer] - weights[against]
    edges = np.cumsum([each.shape[2] for each in maps])[:-1]
    height, width = (max(each.shape[axis] for each in maps) for axis in (0, 1))
    heat = np.full((height, width), constants[answer] - constants[against])
    for each, part in zip(maps, np.split(weight, edges), strict=True):
        heat += _spread(height, each.shape[0]) @ (each @ part) @ _spread(width, each.shape[1]).T
    return heat


def choose_limit(heat: NDArray[np.float64]) -> float:
    """Return the size at which a colour is at its strongest, the same on both sides of zero."""
    return max(float(np.abs(heat).max()), _SMALLEST_LIMIT)


def _spread(n_cells: int, n_found: int) -> NDArray[np.float64]:
    """Return the share that each cell found along an axis has in each cell of a finer grid.

    By how much they overlap: whatever is spread so keeps its average.

    Returns
    -------
    float64 ndarray of shape (n_cells, n_found)
    """
    edges, found = np.linspace(0, 1, n_cells + 1), np.linspace(0, 1, n_found + 1)
    low = np.maximum(edges[:-1, None], found[None, :-1])
    high = np.minimum(edges[1:, None], found[None, 1:])
    shares: NDArray[np.float64] = np.maximum(high - low, 0.0) * n_cells
    return shares
