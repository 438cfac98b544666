"""A fitted classifier as layers: scaler, weights and calibration in as few products as there are.

Folded in float64, exactly: what a linear classifier is, is one matrix. Classes that were never
seen in training get a constant so low that nothing is left of their probability.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import SVC

from pipeline.classifiers.fitting import last_step
from pipeline.classifiers.linear_head import linear_head
from pipeline.classifiers.scoring import score_kind
from pipeline.errors import ClassifierError
from pipeline.records import DenseLayer, Head, KernelLayer, Layer, NeighbourLayer

NEVER = -1e9
"""Score of a class that was never seen: exp of it is 0 in every float."""

Matrix = NDArray[np.float64]


def fold(classifier: Any, *, n_classes: int) -> Head:
    """Return a fitted classifier as layers that give what `class_scores` gives.

    Parameters
    ----------
    classifier : Pipeline or CalibratedClassifierCV
        Fitted on labels that are class indices, or on some of them.
    n_classes : int
        Of the data set.

    Raises
    ------
    ClassifierError
        If it is of a kind that `fit` does not make.
    """
    kind = "probability" if score_kind(classifier) == "probability" else "score"
    estimator = last_step(classifier)
    if isinstance(estimator, MLPClassifier):
        return Head(layers=_fold_network(classifier, n_classes), kind=kind)
    if isinstance(estimator, SVC):
        return _fold_kernel(classifier, n_classes, kind)
    if isinstance(estimator, KNeighborsClassifier):
        return _fold_neighbours(classifier, n_classes, kind)
    linear = linear_head(classifier, n_classes=n_classes)
    if linear is None or isinstance(estimator, SGDClassifier):
        raise ClassifierError(
            f"A {type(estimator).__name__} cannot be written as layers of a network. Export a fit "
            "of logreg, linear-svm, ridge, mlp, svm or knn."
        )
    # `linear_head` halves the single score of two classes; scikit-learn's are -s and s.
    halved = len(estimator.classes_) == 2 and not isinstance(estimator, LogisticRegression)
    factor = _temperature(classifier) * (2.0 if halved else 1.0)
    layer = DenseLayer(
        weights=linear.weights.T * factor,
        constants=_bounded(linear.constants * factor),
        activation=_last_activation(kind),
    )
    return Head(layers=(layer,), kind=kind)


def _bounded(constants: Matrix) -> Matrix:
    return np.where(np.isfinite(constants), constants, NEVER)


def _last_activation(kind: str) -> str:
    return "softmax" if kind == "probability" else "linear"


def _temperature(classifier: Any) -> float:
    """Return what calibration multiplies decision scores with; 1 if there is none."""
    if not isinstance(classifier, CalibratedClassifierCV):
        return 1.0
    (scaling,) = classifier.calibrated_classifiers_[0].calibrators
    return float(scaling.beta_)


def _inner_pipeline(classifier: Any) -> Pipeline:
    if isinstance(classifier, CalibratedClassifierCV):
        return classifier.calibrated_classifiers_[0].estimator
    return classifier


def _scaling(pipeline: Pipeline) -> tuple[Matrix, Matrix]:
    """Return `scale` and `shift` of ``x * scale + shift``, which is what the scalers do."""
    scale = np.ones(pipeline.n_features_in_)
    shift = np.zeros(pipeline.n_features_in_)
    for step in pipeline[:-1]:
        if isinstance(step, StandardScaler):
            mean = step.mean_ if step.with_mean else 0.0
            by = step.scale_ if step.with_std else 1.0
            scale, shift = scale / by, (shift - mean) / by
    return scale, shift


def _spread(known: NDArray[np.integer], n_classes: int) -> Matrix:
    """Return the matrix that puts the known classes' columns at their places, (n_known, k)."""
    matrix = np.zeros((len(known), n_classes))
    matrix[np.arange(len(known)), known] = 1.0
    return matrix


def _unseen(known: NDArray[np.integer], n_classes: int) -> Matrix:
    """Return the constants that keep classes out that were never seen, (k,)."""
    constants = np.full(n_classes, NEVER)
    constants[known] = 0.0
    return constants


