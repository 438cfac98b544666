"""Points: maps of transfer values, and accuracy against time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from pipeline.plots.style import (
    BLUE,
    GREY,
    INK,
    PAPER,
    add_legend,
    class_styles,
    end_at_whole,
    measure_whiskers,
    new_figure,
    own_style,
    settle,
    show_percent,
    spread_by_logarithms,
    unclip,
)
from pipeline.plots.text import label, lines

MAX_NAMED = 12
"""More classes than these have no legend: their colours repeat."""

MAX_VECTORS = 1_500
"""More points than these are a picture within an SVG."""

MIN_SIZE = 4.0
"""Square points of the smallest points of a map: 8 pixels across at 300 dpi."""

ParetoPoint: TypeAlias = tuple[str, float, float, float, float, bool]
"""Name, milliseconds an image, accuracy, its interval's ends, and whether nothing beats it."""

_PLACES = tuple(
    (side * x, y, "left" if side > 0 else "right")
    for x, y in ((6, 4), (6, -10), (6, 14), (6, -20), (6, 24), (6, -30))
    for side in (1, -1)
)
"""Where a name may stand beside its point, in points."""


@own_style()
def draw_map(
    points: NDArray[np.floating],
    y_true: NDArray[np.integer],
    wrong: NDArray[np.bool_],
    class_names: Sequence[str],
    *,
    title: str,
    axes: tuple[str, str] = ("", ""),
) -> Figure:
    """Draw rows as points in the colour and the shape of their class, mistakes crossed out.

    Up to 12 classes have a legend, and their names stand in the middle of their points. The
    colours of more classes repeat, which a line below says.

    Parameters
    ----------
    points : float ndarray of shape (n_points, 2)
    y_true : integer ndarray of shape (n_points,)
        Index into `class_names`.
    wrong : bool ndarray of shape (n_points,)
        Whether the answer was wrong.
    class_names : sequence of str
    title : str
    axes : (str, str)
        What the two axes are; of a map whose axes mean nothing, empty.
    """
    figure = new_figure(5.2, 4.2)
    plane = figure.add_subplot()
    plane.set_title(lines(title, 76))
    size = _marker_size(len(points))
    is_named = 1 < len(class_names) <= MAX_NAMED
    styles = class_styles(len(class_names))
    _draw_classes(plane, points, y_true, styles, size=size)
    handles = [_handle(*style) for style in styles] if is_named else []
    labels = [label(name, 20) for name in class_names] if is_named else []
    if wrong.any():
        _cross_out(plane, points[wrong], size=min(3 * size, 22))
        handles.append(_handle(INK, "x"))
        labels.append(f"wrong answer ({int(wrong.sum()):,} of {len(points):,})")
    if is_named:
        beside = {"loc": "upper left", "bbox_to_anchor": (1.01, 1), "borderaxespad": 0}
        add_legend(plane, handles, labels, handletextpad=0.2, **beside)
    elif handles:
        add_legend(figure, handles, labels, loc="outside lower right", handletextpad=0.2)
    _label_axes(plane, axes, n_classes=len(class_names))
    settle(figure)
    _keep_aspect(plane, points)
    if is_named:
        _name_clusters(plane, points, y_true, class_names)
    return figure


def _draw_classes(
    plane: Axes,
    points: NDArray[np.floating],
    y_true: NDArray[np.integer],
    styles: Sequence[tuple[str, str]],
    *,
    size: float,
) -> None:
    for k in np.unique(y_true):
        colour, marker = styles[k]
        x, y = points[y_true == k].T
        plane.scatter(
            x,
            y,
            s=size,
            c=colour,
            marker=marker,
            alpha=_opacity(len(points)),
            linewidths=0,
            rasterized=len(points) > MAX_VECTORS,
            zorder=2,
        )


def _cross_out(plane: Axes, points: NDArray[np.floating], *, size: float) -> None:
    """Mark points; a white cross below makes the black one stand out from any colour."""
    x, y = points.T
    width = 0.23 * math.sqrt(size)
    for colour, times in ((PAPER, 2.4), (INK, 1)):
        plane.scatter(
            x,
            y,
            s=size,
            c=colour,
            marker="x",
            linewidths=times * width,
            rasterized=len(points) > MAX_VECTORS,
            zorder=3,
        )


def _keep_aspect(plane: Axes, points: NDArray[np.floating]) -> None:
    """Make a unit as long on one axis as on the other, in axes that have their final size."""
    box = plane.get_window_extent()
    size = np.array([box.width, box.height])
    low, high = points.min(axis=0), points.max(axis=0)
    unit = np.max((high - low) / size) or 1 / size.max()
    half = 0.54 * unit * size
    (left, bottom), (right, top) = (low + high) / 2 - half, (low + high) / 2 + half
    plane.set(xlim=(left, right), ylim=(bottom, top))


def _marker_size(n_points: int) -> float:
    """Return the area of a point in square points: smaller where there are more."""
    return float(np.clip(9_000 / max(n_points, 1), MIN_SIZE, 22))


def _opacity(n_points: int) -> float:
    """Return the opacity of a point: 0.8 of up to 500, and 0.5 of 10,000 that lie on each other."""
    return float(np.interp(math.log10(max(n_points, 1)), (2.7, 4), (0.8, 0.5)))


