"""What a network sees before the pooling: the maps whose averages are the transfer values.

A linear classifier's decision on average-pooled values is the average of a map, so that it can be
told which part of an image spoke for an answer, exactly.

References
----------
B. Zhou, A. Khosla, A. Lapedriza, A. Oliva, A. Torralba, "Learning deep features for discriminative
localization", CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.backbones.engine import Images
from pipeline.backbones.network import Network

Maps: TypeAlias = tuple[NDArray[np.float32], ...]
"""For each layer of each part, in the order in which their averages are joined, (n, h, w, c)."""


class MapEngine(Protocol):
    """A network that ends before the pooling.

    Attributes
    ----------
    image_sizes : tuple of int
        Side in pixels of the square images that each part of the network takes.
    """

    image_sizes: tuple[int, ...]

    def compute(self, images: Images) -> Maps:
        """Return the maps of one image or more, of which the averages are one view of a row.

        Where the mirror image counts as well, its maps are mirrored back and averaged with those
        of the image.
        """
        ...


def find_obstacle(network: Network) -> str:
    """Return why there can be no maps, as a sentence; empty if nothing is known to stand against.

    Whether `network` pools at all where `--layer` takes its values is only seen once it is opened.
    """
    if network.top:
        return (
            "The network names images by its own top: maps are drawn of the transfer values of a "
            "fit, and these are probabilities."
        )
    if network.pooling != "avg":
        return (
            f"These are transfer values of --pooling {network.pooling}: only of averages (--pooling"
            " avg) can be told which part of an image they come from."
        )
    inside = [
        part.spec.name for part in network.parts if part.spec.pools_inside and not part.layers
    ]
    if inside:
        return (
            f"{inside[0]} normalises its values after the pooling: they are not averages any more, "
            "of which could be told which part of an image they come from."
        )
    return ""


NOT_POOLED = (
    "These transfer values are not averages over the picture's area where --layer takes them: "
    "it cannot be told which part of an image they come from."
)


def join_mirrored(own: NDArray[np.float32], mirrored: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average maps with those of the mirror images, turned back.

    Parameters
    ----------
    own, mirrored : float32 ndarray of shape (n, h, w, c)
    """
    joined: NDArray[np.float32] = (own + mirrored[:, :, ::-1]) / np.float32(2)
    return joined


def compute_in_batches(
    compute: Callable[[Images], Maps], images: Images, *, batch_size: int
) -> Maps:
    """Compute the maps of any number of images, a batch at a time.

    Parameters
    ----------
    compute : callable
        Takes at most `batch_size` images.
    images : Images
        At least one.
    batch_size : int
    """
    starts = range(0, len(images[0]), batch_size)
    found = [compute(tuple(each[i : i + batch_size] for each in images)) for i in starts]
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def average_area(maps: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the transfer values that maps average to, (n, n_features), of one view.

    Parameters
    ----------
    maps : sequence of float32 ndarray of shape (n, h, w, c)
    """
    return np.concatenate([each.mean(axis=(1, 2)) for each in maps], axis=1)
