"""ROC and precision-recall curves of few classes, or of as many as there are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.plots.style import (
    COLUMN,
    GREY,
    INK,
    add_legend,
    line_styles,
    new_figure,
    own_style,
    settle,
)
from pipeline.plots.text import label

Floats: TypeAlias = NDArray[np.float64]
Curve: TypeAlias = tuple[str, Floats, Floats, float]
"""A class's name, x, y and the area below."""

MAX_NAMED = 10
"""More curves than these are shown by their mean, by where most of them lie, and by the worst."""

N_WORST = 3
CORNER = 0.2
"""Side of the corner that is enlarged where the curves keep to it."""

_LINE = 0.16
"""Inches of a line of the legend."""

_MOST_DIGITS = 6
_ROUNDING = 1e-12
"""An area that differs less from 1 does so by the errors of summing it."""

_KEEP_TO_IT = 0.95
_GRID = np.linspace(0, 1, 201)
_BAND = (0.05, 0.95)


@own_style()
def draw_roc(curves: Sequence[Curve], *, classes: Sequence[int] | None = None) -> Figure:
    """Draw receiver operating characteristics, of each class against all others.

    Where most classes are told apart well, the corner that their curves keep to is enlarged.

    Parameters
    ----------
    curves : sequence of (str, float64 ndarray, float64 ndarray, float)
        Name of the class, false and true positive rates from 0 to 1, and the area below. More
        than ten are summed up: their mean, the middle 90 % of them, and the three worst by name.
    classes : sequence of int, optional
        Number of the class of each curve, which its colour is that of; by default they count from
        0. Of more than ten curves it says nothing.
    """
    figure, axes = _make_axes(curves)
    corner = _enlarge(axes, curves, left=0.44, x=(0, CORNER))
    for ends in [(0.0, 1.0)] if corner is None else [(0.0, 0.3), (0.66, 1.0)]:
        axes.plot(ends, ends, color=INK, alpha=0.5, linewidth=0.8, linestyle=":", zorder=1)
    for place in [axes] if corner is None else [axes, corner]:
        drawn = _draw(place, curves, classes, sample=_sample_roc, steps="default")
    _explain(figure, "AUC", len(curves), *drawn)
    axes.set(xlabel="false positive rate", ylabel="true positive rate (recall)")
    return settle(figure)


@own_style()
def draw_precision_recall(
    curves: Sequence[Curve], *, classes: Sequence[int] | None = None
) -> Figure:
    """Draw precision against recall, of each class against all others, in steps as it is counted.

    Parameters
    ----------
    curves : sequence of (str, float64 ndarray, float64 ndarray, float)
        Name of the class, recall from 0 to 1, precision, and the average precision. They are drawn
        up to where the recall is 1; more than ten are summed up as by `draw_roc`.
    classes : sequence of int, optional
        As of `draw_roc`.
    """
    found = [
        (name, *_until_all(recall, precision), area) for name, recall, precision, area in curves
    ]
    figure, axes = _make_axes(curves)
    corner = _enlarge(axes, curves, left=0.16, x=(1 - CORNER, 1))
    for place in [axes] if corner is None else [axes, corner]:
        drawn = _draw(place, found, classes, sample=_sample_precision, steps="steps-pre")
    _explain(figure, "average precision", len(curves), *drawn)
    axes.set(xlabel="recall", ylabel="precision")
    return settle(figure)


def _until_all(recall: Floats, precision: Floats) -> tuple[Floats, Floats]:
    """Leave out what comes after the whole class was found: more and more false alarms."""
    end = int(np.searchsorted(recall, 1.0)) + 1
    return recall[:end], precision[:end]


