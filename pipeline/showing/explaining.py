"""Why an image was given its answer: the photo, coloured by what spoke for the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.activation import choose_limit, explain
from pipeline.backbones.activation_maps import MapEngine, Maps, average_area, find_obstacle
from pipeline.cache import StoredRows, row_cosines
from pipeline.classifiers import LinearHead, linear_head
from pipeline.errors import ImageDecodeError, PipelineError
from pipeline.extraction.canaries import LOWEST_COSINE
from pipeline.extraction.job import ExtractJob
from pipeline.extraction.preparing import make_job, settle_network
from pipeline.extraction.settings import settings_of
from pipeline.images import decode_image, examine_image, overlay, read_checked
from pipeline.records import Explanation
from pipeline.views import average_views

SIDE = 224
"""Of the pictures, in pixels."""

MARGIN_SHARE, MARGIN_ERROR = 0.02, 0.05
"""How far the sum of a picture may be from the margin: as a share of it, or if larger at all."""

IMAGES_A_TURN = 16  # maps of an early layer are 13 MB an image

OpenMaps: TypeAlias = Callable[[ExtractJob], MapEngine]
"""Builds what computes a job's activation maps; raises BackboneError where there can be none."""

Row: TypeAlias = tuple[str, int, int]
"""Path, the class that was answered, and the one that is right."""


def explain_rows(
    store: Path, classifier: Any, rows: Sequence[Row], *, open_maps: OpenMaps
) -> tuple[dict[str, Explanation], str]:
    """Show which parts of images spoke for the answer that they were given, and which against it.

    The images go through the network again. One that is no longer what was extracted, or whose
    values come out otherwise than they are stored, is left out.

    Parameters
    ----------
    store : Path
        Of the images of `rows`.
    classifier : Pipeline or CalibratedClassifierCV
        Fitted on the values of the store.
    rows : sequence of (str, int, int)
        Path of an image, the class that it was given, and the one that it is measured against.
    open_maps : callable
        `pipeline.opening.open_maps`; called only if there is something to explain.

    Returns
    -------
    explanations : dict of str to Explanation
        By path.
    reason : str
        Why all or some are missing, in a sentence for readers; empty if none is.
    """
    if not rows:
        return {}, ""
    try:
        stored = StoredRows(store)
        head = linear_head(classifier, n_classes=len(stored.about.class_names))
        if head is None:
            return {}, (
                "The classifier is not linear: what in an image spoke for its answer is known of "
                "logreg, linear-svm and ridge."
            )
        job = _settle(stored)
        obstacle = find_obstacle(job.network) or _find_difference(job, stored)
        if obstacle:
            return {}, obstacle
        found = _explain(_read_photos(stored, job, head, rows), stored, job, head, open_maps)
    except PipelineError as exc:
        return {}, str(exc)
    return found, _describe_missing(len(rows) - len(found), len(rows))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Photo:
    """An image that is to be explained.

    Attributes
    ----------
    row : int
        Of the store.
    path : str
    answer, against : int
        Classes.
    inputs : tuple of uint8 ndarray of shape (image_size, image_size, 3)
        As each part of the network takes it.
    shown : uint8 ndarray of shape (SIDE, SIDE, 3)
    """

    row: int
    path: str
    answer: int
    against: int
    inputs: tuple[NDArray[np.uint8], ...]
    shown: NDArray[np.uint8]


def _settle(stored: StoredRows) -> ExtractJob:
    """Return the job that made a store, without a look at its images; nothing is downloaded."""
    # "auto" may mean another precision by now than when the store was made.
    config = replace(settings_of(stored.path), precision=stored.about.recipe.precision)
    return make_job(config, settle_network(config, offline=True), stored.manifest)


def _find_difference(job: ExtractJob, stored: StoredRows) -> str:
    """Return why a store's values cannot be computed again; empty if they can."""
    if job.recipe.key != stored.about.key:
        return (
            "The network's weights or this program changed since the transfer values were "
            "computed. Run extract again, then fit."
        )
    if len({replace(geometry, size=1) for geometry in job.geometries}) > 1:
        return "The joined networks see different parts of an image."
    return ""


def _read_photos(
    stored: StoredRows, job: ExtractJob, head: LinearHead, rows: Sequence[Row]
) -> list[_Photo]:
    """Return the images that are still what the store is of, and have a score of both classes."""
    places = {path: row for row, path in enumerate(stored.paths)}
    usable, root = stored.usable, Path(stored.about.root)
    view = replace(job.geometries[0], size=SIDE)
    photos = []
    for path, answer, against in rows:
        row = places.get(path)
        known = np.isfinite(head.constants[[answer, against]]).all()
        if row is None or not usable[row] or not known:
            continue
        data = read_checked(root / path, stored.sha256[row].tobytes())
        if data is None:
            continue
        try:
            inputs = examine_image(data, job.geometries).pixels
            shown = decode_image(data, view)  # apart: what is decoded depends on the largest size
        except ImageDecodeError:
            continue
        photos.append(
            _Photo(row=row, path=path, answer=answer, against=against, inputs=inputs, shown=shown)
        )
    return photos


def _explain(
    photos: Sequence[_Photo],
    stored: StoredRows,
    job: ExtractJob,
    head: LinearHead,
    open_maps: OpenMaps,
) -> dict[str, Explanation]:
    found: dict[str, Explanation] = {}
    if not photos:
        return found
    engine = open_maps(job)
    for start in range(0, len(photos), IMAGES_A_TURN):
        few = photos[start : start + IMAGES_A_TURN]
        inputs = zip(*(photo.inputs for photo in few), strict=True)
        maps = engine.compute(tuple(np.stack(each) for each in inputs))
        values, _ = stored.take(np.array([photo.row for photo in few], np.int64))
        stored_values = average_views(values, n_views=job.recipe.views)
        for i in np.flatnonzero(_agree(maps, stored_values)).tolist():
            margin = _measure_margin(stored_values[i], few[i], head)
            heat = _find_heat([each[i] for each in maps], few[i], head)
            if abs(heat.mean() - margin) <= max(MARGIN_SHARE * abs(margin), MARGIN_ERROR):
                picture = overlay(few[i].shown, heat, limit=choose_limit(heat))
                found[few[i].path] = Explanation(picture=picture, margin=margin)
    return found


def _agree(maps: Maps, stored: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell whether maps average to the stored values, (n,); each layer's by themselves."""
    edges = np.cumsum([each.shape[3] for each in maps])[:-1]
    parts = (np.split(values, edges, axis=1) for values in (average_area(maps), stored))
    cosines = [row_cosines(*pair) for pair in zip(*parts, strict=True)]
    return np.asarray(np.min(cosines, axis=0) >= LOWEST_COSINE)


def _measure_margin(values: NDArray[np.float32], photo: _Photo, head: LinearHead) -> float:
    """Return how far the answer's decision score is above the other's, of the stored values."""
    weight = head.weights[photo.answer] - head.weights[photo.against]
    constant = head.constants[photo.answer] - head.constants[photo.against]
    return float(values.astype(np.float64) @ weight + constant)


def _find_heat(
    maps: Sequence[NDArray[np.float32]], photo: _Photo, head: LinearHead
) -> NDArray[np.float64]:
    return explain(maps, head.weights, head.constants, answer=photo.answer, against=photo.against)


def _describe_missing(n_missing: int, n_rows: int) -> str:
    if not n_missing:
        return ""
    return (
        f"{n_missing:,} of {n_rows:,} images cannot be explained: they are gone, no longer what "
        "was extracted, come out otherwise now, or no training image is of their class."
    )