def _handle(colour: str, marker: str) -> Line2D:
    edge = 1.2 if marker == "x" else 0
    return Line2D([], [], color=colour, marker=marker, linestyle="none", markeredgewidth=edge)


def _name_clusters(
    plane: Axes,
    points: NDArray[np.floating],
    y_true: NDArray[np.integer],
    class_names: Sequence[str],
) -> None:
    """Write the names of classes at their medoids, where no other name stands."""
    halo = [withStroke(linewidth=3.2, foreground=PAPER)]
    taken: list[Bbox] = []
    for k in np.unique(y_true):
        x, y = _find_medoid(points[y_true == k])
        text = plane.text(x, y, label(class_names[k], 14), ha="center", va="center", zorder=4)
        text.set(path_effects=halo, fontweight="bold", fontsize=8)
        box = text.get_window_extent()
        if any(box.overlaps(other) for other in taken):
            text.remove()
        else:
            taken.append(box)


def _find_medoid(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the point that is nearest to the median of all.

    The median itself may lie between two groups of points, among those of another class.
    """
    distances = np.linalg.norm(points - np.median(points, axis=0), axis=1)
    nearest: NDArray[np.floating] = points[distances.argmin()]
    return nearest


def _label_axes(plane: Axes, names: tuple[str, str], *, n_classes: int) -> None:
    below = f"{n_classes:,} classes: their colours and shapes repeat" * (n_classes > MAX_NAMED)
    if any(names):
        plane.set(xlabel=f"{names[0]}\n{below}".strip(), ylabel=names[1])
        return
    plane.set(xticks=[], yticks=[], xlabel=below)
    plane.spines[:].set_visible(True)
    plane.spines[:].set_alpha(0.4)


@own_style()
def draw_pareto(points: Sequence[ParetoPoint]) -> Figure:
    """Draw accuracy against time; a line joins those that none is better and quicker than.

    Parameters
    ----------
    points : sequence of (str, float, float, float, float, bool)
        Name, milliseconds an image, accuracy and the ends of its interval, 0-1, and whether it is
        on the front.
    """
    figure = new_figure(4.6, 3.2)
    axes = figure.add_subplot()
    axes.grid(visible=True)
    for point in points:
        _draw_point(axes, point)
    front = sorted((ms, accuracy) for _, ms, accuracy, *_, on_front in points if on_front)
    axes.plot(*np.array(front).reshape(-1, 2).T, color=BLUE, drawstyle="steps-post", zorder=1)
    spread_by_logarithms(axes, [point[1] for point in points])
    axes.margins(x=0.15, y=0.1)
    axes.set(xlabel="time per image (ms, log scale)", ylabel="accuracy (%)")
    show_percent(axes, which="y")
    end_at_whole(axes)
    handles = [
        Line2D([], [], color=BLUE, marker="o", markersize=5),
        Line2D([], [], color=GREY, marker="s", linestyle="none", markerfacecolor="none"),
    ]
    labels = ["nothing is both quicker and better", "others"]
    add_legend(figure, handles, labels, loc="outside upper right", ncols=2)
    settle(figure)
    _name_points(axes, points)
    return figure


def _draw_point(axes: Axes, point: ParetoPoint) -> None:
    _, ms, accuracy, low, high, on_front = point
    drawn = axes.errorbar(
        ms,
        accuracy,
        yerr=measure_whiskers(accuracy, low, high).reshape(2, 1),
        fmt="o" if on_front else "s",
        color=BLUE if on_front else GREY,
        markerfacecolor=BLUE if on_front else "none",
        markersize=5,
        elinewidth=0.9,
    )
    unclip(drawn)


def _name_points(axes: Axes, points: Sequence[ParetoPoint]) -> None:
    """Write names beside their points, the front's first, where they hide the least."""
    taken = [_whisker_box(axes, *point[1:5]) for point in points]
    for name, ms, accuracy, *_ in sorted(points, key=lambda point: not point[5]):
        text = axes.annotate(
            label(name, 36), (ms, accuracy), (0, 0), textcoords="offset points", fontsize=7
        )
        boxes = []
        for x, y, side in _PLACES:
            text.set(position=(x, y), ha=side)
            boxes.append(text.get_window_extent().padded(1))
        hidden = [_count_hidden(box, taken, axes.bbox) for box in boxes]
        best = int(np.argmin(hidden))
        x, y, side = _PLACES[best]
        text.set(position=(x, y), ha=side)
        taken.append(boxes[best])


def _whisker_box(axes: Axes, ms: float, accuracy: float, low: float, high: float) -> Bbox:
    """Return what a point and its interval take up, in pixels."""
    ends = axes.transData.transform([(ms, min(low, accuracy)), (ms, max(high, accuracy))])
    return Bbox(ends).padded(3)


def _count_hidden(box: Bbox, taken: Sequence[Bbox], outer: Any) -> int:
    """Return how much a name at this place would hide; its leaving the axes counts most."""
    is_within = outer.x0 <= box.x0 and box.x1 <= outer.x1 and box.y1 <= outer.y1
    return sum(bool(box.overlaps(other)) for other in taken) + 10 * (not is_within)
