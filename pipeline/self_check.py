"""Whether a model file answers as the fit does that it was made of, on images of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts import LoadedModel
from pipeline.cache import StoredRows
from pipeline.errors import CacheError, ImageDecodeError, PipelineError
from pipeline.images import AsDecoded, Geometry, examine_image, read_checked
from pipeline.records import OnProgress, SelfCheck
from pipeline.views import average_views

N_IMAGES = 32
TOLERANCE = 1e-3
_MOST_TRIED = 512  # rows whose images are looked for, before it counts as if they were gone
_UNCHECKED = (
    "Bring them back, or add --no-check: what is written is then not compared with predict."
)

Run: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.floating[Any]]]
"""From uint8 (b, H, W, 3), RGB 0-255, to one number a class, (b, n_classes)."""
Score: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.floating[Any]]]
"""From transfer values (n, n_features), views averaged, to one number a class, (n, n_classes)."""
Pixels: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CheckRows:
    """Images with their answers, to compare those of a file with.

    Attributes
    ----------
    paths : tuple of str
    labels : intp ndarray of shape (n_images,)
        The class that each image is of.
    values : float32 ndarray of shape (n_images, n_features)
        Transfer values, views averaged.
    expected : float ndarray of shape (n_images, n_classes)
        What `predict` answers.
    images : tuple of uint8 ndarray of shape (H, W, 3)
        RGB, 0-255, as large as `predict` resizes them; empty if they were not read.
    in_full : tuple of (uint8 ndarray of shape (H, W, 3) or None)
        The whole image where `predict` shrinks it while it decodes it.
    tolerance : float
        How far a probability may be off.
    """

    paths: tuple[str, ...]
    labels: NDArray[np.intp]
    values: NDArray[np.float32]
    expected: NDArray[np.floating[Any]]
    images: tuple[Pixels, ...]
    in_full: tuple[Pixels | None, ...]
    tolerance: float = TOLERANCE


def read_check_rows(
    model: LoadedModel,
    store: Path | None,
    score: Score,
    geometries: Sequence[Geometry],
    *,
    tolerance: float = TOLERANCE,
) -> CheckRows:
    """Choose images of the store that a fit was made on, spread over its classes.

    Parameters
    ----------
    model : LoadedModel
    store : Path or None
        That the fit was made on; None if it is gone.
    score : callable
        What `predict` answers of transfer values.
    geometries : sequence of Geometry
        How images become what the network takes. With none, only the values are read; otherwise
        images that are gone or changed are passed over for others.
    tolerance : float
        How far a probability may be off, 0-1.

    Raises
    ------
    PipelineError
        If the store or all of its images are gone, or are no longer what the fit was made on.
    """
    if store is None:
        raise PipelineError(
            f"{model.folder} lies beside no store of its transfer values, so that there is nothing "
            f"to check the file with. {_UNCHECKED}"
        )
    stored = StoredRows(store)
    if stored.about.content_sha256 != model.info["content_sha256"]:
        raise CacheError(
            f"{store} was made anew after {model.folder.name} was fitted on it. Run fit again, or "
            "add --no-check: what is written is then not compared with predict."
        )
    candidates = _spread(stored.labels, np.flatnonzero(stored.usable))
    if not geometries:
        values_only = [(row, None, None) for row in candidates]
        return replace(_gather(stored, model, score, values_only), tolerance=tolerance)
    found = list(islice(_read_images(stored, geometries, candidates), N_IMAGES))
    if not found:
        raise PipelineError(
            f"The images of {store} are not in {stored.about.root} any more, or were changed, so "
            f"that there is nothing to check the file with. {_UNCHECKED}"
        )
    return replace(_gather(stored, model, score, found), tolerance=tolerance)


def _spread(labels: NDArray[np.int32], rows: NDArray[np.intp]) -> list[int]:
    """Return rows class by class in turn, those of a class from all over the store."""
    order = np.random.default_rng(0).permutation(rows)
    by_class = [order[labels[order] == label] for label in np.unique(labels[order])]
    turns = max(map(len, by_class), default=0)
    return [int(rows[turn]) for turn in range(turns) for rows in by_class if turn < len(rows)]


_Found: TypeAlias = tuple[int, Pixels | None, Pixels | None]


def _read_images(
    stored: StoredRows, geometries: Sequence[Geometry], rows: Sequence[int]
) -> Iterator[_Found]:
    """Yield rows with their images, as predict resizes them and in full if that is another one."""
    root = Path(stored.about.root)
    for row in rows[:_MOST_TRIED]:
        data = read_checked(root / stored.paths[row], stored.sha256[row].tobytes())
        if data is None:
            continue
        try:
            decoded = examine_image(data, [AsDecoded()])
            if not any(geometry.shrinks(*decoded.size) for geometry in geometries):
                yield row, decoded.pixels[0], None
            elif len(set(geometries)) == 1 and geometries[0].crop_fraction == 1:
                # A square of the network's size is left as it is by the file, too.
                yield row, examine_image(data, geometries).pixels[0], decoded.pixels[0]
        except ImageDecodeError:
            continue


def _gather(
    stored: StoredRows, model: LoadedModel, score: Score, found: Sequence[_Found]
) -> CheckRows:
    found = found[:N_IMAGES]
    rows = np.array([row for row, _, _ in found], np.int64)
    values, _ = stored.take(rows)
    averaged = average_views(values, n_views=model.n_views)
    return CheckRows(
        paths=tuple(stored.paths[row] for row in rows),
        labels=stored.labels[rows].astype(np.intp),
        values=averaged,
        expected=score(averaged),
        images=tuple(image for _, image, _ in found if image is not None),
        in_full=tuple(in_full for _, _, in_full in found),
    )


def check_answers(
    rows: CheckRows,
    run: Run,
    *,
    hint: str,
    on_progress: OnProgress | None = None,
) -> SelfCheck:
    """Compare a file's answers with those of `predict`.

    Parameters
    ----------
    rows : CheckRows
        With images.
    run : callable
        Runs the file.
    hint : str
        What may help where they differ, as a sentence.
    on_progress : callable, optional
        Called with (images compared, images in all).

    Raises
    ------
    PipelineError
        If a label is another one, or a probability differs by more than `rows.tolerance`.
    """
    differences, in_full = [], []
    for number, image in enumerate(rows.images):
        answered = np.asarray(run(image[None]))[0]
        differences.append(compare(answered, rows, number, hint=hint))
        whole = rows.in_full[number]
        if whole is not None:
            in_full.append(_measure(np.asarray(run(whole[None]))[0], rows.expected[number]))
        if on_progress is not None:
            on_progress(number + 1, len(rows.images))
    return sum_up(rows, differences, in_full)


def check_values(rows: CheckRows, score: Score, *, hint: str) -> SelfCheck:
    """Do as `check_answers` with what takes transfer values (n, n_features) in place of images."""
    answered = score(rows.values)
    differences = [compare(one, rows, i, hint=hint) for i, one in enumerate(answered)]
    return sum_up(rows, differences, [])


def compare(
    answered: NDArray[np.floating[Any]], rows: CheckRows, number: int, *, hint: str
) -> float:
    """Return how far an answer is off.

    Raises
    ------
    PipelineError
        If it is too far off, or another one.
    """
    expected = rows.expected[number]
    difference = _measure(answered, expected)
    same = answered.shape == expected.shape and answered.argmax() == expected.argmax()
    if same and difference <= rows.tolerance:
        return difference
    words = (
        f"its answers differ by up to {difference:.2g}, more than {rows.tolerance:g}"
        if same
        else f"it answers with another class (its answers differ by up to {difference:.2g})"
    )
    raise PipelineError(
        f"The file was removed: on {rows.paths[number]}, compared with predict, {words}. {hint}"
    )


def _measure(answered: NDArray[np.floating[Any]], expected: NDArray[np.floating[Any]]) -> float:
    """Return the largest difference; of scores beyond -1 to 1 as a share of them."""
    known = np.isfinite(expected)
    if answered.shape != expected.shape or not np.isfinite(answered[known]).all():
        return float("inf")
    size = np.maximum(np.abs(expected[known]), 1.0)
    return float((np.abs(answered[known] - expected[known]) / size).max())


def sum_up(rows: CheckRows, differences: Sequence[float], in_full: Sequence[float]) -> SelfCheck:
    """Return what was compared, and how far it was off."""
    return SelfCheck(
        n_images=len(differences),
        n_classes=len(np.unique(rows.labels)),
        n_shrunk=len(in_full),
        largest=max(differences),
        largest_in_full=max(in_full, default=None),
        tolerance=rows.tolerance,
    )
