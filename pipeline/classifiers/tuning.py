"""Which setting suits the data, by cross-validation on the training rows alone.

A grid of decades comes first. Where its best value lies on the edge, the grid goes on beyond it;
then the two half-decades beside the best are tried. Values within a tenth of a point of the best
count as equal to it, and the one nearest to the classifier's default is taken: on a plateau no step
is worth its fits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits

from pipeline.classifiers.accelerated import accelerate, is_accelerated
from pipeline.classifiers.fitting import fit_watched, quiet_fits
from pipeline.classifiers.making import PARAMETERS, default_value, make_classifier
from pipeline.classifiers.scoring import fold_scores
from pipeline.machine import count_cores
from pipeline.records import OnProgress
from pipeline.views import average_views, unfold_views

GRIDS: dict[str, tuple[float, ...]] = {
    "logreg": (1e-4, 1e-3, 1e-2, 1e-1, 1.0),
    "svm": (1.0, 10.0, 100.0),
    "linear-svm": (1e-4, 1e-3, 1e-2),
    "ridge": (1e1, 1e2, 1e3, 1e4),
    "mlp": (1e-4, 1e-2, 1.0),
    "knn": (1, 3, 5, 10, 20, 50),
}
LIMITS = {
    "logreg": (1e-7, 1e4),
    "svm": (1e-3, 1e6),
    "linear-svm": (1e-7, 1.0),
    "ridge": (1e-3, 1e9),
    "mlp": (1e-4, 1.0),
    "knn": (1, 50),
}
# The penalty weighs against a sum over the rows: what suits a share of them is too much for all.
SUMS_OVER_ROWS = ("logreg", "linear-svm")
REFINED = ("logreg", "svm", "linear-svm", "ridge")  # the others are coarse, or too noisy to follow
HALF_A_DECADE = math.sqrt(10)
EQUAL = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tuning:
    """What cross-validation says of the values of a classifier's parameter.

    Attributes
    ----------
    parameter : str
        Its name in scikit-learn.
    scoring : str
        What was maximised: "accuracy", or "balanced accuracy" where classes are weighed.
    values : tuple of float
        What was tried, ascending.
    scores : float ndarray of shape (n_values, n_folds)
        0-1, of the rows of each fold.
    best : float
    extended : bool
        Whether the grid was left in search of the best.
    fold : intp ndarray of shape (n_samples,)
    out_of_fold : float32 ndarray of shape (n_samples, n_classes)
        Scores of each row from the classifier, with the best value, that had not seen its fold.
    notes : tuple of str
    """

    parameter: str
    scoring: str
    values: tuple[float, ...]
    scores: NDArray[np.float64]
    best: float
    extended: bool
    fold: NDArray[np.intp]
    out_of_fold: NDArray[np.float32]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the curve as JSON values."""
        spread = self.scores.std(axis=1, ddof=1) if self.scores.shape[1] > 1 else self.scores * 0
        return {
            "parameter": self.parameter,
            "scoring": self.scoring,
            "n_folds": self.scores.shape[1],
            "n_rows": len(self.fold),
            "values": list(self.values),
            "means": self.scores.mean(axis=1).tolist(),
            "stds": spread.ravel().tolist(),
            "best": self.best,
            "extended": self.extended,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Task:
    """What stays the same from value to value."""

    clf: str
    X: NDArray[np.float32]
    y: NDArray[np.integer]
    fold: NDArray[np.intp]
    n_classes: int
    n_views: int
    class_weight: str | None
    random_state: int


def tune(
    clf: str,
    X: NDArray[np.float32],
    y: NDArray[np.integer],
    *,
    fold: NDArray[np.intp],
    n_classes: int,
    n_views: int = 1,
    class_weight: str | None = None,
    random_state: int = 0,
    on_progress: OnProgress | None = None,
) -> Tuning:
    """Choose the value of a classifier's parameter by cross-validation.

    Parameters
    ----------
    clf : str
    X : float32 ndarray of shape (n_samples, n_views * n_features)
        Training rows, finite.
    y : integer ndarray of shape (n_samples,)
    fold : intp ndarray of shape (n_samples,)
        Which fold each row belongs to.
    n_classes : int
        Classes of the data set.
    n_views : int
        Views of an image in a row: fitted on each, asked about their average.
    class_weight : {"balanced"}, optional
    random_state : int
    on_progress : callable, optional
        Called with (fits done, fits expected).
    """
    task = _Task(
        clf=clf,
        X=X,
        y=y,
        fold=fold,
        n_classes=n_classes,
        n_views=n_views,
        class_weight=class_weight,
        random_state=random_state,
    )
    n_folds = len(np.unique(fold))
    default = default_value(clf, n_samples=len(y))
    search = _Search(task, default, on_progress)
    smallest_fit = n_views * min(int((fold != k).sum()) for k in range(n_folds))
    search.measure(v for v in GRIDS[clf] if clf != "knn" or v <= max(1, smallest_fit))
    extended = search.extend()
    if clf in REFINED:
        search.measure((search.best / HALF_A_DECADE, search.best * HALF_A_DECADE))
    values = tuple(sorted(search.measured))
    return Tuning(
        parameter=PARAMETERS[clf],
        scoring="balanced accuracy" if class_weight else "accuracy",
        values=values,
        scores=np.array([search.measured[value] for value in values]),
        best=search.best,
        extended=extended,
        fold=fold,
        out_of_fold=search.scores[search.best],
        notes=search.notes[search.best],
    )


def scale_to(clf: str, value: float, *, n_tuned: int, n_samples: int) -> float:
    """Return what a value that was tuned on some rows comes to on all of them."""
    if clf not in SUMS_OVER_ROWS or n_tuned == n_samples:
        return value
    return float(f"{value * n_tuned / n_samples:.2g}")


class _Search:
    """The values measured so far, the scores of the best of them, and what to try next."""

    def __init__(self, task: _Task, default: float, on_progress: OnProgress | None) -> None:
        self._task, self._default, self._on_progress = task, default, on_progress
        self.measured: dict[float, list[float]] = {}
        self.notes: dict[float, tuple[str, ...]] = {}
        self.scores: dict[float, NDArray[np.float32]] = {}
        self._folds = np.unique(task.fold)
        self._expected = len(self._folds) * (len(GRIDS[task.clf]) + 2 * (task.clf in REFINED))
        self._done = 0

    @property
    def best(self) -> float:
        """The value of the highest mean; of equal ones that nearest to the default."""
        means = {value: float(np.mean(scores)) for value, scores in self.measured.items()}
        equal = [value for value, mean in means.items() if mean >= max(means.values()) - EQUAL]
        return min(equal, key=lambda value: abs(math.log(value / self._default)))

    def measure(self, values: Iterable[float]) -> None:
        """Cross-validate values that were not tried yet and lie within the limits."""
        low, high = LIMITS[self._task.clf]
        new = [v for v in map(_two_digits, values) if v not in self.measured and low <= v <= high]
        self._expected = max(self._expected, self._done + len(new) * len(self._folds))
        for value, scores, notes in _cross_validate(self._task, new, self._tell):
            self.measured[value] = _score_folds(self._task, scores)
            self.notes[value] = notes
            self.scores[value] = scores

    def extend(self) -> bool:
        """Go on by decades while the accuracy rises to the edge; return whether it did."""
        if self._task.clf not in REFINED:
            return False
        extended = False
        while (beyond := self._find_beyond()) is not None:
            n_measured = len(self.measured)
            self.measure((beyond,))
            if len(self.measured) == n_measured:
                return extended
            extended = True
        return extended

    def _find_beyond(self) -> float | None:
        """Return the decade beyond the edge that is better than what lies within it, if one is."""
        values = sorted(self.measured)
        for edge, inner, step in ((*values[:2], 0.1), (*values[:-3:-1], 10)) if values[1:] else ():
            rises = np.mean(self.measured[edge]) > np.mean(self.measured[inner]) + EQUAL
            if self.best == edge and rises:
                return edge * step
        return None

    def _tell(self) -> None:
        self._done += 1
        if self._on_progress is not None:
            self._on_progress(self._done, self._expected)


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


def _score_folds(task: _Task, scores: NDArray[np.floating[Any]]) -> list[float]:
    """Return the accuracy, or balanced accuracy, of the rows of each fold."""
    right = scores.argmax(axis=1) == task.y
    measured = []
    for k in np.unique(task.fold):
        rows = task.fold == k
        if task.class_weight is None:
            measured.append(float(right[rows].mean()))
        else:
            y = task.y[rows]
            measured.append(float(np.mean([right[rows][y == c].mean() for c in np.unique(y)])))
    return measured


def _cross_validate(
    task: _Task, values: list[float], tell: Callable[[], None]
) -> Iterator[tuple[float, NDArray[np.float32], tuple[str, ...]]]:
    """Yield each value with its out-of-fold scores and notes, in the order of the values."""
    folds = np.unique(task.fold)
    jobs = [(value, k) for value in values for k in folds]
    results = _run(task, jobs)
    for value in values:
        scores = np.empty((len(task.y), task.n_classes), np.float32)
        notes: list[str] = []
        for k in folds:
            inside, said = next(results)
            scores[task.fold == k] = inside
            notes += said
            tell()
        yield value, scores, tuple(dict.fromkeys(notes))


def _run(
    task: _Task, jobs: list[tuple[float, int]]
) -> Iterator[tuple[NDArray[np.floating[Any]], tuple[str, ...]]]:
    """Yield what each fit says of its fold, in order.

    Estimators that use all cores by themselves run one after the other; the others run side by
    side with one thread each, in threads, so that the rows are not copied.
    """
    if is_accelerated(accelerate(_build(task, 1.0, n_samples=len(task.y)))[-1]):
        with quiet_fits():
            yield from (_fit_fold(task, value, k) for value, k in jobs)
        return
    with quiet_fits(), threadpool_limits(1):
        parallel = Parallel(n_jobs=count_cores(), backend="threading", return_as="generator")
        yield from parallel(delayed(_fit_fold)(task, value, k) for value, k in jobs)


def _build(task: _Task, value: float, *, n_samples: int) -> Any:
    return make_classifier(
        task.clf,
        n_samples=n_samples,
        value=value,
        class_weight=task.class_weight,
        random_state=task.random_state,
    )


def _fit_fold(
    task: _Task, value: float, k: int
) -> tuple[NDArray[np.floating[Any]], tuple[str, ...]]:
    outside, inside = task.fold != k, task.fold == k
    X, y = unfold_views(task.X[outside], task.y[outside], n_views=task.n_views)
    classifier = _build(task, value, n_samples=len(y))
    fitted, notes = fit_watched(accelerate(classifier), X, y)
    asked = average_views(task.X[inside], n_views=task.n_views)
    return fold_scores(fitted, asked, n_classes=task.n_classes), notes
