"""What every engine offers; light, so that what runs one need not import it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """A compiled backbone: one batch shape, one device, one precision.

    Attributes
    ----------
    name : str
        "keras" or "openvino".
    device : str
        "cpu", "gpu:0", ...
    batch_size : int
    image_size : int
        Side of the square input in pixels.
    width : int
        Transfer values an image.
    versions : mapping of str to str
        Of the libraries that compute the values.
    """

    name: str
    device: str
    batch_size: int
    image_size: int
    width: int
    versions: Mapping[str, str]

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the transfer values, (n, width), of (n, H, W, 3) RGB images, n <= batch_size."""
        ...

    def infer_many(self, batches: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """Yield `infer` of every batch, in order, working ahead while the caller prepares more."""
        ...