def _fold_network(classifier: Any, n_classes: int) -> tuple[Layer, ...]:
    pipeline = _inner_pipeline(classifier)
    network, (scale, shift) = pipeline[-1], _scaling(pipeline)
    weights = [np.asarray(each, np.float64) for each in network.coefs_]
    constants = [np.asarray(each, np.float64) for each in network.intercepts_]
    constants[0] = constants[0] + shift @ weights[0]
    weights[0] = scale[:, None] * weights[0]
    if network.out_activation_ == "logistic":
        # The sigmoid of s is the softmax of 0 and s.
        weights[-1] = np.column_stack([np.zeros(len(weights[-1])), weights[-1]])
        constants[-1] = np.concatenate([[0.0], constants[-1]])
    placed = _spread(network.classes_, n_classes)
    weights[-1] = weights[-1] @ placed
    constants[-1] = constants[-1] @ placed + _unseen(network.classes_, n_classes)
    last = len(weights) - 1
    return tuple(
        DenseLayer(weights=w, constants=c, activation="softmax" if i == last else "relu")
        for i, (w, c) in enumerate(zip(weights, constants, strict=True))
    )


def _fold_kernel(classifier: Any, n_classes: int, kind: str) -> Head:
    """Return an SVM's kernel, its pairs of classes, and what calibration makes of them."""
    pipeline = _inner_pipeline(classifier)
    svc, (scale, shift) = pipeline[-1], _scaling(pipeline)
    known = np.asarray(svc.classes_)
    pairs = tuple((i, j) for i in range(len(known)) for j in range(i + 1, len(known)))
    kernel = KernelLayer(
        scale=scale,
        shift=shift,
        support=np.asarray(svc.support_vectors_, np.float64),
        gamma=float(svc._gamma),
        weights=_pair_weights(svc, pairs),
        # The public attributes: of two classes, scikit-learn turns the private ones round.
        constants=np.asarray(svc.intercept_, np.float64) * (-1 if len(pairs) == 1 else 1),
        pairs=pairs,
        n_known=len(known),
    )
    factor = _temperature(classifier)
    spread = DenseLayer(
        weights=_spread(known, n_classes) * factor,
        constants=_unseen(known, n_classes),
        activation=_last_activation(kind),
    )
    n = len(kernel.support)
    return Head(
        layers=(kernel, spread),
        kind=kind,
        kept=(
            f"An RBF SVM is no linear layer: {n:,} training images' transfer values go along in "
            "the file, and each answer is a sum over them."
        ),
    )


def _pair_weights(svc: SVC, pairs: tuple[tuple[int, int], ...]) -> Matrix:
    """Return how much each support vector counts for each pair of classes.

    libsvm keeps a class's coefficients against all others in rows that skip the class itself.
    """
    dual = np.asarray(svc.dual_coef_, np.float64)
    if len(pairs) == 1:
        return -dual.T
    stops = np.cumsum(svc.n_support_)
    spans = [slice(stop - n, stop) for n, stop in zip(svc.n_support_, stops, strict=True)]
    weights = np.zeros((dual.shape[1], len(pairs)))
    for column, (i, j) in enumerate(pairs):
        weights[spans[i], column] = dual[j - 1, spans[i]]
        weights[spans[j], column] = dual[i, spans[j]]
    return weights


def _fold_neighbours(classifier: Any, n_classes: int, kind: str) -> Head:
    pipeline = _inner_pipeline(classifier)
    knn, (scale, shift) = pipeline[-1], _scaling(pipeline)
    if not isinstance(pipeline[-2], Normalizer) or knn.weights != "uniform":
        raise ClassifierError(
            "This knn is not one that fit makes: its neighbours are weighed, or not of unit "
            "length. Run fit again."
        )
    training = np.asarray(knn._fit_X, np.float64)
    votes = _spread(knn.classes_, n_classes)[knn._y] / knn.n_neighbors
    return Head(
        layers=(
            NeighbourLayer(
                scale=scale,
                shift=shift,
                training=training,
                votes=votes,
                n_neighbours=int(knn.n_neighbors),
            ),
        ),
        kind=kind,
        kept=(
            f"k-NN is no layer: the transfer values of all {len(training):,} training images go "
            "along in the file, and each answer is looked up among them."
        ),
    )
