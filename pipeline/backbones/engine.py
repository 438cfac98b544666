"""What every engine offers; light, so that what runs one need not import it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Images: TypeAlias = tuple[NDArray[np.uint8], ...]
"""One batch: for each part of the network an array (n, H, W, 3), RGB, 0-255."""


class Engine(Protocol):
    """A compiled network: one batch shape, one device, one precision.

    Attributes
    ----------
    name : str
        "keras" or "openvino".
    device : str
        "cpu", "gpu:0", ...
    batch_size : int
    image_sizes : tuple of int
        Side in pixels of the square images that each part of the network takes.
    width : int
        Transfer values an image.
    widths : tuple of int
        How many of them come from each part of the network, one after the other; with two views
        first those of the image, then those of the mirror image.
    versions : mapping of str to str
        Of the libraries that compute the values.
    """

    name: str
    device: str
    batch_size: int
    image_sizes: tuple[int, ...]
    width: int
    widths: tuple[int, ...]
    versions: Mapping[str, str]

    def infer(self, images: Images) -> NDArray[np.float32]:
        """Return the transfer values, (n, width), of n <= batch_size images."""
        ...

    def infer_many(self, batches: Iterable[Images]) -> Iterator[NDArray[np.float32]]:
        """Yield `infer` of every batch, in order, working ahead while the caller prepares more."""
        ...
