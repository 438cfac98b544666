"""How a network learned: loss and accuracy by epoch, on the images it saw and on those held out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.plots.style import (
    BLUE,
    COLUMN,
    INK,
    VERMILLION,
    add_legend,
    end_at_whole,
    new_figure,
    own_style,
    settle,
    show_percent,
)


class Pass(Protocol):
    """One pass over the training images; see `pipeline.records.Epoch`."""

    @property
    def loss(self) -> float: ...  # noqa: D102
    @property
    def accuracy(self) -> float: ...  # noqa: D102
    @property
    def validation_loss(self) -> float: ...  # noqa: D102
    @property
    def validation_accuracy(self) -> float: ...  # noqa: D102


@own_style()
def draw_training(history: Sequence[Pass], *, best_epoch: int) -> Figure:
    """Draw loss and accuracy by epoch, and which epoch's weights were kept.

    Parameters
    ----------
    history : sequence of Epoch
        At least one.
    best_epoch : int
        Counted from 1.
    """
    epochs = np.arange(1, len(history) + 1)
    figure = new_figure(COLUMN, 4.1)
    panels: Any = figure.subplots(2, 1, sharex=True)
    marker = "o" if len(history) == 1 else None
    handles: list[Any] = []
    for axes, what in zip(panels, ("loss", "accuracy"), strict=True):
        seen = [getattr(each, what) for each in history]
        held_out = [getattr(each, f"validation_{what}") for each in history]
        lines = axes.plot(epochs, seen, color=BLUE, marker=marker, clip_on=False)
        lines += axes.plot(
            epochs, held_out, color=VERMILLION, linestyle="--", marker=marker, clip_on=False
        )
        axes.grid(visible=True)
        line = axes.axvline(best_epoch, color=INK, linestyle=":", linewidth=0.9)
        handles = [*lines, line]
    panels[0].set(ylabel="loss", ylim=(0, None))
    panels[1].set_ylabel("accuracy (%)")
    show_percent(panels[1], which="y")
    end_at_whole(panels[1])
    panels[1].set_xlabel("epoch")
    panels[1].xaxis.set_major_locator(MaxNLocator(integer=True))
    labels = ["training images", "validation images", f"taken: epoch {best_epoch:,}"]
    add_legend(figure, handles, labels, loc="outside lower center")
    return settle(figure)
