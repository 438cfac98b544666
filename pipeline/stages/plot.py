"""Figures straight from a store, before anything is fitted: what the network makes of the images.

The images, the transfer values of one of them, and where the values of all of them lie, as the
TensorFlow tutorials on transfer learning show them.

References
----------
M. E. H. Pedersen, "TensorFlow Tutorial #08: Transfer Learning", 2016,
https://github.com/Hvass-Labs/TensorFlow-Tutorials
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import plots
from pipeline.cache import StoredRows
from pipeline.durable import write_file
from pipeline.errors import CacheIncompleteError, ConfigError, DatasetError, ImageDecodeError
from pipeline.images import examine_image, read_checked
from pipeline.images.geometry import Fitted
from pipeline.invocation import extract_command
from pipeline.learning_curve import nested_subset
from pipeline.projection import NAMES, name_axes, project
from pipeline.records import UNLABELLED, printable
from pipeline.views import average_views, count_views

N_IMAGES = 24
MAX_POINTS = 10_000
MAX_COMPARED = 20_000
GRID_SIDE, LARGE_SIDE = 224, 640
"""Pixels of the longer side of images in a grid, and of one that stands alone."""


_MAKERS = {".png": plots.to_png, ".svg": plots.to_svg}

Pixels = NDArray[np.uint8]


def plot_images(store: Path, *, limit: int = N_IMAGES, seed: int = 42) -> plots.Figure:
    """Draw some of a store's images with the names of their classes.

    Parameters
    ----------
    store : Path
    limit : int
        How many images; they are drawn by lot, as many of each class as of any other as far as
        there are.
    seed : int

    Raises
    ------
    CacheError
        If the store cannot be read or is not complete.
    DatasetError
        If an image is gone or is not the one that the store has the values of.
    """
    stored = _open_complete(store)
    rows = _choose_evenly(stored, limit, seed=seed)
    rows = rows[np.argsort(stored.labels[rows], kind="stable")]
    images = [_read_image(stored, row, side=GRID_SIDE) for row in rows]
    titles = [_name_row(stored, row) for row in rows]
    return plots.draw_image_grid(images, titles)


def plot_values(store: Path, image: str | None = None) -> plots.Figure:
    """Draw one image, its transfer values as a picture, and the same as bars.

    Parameters
    ----------
    store : Path
    image : str, optional
        Its path as the store has it, or as it lies on the disk; the first image if None.

    Raises
    ------
    ConfigError
        If the store has no such image, or no values of it.
    CacheError
        If the store cannot be read or is not complete.
    DatasetError
        If the image is gone or is not the one that the store has the values of.
    """
    stored = _open_complete(store)
    row = int(np.flatnonzero(stored.usable)[0]) if image is None else _find_row(stored, image)
    values, _ = stored.take(np.array([row]))
    path = stored.paths[row]
    name = path if stored.about.class_names == UNLABELLED else f"{_name_row(stored, row)}\n{path}"
    return plots.draw_values(_read_image(stored, row, side=LARGE_SIDE), values[0], name)


def plot_map(store: Path, method: str, *, limit: int = MAX_POINTS, seed: int = 42) -> plots.Figure:
    """Draw a store's images as points in a plane, near each other where their values are.

    Parameters
    ----------
    store : Path
    method : str
        "pca", "tsne" or "umap".
    limit : int
        Of more images than these a part is drawn by lot, spread over the classes, which the title
        says.
    seed : int

    Raises
    ------
    CacheError
        If the store cannot be read or is not complete.
    """
    stored = _open_complete(store)
    n_usable = int(stored.usable.sum())
    rows = _choose_rows(stored, limit, seed=seed)
    values = average_views(stored.take(rows)[0], n_views=count_views(stored.about.recipe.to_dict()))
    found = project(values, method=method, random_state=seed)
    of_all = f"{len(rows):,} of {n_usable:,}" if len(rows) < n_usable else f"{n_usable:,}"
    about = stored.about
    title = (
        f"{NAMES[method]} of {values.shape[1]:,} transfer values of {of_all} images\n"
        f"{about.dataset} · {about.recipe.model}"
    )
    return plots.draw_map(
        found.points,
        stored.labels[rows],
        np.zeros(len(rows), bool),
        about.class_names,
        title=title,
        axes=name_axes(found.explained),
    )


def check_suffix(path: Path) -> None:
    """Raise ConfigError if a figure cannot be written under this name."""
    if path.suffix.lower() not in _MAKERS:
        found = f"got {path.suffix!r}" if path.suffix else "got a name without a suffix"
        raise ConfigError(f"Figures are written as .png or .svg; {found}. Name the file so.")


def write_figure(figure: plots.Figure, path: Path) -> None:
    """Write a figure as a file of the kind that its suffix names, ".png" or ".svg".

    Raises
    ------
    ConfigError
        If it is another suffix.
    OSError
        If it cannot be written; a file that was there then stays.
    """
    check_suffix(path)
    write_file(path, _MAKERS[path.suffix.lower()](figure))


def _open_complete(store: Path) -> StoredRows:
    stored = StoredRows(store)
    if not stored.about.complete:
        command = extract_command(stored.about.provenance.get("settings", {}), store)
        raise CacheIncompleteError(
            f"The extraction into {store} has not finished. Finish it first: {command}"
        )
    if not stored.usable.any():
        raise DatasetError(
            f"{store} has no image with values: all were skipped. Its .skipped.csv says why."
        )
    return stored


def _choose_rows(stored: StoredRows, limit: int, *, seed: int) -> NDArray[np.int64]:
    """Return usable rows, ascending: all, or some that are drawn by lot, of each class its share.

    Two of each class come first, as far as the limit goes.
    """
    _check_limit(limit)
    usable = np.flatnonzero(stored.usable)
    order = np.random.default_rng(seed).permutation(usable)
    return np.sort(nested_subset(order, stored.labels, min(limit, len(usable))))


def _choose_evenly(stored: StoredRows, limit: int, *, seed: int) -> NDArray[np.int64]:
    """Return usable rows, ascending, drawn by lot: one of each class, then another of each.

    The order of the classes is drawn, too, so that the last round favours none.
    """
    _check_limit(limit)
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.flatnonzero(stored.usable))
    labels = stored.labels[order]
    rounds = np.empty(len(order), np.int64)
    turns = np.empty(len(order), np.int64)
    classes = np.unique(labels)
    for label, turn in zip(classes, rng.permutation(len(classes)), strict=True):
        members = np.flatnonzero(labels == label)
        rounds[members] = np.arange(len(members))
        turns[members] = turn
    return np.sort(order[np.lexsort((turns, rounds))[:limit]])


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise ConfigError(f"The limit is {limit}; at least 1 image is drawn.")


def _find_row(stored: StoredRows, image: str) -> int:
    root, place = Path(stored.about.root).absolute(), Path(image).absolute()
    named = place.relative_to(root).as_posix() if place.is_relative_to(root) else image
    try:
        row = stored.paths.index(image if image in stored.paths else named)
    except ValueError:
        near = _find_similar(image, stored.paths)
        hint = f"Did you mean {_list_names(near)}?" if near else f"There is {stored.paths[0]!r}."
        raise ConfigError(
            f"{stored.path} has no image {printable(image)!r}. Paths count from "
            f"{stored.about.root}. {hint}"
        ) from None
    if not stored.usable[row]:
        raise ConfigError(
            f"{image!r} was skipped and has no values: {stored.path.stem}.skipped.csv says why."
        )
    return row


def _find_similar(image: str, paths: Sequence[str]) -> list[str]:
    """Return up to three paths like one: of the same file name, or of some with similar letters."""
    name = image.rpartition("/")[2]
    same = [path for path in paths if path.rpartition("/")[2] == name]
    # Comparing letters takes 30 µs a path.
    return same[:3] or difflib.get_close_matches(image, paths[:MAX_COMPARED], n=3, cutoff=0.5)


def _list_names(names: Sequence[str]) -> str:
    return " or ".join(repr(printable(name)) for name in names)


def _read_image(stored: StoredRows, row: int, *, side: int) -> Pixels:
    """Return an image as it was when its values were computed, whole, at most `side` pixels."""
    root, path = Path(stored.about.root), stored.paths[row]
    data = read_checked(root / path, stored.sha256[row].tobytes())
    if data is None:
        raise DatasetError(_tell_missing(stored, root, path))
    try:
        return examine_image(data, [Fitted(side=side)]).pixels[0]
    except ImageDecodeError as exc:
        raise DatasetError(f"{root / path} cannot be decoded: {exc}. Run extract again.") from exc


def _tell_missing(stored: StoredRows, root: Path, path: str) -> str:
    again = extract_command(stored.about.provenance.get("settings", {}), stored.path)
    if not root.is_dir():
        return (
            f"The folder of the images is gone: {root}. Put it back where it was, or extract from "
            "where it is now: what is the same is copied, not computed."
        )
    place = root / path
    if not place.exists():
        return f"{place} is gone. Put it back, or run: {again}"
    return (
        f"{place} is not the image that {stored.path} has the values of: its SHA-256 is another. "
        f"Put the old one back, or run: {again}"
    )


def _name_row(stored: StoredRows, row: int) -> str:
    names = stored.about.class_names
    if names == UNLABELLED:
        return stored.paths[row].rpartition("/")[2]
    return str(names[stored.labels[row]])
