"""The two drawings that answer to the mouse: Bokeh figures without data, which a script fills.

They are described here and come to life in BokehJS. The script gives them points, colours of the
page's theme and what happens on a click: all that Python could say of that, Bokeh would have to
compile in the page, which the page's policy forbids.
"""

from __future__ import annotations

import json
import re
from typing import Any

from bokeh.embed import json_item
from bokeh.models import (
    BasicTicker,
    ColumnDataSource,
    HoverTool,
    PanTool,
    Range1d,
    TapTool,
    WheelZoomTool,
)
from bokeh.plotting import figure

_FONT = "system-ui, sans-serif"
_ID = re.compile(r'"p(\d+)"')


def describe_map() -> dict[str, Any]:
    """Return a figure of two sets of points: right answers, and mistakes in front of them."""
    plot = _figure("map", height=540)
    right, wrong = (
        ColumnDataSource({"x": [], "y": [], "row": [], "colour": []}, name=f"map-{name}")
        for name in ("right", "wrong")
    )
    looks = {"fill_color": "colour", "nonselection_alpha": 0.85, "fill_alpha": 0.75}
    rest = plot.scatter("x", "y", source=right, marker="circle", size=7, line_color=None, **looks)
    rest.name = "map-rest"
    wrongly = plot.scatter("x", "y", source=wrong, marker="diamond", size=13, **looks)
    wrongly.name = "map-mistakes"
    return _describe(plot)


def describe_matrix(n_classes: int) -> dict[str, Any]:
    """Return a figure of the cells of a large confusion matrix, true classes from top to bottom."""
    plot = _figure("matrix", height=600)
    plot.x_range.update(start=-1, end=n_classes)
    plot.y_range.update(start=n_classes, end=-1)
    source = ColumnDataSource({"x": [], "y": [], "cell": [], "colour": []}, name="matrix-cells")
    cells = plot.scatter(
        "x", "y", source=source, marker="square", size=5, line_color=None, fill_color="colour"
    )
    cells.nonselection_glyph = cells.glyph
    cells.name = "matrix-squares"
    for axis, label in ((plot.xaxis[0], "predicted class"), (plot.yaxis[0], "true class")):
        axis.axis_label = label
        axis.ticker = BasicTicker(min_interval=1, desired_num_ticks=12)
        axis.bounds = (0, n_classes - 1)
    plot.xaxis[0].major_label_orientation = 0.9
    return _describe(plot)


def _figure(name: str, *, height: int) -> Any:
    wheel, pan, hover = WheelZoomTool(), PanTool(), HoverTool(tooltips=None)
    plot = figure(
        name=name,
        height=height,
        sizing_mode="stretch_width",
        tools=[wheel, pan, hover, TapTool()],
        toolbar_location=None,
        x_range=Range1d(start=0, end=1, name=f"{name}-x"),
        y_range=Range1d(start=0, end=1, name=f"{name}-y"),
        min_border=4,
    )
    plot.toolbar.name = f"{name}-toolbar"
    plot.toolbar.active_scroll = wheel
    for letter, axis, grid in zip("xy", (*plot.xaxis, *plot.yaxis), plot.grid, strict=True):
        grid.grid_line_alpha = 0.6
        axis.name, grid.name = f"{name}-{letter}-axis", f"{name}-{letter}-grid"
        axis.axis_label_text_font = axis.major_label_text_font = _FONT
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size, axis.major_label_text_font_size = "13px", "12px"
    return plot


def _describe(plot: Any) -> dict[str, Any]:
    """Return what BokehJS embeds, the same whatever was described before."""
    text, seen = json.dumps(json_item(plot)), dict[str, int]()
    described: dict[str, Any] = json.loads(
        _ID.sub(lambda match: f'"p{seen.setdefault(match[1], len(seen))}"', text)
    )
    return described
