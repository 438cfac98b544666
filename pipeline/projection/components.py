"""The directions in which transfer values differ most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

N_COMPONENTS = 50
"""As van der Maaten and Hinton take; distances in more cost time and change little."""

NOISE = 1e-12
"""Components with a smaller share of the variance are what float32 rounds away."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reduced:
    """Rows in few dimensions.

    Attributes
    ----------
    values : float32 ndarray of shape (n_samples, n_components)
        Between 2 and 50 components, the widest first; about 0.
    explained : tuple of float
        Shares of the variance along the first two, 0-1.
    """

    values: NDArray[np.float32]
    explained: tuple[float, float]


def reduce_values(X: NDArray[np.floating], *, random_state: int) -> Reduced:
    """Return the principal components of rows, at most 50 of them.

    A component points to where its largest weight is positive: it has the same sign in every run.
    Rows in fewer than two dimensions get components of 0.

    Parameters
    ----------
    X : float32 ndarray of shape (n_samples, n_features)
        Finite.
    random_state : int
        Of the randomised decomposition that large matrices get.

    References
    ----------
    L. van der Maaten and G. Hinton, "Visualizing data using t-SNE", JMLR 9 (2008) 2579-2605.
    N. Halko, P.-G. Martinsson and J. A. Tropp, "Finding structure with randomness", SIAM Review 53
    (2011) 217-288.
    """
    n_components = min(N_COMPONENTS, *X.shape)
    # First, so that values far from 0 lose nothing when they are squared.
    centred = X.astype(np.float32) - X.mean(axis=0, dtype=np.float64).astype(np.float32)
    values, shares = np.zeros((len(X), max(2, n_components)), np.float32), np.zeros(2)
    if (X.max(axis=0) != X.min(axis=0)).any():
        pca = PCA(n_components, random_state=random_state)
        found = pca.fit_transform(centred)
        is_noise = pca.explained_variance_ratio_ < NOISE
        values[:, :n_components] = np.where(is_noise, 0, found)
        shares[:n_components] = np.where(is_noise, 0, pca.explained_variance_ratio_)[:2]
    return Reduced(values=values, explained=(float(shares[0]), float(shares[1])))
