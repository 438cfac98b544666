"""Colour histograms: what can be told of an image without seeing what it shows.

A classifier on these is the baseline that transfer values must beat. Where it comes close, the
classes differ by their background or camera rather than by what they show.

References
----------
M. J. Swain and D. H. Ballard, "Color indexing", International Journal of Computer Vision 7 (1991)
11-32.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.images.codec import decode_image
from pipeline.images.geometry import Geometry
from pipeline.images.reading import read_each
from pipeline.records import OnProgress

N_COLOURS = 64
"""4 × 4 × 4 boxes of red, green and blue, blue running fastest."""

_SMALL = Geometry(size=32, resize="squash", interpolation="bilinear")


def colour_histograms(
    root: Path,
    paths: Sequence[str],
    *,
    sha256: NDArray[np.uint8],
    n_workers: int,
    on_progress: OnProgress | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the colour histogram of each image, and whether there is one.

    An image is shrunk to 32 × 32 pixels first. One that is gone, damaged, or no longer the file
    that was listed has none.

    Parameters
    ----------
    root : Path
    paths : sequence of str
        Relative to `root`.
    sha256 : uint8 ndarray of shape (n_images, 32)
        Of the files as they were listed.
    n_workers : int
        Decoding threads, at least 1.
    on_progress : callable
        Takes (done, total), in images.

    Returns
    -------
    histograms : float32 ndarray of shape (n_images, 64)
        Shares of the pixels, which sum to 1; zeros where there is none.
    ok : bool ndarray of shape (n_images,)
    """
    histograms = np.zeros((len(paths), N_COLOURS), np.float32)
    ok = np.zeros(len(paths), bool)

    found = read_each(
        root, paths, _measure, sha256=sha256, n_workers=n_workers, on_progress=on_progress
    )
    for row, histogram in enumerate(found):
        if histogram is not None:
            histograms[row] = histogram
            ok[row] = True
    return histograms, ok


def _measure(data: bytes) -> NDArray[np.float64]:
    return _histogram(decode_image(data, _SMALL))


def _histogram(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the share of each box of colours, of uint8 RGB pixels of any shape (..., 3)."""
    level = pixels.reshape(-1, 3) >> 6  # 0-3
    box = level @ np.array([16, 4, 1], np.uint8)
    return np.bincount(box, minlength=N_COLOURS) / len(box)
