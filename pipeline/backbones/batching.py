"""One batch shape for every call: what a compiled network wants."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BackboneError


def pad_batch(images: NDArray[np.uint8], *, batch_size: int, image_size: int) -> NDArray[np.uint8]:
    """Fill a batch up with black images.

    Parameters
    ----------
    images : uint8 ndarray of shape (n, image_size, image_size, 3)
        1 <= n <= batch_size; RGB.
    batch_size, image_size : int

    Returns
    -------
    uint8 ndarray of shape (batch_size, image_size, image_size, 3)
        `images` itself when it is full already.

    Raises
    ------
    BackboneError
        When the array has another shape or dtype.
    """
    expected = (image_size, image_size, 3)
    n_images = len(images) if images.ndim == 4 else 0
    fits = images.dtype == np.uint8 and images.shape[1:] == expected
    if not fits or not 1 <= n_images <= batch_size:
        raise BackboneError(
            f"the network takes uint8 images of shape (1 to {batch_size}, {image_size},"
            f" {image_size}, 3). Got: {images.dtype} of shape {images.shape}."
        )
    if n_images == batch_size:
        return images
    padded = np.zeros((batch_size, *expected), np.uint8)
    padded[:n_images] = images
    return padded
