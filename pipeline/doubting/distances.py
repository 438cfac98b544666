"""How far transfer values are from those of training images: arrays in, numbers out.

A row's distance is the same, bit for bit, whichever rows are beside it. Products of matrices add up
in an order that depends on where a row stands among others, so they only find candidates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import FeatureMismatchError

Floats = NDArray[np.float32]

_ROWS_AT_ONCE = 256
_COSINE_ERROR = np.float32(1e-5)  # ten times what float32 products of unit rows were off by
_TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NeighbourDistance:
    """The cosine distance, 0-2, to the training image that is the k-th nearest.

    Of the bare values: lengths say little about what an image shows, and standardised values make
    as much of noise as of what differs.

    Attributes
    ----------
    references : float32 ndarray of shape (n_references, n_features)
        Values of training images, each row of length 1.
    n_neighbors : int
        k.

    References
    ----------
    Y. Sun, Y. Ming, X. Zhu, Y. Li, "Out-of-distribution detection with deep nearest neighbors",
    ICML 2022.
    """

    references: Floats
    n_neighbors: int

    @classmethod
    def of(cls, values: Floats, *, n_neighbors: int) -> NeighbourDistance:
        """Make the distance to given values (n_references, n_features)."""
        return cls(references=_to_unit(values), n_neighbors=n_neighbors)

    def measure(self, values: Floats) -> Floats:
        """Return the distance of each row of values (n, n_features), (n,)."""
        _check_width(values, self.references.shape[1])
        unit = _to_unit(values)
        found = np.empty(len(unit), np.float32)
        for start in range(0, len(unit), _ROWS_AT_ONCE):
            cosines = unit[start : start + _ROWS_AT_ONCE] @ self.references.T
            about = self._least_near(cosines) - _COSINE_ERROR
            for row, near in enumerate(cosines >= about[:, None], start):
                exact = np.multiply(self.references[near], unit[row]).sum(axis=1)
                found[row] = np.float32(1) - self._least_near(exact[None])[0]
        return found

    def measure_left_out(self, units: NDArray[np.intp]) -> Floats:
        """Return the distance of each reference to those of other units.

        Parameters
        ----------
        units : intp ndarray of shape (n_references,)
            Rows of one number show the same image or belong together: see `splits.find_units`.
        """
        found = []
        for start in range(0, len(self.references), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            cosines = self.references[rows] @ self.references.T
            cosines[units[rows, None] == units[None, :]] = -np.inf
            found.append(np.float32(1) - self._least_near(cosines))
        return np.concatenate(found)

    def _least_near(self, cosines: Floats) -> Floats:
        """Return the k-th largest of each row."""
        place = cosines.shape[1] - self.n_neighbors
        least: Floats = np.partition(cosines, place, axis=1)[:, place]
        return least

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `from_arrays` takes."""
        return {"references": self.references, "n_neighbors": np.array(self.n_neighbors)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> NeighbourDistance:
        """Make the distance again."""
        return cls(references=arrays["references"], n_neighbors=int(arrays["n_neighbors"]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MahalanobisDistance:
    """The Mahalanobis distance to the nearest class mean, of one covariance for all classes.

    Attributes
    ----------
    mean, scale : float32 ndarray of shape (n_features,)
        Standardise the values; a value that is constant has scale 0.
    whiten : float32 ndarray of shape (n_features, n_features)
        From standardised values to such of which the covariance within the classes is 1.
    centres : float32 ndarray of shape (n_classes, n_features)
        Whitened class means.

    References
    ----------
    K. Lee, K. Lee, H. Lee, J. Shin, "A simple unified framework for detecting out-of-distribution
    samples and adversarial attacks", NeurIPS 2018.
    """

    mean: Floats
    scale: Floats
    whiten: Floats
    centres: Floats

    @classmethod
    def of(cls, values: Floats, labels: NDArray[np.integer]) -> MahalanobisDistance:
        """Make the distance to the classes of given values.

        Parameters
        ----------
        values : float32 ndarray of shape (n, n_features)
        labels : integer ndarray of shape (n,)
        """
        X = values.astype(np.float64)
        mean, deviation = X.mean(axis=0), X.std(axis=0)
        counts = deviation > 1e-6 * deviation.max(initial=0)
        scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=counts)
        X = (X - mean) * scale
        classes, y = np.unique(labels, return_inverse=True)
        means = np.stack([X[y == k].mean(axis=0) for k in range(len(classes))])
        covariance = shrink_covariance(X - means[y])
        values_of, vectors = np.linalg.eigh(covariance)
        smallest = max(float(values_of[-1]) * 1e-10, _TINY)
        whiten = vectors / np.sqrt(np.maximum(values_of, smallest))
        return cls(
            mean=mean.astype(np.float32),
            scale=scale.astype(np.float32),
            whiten=whiten.astype(np.float32),
            centres=(means @ whiten).astype(np.float32),
        )

    def measure(self, values: Floats) -> Floats:
        """Return the distance of each row of values (n, n_features), (n,)."""
        _check_width(values, len(self.mean))
        scaled = (values - self.mean) * self.scale
        nearest = [np.square(self.centres - row @ self.whiten).sum(axis=1).min() for row in scaled]
        return np.sqrt(np.array(nearest, np.float32))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `from_arrays` takes."""
        return {name: getattr(self, name) for name in ("mean", "scale", "whiten", "centres")}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> MahalanobisDistance:
        """Make the distance again."""
        names = ("mean", "scale", "whiten", "centres")
        return cls(**{name: arrays[name] for name in names})


def shrink_covariance(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the covariance of centred rows, shrunk towards a multiple of the identity.

    Parameters
    ----------
    X : float64 ndarray of shape (n, n_features)
        Of mean 0.

    References
    ----------
    O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance
    matrices", Journal of Multivariate Analysis 88 (2004) 365-411.
    """
    n, d = X.shape
    covariance: NDArray[np.float64] = X.T @ X / n
    spread = np.trace(covariance) / d
    squares = float(np.square(covariance).sum())
    off_target = squares - d * spread**2
    noise = (float(np.square(np.square(X).sum(axis=1)).sum()) / n - squares) / n
    share = min(max(noise / off_target, 0.0), 1.0) if off_target > 0 else 1.0
    covariance *= 1 - share
    covariance[np.diag_indices(d)] += share * spread
    return covariance


def _to_unit(values: Floats) -> Floats:
    values = np.asarray(values, np.float32)
    # The largest first: squares of large values would be infinite.
    largest = np.abs(values).max(axis=1, keepdims=True, initial=0)
    scaled = values / np.maximum(largest, _TINY)
    length = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))[:, None]
    unit: Floats = scaled / np.maximum(length, _TINY)
    return unit


def _check_width(values: Floats, width: int) -> None:
    if values.ndim != 2 or values.shape[1] != width:
        raise FeatureMismatchError(
            f"Distances are measured of {width:,} transfer values an image: expected an array of "
            f"shape (n, {width}), got {values.shape}. Extract with the settings of the fit."
        )
