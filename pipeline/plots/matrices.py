"""The confusion matrix, of two classes or of a thousand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from pipeline.plots.style import (
    COLUMN,
    PAGE,
    PAPER,
    SEQUENTIAL,
    new_figure,
    own_style,
    settle,
    show_percent,
)
from pipeline.plots.text import label, measure

MAX_SHARES, MAX_COUNTS, MAX_NAMES = 12, 30, 60
"""Classes up to which cells show counts and shares, counts, and classes have their names."""

MAX_CELLS = 250
"""Cells a row that can be told from each other across a page."""

BLACK = "#000000"
GAMMA = 0.5
"""The square root of a share decides the colour: one mistake in a hundred is seen, too."""


@own_style()
def draw_confusion(matrix: ArrayLike, class_names: Sequence[str]) -> Figure:
    """Draw a confusion matrix: colours are the shares of each true class, cells have the counts.

    Up to 12 classes cells have the shares, too. Beyond 30 there are colours alone, and beyond 60
    axes count the classes instead of naming them. Beyond 250 each cell that is drawn is the
    largest of several: one mistake in a million cells would be too small to be seen.

    Parameters
    ----------
    matrix : array of integers of shape (n_classes, n_classes)
        Rows are the true classes, columns the predicted ones.
    class_names : sequence of str
    """
    counts = np.asarray(matrix, np.int64)
    n_classes = len(counts)
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    width = float(np.clip(0.42 * n_classes + 1.4, COLUMN, PAGE))
    figure = new_figure(width, 0.9 * width)
    axes = figure.add_subplot()
    norm = PowerNorm(GAMMA, 0, 1)
    n_each = math.ceil(n_classes / MAX_CELLS) or 1
    edge = n_each * math.ceil(n_classes / n_each) - 0.5
    image = axes.imshow(
        _pool(shares, n_each),
        cmap=SEQUENTIAL,
        norm=norm,
        interpolation="none",
        extent=(-0.5, edge, edge, -0.5),
    )
    axes.set(xlim=(-0.5, n_classes - 0.5), ylim=(n_classes - 0.5, -0.5))
    axes.spines[:].set_visible(True)
    if n_classes <= MAX_COUNTS:
        axes.set_xticks(np.arange(n_classes - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(n_classes - 1) + 0.5, minor=True)
        axes.grid(visible=True, which="minor", color=PAPER, alpha=1, linewidth=0.6)
        axes.tick_params(which="minor", length=0)
    _name_classes(axes, class_names)
    pooled = f", the largest of {n_each} × {n_each} cells" if n_each > 1 else ""
    _explain_colours(figure, axes, image, f"share of the true class (%){pooled}")
    settle(figure)
    if n_classes <= MAX_COUNTS:
        cell = axes.get_window_extent().width / figure.dpi / max(n_classes, 1)
        _write_cells(axes, counts, shares, image, cell=72 * cell)
    return figure


def _explain_colours(figure: Figure, axes: Axes, image: AxesImage, what: str) -> None:
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=30, pad=0.02)
    bar.set_label(what)
    bar.outline.set_visible(False)
    bar.set_ticks([0, 0.01, 0.1, 0.25, 0.5, 0.75, 1])
    show_percent(bar.ax, which="y")


def _pool(shares: NDArray[np.float64], n_each: int) -> NDArray[np.float64]:
    """Return the largest of each square of `n_each` by `n_each` cells."""
    missing = -len(shares) % n_each
    padded = np.pad(shares, (0, missing))
    side = len(padded) // n_each
    pooled: NDArray[np.float64] = padded.reshape(side, n_each, side, n_each).max(axis=(1, 3))
    return pooled


def _write_cells(
    axes: Axes,
    counts: NDArray[np.integer],
    shares: NDArray[np.float64],
    image: AxesImage,
    *,
    cell: float,
) -> None:
    """Write counts, and shares where there is room, into the cells that are not empty.

    `cell` is a cell's width in points.
    """
    with_shares = len(counts) <= MAX_SHARES
    longest = max(len(f"{counts.max():,}"), 5 if with_shares else 2)
    size = min(0.9 * cell / (0.62 * longest), 9)  # a digit is 0.62 of its height wide
    for row, column in np.argwhere(counts > 0):
        count, share = counts[row, column], shares[row, column]
        text = f"{count:,}\n{_percent(share)}" if with_shares else f"{count:,}"
        colour = _readable_on(image.to_rgba(share)[:3])  # type: ignore[arg-type]
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)


def _percent(share: float) -> str:
    """Return a share for people: never 100 % of what is not all, nor 0 % of what is something."""
    percent = f"{100 * share:.0f}" if share >= 0.1 or share == 0 else f"{100 * share:.1f}"
    if percent == "100" and share < 1:
        percent = ">99"
    return f"{'<0.1' if percent == '0.0' else percent} %"


def _readable_on(colour: Sequence[float]) -> str:
    """Return black or white, whichever has the higher contrast: at least 4.5 (WCAG 2.2)."""
    light = _luminance(colour) + 0.05
    return BLACK if light / 0.05 > 1.05 / light else PAPER


def _luminance(colour: Sequence[float]) -> float:
    """Return the relative luminance of an sRGB colour, 0-1 (WCAG 2.2)."""
    value = np.asarray(colour, np.float64)
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def _name_classes(axes: Axes, class_names: Sequence[str]) -> None:
    n_classes = len(class_names)
    if n_classes > MAX_NAMES:
        for axis, kind in ((axes.xaxis, "predicted"), (axes.yaxis, "true")):
            axis.set_major_locator(MaxNLocator(6, integer=True))
            axis.set_label_text(f"{kind} class, by its number of 0 to {n_classes - 1:,}")
        return
    size = 8 if n_classes <= MAX_SHARES else 6.5 if n_classes <= MAX_COUNTS else 4.5
    names = [label(name, 20) for name in class_names]
    axes.set_xticks(range(n_classes), names, fontsize=size)
    axes.set_yticks(range(n_classes), names, fontsize=size)
    room = 42 / max(n_classes, 2) if n_classes <= MAX_SHARES else 1
    if max(map(measure, names)) > room:
        for text in axes.get_xticklabels():
            text.set(rotation=45, ha="right", rotation_mode="anchor")
    axes.set(xlabel="predicted class", ylabel="true class")
