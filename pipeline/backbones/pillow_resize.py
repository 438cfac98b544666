"""Pillow's resizing as part of a network, so that one file takes photos of any size.

Two passes, each a product with a matrix that is computed from the height and the width that an
image turns out to have. Between the passes and after them values are rounded to whole grey levels,
as Pillow does: a pixel differs from Pillow's by one level at most, and only where Pillow's fixed
point and float32 round a half to different sides.

Sizes are counted from tensors (a cumulative sum of ones): that way one graph serves every size in
Keras's own format, ONNX, OpenVINO and TensorFlow Lite alike, with no operation of our own in it.

Places are whole numbers, int32, until they have become distances of a few pixels: a runtime that
computes in bfloat16 or float16 by itself rounds the weights then, as it does all of the network,
and not the places, of which neither type could tell one from the next.

References
----------
Pillow, src/libImaging/Resample.c: the filters, their windows, and the 22 bits of its coefficients.
https://github.com/python-pillow/Pillow/pull/9549 for the order of the passes since Pillow 13.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from pipeline.backbones.quiet_keras import keras
from pipeline.errors import BackboneError
from pipeline.records import BackboneRecipe

_FILTERS = ("bicubic", "bilinear")
_BICUBIC_A = -0.5
_ONE = 2.0**22
_MOST_PARTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """One axis of the image and of the result: int32 scalars of the graph, or plain integers.

    Attributes
    ----------
    positions : KerasTensor of shape (n_pixels,)
        0, 1, … of the image's pixels.
    length : KerasTensor
        Pixels of the image.
    spare, extent : KerasTensor or int
        What is left out on both sides together, and what is taken, in parts of a pixel.
    parts : int
        Of a pixel, in which these two are counted.
    n_filled : KerasTensor or int
        Pixels of the result that the part becomes.
    n_before : KerasTensor or int
        Pixels of the result in front of them, left for the colour of the margin.
    """

    positions: Any
    length: Any
    spare: Any
    extent: Any
    parts: int
    n_filled: Any
    n_before: Any


def resize_like_pillow(
    images: Any,
    recipe: BackboneRecipe,
    *,
    margin: tuple[int, int, int],
    tall_first: bool,
) -> Any:
    """Bring images of any size to what a backbone takes.

    Parameters
    ----------
    images : KerasTensor
        uint8 (b, H, W, 3), RGB 0-255.
    recipe : BackboneRecipe
        Its size, and how an image becomes square.
    margin : tuple of int
        RGB 0-255, what `pad` fills the rest of the square with.
    tall_first : bool
        Whether Pillow shrinks the height first where it shrinks more than the width, as it does
        since version 13.

    Returns
    -------
    KerasTensor
        uint8 (b, input_size, input_size, 3), RGB 0-255.

    Raises
    ------
    BackboneError
        If the images are not to be interpolated: single pixels of them are taken.
    """
    if recipe.interpolation not in _FILTERS:
        raise BackboneError(
            f"--interpolation {recipe.interpolation} cannot be written into a model file: only "
            f"{' and '.join(_FILTERS)} can. Export the classifier alone: --format npz."
        )
    ops = keras.ops
    pixels = ops.cast(images, "float32")
    rows, columns = _lay_out(images, recipe)
    side = recipe.input_size
    across = _weigh(columns, side, recipe.interpolation)
    down = _weigh(rows, side, recipe.interpolation)
    resized = _pass_down(down, _pass_across(across, pixels))
    if tall_first:
        other = _pass_across(across, _pass_down(down, pixels))
        resized = ops.where(_is_tall(rows, columns), other, resized)
    if recipe.resize == "pad":
        filled = _is_filled(rows, side)[:, None] * _is_filled(columns, side)[None, :]
        colour = np.array(margin, "float32")
        resized = ops.where(filled[None, :, :, None] > 0.5, resized, colour)
    return ops.cast(resized, "uint8")


def _lay_out(images: Any, recipe: BackboneRecipe) -> tuple[_Axis, _Axis]:
    """Return what becomes of the rows and of the columns; see `images.Geometry`."""
    ops = keras.ops
    places = [_count(images[0, :, 0, 0]), _count(images[0, 0, :, 0])]
    lengths = [place[-1] + 1 for place in places]
    spares, extents, parts = [0, 0], lengths, 1
    filled: list[Any] = [recipe.input_size] * 2
    before: list[Any] = [0, 0]
    if recipe.resize == "crop":
        share = Fraction(recipe.crop_fraction).limit_denominator(_MOST_PARTS)
        parts = share.denominator
        extents = [ops.minimum(*lengths) * share.numerator] * 2
        spares = [length * parts - extents[0] for length in lengths]
    if recipe.resize == "pad":
        longest = ops.maximum(*lengths)
        filled = [_fill(length, longest, recipe.input_size) for length in lengths]
        middles = np.array(
            [round((recipe.input_size - n) / 2) for n in range(recipe.input_size + 1)]
        )
        before = [ops.take(middles.astype("int32"), n) for n in filled]
    rows, columns = (
        _Axis(
            positions=places[i],
            length=lengths[i],
            spare=spares[i],
            extent=extents[i],
            parts=parts,
            n_filled=filled[i],
            n_before=before[i],
        )
        for i in (0, 1)
    )
    return rows, columns


def _count(line: Any) -> Any:
    """Return 0, 1, 2, … as int32, as many as there are pixels in a line."""
    return keras.ops.cumsum(keras.ops.ones_like(line, dtype="int32")) - 1


def _fill(length: Any, longest: Any, side: int) -> Any:
    """Return ``max(1, round(length / longest * side))``, a half to the even side as in Python.

    The numbers n from 2 on are counted of which n - 1/2 is not too large.
    """
    ops = keras.ops
    number = np.arange(2, side + 1, dtype="int32")
    even = 1 - number % 2
    fits = longest * (2 * number - 1) < 2 * side * length + even
    return ops.sum(ops.cast(fits, "int32")) + 1


def _weigh(axis: _Axis, side: int, interpolation: str) -> Any:
    """Return how much each pixel of the image counts for each of the result, (side, n_pixels).

    Counted in halves of a part of a pixel of the image, times pixels of the result, all places are
    whole numbers. int32 holds them for images of up to four million pixels a side.
    """
    ops = keras.ops
    number = np.arange(side, dtype="int32")[:, None]
    n = axis.n_filled
    centre = axis.spare * n + axis.extent * (1 - 2 * (axis.n_before - number))
    apart = ops.abs((2 * axis.positions[None, :] + 1) * (n * axis.parts) - centre)
    reach = 2 * ops.maximum(axis.extent, n * axis.parts)
    # Where it shrinks, the filter widens. Beyond its support, which is Pillow's window, it is 0.
    distance = ops.cast(apart, "float32") / ops.cast(reach, "float32")
    weights = _filter(distance, interpolation)
    total = ops.sum(weights, axis=1, keepdims=True)
    # Beside what is filled, there is nothing to divide by.
    shares = weights / ops.where(ops.abs(total) < 1e-6, 1.0, total)
    # Of as many bits as Pillow's, so that halves of a grey level are halves here, too.
    return ops.round(shares * _ONE) / _ONE


def _filter(distance: Any, interpolation: str) -> Any:
    """Return a filter's weight of pixels by their distance, 0 or more."""
    ops = keras.ops
    if interpolation == "bilinear":
        return ops.maximum(1.0 - distance, 0.0)
    a, x = _BICUBIC_A, distance
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * a
    return ops.where(x < 1.0, near, ops.where(x < 2.0, far, 0.0))


def _pass_across(weights: Any, pixels: Any) -> Any:
    # An einsum is three times as fast here as the product of transposed arrays.
    return _to_levels(keras.ops.einsum("ow,bhwc->bhoc", weights, pixels))


def _pass_down(weights: Any, pixels: Any) -> Any:
    return _to_levels(keras.ops.einsum("oh,bhwc->bowc", weights, pixels))


def _to_levels(values: Any) -> Any:
    return keras.ops.clip(keras.ops.floor(values + 0.5), 0.0, 255.0)


def _is_tall(rows: _Axis, columns: _Axis) -> Any:
    """Tell whether the height is shrunk, and by more than twice as many pixels as the width."""
    ops = keras.ops
    fewer_rows = rows.length - rows.n_filled
    fewer_columns = columns.length - columns.n_filled
    return ops.logical_and(fewer_rows > 0, fewer_rows > 2 * fewer_columns)


def _is_filled(axis: _Axis, side: int) -> Any:
    """Return 1.0 for each pixel of the result that the image becomes, 0.0 for the margin."""
    ops = keras.ops
    number = np.arange(side, dtype="int32")
    behind = axis.n_before + axis.n_filled
    return ops.cast(ops.logical_and(axis.n_before <= number, behind > number), "float32")
