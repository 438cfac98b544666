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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ImageDecodeError
from pipeline.images.codec import decode_image
from pipeline.images.geometry import Geometry
from pipeline.images.reading import read_checked
from pipeline.records import OnProgress

N_COLOURS = 64
"""4 × 4 × 4 boxes of red, green and blue, blue running fastest."""

_SMALL = Geometry(size=32, resize="squash", interpolation="bilinear")
_ROWS_A_JOB = 64


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

    def fill(start: int) -> int:
        stop = min(start + _ROWS_A_JOB, len(paths))
        for row in range(start, stop):
            pixels = _read_small(root / paths[row], sha256[row].tobytes())
            if pixels is not None:
                histograms[row] = _histogram(pixels)
                ok[row] = True
        return stop

    with ThreadPoolExecutor(n_workers, thread_name_prefix="colours") as pool:
        try:
            for done in pool.map(fill, range(0, len(paths), _ROWS_A_JOB)):
                if on_progress is not None:
                    on_progress(done, len(paths))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return histograms, ok


def _histogram(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the share of each box of colours, of uint8 RGB pixels of any shape (..., 3)."""
    level = pixels.reshape(-1, 3) >> 6  # 0-3
    box = level @ np.array([16, 4, 1], np.uint8)
    return np.bincount(box, minlength=N_COLOURS) / len(box)


def _read_small(path: Path, digest: bytes) -> NDArray[np.uint8] | None:
    """Return an image as 32 × 32 RGB pixels, None if it is not the one with this SHA-256."""
    data = read_checked(path, digest)
    if data is None:
        return None
    try:
        return decode_image(data, _SMALL)
    except ImageDecodeError:
        return None
