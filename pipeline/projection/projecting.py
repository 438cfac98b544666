"""From transfer values to points in a plane, by any of the methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ClassifierError, ConfigError
from pipeline.projection import tsne, umap
from pipeline.projection.components import reduce_values

FEWEST_ROWS = 4
"""Fewer have no neighbourhoods that a map could keep."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projection:
    """Rows as points in a plane.

    Attributes
    ----------
    points : float32 ndarray of shape (n_samples, 2)
        Of PCA in the units of the transfer values; of t-SNE and UMAP only what is near what counts.
    explained : tuple of float, or None
        Shares of the variance along the two axes, 0-1; of PCA alone.
    versions : mapping of str to str
        Of the libraries that computed it.
    """

    points: Floats
    explained: tuple[float, float] | None
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Method:
    embed: Callable[..., Floats] | None
    packages: tuple[str, ...]


_METHODS = {
    "pca": _Method(embed=None, packages=("scikit-learn",)),
    "tsne": _Method(embed=tsne.embed, packages=("scikit-learn",)),
    "umap": _Method(embed=umap.embed, packages=("scikit-learn", umap.PACKAGE)),
}
METHODS = tuple(_METHODS)
NAMES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
"""Of the methods, as readers know them."""


def is_available(method: str) -> bool:
    """Tell whether what a method needs is installed."""
    return method in METHODS and (method != "umap" or umap.is_installed())


def method_versions(method: str) -> dict[str, str]:
    """Return the versions of the libraries that compute a method's map."""
    return {name: version(name) for name in _METHODS[method].packages}


def project(X: NDArray[np.floating], *, method: str, random_state: int) -> Projection:
    """Return rows as points in a plane.

    The same rows, seed and libraries on one machine give the same points. PCA comes first, to 50
    dimensions, for t-SNE and UMAP, too; they start from its plane, so that what is far apart there
    tends to stay so (Kobak and Berens 2019). Fewer than 4 rows, and rows that are all the same,
    have no neighbourhoods to keep: their points are PCA's.

    Parameters
    ----------
    X : float32 ndarray of shape (n_samples, n_features)
    method : {"pca", "tsne", "umap"}
    random_state : int

    Raises
    ------
    ConfigError
        If there is no such method, or what it needs is not installed.
    ClassifierError
        If there are no rows, or one holds a value that is not finite.

    References
    ----------
    D. Kobak and P. Berens, "The art of using t-SNE for single-cell transcriptomics", Nature
    Communications 10 (2019) 5416.
    """
    _check_method(method)
    _check_values(X)
    seed = random_state % 2**32  # scikit-learn's range
    reduced = reduce_values(X, random_state=seed)
    points = reduced.values[:, :2]
    known = _METHODS[method]
    if known.embed is not None and len(X) >= FEWEST_ROWS and points.any():
        points = known.embed(reduced.values, random_state=seed)
    return Projection(
        points=np.ascontiguousarray(points, np.float32),
        explained=reduced.explained if known.embed is None else None,
        versions=method_versions(method),
    )


def _check_method(method: str) -> None:
    if method not in METHODS:
        raise ConfigError(f"There is no map by {method!r}. Expected one of: {', '.join(METHODS)}.")
    if not is_available(method):
        raise ConfigError(
            f"A map by {method} needs the package {umap.PACKAGE}, which is not installed. "
            f"Run: pip install {umap.PACKAGE}, or take pca or tsne."
        )


def _check_values(X: NDArray[np.floating]) -> None:
    if not len(X):
        raise ClassifierError("There is no row of transfer values to make a map of: 0 images.")
    bad = np.flatnonzero(~np.isfinite(X).all(axis=1))
    if len(bad):
        raise ClassifierError(
            f"Row {bad[0]} of the transfer values is not finite (NaN or infinite), as are "
            f"{len(bad) - 1:,} more: no map can be made of them. "
            "Run extract again with --overwrite."
        )


def name_axes(explained: tuple[float, float] | None) -> tuple[str, str]:
    """Return what to write at the axes of a plane; nothing where they mean nothing.

    Parameters
    ----------
    explained : tuple of float or None
        `Projection.explained`.
    """
    if explained is None:
        return "", ""
    first, second = (
        f"component {number} ({100 * share:.1f} % of the variance)"
        for number, share in enumerate(explained, start=1)
    )
    return first, second
