"""What a fitted classifier says of rows: one score a class, always of one shape."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC
from sklearn.utils.parallel import Parallel, delayed

from pipeline.classifiers.fitting import check_finite, last_step
from pipeline.errors import FeatureMismatchError
from pipeline.machine import count_cores

_MATRIX_PRODUCTS = (LogisticRegression, LinearSVC, MLPClassifier, RidgeClassifier, SGDClassifier)
_ROWS_A_THREAD = 64


def score_kind(classifier: Any) -> str:
    """Return "probability", or "decision" where the classifier has none."""
    return "probability" if hasattr(classifier, "predict_proba") else "decision"


def class_scores(
    classifier: Any, X: NDArray[np.float32], *, n_classes: int
) -> NDArray[np.floating[Any]]:
    """Return one score a class, always of one shape: the answer is the class of the highest.

    Parameters
    ----------
    classifier : Pipeline or CalibratedClassifierCV
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
    return _spread(classifier, _score(classifier, asked)[: len(X)], n_classes=n_classes)


def fold_scores(
    classifier: Any, X: NDArray[np.float32], *, n_classes: int
) -> NDArray[np.floating[Any]]:
    """Return what `class_scores` does, quickly: the last bits may depend on the rows beside a row.

    For cross-validation, where scores are compared with each other and never with those of a
    single image.
    """
    with config_context(assume_finite=True, skip_parameter_validation=True):
        known = np.asarray(getattr(classifier, _method(classifier))(X))
    return _spread(classifier, known, n_classes=n_classes)


def _spread(
    classifier: Any, known: NDArray[np.floating[Any]], *, n_classes: int
) -> NDArray[np.floating[Any]]:
    """Give every class of the data set a column, whether the classifier knows it or not."""
    if known.ndim == 1:
        known = np.column_stack([-known, known])
    unseen = 0.0 if score_kind(classifier) == "probability" else -np.inf
    scores = np.full((len(known), n_classes), unseen, known.dtype)
    scores[:, classifier.classes_] = known
    return scores


def _method(classifier: Any) -> str:
    return "predict_proba" if score_kind(classifier) == "probability" else "decision_function"


def _score(classifier: Any, X: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
    """Return what scikit-learn says of finite rows, which does not depend on their neighbours.

    A product of matrices adds up in an order that depends on their shapes: one row alone differs
    in its last bits from the same row among others. Row by row they are equal, at about 0.1 ms
    each. Kernels and neighbours are computed row by row already.
    """
    if isinstance(last_step(classifier), _MATRIX_PRODUCTS):
        with config_context(assume_finite=True, skip_parameter_validation=True):
            return _score_rows(classifier, X)
    chunks = [X[start : start + _ROWS_A_THREAD] for start in range(0, len(X), _ROWS_A_THREAD)]
    # Threads: libsvm lets go of the interpreter, and nothing is copied.
    threads = Parallel(n_jobs=count_cores(), backend="threading")
    return np.concatenate(threads(delayed(_score_chunk)(classifier, chunk) for chunk in chunks))


def _score_rows(classifier: Any, X: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
    """Score one row after the other; scaling is done for all at once, since it cannot differ."""
    if isinstance(classifier, CalibratedClassifierCV):
        score = classifier.predict_proba
        return np.concatenate([score(X[row : row + 1]) for row in range(len(X))])
    scaled = classifier[:-1].transform(X)
    score = getattr(classifier[-1], _method(classifier))
    return np.concatenate([score(scaled[row : row + 1]) for row in range(len(X))])


def _score_chunk(classifier: Any, X: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
    with config_context(assume_finite=True, skip_parameter_validation=True):
        return np.asarray(getattr(classifier, _method(classifier))(X))
