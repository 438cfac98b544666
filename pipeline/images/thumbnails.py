"""Small pictures for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.images.codec import encode_webp, examine_image
from pipeline.images.geometry import Fitted
from pipeline.images.reading import read_each
from pipeline.records import OnProgress


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """One small picture.

    Attributes
    ----------
    data : bytes
        A WebP file.
    size : tuple of (int, int)
        Width and height in pixels of the image that it was made of, once upright.
    """

    data: bytes
    size: tuple[int, int]


def read_thumbnails(
    root: Path,
    paths: Sequence[str],
    *,
    sha256: NDArray[np.uint8],
    side: int,
    quality: int,
    n_workers: int,
    on_progress: OnProgress | None = None,
) -> list[Thumbnail | None]:
    """Return a small picture of each image: all of it, its aspect kept, and never enlarged.

    Parameters
    ----------
    root : Path
    paths : sequence of str
        Relative to `root`.
    sha256 : uint8 ndarray of shape (n_images, 32)
        Of the files as they were listed.
    side : int
        Of the square that each picture fits into, in pixels.
    quality : int
        Of WebP, 0-100.
    n_workers : int
        Decoding threads, at least 1.
    on_progress : callable
        Takes (done, total), in images.

    Returns
    -------
    list of Thumbnail or None
        None for an image that is gone, damaged, or no longer the file that was listed.
    """
    shape = Fitted(side=side)

    def make(data: bytes) -> Thumbnail:
        decoded = examine_image(data, [shape])
        return Thumbnail(encode_webp(decoded.pixels[0], quality=quality), decoded.size)

    return list(
        read_each(root, paths, make, sha256=sha256, n_workers=n_workers, on_progress=on_progress)
    )
