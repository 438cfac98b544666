"""What a fit leaves as curves: calibration, tuning, loss and learning curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pipeline.plots.style import (
    BLUE,
    COLUMN,
    INK,
    VERMILLION,
    add_legend,
    end_at_whole,
    measure_whiskers,
    new_figure,
    own_style,
    settle,
    show_percent,
    spread_by_logarithms,
    unclip,
    write_number,
)

_BELOW = "outside lower center"

_LOG_FROM = 20
"""Values that span a larger ratio than this are spread by their logarithms."""

_RING: Any = {
    "markersize": 9,
    "markerfacecolor": "none",
    "markeredgecolor": VERMILLION,
    "markeredgewidth": 1.4,
    "clip_on": False,
}


class Bin(Protocol):
    """Answers of about the same probability; see `pipeline.metrics.CalibrationBin`."""

    @property
    def low(self) -> float: ...  # noqa: D102
    @property
    def high(self) -> float: ...  # noqa: D102
    @property
    def n(self) -> int: ...  # noqa: D102
    @property
    def confidence(self) -> float: ...  # noqa: D102
    @property
    def accuracy(self) -> float: ...  # noqa: D102


@own_style()
def draw_calibration(bins: Sequence[Bin], *, error: float) -> Figure:
    """Draw how often answers are right against how sure they are, and how many there are.

    Parameters
    ----------
    bins : sequence of CalibrationBin
        Those that hold an answer.
    error : float
        Expected calibration error, 0-1.
    """
    figure = new_figure(COLUMN, 4.1)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    confidence = np.array([each.confidence for each in bins])
    accuracy = np.array([each.accuracy for each in bins])
    counts = np.array([each.n for each in bins])
    edges = np.array([[each.low, each.high] for each in bins]).reshape(-1, 2)
    (ideal,) = top.plot([0, 1], [0, 1], color=INK, alpha=0.6, linewidth=0.9, linestyle=":")
    gaps = top.vlines(confidence, confidence, accuracy, color=VERMILLION, linewidth=1.2)
    top.plot(confidence, accuracy, color=BLUE, linewidth=0.7, alpha=0.7)
    areas = 12 + 60 * counts / max(counts, default=1)
    dots = top.scatter(
        confidence, accuracy, s=areas, color=BLUE, linewidths=0, zorder=3, clip_on=False
    )
    top.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy (%)")
    labels = [
        "perfectly calibrated",
        "answers (larger: more of them)",
        f"their distance, {100 * error:.1f} % on average",
    ]
    add_legend(figure, [ideal, dots, gaps], labels, loc=_BELOW)
    bars = bottom.bar(
        edges[:, 0], counts, width=np.diff(edges)[:, 0], align="edge", color=BLUE, alpha=0.85
    )
    bottom.bar_label(
        bars,
        [f"{n:,}" for n in counts],
        fontsize=5.5,
        rotation=0 if max(counts, default=0) < 1000 else 90,
        padding=1.5,
    )
    bottom.set(xlabel="probability of the answer (%)", ylabel="answers")
    bottom.margins(y=0.3)
    bottom.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    for axes in (top, bottom):
        axes.grid(visible=True)
        show_percent(axes, which="x")
    show_percent(top, which="y")
    return settle(figure)


@own_style()
def draw_tuning(tuning: Mapping[str, Any]) -> Figure:
    """Draw the accuracy in cross-validation of each value of a parameter that was tried.

    Parameters
    ----------
    tuning : mapping
        `Report.tuning`.
    """
    values = np.asarray(tuning["values"], np.float64)
    means = np.asarray(tuning["means"], np.float64)
    order = np.argsort(values)
    figure = new_figure(COLUMN, 2.9)
    axes = figure.add_subplot()
    if tuning["n_folds"] > 1:
        spread = _spread(means, tuning["stds"])[:, order]
        what = f"mean of {tuning['n_folds']} folds ± standard deviation"
    else:
        spread, what = None, f"on a held-out part of {tuning['n_rows']:,} images"
    drawn = unclip(axes.errorbar(values[order], means[order], yerr=spread, fmt="o-", color=BLUE))
    chosen = values == tuning["best"]
    (best,) = axes.plot(values[chosen], means[chosen], "o", **_RING)
    _space_out(axes, values, label=str(tuning["parameter"]))
    axes.set_ylabel(f"{str(tuning['scoring']).replace('_', ' ')} (%)")
    show_percent(axes, which="y")
    end_at_whole(axes)
    axes.grid(visible=True)
    labels = [what, f"taken: {write_number(tuning['best'])}"]
    add_legend(figure, [drawn, best], labels, loc=_BELOW)
    return settle(figure)


@own_style()
def draw_loss(loss_curve: Mapping[str, Any]) -> Figure:
    """Draw the training loss by epoch and, where images were held out, the accuracy on them.

    Parameters
    ----------
    loss_curve : mapping
        `Report.loss_curve`; its best epoch counts from 1.
    """
    loss, accuracy = loss_curve["loss"], loss_curve["validation_accuracy"]
    epochs = np.arange(1, len(loss) + 1)
    figure = new_figure(COLUMN, 2.6 if accuracy is None else 3.8)
    panels: Any = figure.subplots(1 if accuracy is None else 2, 1, sharex=True, squeeze=False)
    top, last = panels[0, 0], panels[-1, 0]
    top.plot(epochs, loss, color=BLUE)
    top.set(ylabel="training loss", ylim=(0, None))
    if accuracy is not None:
        last.plot(epochs, accuracy, color=VERMILLION, clip_on=False)
        last.set_ylabel("held-out accuracy (%)")
        show_percent(last, which="y")
        end_at_whole(last)
    best = loss_curve["best_epoch"]
    for axes in panels.flat:
        axes.grid(visible=True)
        line = axes.axvline(best, color=INK, linestyle="--", linewidth=0.8)
    add_legend(figure, [line], [f"taken: epoch {best:,}"], loc=_BELOW)
    last.set_xlabel("epoch")
    last.xaxis.set_major_locator(MaxNLocator(integer=True))
    return settle(figure)


@own_style()
def draw_learning_curve(curve: Mapping[str, Any]) -> Figure:
    """Draw the accuracy by the number of training images, and what more of them would bring.

    Parameters
    ----------
    curve : mapping
        `Report.learning_curve`.
    """
    figure = new_figure(COLUMN, 3.1)
    axes = figure.add_subplot()
    sizes = np.asarray(curve["sizes"], np.float64)
    folds = f"mean of {curve['n_folds']} folds ± standard deviation"
    accuracy = np.asarray(curve["accuracy"], np.float64)
    spread = _spread(accuracy, curve["std"]) if curve["std"] else None
    measured = unclip(axes.errorbar(sizes, accuracy, yerr=spread, fmt="o", color=BLUE))
    handles: list[Any] = [measured]
    labels = [folds if curve["std"] else "measured"]
    ahead = curve["forecast"]
    shown = [*sizes, *(each["n"] for each in ahead)]
    if curve["law"] is not None:
        n = np.geomspace(min(shown), max(shown), 200)
        handles += axes.plot(n, _follow(curve["law"], n), "--", color=INK, linewidth=0.9)
        labels.append("power law")
    if ahead:
        handles.append(_draw_forecast(axes, ahead))
        labels.append("forecast, 95 % interval")
    _space_out(axes, np.asarray(shown), label="training images")
    axes.set_ylabel("accuracy (%)")
    show_percent(axes, which="y")
    end_at_whole(axes)
    axes.grid(visible=True)
    add_legend(figure, handles, labels, loc=_BELOW)
    return settle(figure)


def _draw_forecast(axes: Axes, ahead: Sequence[Mapping[str, float]]) -> Any:
    expected = np.array([each["accuracy"] for each in ahead])
    low, high = np.array([(each["low"], each["high"]) for each in ahead]).T
    drawn = axes.errorbar(
        [each["n"] for each in ahead],
        expected,
        yerr=measure_whiskers(expected, low, high),
        fmt="s",
        color=VERMILLION,
        markerfacecolor="none",
    )
    return unclip(drawn)


def _spread(means: Any, stds: Any) -> Any:
    """Return whiskers of a standard deviation to each side, as far as shares go."""
    deviations = np.asarray(stds, np.float64)
    return measure_whiskers(means, means - deviations, means + deviations)


def _follow(law: Mapping[str, float], n: Any) -> Any:
    """Return the accuracy that the law gives for n images: 1 - (a + b · n^-c), not below 0."""
    return np.maximum(1 - law["a"] - law["b"] * n ** -law["c"], 0)


def _space_out(axes: Axes, values: Any, *, label: str) -> None:
    """Label the x axis; by logarithms if the values span orders of magnitude."""
    low, high = float(np.min(values)), float(np.max(values))
    if low > 0 and high / low >= _LOG_FROM:
        spread_by_logarithms(axes, [low, high])
        label += " (log scale)"
    else:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: write_number(value)))
    axes.set_xlabel(label)
