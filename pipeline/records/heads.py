"""What is left of a classifier without scikit-learn: plain layers over transfer values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DenseLayer:
    """``activation(x @ weights + constants)``.

    Attributes
    ----------
    weights : float64 ndarray of shape (n_in, n_out)
    constants : float64 ndarray of shape (n_out,)
    activation : str
        "linear", "relu" or "softmax".
    """

    weights: NDArray[np.float64]
    constants: NDArray[np.float64]
    activation: str = "linear"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KernelLayer:
    """The decision scores of an SVM with an RBF kernel: exp(-gamma · squared distance), weighed.

    Attributes
    ----------
    scale, shift : float64 ndarray of shape (n_in,)
        What scales the values first: ``x * scale + shift``.
    support : float64 ndarray of shape (n_vectors, n_in)
        Scaled training images that the scores are sums over.
    gamma : float
    weights : float64 ndarray of shape (n_vectors, n_pairs)
        A column for each pair of classes.
    constants : float64 ndarray of shape (n_pairs,)
    pairs : tuple of (int, int)
        Places of the two classes among those that the classifier knows; the first one is favoured
        by a positive score.
    n_known : int
        Classes that the classifier knows.
    """

    scale: NDArray[np.float64]
    shift: NDArray[np.float64]
    support: NDArray[np.float64]
    gamma: float
    weights: NDArray[np.float64]
    constants: NDArray[np.float64]
    pairs: tuple[tuple[int, int], ...]
    n_known: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NeighbourLayer:
    """The shares of the classes among the nearest training images, all of them of unit length.

    Attributes
    ----------
    scale, shift : float64 ndarray of shape (n_in,)
        What scales the values first: ``x * scale + shift``.
    training : float64 ndarray of shape (n_images, n_in)
        Scaled, then of unit length, as what is asked about.
    votes : float64 ndarray of shape (n_images, n_classes)
        1 / n_neighbours at each image's class.
    n_neighbours : int
    """

    scale: NDArray[np.float64]
    shift: NDArray[np.float64]
    training: NDArray[np.float64]
    votes: NDArray[np.float64]
    n_neighbours: int


Layer = DenseLayer | KernelLayer | NeighbourLayer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """A classifier as layers, from transfer values to one number a class.

    Attributes
    ----------
    layers : tuple of Layer
    kind : str
        "probability", or "score" where the classifier has none: the highest one is its answer.
    kept : str
        What could not be folded into layers of a size that does not grow with the training
        images, as a sentence; empty if all could.
    """

    layers: tuple[Layer, ...]
    kind: str
    kept: str = ""

    @property
    def is_linear(self) -> bool:
        """Whether it is one product with a matrix."""
        return len(self.layers) == 1 and isinstance(self.layers[0], DenseLayer)
