"""Images in rows and columns, and the transfer values of one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.plots.style import BLUE, PAGE, VALUES_MAP, VERMILLION, new_figure, own_style, settle
from pipeline.plots.text import lines

Pixels: TypeAlias = NDArray[np.uint8]
"""uint8 ndarray of shape (height, width, 3), RGB, 0-255."""

MAX_BARS = 2_560
"""Of more transfer values than these several share a bar."""

_GAP = 0.09
"""Inches between images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """How a grid looks.

    Attributes
    ----------
    columns, more_columns : int
        At most, of up to a dozen images and of more.
    font_size : float
        Of titles, in points.
    frame : str or None
        Its colour.
    """

    columns: int
    more_columns: int
    font_size: float
    frame: str | None

    @property
    def line(self) -> float:
        """Inches of a line of a title."""
        return 1.39 * self.font_size / 72


_PLAIN = _Look(columns=6, more_columns=8, font_size=7, frame=None)
_NAMED = _Look(columns=4, more_columns=5, font_size=7.5, frame=None)
_FRAMED = _Look(columns=4, more_columns=6, font_size=8.5, frame=VERMILLION)


@own_style()
def draw_image_grid(images: Sequence[Pixels], titles: Sequence[str]) -> Figure:
    """Draw images in rows and columns, each below its title.

    Parameters
    ----------
    images : sequence of uint8 ndarray of shape (height, width, 3)
        RGB, 0-255; of any sizes, small ones with their pixels seen.
    titles : sequence of str
        A line feed begins a new line; a line that is too long loses its middle.
    """
    return _draw_grid(images, titles, _PLAIN)


@own_style()
def draw_answers(images: Sequence[Pixels], titles: Sequence[str]) -> Figure:
    """Draw images in rows and columns, each below the names that it was given, a line a name.

    Parameters
    ----------
    images, titles
        As of `draw_image_grid`; there is more room for a line.
    """
    return _draw_grid(images, titles, _NAMED)


@own_style()
def draw_errors(images: Sequence[Pixels], titles: Sequence[str]) -> Figure:
    """Draw wrongly answered images in rows and columns, framed, each below its title.

    Parameters
    ----------
    images, titles
        As of `draw_image_grid`; a title says in two or three lines what it was, what it was taken
        for, and with which probability.
    """
    return _draw_grid(images, titles, _FRAMED)


def _draw_grid(images: Sequence[Pixels], titles: Sequence[str], look: _Look) -> Figure:
    n_columns = min(max(len(images), 3), look.more_columns if len(images) > 12 else look.columns)
    n_rows = max(math.ceil(len(images) / n_columns), 1)
    side = PAGE / n_columns - _GAP
    n_lines = max((title.count("\n") + 1 for title in titles), default=1)
    tallest = side * max((min(np.divide(*image.shape[:2]), 1) for image in images), default=1)
    row = tallest + _GAP + n_lines * look.line
    height = n_rows * row + _GAP
    figure = Figure(figsize=(PAGE, height))
    for place, (image, title) in enumerate(zip(images, titles, strict=True)):
        below, beside = divmod(place, n_columns)
        left, bottom = beside * (side + _GAP) + _GAP / 2, height - (below + 1) * row
        axes = figure.add_axes((left / PAGE, bottom / height, side / PAGE, tallest / height))
        _show(axes, image, frame=look.frame)
        # Characters are 0.59 of their size wide on average.
        shown = lines(title, int(side * 72 / (0.586 * look.font_size)))
        axes.set_title(shown, fontsize=look.font_size, pad=2.5, linespacing=1.1)
    return figure


def _show(axes: Axes, image: Pixels, *, frame: str | None) -> None:
    axes.imshow(image, interpolation="none" if max(image.shape[:2]) < 64 else "antialiased")
    axes.set(xticks=[], yticks=[], anchor="NW")
    axes.spines[:].set_visible(True)
    if frame is None:
        axes.spines[:].set_alpha(0.3)
    else:
        axes.spines[:].set(color=frame, linewidth=1.4)


@own_style()
def draw_values(image: Pixels, values: NDArray[np.floating], name: str) -> Figure:
    """Draw an image, its transfer values as a picture, and the same as bars.

    Parameters
    ----------
    image : uint8 ndarray of shape (height, width, 3)
        RGB, 0-255.
    values : float ndarray of shape (n_features,)
        Laid out in rows, from the first value at the upper left, as near to a square as can be.
    name : str
        Of the image.
    """
    figure = new_figure(PAGE, 4.0)
    left, right, below = _divide(figure)
    _show(left, image, frame=None)
    left.set(anchor="C")
    left.set_title(lines(name, 44), loc="center")
    picture = right.imshow(_to_square(values), cmap=VALUES_MAP, interpolation="none")
    right.set(xticks=[], yticks=[])
    right.spines[:].set_visible(False)
    right.set_title(f"its {len(values):,} transfer values, row by row", loc="center")
    bar = figure.colorbar(picture, ax=right, aspect=25, pad=0.02)
    bar.set_label("value")
    bar.outline.set_visible(False)
    heights, n_each = _gather(values)
    below.stairs(heights, n_each * np.arange(len(heights) + 1), fill=True, color=BLUE)
    shared = f", the largest of each {n_each}" if n_each > 1 else ""
    below.set(
        xlim=(0, n_each * len(heights)),
        xlabel="index of the transfer value",
        ylabel=f"value{shared}",
    )
    below.grid(visible=True, axis="y")
    return settle(figure)


def _divide(figure: Figure) -> tuple[Axes, Axes, Axes]:
    grid: Any = figure.add_gridspec(2, 2, height_ratios=[1.9, 1])
    return (
        figure.add_subplot(grid[0, 0]),
        figure.add_subplot(grid[0, 1]),
        figure.add_subplot(grid[1, :]),
    )


def _to_square(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return values in rows: as many a row as divide them evenly, if that is nearly a square.

    Otherwise the last row is filled up with NaN, which nothing is drawn for.
    """
    n = len(values)
    side = max(math.isqrt(n), 1)
    even = next((rows for rows in range(side, 0, -1) if n % rows == 0), 1)
    rows = even if even * 2 >= side else side
    columns = math.ceil(n / rows)
    square = np.full(rows * columns, np.nan)
    square[:n] = values
    return square.reshape(rows, columns)


def _gather(values: NDArray[np.floating]) -> tuple[NDArray[np.floating], int]:
    """Return what the bars show, and how many values each is the largest of."""
    n_each = math.ceil(len(values) / MAX_BARS) or 1
    if n_each == 1:
        return values, 1
    padded = np.pad(values, (0, -len(values) % n_each), constant_values=-np.inf)
    return padded.reshape(-1, n_each).max(axis=1), n_each
