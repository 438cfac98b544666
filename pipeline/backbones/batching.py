"""One batch shape for every call: what a compiled network wants, if it fits into the memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BackboneError, OutOfMemoryError


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


# What TensorFlow, JAX, PyTorch, OpenVINO and C++ say; none of them raises a MemoryError.
_SIGNS = (
    *("resourceexhausted", "resource_exhausted", "out of memory", "outofmemory"),
    *("bad_alloc", "failed to allocate", "can't allocate", "cannot allocate"),
)


@contextmanager
def memory_checked(device: str, batch_size: int) -> Iterator[None]:
    """Turn whatever an engine raises when the memory is full into one error.

    Raises
    ------
    OutOfMemoryError
    """
    try:
        yield
    except Exception as exc:
        words = f"{type(exc).__name__} {exc}".lower()
        if not (isinstance(exc, MemoryError) or any(sign in words for sign in _SIGNS)):
            raise
        raise OutOfMemoryError(
            f"{device} is out of memory with batches of {batch_size} images. "
            + (
                f"Try --batch-size {batch_size // 2}."
                if batch_size > 1
                else "Close other programs, or take a smaller --model or --image-size."
            )
        ) from exc
