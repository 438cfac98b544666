"""Sets of classes one of which is the right one, as often as is asked: conformal prediction."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts import LoadedModel, keep_arrays, read_arrays
from pipeline.classifiers import score_kind
from pipeline.doubting.out_of_fold import FOLDS, FOLDS_OF_MANY, score_left_out
from pipeline.doubting.ranks import conformal_rank
from pipeline.doubting.training_rows import find_training_rows
from pipeline.errors import ConfigError

_NAME = "doubt-coverage"


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionSets:
    """Chooses the classes of each image one of which is the right one.

    Attributes
    ----------
    coverage : float
        How often it is to be, at least, of images like the training images, 0-1.
    kind : str
        What classes are chosen by: "probability" or "decision", see `classifiers.score_kind`.
    threshold : float
        How strange a class may be: see `measure_strangeness`. Infinite if the training images are
        too few for the coverage, so that every set holds all classes.
    notes : tuple of str
        Sentences for the user.
    """

    coverage: float
    kind: str
    threshold: float
    notes: tuple[str, ...] = ()

    def choose(self, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Choose classes; the most probable is always among them, so that no set is empty.

        Parameters
        ----------
        probabilities : float ndarray of shape (n, n_classes)
            Or decision scores, if the classifier has no probabilities.

        Returns
        -------
        bool ndarray of shape (n, n_classes)
        """
        chosen: NDArray[np.bool_] = (
            measure_strangeness(probabilities, kind=self.kind) <= self.threshold
        )
        chosen[np.arange(len(chosen)), probabilities.argmax(axis=1)] = True
        return chosen


def measure_strangeness(
    scores: NDArray[np.floating[Any]], *, kind: str
) -> NDArray[np.floating[Any]]:
    """Return how little each class suits its row, (n, n_classes).

    Of probabilities 1 - p, which gives the smallest sets; decision scores have no scale of their
    own, so that they are compared with the best of their row.

    Parameters
    ----------
    scores : float ndarray of shape (n, n_classes)
    kind : {"probability", "decision"}

    References
    ----------
    M. Sadinle, J. Lei, L. Wasserman, "Least ambiguous set-valued classifiers with bounded error
    levels", Journal of the American Statistical Association 114 (2019) 223-234.
    """
    if kind == "probability":
        return 1 - scores
    strangeness: NDArray[np.floating[Any]] = scores.max(axis=1, keepdims=True) - scores
    return strangeness


def find_prediction_sets(
    store: Path | None, model: LoadedModel, *, coverage: float = 0.9
) -> PredictionSets:
    """Find how many classes it takes to be right as often as asked.

    What takes time is kept in the fit's folder, if that can be written, and used the next time.

    Parameters
    ----------
    store : Path or None
        What the fit was fitted on; None if it is gone, which is no matter where all was kept.
    model : LoadedModel
    coverage : float
        0-1.

    Raises
    ------
    ConfigError
        If it is no share.
    ClassifierError
        If the training rows cannot be found, or are too few.
    CacheError
        If the store is damaged.

    References
    ----------
    V. Vovk, "Cross-conformal predictors", Annals of Mathematics and Artificial Intelligence 74
    (2015) 9-28.
    """
    if not 0 < coverage < 1:
        raise ConfigError(f"--coverage must lie between 0 and 1. Got: {coverage}.")
    kind = score_kind(model.classifier)
    settings = {"folds": FOLDS, "folds_of_many": FOLDS_OF_MANY, "kind": kind}
    arrays = read_arrays(model.folder, _NAME, info=model.info, settings=settings)
    if arrays is None:
        training = find_training_rows(store, model, purpose="--coverage")
        found = score_left_out(training, model)
        strangeness = measure_strangeness(found.scores, kind=kind)
        own = strangeness[np.arange(len(strangeness)), found.labels]
        arrays = {"strangeness": np.sort(own)}
        keep_arrays(model.folder, _NAME, arrays, info=model.info, settings=settings)
    return _make(coverage, kind, arrays["strangeness"])


def _make(coverage: float, kind: str, strangeness: NDArray[np.float64]) -> PredictionSets:
    rank = conformal_rank(len(strangeness), coverage)
    if rank is None:
        note = (
            f"{len(strangeness):,} training images are too few for a coverage of {coverage:g}: "
            "every set holds all classes. Ask for less, or add images."
        )
        return PredictionSets(coverage=coverage, kind=kind, threshold=float("inf"), notes=(note,))
    threshold = float(strangeness[rank - 1])
    return PredictionSets(coverage=coverage, kind=kind, threshold=threshold)
