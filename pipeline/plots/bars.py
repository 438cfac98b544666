"""Precision and recall of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.plots.style import (
    COLUMN,
    INK,
    ORANGE,
    PAPER,
    SKY,
    add_legend,
    new_figure,
    own_style,
    settle,
    show_percent,
    unclip,
)
from pipeline.plots.text import label

MAX_CLASSES, N_WORST, N_BEST = 30, 20, 5
"""Of more classes than these only the worst and the best are drawn."""

_KINDS = (("recall", SKY, -0.19, ""), ("precision", ORANGE, 0.19, "////"))


@own_style()
def draw_per_class(per_class: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw recall and precision of each class as bars, with their 95 % intervals.

    Up to 30 classes come in their own order. Of more, the 20 with the lowest F1 and the 5 with the
    highest come in the order of their F1, and the title says so.

    Parameters
    ----------
    per_class : sequence of mapping
        `Report.per_class`: ``name recall recall_ci precision precision_ci f1``, 0-1, or None where
        it is not defined.
    """
    shown = list(per_class)
    title = ""
    if len(shown) > MAX_CLASSES:
        known = sorted((each for each in shown if each["f1"] is not None), key=lambda c: c["f1"])
        worst, best = known[:N_WORST], known[N_WORST:][-N_BEST:]
        title = f"{len(worst)} worst and {len(best)} best of {len(shown):,} classes by F1"
        shown = [*worst, *best]
    figure = new_figure(COLUMN, 0.9 + max(0.26 * len(shown), 0.5))
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=8)
    places = np.arange(len(shown))
    handles = [_draw_kind(axes, shown, *kind) for kind in _KINDS]
    if title:
        axes.axhline(N_WORST - 0.5, color=INK, linewidth=0.6, linestyle="--")
    axes.set_yticks(places, [label(each["name"], 22) for each in shown])
    axes.set(xlim=(0, 1), ylim=(len(shown) - 0.4, -0.6), xlabel="recall, precision (%)")
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=True, axis="x")
    show_percent(axes, which="x")
    add_legend(figure, handles, ["recall", "precision"], loc="outside upper right", ncols=2)
    return settle(figure)


def _draw_kind(
    axes: Axes,
    shown: Sequence[Mapping[str, Any]],
    kind: str,
    colour: str,
    shift: float,
    hatch: str,
) -> Any:
    """Draw the bars of one kind; none where it is not defined, which a dash says."""
    places = np.arange(len(shown)) + shift
    values = np.array([np.nan if each[kind] is None else each[kind] for each in shown], float)
    intervals = [each[f"{kind}_ci"] or (np.nan, np.nan) for each in shown]
    low, high = np.array(intervals, float).reshape(-1, 2).T
    bars = axes.barh(
        places, values, height=0.34, color=colour, hatch=hatch, edgecolor=PAPER, linewidth=0
    )
    errors = np.array([values - low, high - values]).clip(0)
    whiskers: Any = {"fmt": "none", "ecolor": INK, "elinewidth": 0.8, "capsize": 1.5}
    unclip(axes.errorbar(values, places, xerr=errors, **whiskers))
    for place in places[np.isnan(values)]:
        axes.text(0.01, place, "–", va="center", fontsize=7)
    return bars
