"""The commands that draw what is in a store, before any fit."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline import options
from pipeline.cli import steps
from pipeline.cli.apps import plot_app
from pipeline.commands import add_command
from pipeline.console import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.plots import Figure


@add_command([plot_app], "images", store=options.plotted_store)
def plot_images_command(
    terminal: Terminal,
    store: dict[str, Any],
    *,
    limit: options.NImagesArg = 24,
    seed: options.SeedArg = options.FIT.seed,
    to: options.FigureToArg = None,
    json: options.JsonArg = False,
) -> None:
    """Draw some of the images with the names of their classes."""
    from pipeline.stages.plot import plot_images

    draw = partial(plot_images, limit=limit, seed=seed)
    _plot(terminal, "images", draw, steps.choose_store(**store), to, as_json=json)


@add_command([plot_app], "values", store=options.plotted_store)
def plot_values_command(
    terminal: Terminal,
    store: dict[str, Any],
    *,
    image: options.ImagePathArg = None,
    to: options.FigureToArg = None,
    json: options.JsonArg = False,
) -> None:
    """Draw an image beside its transfer values, as a picture and as bars."""
    from pipeline.stages.plot import plot_values

    draw = partial(plot_values, image=image)
    _plot(terminal, "values", draw, steps.choose_store(**store), to, as_json=json)


@add_command([plot_app], "pca", store=options.plotted_store)
def plot_pca_command(
    terminal: Terminal,
    store: dict[str, Any],
    *,
    limit: options.MaxPointsArg = 10_000,
    seed: options.SeedArg = options.FIT.seed,
    to: options.FigureToArg = None,
    json: options.JsonArg = False,
) -> None:
    """Draw where the classes lie: the first two principal components of the transfer values."""
    _plot_map(terminal, "pca", store, limit=limit, seed=seed, to=to, as_json=json)


@add_command([plot_app], "tsne", store=options.plotted_store)
def plot_tsne_command(
    terminal: Terminal,
    store: dict[str, Any],
    *,
    limit: options.MaxPointsArg = 10_000,
    seed: options.SeedArg = options.FIT.seed,
    to: options.FigureToArg = None,
    json: options.JsonArg = False,
) -> None:
    """Draw where the classes lie by t-SNE: near each other is what has similar values."""
    _plot_map(terminal, "tsne", store, limit=limit, seed=seed, to=to, as_json=json)


def _plot_map(
    terminal: Terminal,
    method: str,
    store: dict[str, Any],
    *,
    limit: int,
    seed: int,
    to: Path | None,
    as_json: bool,
) -> None:
    from pipeline.stages.plot import plot_map

    draw = partial(plot_map, method=method, limit=limit, seed=seed)
    _plot(terminal, method, draw, steps.choose_store(**store), to, as_json=as_json)


def _plot(
    terminal: Terminal,
    what: str,
    draw: Callable[[Path], Figure],
    store: Path,
    to: Path | None,
    *,
    as_json: bool,
) -> None:
    from pathlib import Path

    from pipeline.stages.plot import check_suffix, write_figure

    path = to or Path(f"{store.absolute().parent.name}-{what}.png")
    check_suffix(path)  # before a minute of work, not after
    terminal.note(f"Drawing {store} ...")
    write_figure(draw(store), path)
    terminal.result(str(path), {"path": str(path)}, as_json=as_json)
