"""One batch shape for every call: what a compiled network wants, if it fits into the memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from pipeline.backbones.engine import Images
from pipeline.errors import BackboneError, OutOfMemoryError

# OpenVINO is as fast in small batches, which take less memory and waste less when they are not
# full; a GPU is not.
AUTO_BATCH_SIZES = {"openvino": 8, "keras": 64}


def pad_batch(images: Images, *, batch_size: int, image_sizes: Sequence[int]) -> Images:
    """Fill a batch up with black images.

    Parameters
    ----------
    images : tuple of uint8 ndarray of shape (n, image_size, image_size, 3)
        RGB, one array for each size; 1 <= n <= batch_size.
    batch_size : int
    image_sizes : sequence of int

    Returns
    -------
    tuple of uint8 ndarray of shape (batch_size, image_size, image_size, 3)
        `images` itself when it is full already.

    Raises
    ------
    BackboneError
        When an array has another shape or dtype.
    """
    n_images = len(images[0]) if images and images[0].ndim == 4 else 0
    expected = [(n_images, size, size, 3) for size in image_sizes]
    fits = [array.shape for array in images] == expected
    fits = fits and all(array.dtype == np.uint8 for array in images)
    if not fits or not 1 <= n_images <= batch_size:
        wanted = " and ".join(f"(1 to {batch_size}, {size}, {size}, 3)" for size in image_sizes)
        found = " and ".join(f"{array.dtype} of shape {array.shape}" for array in images)
        raise BackboneError(
            f"the network takes uint8 images of shape {wanted}. Got: {found or 'nothing'}."
        )
    if n_images == batch_size:
        return images
    return tuple(_pad(array, batch_size) for array in images)


def _pad(images: NDArray[np.uint8], batch_size: int) -> NDArray[np.uint8]:
    padded = np.zeros((batch_size, *images.shape[1:]), np.uint8)
    padded[: len(images)] = images
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
            ),
            batch_size=batch_size,
        ) from exc
