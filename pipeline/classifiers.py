"""The classifiers: each a scikit-learn Pipeline with its scaler. The only owner of estimators.

Defaults, with their evidence: accuracy on a quarter held out, one draw, of EfficientNet-Lite0
transfer values (1,280, bfloat16), standardised. Columns: 300 and 1,399 cats and dogs; 500, 2,000
and 10,000 images of CIFAR-10's training set. The quarter also chose the default, so these rank
settings and promise no accuracy; one image is 1.3, 0.3, 0.8, 0.2 and 0.04 points.

    logreg      C=1      98.7  99.1  87.2  90.0  88.8   overfits: features are many and scaled
                C=0.1    98.7  99.1  88.0  90.6  89.2
                C=0.01   98.7  99.1  88.0  90.8  89.9
                C=0.003  98.7  99.1  87.2  91.4  89.9
                C=0.0003 100   99.7  84.8  90.4  88.8
              > 30/rows  98.7  99.1  88.0  91.2  90.0   between 0.003 and 1
    linear-svm  C=0.01   98.7  99.1  86.4  88.0  87.1
              > C=0.001  98.7  99.1  88.0  90.2  89.8
                C=0.0001 98.7  99.1  86.4  89.8  88.7
    svm         C=1      97.3  99.1  82.4  89.2  89.9
              > C=10     97.3  99.1  84.8  90.8  90.3
    knn         k=5      98.7  98.3  81.6  86.6  86.6   standardised, then unit length
              > k=10     98.7  98.3  83.2  86.2  86.7
                k=10     96.0  97.1  73.6  80.0  83.8   standardised alone
    mlp         early    100   98.3  83.2  89.0  89.6   256 units, until a held-out tenth stops it
              > 256      98.7  98.3  87.2  90.4  90.2   256 units, until the training loss stands

Why logreg's C falls with the rows: the penalty weighs against a sum over rows, so what suits
10,000 is too much for few. Balanced accuracy on held-out images, three draws, for 30 and 100
CIFAR-10 images, 1,500 of very unequal classes, and about 50 cats with 5 dogs:

    logreg      C=0.003  47.5  68.5  61.8  61.8
                C=0.1    52.3  72.3  66.6  81.1
                C=1      53.3  73.0  67.7  84.0
    linear-svm  C=0.001  57.1  74.8  64.4  91.2
                C=0.01   58.9  75.2  64.3  91.5
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import SVC, LinearSVC

from pipeline.errors import ClassifierError, ConfigError, FeatureMismatchError
from pipeline.views import average_views, unfold_views

TAKES_C = ("logreg", "svm", "linear-svm")
LOGREG_C_ROWS, LOGREG_C_RANGE = 30, (3e-3, 1.0)
SVM_C, LINEAR_SVM_C = 10.0, 1e-3
N_NEIGHBORS = 10
MAX_ITER = 1000
SVC_CACHE_MB = 1000  # the whole kernel matrix of 10,000 rows is 800 MB; the default 200 thrashes
MLP_UNITS = 256
_MATRIX_PRODUCTS = (LogisticRegression, LinearSVC, MLPClassifier)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    C: float
    class_weight: str | None
    random_state: int
    n_samples: int


def default_c(clf: str, *, n_samples: int) -> float | None:
    """Return the C that a classifier takes unless told otherwise; None if it has no C.

    Parameters
    ----------
    clf : str
    n_samples : int
        Images that it will be fitted on.
    """
    if clf == "logreg":
        low, high = LOGREG_C_RANGE
        # Two digits, so that what the report shows is what --C repeats.
        return float(f"{min(high, max(low, LOGREG_C_ROWS / n_samples)):.2g}")
    return {"svm": SVM_C, "linear-svm": LINEAR_SVM_C}.get(clf)


def make_classifier(
    clf: str,
    *,
    n_samples: int,
    C: float | None = None,
    class_weight: str | None = None,
    random_state: int = 0,
) -> Pipeline:
    """Build an unfitted classifier.

    Parameters
    ----------
    clf : {"logreg", "svm", "linear-svm", "mlp", "knn"}
    n_samples : int
        Images that it will be fitted on: there cannot be more neighbours than that.
    C : float, optional
        Inverse strength of the regularisation. By default the classifier's own.
    class_weight : {"balanced"}, optional
        Weigh each class by the inverse of its frequency.
    random_state : int

    Returns
    -------
    Pipeline
        Scaler and estimator.

    Raises
    ------
    ConfigError
        If the classifier has no C or no class weights and one is asked for.
    """
    default = default_c(clf, n_samples=n_samples)
    if C is not None and default is None:
        raise ConfigError(
            f"--C is a setting of {', '.join(TAKES_C)}. Got: --clf {clf} --C {C:g}. Leave out --C."
        )
    if class_weight is not None and default is None:
        raise ConfigError(
            f"--class-weight is a setting of {', '.join(TAKES_C)}. "
            f"Got: --clf {clf} --class-weight {class_weight}. Leave out --class-weight."
        )
    options = _Options(
        C=C or default or 1.0,
        class_weight=class_weight,
        random_state=random_state % 2**32,  # scikit-learn's range
        n_samples=n_samples,
    )
    return _MAKERS[clf](options)


def _make_logreg(options: _Options) -> Pipeline:
    return make_pipeline(
        StandardScaler(),
        LogisticRegression(C=options.C, class_weight=options.class_weight, max_iter=MAX_ITER),
    )


def _make_svm(options: _Options) -> Pipeline:
    # break_ties makes predict() answer with the class of the highest decision score.
    svc = SVC(
        C=options.C,
        class_weight=options.class_weight,
        cache_size=SVC_CACHE_MB,
        decision_function_shape="ovr",
        break_ties=True,
    )
    return make_pipeline(StandardScaler(), svc)


def _make_linear_svm(options: _Options) -> Pipeline:
    svc = LinearSVC(
        C=options.C,
        class_weight=options.class_weight,
        dual="auto",
        max_iter=MAX_ITER,
        random_state=options.random_state,
    )
    return make_pipeline(StandardScaler(), svc)


def _make_mlp(options: _Options) -> Pipeline:
    mlp = MLPClassifier((MLP_UNITS,), max_iter=MAX_ITER, random_state=options.random_state)
    return make_pipeline(StandardScaler(), mlp)


def _make_knn(options: _Options) -> Pipeline:
    neighbours = KNeighborsClassifier(min(N_NEIGHBORS, options.n_samples))
    return make_pipeline(StandardScaler(), Normalizer(), neighbours)


_MAKERS: dict[str, Callable[[_Options], Pipeline]] = {
    "logreg": _make_logreg,
    "svm": _make_svm,
    "linear-svm": _make_linear_svm,
    "mlp": _make_mlp,
    "knn": _make_knn,
}


def fit_classifier(
    classifier: Pipeline, X: NDArray[np.float32], y: NDArray[np.integer]
) -> tuple[Pipeline, tuple[str, ...]]:
    """Fit a copy of a classifier and say whether it converged.

    Parameters
    ----------
    classifier : Pipeline
        Left as it is.
    X : float32 ndarray of shape (n_samples, n_features)
    y : integer ndarray of shape (n_samples,)

    Returns
    -------
    fitted : Pipeline
    notes : tuple of str
        A sentence if the solver stopped before it converged, or had nothing to go by.

    Raises
    ------
    ClassifierError
        If `X` holds a value that is not finite.
    """
    check_finite(X)
    fitted = clone(classifier)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        # Said of data with one or two images a class; our labels are classes, never numbers.
        warnings.filterwarnings("ignore", "The number of unique classes is greater than 50%")
        fitted.fit(X, y)
    notes: list[str] = []
    if (X.min(axis=0) == X.max(axis=0)).all():
        notes.append(
            "The transfer values of all training images are the same: the classifier can only "
            "guess. Is --weights or --layer the right one?"
        )
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            notes.append(_convergence_note(fitted))
        else:  # not ours to swallow
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    return fitted, tuple(dict.fromkeys(notes))


def _convergence_note(fitted: Pipeline) -> str:
    estimator = fitted[-1]
    has_C = hasattr(estimator, "C")
    return (
        f"The solver stopped after {estimator.max_iter:,} iterations without having converged: "
        "the accuracy is that of an unfinished fit. "
        + (f"Take a smaller --C than {estimator.C:g}." if has_C else "Try --clf logreg.")
    )


def check_finite(X: NDArray[np.floating]) -> None:
    """Raise ClassifierError if a row of transfer values is not finite."""
    bad = np.flatnonzero(~np.isfinite(X).all(axis=1))
    if len(bad):
        raise ClassifierError(
            f"Row {bad[0]} of the transfer values is not finite (NaN or infinite), as are "
            f"{len(bad) - 1:,} more: expected finite numbers alone. "
            "Run extract again with --overwrite."
        )


def score_kind(classifier: Pipeline) -> str:
    """Return "probability", or "decision" where the classifier has none."""
    return "probability" if hasattr(classifier, "predict_proba") else "decision"


def class_scores(
    classifier: Pipeline, X: NDArray[np.float32], *, n_classes: int
) -> NDArray[np.floating[Any]]:
    """Return one score a class, always of one shape: the answer is the class of the highest.

    Parameters
    ----------
    classifier : Pipeline
        Fitted on labels that are class indices.
    X : float32 ndarray of shape (n_samples, n_features)
    n_classes : int
        Classes of the data set; more than the classifier knows if some had no training row.

    Returns
    -------
    float ndarray of shape (n_samples, n_classes)
        Probabilities, 0-1, or decision scores (two classes: -s and s for scikit-learn's single
        s). A class that the classifier never saw has probability 0 or score -inf. A row has the
        same scores, bit for bit, whichever rows are beside it.

    Raises
    ------
    FeatureMismatchError
        If the rows are not as wide as those that the classifier was fitted on.
    ClassifierError
        If `X` holds a value that is not finite.
    """
    width = classifier.n_features_in_
    if X.ndim != 2 or X.shape[1] != width:
        raise FeatureMismatchError(
            f"The classifier takes {width:,} transfer values an image: expected an array of shape "
            f"(n, {width}), got {X.shape}. Extract with the model, layers, pooling and image size "
            "that it was fitted on."
        )
    check_finite(X)
    # scikit-learn refuses to answer about no rows at all, so it is asked about one.
    asked = X if len(X) else np.zeros((1, width), X.dtype)
    known = _score(classifier, asked)[: len(X)]
    if known.ndim == 1:
        known = np.column_stack([-known, known])
    unseen = 0.0 if score_kind(classifier) == "probability" else -np.inf
    scores = np.full((len(X), n_classes), unseen, known.dtype)
    scores[:, classifier.classes_] = known
    return scores


def _score(classifier: Pipeline, X: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
    """Return what scikit-learn says of finite rows, which does not depend on their neighbours.

    A product of matrices adds up in an order that depends on their shapes: one row alone differs
    in its last bits from the same row among others. Row by row they are equal, at about 0.1 ms
    each. Kernels and neighbours are computed row by row already.
    """
    method = "predict_proba" if score_kind(classifier) == "probability" else "decision_function"
    estimator = classifier[-1]
    score = getattr(estimator, method)
    with config_context(assume_finite=True, skip_parameter_validation=True):
        scaled = classifier[:-1].transform(X)
        if isinstance(estimator, _MATRIX_PRODUCTS):
            return np.concatenate([score(scaled[row : row + 1]) for row in range(len(X))])
        return np.asarray(score(scaled))


def cross_validate(
    classifier: Pipeline,
    X: NDArray[np.float32],
    y: NDArray[np.integer],
    *,
    fold: NDArray[np.intp],
    n_views: int = 1,
) -> tuple[list[float], tuple[str, ...]]:
    """Return the accuracy on each fold of a classifier fitted on the others.

    Parameters
    ----------
    classifier : Pipeline
        Left as it is.
    X : float32 ndarray of shape (n_samples, n_views * n_features)
    y : integer ndarray of shape (n_samples,)
    fold : intp ndarray of shape (n_samples,)
        Which fold each row belongs to.
    n_views : int
        Views of an image in a row: fitted on each, asked about their average.

    Returns
    -------
    accuracies : list of float
        In the order of the folds.
    notes : tuple of str
        Of all the fits, each once.

    Raises
    ------
    ClassifierError
        If `X` holds a value that is not finite, or is not as wide as so many views.
    """
    accuracies: list[float] = []
    notes: list[str] = []
    for k in np.unique(fold):
        outside, inside = fold != k, fold == k
        rows, labels = unfold_views(X[outside], y[outside], n_views=n_views)
        fitted, said = fit_classifier(classifier, rows, labels)
        y_pred = fitted.predict(average_views(X[inside], n_views=n_views))
        accuracies.append(float(np.mean(y_pred == y[inside])))
        notes += said
    return accuracies, tuple(dict.fromkeys(notes))
