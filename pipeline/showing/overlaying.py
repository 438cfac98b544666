"""One photo coloured by what spoke for its answer, given the transfer values it was answered by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.activation import choose_limit, explain
from pipeline.backbones.activation_maps import MapEngine, Maps, average_area, find_obstacle
from pipeline.cache import row_cosines
from pipeline.classifiers import LinearHead
from pipeline.extraction.canaries import LOWEST_COSINE
from pipeline.extraction.job import ExtractJob
from pipeline.images import Geometry, overlay
from pipeline.records import Explanation

SIDE = 224
"""Of the pictures, in pixels."""

MARGIN_SHARE, MARGIN_ERROR = 0.02, 0.05
"""How far the sum of a picture may be from the margin: as a share of it, or if larger at all."""

IMAGES_A_TURN = 16  # maps of an early layer are 13 MB an image

NOT_LINEAR = (
    "The classifier is not linear: what in an image spoke for its answer is known of logreg, "
    "linear-svm and ridge."
)

OpenMaps: TypeAlias = Callable[[ExtractJob], MapEngine]
"""Builds what computes a job's activation maps; raises BackboneError where there can be none."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Photo:
    """An image that is to be explained.

    Attributes
    ----------
    values : float32 ndarray of shape (n_features,)
        Its transfer values as they were answered by, views averaged.
    answer, against : int
        Classes that the classifier knows.
    inputs : tuple of uint8 ndarray of shape (image_size, image_size, 3)
        As each part of the network takes it.
    shown : uint8 ndarray of shape (SIDE, SIDE, 3)
        See `view_of`.
    """

    values: NDArray[np.float32]
    answer: int
    against: int
    inputs: tuple[NDArray[np.uint8], ...]
    shown: NDArray[np.uint8]


def find_reason(job: ExtractJob) -> str:
    """Return why nothing can be told of a job's values, in a sentence; empty if it may be."""
    obstacle = find_obstacle(job.network)
    if not obstacle and len({replace(geometry, size=1) for geometry in job.geometries}) > 1:
        return "The joined networks see different parts of an image."
    return obstacle


def view_of(job: ExtractJob) -> Geometry:
    """Return how an image becomes the picture that is coloured: the part that the network sees."""
    return replace(job.geometries[0], size=SIDE)


def explain_photos(
    photos: Sequence[Photo], head: LinearHead, engine: MapEngine
) -> list[Explanation | None]:
    """Return the explanation of each photo; None where its maps do not add up to its values.

    Parameters
    ----------
    photos : sequence of Photo
    head : LinearHead
    engine : MapEngine
    """
    found: list[Explanation | None] = []
    for start in range(0, len(photos), IMAGES_A_TURN):
        few = photos[start : start + IMAGES_A_TURN]
        inputs = zip(*(photo.inputs for photo in few), strict=True)
        maps = engine.compute(tuple(np.stack(each) for each in inputs))
        agree = _agree(maps, np.stack([photo.values for photo in few]))
        for i, photo in enumerate(few):
            own = [each[i] for each in maps]
            found.append(_explain(own, photo, head) if agree[i] else None)
    return found


def _explain(
    maps: Sequence[NDArray[np.float32]], photo: Photo, head: LinearHead
) -> Explanation | None:
    margin = _measure_margin(photo, head)
    heat = explain(maps, head.weights, head.constants, answer=photo.answer, against=photo.against)
    if abs(heat.mean() - margin) > max(MARGIN_SHARE * abs(margin), MARGIN_ERROR):
        return None
    picture = overlay(photo.shown, heat, limit=choose_limit(heat))
    return Explanation(picture=picture, margin=margin)


def _agree(maps: Maps, values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell whether maps average to the values, (n,); each layer's by themselves."""
    edges = np.cumsum([each.shape[3] for each in maps])[:-1]
    parts = (np.split(each, edges, axis=1) for each in (average_area(maps), values))
    cosines = [row_cosines(*pair) for pair in zip(*parts, strict=True)]
    return np.asarray(np.min(cosines, axis=0) >= LOWEST_COSINE)


def _measure_margin(photo: Photo, head: LinearHead) -> float:
    """Return how far the answer's decision score is above the other's."""
    weight = head.weights[photo.answer] - head.weights[photo.against]
    constant = head.constants[photo.answer] - head.constants[photo.against]
    return float(photo.values.astype(np.float64) @ weight + constant)
