"""Deal groups into folds of like class proportions; the owner of StratifiedGroupKFold."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from pipeline.splits.partition import Rows


def deal_groups(
    labels: NDArray[np.int32], units: NDArray[np.intp], *, n_folds: int, seed: int
) -> Rows:
    """Return the fold of each row, 0 to n_folds - 1; a unit is never divided.

    A fold may stay empty where units are few.

    Parameters
    ----------
    labels : int32 ndarray of shape (n_rows,)
    units : intp ndarray of shape (n_rows,)
    n_folds : int
        At least 2.
    seed : int
    """
    names, member = np.unique(units, return_inverse=True)
    if len(names) <= n_folds or np.bincount(labels).max() < n_folds:
        return member % n_folds  # too few for proportions; scikit-learn would refuse them
    dealer = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed % 2**32)
    fold = np.zeros(len(labels), np.intp)
    with warnings.catch_warnings():
        # That a class has fewer rows than there are folds; `notes` and `folds` say it by name.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for number, (_, test) in enumerate(dealer.split(np.zeros(len(labels)), labels, units)):
            fold[test] = number
    return fold
