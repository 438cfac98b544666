"""The embedded data set. Apart from the rest because scikit-learn takes a second to import."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

LARGEST_INK = 16  # scikit-learn counts the inked pixels of 4 by 4 blocks of the scans


def read_digits() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return scikit-learn's handwritten digits as images.

    Returns
    -------
    images : uint8 ndarray of shape (1797, 8, 8)
        Grey, 0 (paper) to 255 (ink).
    labels : uint8 ndarray of shape (1797,)

    References
    ----------
    E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998,
    https://doi.org/10.24432/C50P49
    """
    digits = load_digits()
    images = np.rint(digits.images * (255 / LARGEST_INK)).astype(np.uint8)
    return images, digits.target.astype(np.uint8)
