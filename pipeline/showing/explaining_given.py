"""Why images outside of any store were given their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backbones.activation_maps import MapEngine
from pipeline.classifiers import linear_head
from pipeline.errors import ImageDecodeError, PipelineError
from pipeline.extraction.job import ExtractJob
from pipeline.images import GivenImage, read_given
from pipeline.records import Explanation
from pipeline.showing.overlaying import (
    NOT_LINEAR,
    OpenMaps,
    Photo,
    explain_photos,
    find_reason,
    view_of,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """An image that was answered, and what the answer is to be set against.

    Attributes
    ----------
    image : str, Path or uint8 ndarray of shape (height, width, 3)
    values : float32 ndarray of shape (n_features,)
        Transfer values that it was answered by, views averaged.
    answer, against : int
        Classes.
    """

    image: GivenImage
    values: NDArray[np.float32]
    answer: int
    against: int


class GivenExplainer:
    """Shows which parts of images spoke for their answers, where that can be told.

    Parameters
    ----------
    job : ExtractJob
        Of the network that gave the values.
    classifier : Pipeline or CalibratedClassifierCV or None
        None where the network itself answered.
    n_classes : int
    open_maps : callable
        `pipeline.opening.open_maps`; called once there is something to explain.

    Attributes
    ----------
    reason : str
        Why nothing can be told, in a sentence; empty as long as it may be.
    """

    def __init__(
        self, job: ExtractJob, classifier: Any, *, n_classes: int, open_maps: OpenMaps
    ) -> None:
        self._job = job
        self._open_maps = open_maps
        self._head = None if classifier is None else linear_head(classifier, n_classes=n_classes)
        self._engine: MapEngine | None = None
        # Of the network first: what answers by itself has no classifier, linear or not.
        self.reason = find_reason(job) or (NOT_LINEAR if self._head is None else "")

    def explain(self, questions: Sequence[Question]) -> list[Explanation | None]:
        """Return the explanation of each image; None where it cannot be told.

        The images go through the network again, up to its maps.
        """
        found: list[Explanation | None] = [None] * len(questions)
        read = {i: photo for i, each in enumerate(questions) if (photo := self._read(each))}
        if not read or self._head is None or self.reason:
            return found
        try:
            self._engine = self._engine or self._open_maps(self._job)
            explained = explain_photos(list(read.values()), self._head, self._engine)
        except PipelineError as exc:
            self.reason = str(exc)
            return found
        for i, explanation in zip(read, explained, strict=True):
            found[i] = explanation
        return found

    def _read(self, question: Question) -> Photo | None:
        """Return an image as it is needed; None if it is gone, or a class was never seen."""
        if self._head is None or self.reason:
            return None
        classes = [question.answer, question.against]
        if not np.isfinite(self._head.constants[classes]).all():
            return None
        try:
            inputs = read_given(question.image, self._job.geometries).pixels
            # Apart: what is decoded depends on the largest size.
            (shown,) = read_given(question.image, [view_of(self._job)]).pixels
        except ImageDecodeError:
            return None
        return Photo(
            values=question.values,
            answer=question.answer,
            against=question.against,
            inputs=inputs,
            shown=shown,
        )
