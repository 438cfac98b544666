"""Several views of an image in one row of transfer values: the image, then its mirror image.

A classifier takes the values of one view. In training each view is a row of its own; an image that
is to be classified has one row, the average of its views.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import FeatureMismatchError


def count_views(recipe: Mapping[str, Any]) -> int:
    """Return how many views of an image the rows of a recipe hold; 1 if it does not say."""
    return int(recipe.get("views", 1))


def view_width(width: int, *, n_views: int) -> int:
    """Return how many values one view has.

    Parameters
    ----------
    width : int
        Values a row, of all views.
    n_views : int

    Raises
    ------
    FeatureMismatchError
        If the views do not share the row equally.
    """
    if width % n_views:
        raise FeatureMismatchError(
            f"A row of {width:,} transfer values cannot hold {n_views} views of an image: expected "
            f"a multiple of {n_views}. Run extract again with --overwrite."
        )
    return width // n_views


def view_prefixes(n_views: int) -> tuple[str, ...]:
    """Return what stands before the names of each view's columns: "", "view2_", …."""
    return ("", *(f"view{k}_" for k in range(2, n_views + 1)))


def unfold_views(
    X: NDArray[np.float32], y: NDArray[np.integer], *, n_views: int
) -> tuple[NDArray[np.float32], NDArray[np.integer]]:
    """Make each view a row of its own, those of an image one after the other.

    Parameters
    ----------
    X : float32 ndarray of shape (n_samples, n_views * n_features)
    y : integer ndarray of shape (n_samples,)
    n_views : int

    Returns
    -------
    X : float32 ndarray of shape (n_samples * n_views, n_features)
    y : integer ndarray of shape (n_samples * n_views,)

    Raises
    ------
    FeatureMismatchError
        If the rows are not as wide as so many views.
    """
    width = view_width(X.shape[1], n_views=n_views)
    return X.reshape(len(X) * n_views, width), np.repeat(y, n_views)


def average_views(X: NDArray[np.float32], *, n_views: int) -> NDArray[np.float32]:
    """Make one row of the views of each image, their average.

    Parameters
    ----------
    X : float32 ndarray of shape (n_samples, n_views * n_features)
    n_views : int

    Returns
    -------
    float32 ndarray of shape (n_samples, n_features)
        `X` itself if there is one view.

    Raises
    ------
    FeatureMismatchError
        If the rows are not as wide as so many views.
    """
    width = view_width(X.shape[1], n_views=n_views)
    if n_views == 1:
        return X
    averages: NDArray[np.float32] = X.reshape(len(X), n_views, width).mean(axis=1)
    return averages
