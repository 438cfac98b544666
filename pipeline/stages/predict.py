"""Say what images show, by a fit; nothing is written."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from pipeline.extraction.job import OpenEngine
from pipeline.images import GivenImage
from pipeline.predicting.answering import (
    Answered,
    PredictionSets,
    Rejection,
    answer_all,
    check_topk,
)
from pipeline.predicting.computing import compute_values
from pipeline.predicting.settling import Predictor
from pipeline.records import OnProgress, Predictions


class Tally:
    """Counts answers as they pass by.

    Parameters
    ----------
    predictor : Predictor
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._labels: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._started = time.monotonic()

    def count(self, answered: Iterator[Answered]) -> Iterator[Answered]:
        """Yield what is given, counted; the time begins with the first."""
        self._started = time.monotonic()
        for part in answered:
            for answer in part.answers:
                if answer.reason:
                    self._skipped[answer.reason] += 1
                else:
                    self._labels[answer.label] += 1
            yield part

    def sum_up(self) -> Predictions:
        """Return what was counted until now."""
        predictor = self._predictor
        return Predictions(
            source=predictor.source,
            model=predictor.job.recipe.model,
            clf=predictor.clf,
            kind=predictor.kind,
            n_images=self._labels.total() + self._skipped.total(),
            counts=dict(self._labels.most_common()),
            skipped=dict(sorted(self._skipped.items())),
            seconds=time.monotonic() - self._started,
        )


def predict(
    predictor: Predictor,
    images: Sequence[GivenImage],
    open_engine: OpenEngine,
    *,
    paths: Sequence[str] | None = None,
    topk: int = 1,
    rejection: Rejection | None = None,
    sets: PredictionSets | None = None,
    on_progress: OnProgress | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Iterator[Answered]:
    """Yield answers about images, in their order, as they come.

    Parameters
    ----------
    predictor : Predictor
    images : sequence of str, Path or uint8 ndarray of shape (height, width, 3)
    open_engine : callable
        Builds the engine.
    paths : sequence of str, optional
        What the images are called in the answers; by default the images, which then are paths.
    topk : int
        Classes an answer.
    rejection : Rejection, optional
        Tells which images are unknown.
    sets : PredictionSets, optional
    on_progress, on_note : callable, optional
        See `compute_values`.

    Raises
    ------
    ConfigError
        If `topk` is less than 1.
    OutOfMemoryError, BackboneError
        If the network cannot be run.
    """
    check_topk(topk)
    names = [str(image) for image in images] if paths is None else paths
    computed = compute_values(
        predictor.job, images, open_engine, on_progress=on_progress, on_note=on_note
    )
    return answer_all(predictor, computed, names, topk=topk, rejection=rejection, sets=sets)
