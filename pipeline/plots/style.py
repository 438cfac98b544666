"""How every figure looks, whatever a user's matplotlibrc says."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import cycle, islice, product
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.legend import Legend
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pipeline.palette import CLASS_COLOURS

COLUMN, PAGE = 3.5, 7.16
"""Widths in inches of one column and of a whole page of a two-column journal."""

INK = "#262626"
"""Text, axes and whatever else is dark on a light page, light on a dark one."""

PAPER = "#ffffff"

# M. Okabe and K. Ito, "Color universal design", 2008, https://jfly.uni-koeln.de/color: eight
# colours that people with any colour vision tell apart. Without black, which is the ink here, and
# yellow, which white paper swallows.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, VERMILLION, GREY = "#56B4E9", "#D55E00", "#808080"

MARKERS = ("o", "^", "s", "D", "v", "P", "<")
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))

SEQUENTIAL = "Blues"
"""From white, for nothing, to dark; its lightness falls steadily, so that grey print shows it."""

VALUES_MAP = "viridis"

# Scripts that DejaVu Sans lacks are drawn with one of these, where it is installed.
_FALLBACKS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP", "Noto Sans KR"),
    *("Microsoft YaHei", "PingFang SC", "Hiragino Sans GB", "Yu Gothic", "Malgun Gothic"),
    *("WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Arial Unicode MS"),
    *("Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Bengali", "Noto Sans Tamil"),
)

_SETTINGS: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "errorbar.capsize": 2,
    "figure.facecolor": PAPER,
    "font.size": 8,
    "grid.alpha": 0.15,
    "grid.color": INK,
    "grid.linewidth": 0.5,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "path.simplify_threshold": 0.2,
    "svg.fonttype": "none",
    "svg.hashsalt": "transfer-values",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "xtick.labelsize": 7,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "xtick.minor.size": 1.5,
    "xtick.minor.width": 0.5,
    "ytick.color": INK,
    "ytick.labelsize": 7,
    "ytick.major.size": 2.5,
    "ytick.major.width": 0.6,
    "ytick.minor.size": 1.5,
    "ytick.minor.width": 0.5,
}


@contextmanager
def own_style() -> Iterator[None]:
    """Draw with the settings of this module and no others; also a decorator.

    Matplotlib's settings are global: figures are drawn in one thread at a time. A character that
    no font here has is drawn as a box, and that is nothing to warn of.
    """
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
        warnings.filterwarnings("ignore", r"Matplotlib currently does not support", UserWarning)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        matplotlib.rcParams["font.family"] = _find_families()
        yield


@cache
def _find_families() -> list[str]:
    installed = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _FALLBACKS if name in installed), "sans-serif"]


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, inches wide and high, whose parts make room for each other."""
    return Figure(figsize=(width, height), layout="constrained")


def settle(figure: Figure) -> Figure:
    """Place the parts of a figure for good, so that every file of it is the same.

    Each of Matplotlib's layouts starts from the one before: the second time is the better one.
    """
    for _ in range(2):
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def class_styles(n_classes: int) -> list[tuple[str, str]]:
    """Return a colour and a marker for each class, which repeat after 70 classes.

    Both change from class to class: those that cannot tell two colours see two shapes. No two of
    the first ten have the same colour.
    """
    pairs = zip(cycle(CLASS_COLOURS), cycle(MARKERS))
    return list(islice(pairs, n_classes))


def line_styles(n_lines: int) -> list[tuple[str, Any]]:
    """Return a colour and a dash pattern for each line, which repeat after 40 lines.

    The first ten differ by their colours alone, and none of them has dashes.
    """
    return list(islice(cycle((c, d) for d, c in product(DASHES, CLASS_COLOURS)), n_lines))


def show_percent(axes: Axes, *, which: str) -> None:
    """Write shares of 0-1 as percent on the x or the y axis; the label names the unit."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{round(100 * share, 6):g}"))


def end_at_whole(axes: Axes) -> None:
    """Let the y axis of a share end where shares do, at 0 and at 100 %.

    What lies on the edge is whole only if it was drawn with `clip_on=False`, or by `unclip`.
    """
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, 0), min(high, 1))


def unclip(container: Container) -> Any:
    """Let the dots and whiskers of a plot reach over the edge of its axes, and return it."""
    for artist in container.get_children():
        artist.set_clip_on(False)
    return container


def measure_whiskers(values: Any, low: Any, high: Any) -> Any:
    """Return how far whiskers go below and above shares; none leaves 0-1."""
    ends = np.clip([low, high], 0, 1)
    return np.maximum([values - ends[0], ends[1] - values], 0)


def spread_by_logarithms(axes: Axes, values: Sequence[float]) -> None:
    """Make the x axis logarithmic, with plain numbers at its ticks, enough of them to read it."""
    axes.set_xscale("log")
    is_short = max(values) / min(values) < 1_000
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if is_short else (1,), numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: write_number(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())


def write_number(value: float) -> str:
    """Return a number as it stands at an axis."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{round(value, 9):g}"


def add_legend(
    place: Axes | Figure, handles: Sequence[Any], labels: Sequence[str], **options: Any
) -> Legend:
    """Add a legend whose labels may be any text.

    Matplotlib hides what begins with an underscore, so the labels come in afterwards.
    """
    legend: Legend = place.legend(handles, ["x"] * len(labels), **options)
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set_text(label)
    return legend