def _make_axes(curves: Sequence[Curve]) -> tuple[Figure, Axes]:
    n_labels = len(curves) if len(curves) <= MAX_NAMED else N_WORST + 2
    figure = new_figure(COLUMN, COLUMN + _LINE * math.ceil(n_labels / 2))
    axes = figure.add_subplot(aspect="equal", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.grid(visible=True)
    return figure, axes


def _enlarge(
    axes: Axes, curves: Sequence[Curve], *, left: float, x: tuple[float, float]
) -> Axes | None:
    """Return axes within the axes for an upper corner, or None if most curves go elsewhere."""
    if not curves or np.quantile([area for *_, area in curves], 0.25) < _KEEP_TO_IT:
        return None
    axes.grid(visible=False)
    margin = 0.01 * CORNER
    corner = axes.inset_axes(
        (left, 0.14, 0.5, 0.5),
        xlim=(x[0] - margin, x[1] + margin),
        ylim=(1 - CORNER - margin, 1 + margin),
    )
    corner.set_title("enlarged", fontsize=7, loc="center", pad=3)
    corner.set_xticks(np.linspace(*x, 3))
    corner.set_yticks(np.linspace(1 - CORNER, 1, 3))
    corner.tick_params(labelsize=6)
    corner.spines[:].set_visible(True)
    corner.grid(visible=True)
    return corner


def _draw(
    axes: Axes,
    curves: Sequence[Curve],
    classes: Sequence[int] | None,
    *,
    sample: Callable[[Floats, Floats], Floats],
    steps: Literal["default", "steps-pre"],
) -> tuple[list[Any], list[str]]:
    """Draw the curves, or what sums them up, and return what a legend has to say."""
    handles: list[Any] = []
    labels: list[str] = []
    shown = list(curves)
    if len(curves) > MAX_NAMED:
        sampled = np.array([sample(x, y) for _, x, y, _ in curves])
        low, high = np.quantile(sampled, _BAND, axis=0)
        handles.append(axes.fill_between(_GRID, low, high, color=GREY, alpha=0.3, linewidth=0))
        handles += axes.plot(_GRID, sampled.mean(axis=0), color=INK, linewidth=2.2, zorder=3)
        average = float(np.mean([area for *_, area in curves]))
        labels = [f"middle 90 % of {len(curves):,}", f"mean, {_write_area(average)}"]
        shown, classes = sorted(curves, key=lambda curve: curve[3])[:N_WORST], None
    numbers = range(len(shown)) if classes is None else classes
    styles = line_styles(max(numbers, default=-1) + 1)
    for (name, x, y, area), k in zip(shown, numbers, strict=True):
        colour, dash = styles[k]
        handles += axes.plot(x, y, color=colour, linestyle=dash, drawstyle=steps)
        labels.append(f"{label(name, 14)}, {_write_area(area)}")
    return handles, labels


def _write_area(area: float) -> str:
    """Return an area of 0-1, with as many digits as it takes not to say 1 of what is less."""
    if area > 1 - _ROUNDING:
        return "1.000"
    written = (f"{area:.{digits}f}" for digits in range(3, _MOST_DIGITS + 1))
    return next((each for each in written if float(each) < 1), ">0." + "9" * _MOST_DIGITS)


def _explain(
    figure: Figure, area: str, n_curves: int, handles: Sequence[Any], labels: Sequence[str]
) -> None:
    """Add a legend of two columns, or of one if the names are too wide for two."""
    many = f"{area}: mean and {N_WORST} worst of {n_curves:,} classes"
    title = many if n_curves > MAX_NAMED else f"class, {area}"
    options: Any = {"loc": "outside lower center", "title": title, "title_fontsize": 7}
    legend = add_legend(figure, handles, labels, ncols=min(2, len(labels)), **options)
    if legend.get_window_extent().width > figure.bbox.width:
        legend.remove()
        add_legend(figure, handles, labels, **options)
        figure.set_figheight(figure.get_figheight() + _LINE * (len(labels) // 2))


def _sample_roc(x: Floats, y: Floats) -> Floats:
    """Return the curve's height on the grid; where it rises straight up, its upper end."""
    return np.interp(_GRID, x, y)


def _sample_precision(x: Floats, y: Floats) -> Floats:
    """Return the precision at which each recall of the grid is first reached."""
    return np.asarray(y[np.minimum(np.searchsorted(x, _GRID), len(y) - 1)])
