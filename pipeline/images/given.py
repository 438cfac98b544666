"""Read images of which nothing was listed before: files by their path, and arrays."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.errors import ImageDecodeError
from pipeline.images.codec import MAX_PIXELS, DecodedImage, examine_image
from pipeline.images.geometry import Shape
from pipeline.images.reading import MAX_BYTES
from pipeline.records import Oddity, Status

GivenImage: TypeAlias = str | Path | NDArray[np.uint8]
"""A file, or RGB pixels, 0-255, of shape (height, width, 3)."""


def read_given(image: GivenImage, shapes: Sequence[Shape]) -> DecodedImage:
    """Return an image in the wanted shapes, a file as `examine_image` does it.

    An array takes the same way as the pixels of a file once they are decoded. A large JPEG is
    decoded at a fraction of its size (see `codec`), so that all its pixels, given as an array,
    come out a little otherwise.

    Parameters
    ----------
    image : str, Path or uint8 ndarray of shape (height, width, 3)
    shapes : sequence of Shape

    Raises
    ------
    ImageDecodeError
        If there is no such file, or it is no image; `reason` is a `Status`.
    """
    if isinstance(image, np.ndarray):
        return _shape_pixels(image, shapes)
    return examine_image(read_file(Path(image)), shapes, name=str(image))


def read_file(path: Path) -> bytes:
    """Return the bytes of a file that may be anything.

    Raises
    ------
    ImageDecodeError
        If there is none, it is empty, or it is larger than any image should be.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for, a device never ends
            raise ImageDecodeError("not a regular file", reason=Status.UNREADABLE)
        if found.st_size > MAX_BYTES:
            message = f"{found.st_size:,} bytes; at most {MAX_BYTES:,} are read"
            raise ImageDecodeError(message, reason=Status.TOO_LARGE)
        data = path.read_bytes()
    except (OSError, MemoryError, ValueError) as exc:  # ValueError: a name that no file can have
        raise ImageDecodeError(str(exc), reason=Status.UNREADABLE) from exc
    if not data:
        raise ImageDecodeError("the file has zero bytes", reason=Status.EMPTY)
    return data


def _shape_pixels(pixels: NDArray[np.uint8], shapes: Sequence[Shape]) -> DecodedImage:
    height, width = pixels.shape[:2]
    if not height or not width:
        raise ImageDecodeError("an array without pixels", reason=Status.EMPTY)
    if height * width > MAX_PIXELS:
        message = f"{width} × {height} pixels; at most {MAX_PIXELS:,} are taken"
        raise ImageDecodeError(message, reason=Status.TOO_LARGE)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    made = {shape: np.asarray(shape.apply(image)) for shape in set(shapes)}
    return DecodedImage(tuple(made[shape] for shape in shapes), Oddity(0), (width, height))
