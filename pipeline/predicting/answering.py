"""From scores to answers: the best classes of each image, and whether it is any of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigError
from pipeline.predicting.computing import Computed
from pipeline.predicting.settling import PROBABILITY, Predictor
from pipeline.records import Answer, Status


class Rejection(Protocol):
    """Tells images that are unlike all training images; see `pipeline.doubting`.

    Attributes
    ----------
    threshold : float
        Distance beyond which an image is unknown.
    """

    @property
    def threshold(self) -> float:
        """The distance beyond which an image is unknown."""
        ...

    def measure(self, values: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        """Return how far values (n, n_features) are from the training images', (n,)."""
        ...


class PredictionSets(Protocol):
    """Chooses classes one of which is the right one; see `pipeline.doubting`."""

    def choose(self, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Return which classes are in the set of each image, bool of shape (n, n_classes)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """Some images, in order, with what is said of them.

    Attributes
    ----------
    start : int
        Number of the first image.
    answers : tuple of Answer
    values : float32 ndarray of shape (n_images, n_features)
        Transfer values, views averaged; of no meaning where an answer has a reason.
    order : intp ndarray of shape (n_images, n_classes)
        Class indices, the best first; of no meaning where an answer has a reason.
    """

    start: int
    answers: tuple[Answer, ...]
    values: NDArray[np.float32]
    order: NDArray[np.intp]


def answer_all(
    predictor: Predictor,
    computed: Iterable[Computed],
    paths: Sequence[str],
    *,
    topk: int = 1,
    rejection: Rejection | None = None,
    sets: PredictionSets | None = None,
) -> Iterator[Answered]:
    """Yield what a fit says of images, as their values come.

    Parameters
    ----------
    predictor : Predictor
    computed : iterable of Computed
    paths : sequence of str
        What each image is called in its answer.
    topk : int
        Classes an answer, at least 1.
    rejection : Rejection, optional
    sets : PredictionSets, optional
    """
    for part in computed:
        yield _answer(predictor, part, paths, topk=topk, rejection=rejection, sets=sets)


def check_topk(topk: int) -> int:
    """Return how many classes an answer is to have.

    Raises
    ------
    ConfigError
        If it is less than 1.
    """
    if topk < 1:
        raise ConfigError(f"--topk must be at least 1. Got: {topk}.")
    return topk


def score_rows(
    predictor: Predictor, values: NDArray[np.float32], usable: NDArray[np.bool_]
) -> NDArray[np.floating[Any]]:
    """Return one score a class; zeros for rows that are not usable, which nothing is asked about.

    Returns
    -------
    float ndarray of shape (n_images, n_classes)
    """
    found = predictor.score(values[usable])
    scores = np.zeros((len(usable), len(predictor.class_names)), found.dtype)
    scores[usable] = found
    return scores


def _answer(
    predictor: Predictor,
    part: Computed,
    paths: Sequence[str],
    *,
    topk: int,
    rejection: Rejection | None,
    sets: PredictionSets | None,
) -> Answered:
    usable = part.status == Status.OK
    scores = score_rows(predictor, part.values, usable)
    order = np.argsort(-scores, axis=1, kind="stable")  # of equals the first, as argmax has it
    distances = members = None
    if rejection is not None and usable.any():
        distances = np.full(len(usable), np.nan)
        distances[usable] = rejection.measure(part.values[usable])
    if sets is not None and usable.any():
        members = np.zeros(scores.shape, np.bool_)
        members[usable] = sets.choose(scores[usable])
    answers = []
    for row, status in enumerate(part.status.tolist()):
        answer = Answer(path=paths[part.start + row])
        if status != Status.OK:
            answers.append(replace(answer, reason=Status(status).reason))
            continue
        answer = _name_best(answer, predictor, scores[row], order[row][:topk])
        if distances is not None and rejection is not None:
            distance = float(distances[row])
            answer = replace(
                answer, distance=distance, is_unknown=distance > float(rejection.threshold)
            )
        if members is not None:
            chosen = [predictor.class_names[k] for k in order[row] if members[row, k]]
            answer = replace(answer, label_set=tuple(chosen))
        answers.append(answer)
    return Answered(start=part.start, answers=tuple(answers), values=part.values, order=order)


def _name_best(
    answer: Answer, predictor: Predictor, scores: NDArray[np.floating[Any]], best: NDArray[np.intp]
) -> Answer:
    """Add classes and their scores, but for those that the classifier never saw."""
    known = [k for k in best.tolist() if np.isfinite(scores[k])]
    numbers = tuple(float(scores[k]) for k in known)
    classes = tuple(predictor.class_names[k] for k in known)
    if predictor.kind == PROBABILITY:
        return replace(answer, classes=classes, probabilities=numbers)
    return replace(answer, classes=classes, scores=numbers)
