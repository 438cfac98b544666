"""The weights of a linear classifier, as if the transfer values came to it unscaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

_LINEAR = (LogisticRegression, LinearSVC, RidgeClassifier, SGDClassifier)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearHead:
    """Decision scores as a product: ``weights @ x + constants``, x the transfer values.

    Attributes
    ----------
    weights : float64 ndarray of shape (n_classes, n_features)
        Divided by the scaler's scale.
    constants : float64 ndarray of shape (n_classes,)
        The intercepts, less what the scaler's means weigh; -inf for a class that was never seen.
    """

    weights: NDArray[np.float64]
    constants: NDArray[np.float64]


def linear_head(classifier: Any, *, n_classes: int) -> LinearHead | None:
    """Return the weights of a fitted classifier, None if it is not linear.

    With calibrated probabilities, it is the decision score that is linear, before they are made
    of it. Two classes have scores -s/2 and s/2 for scikit-learn's single s, so that the difference
    of two classes' scores means the same however many there are: the log of the ratio of their
    probabilities for logistic regression.

    Parameters
    ----------
    classifier : Pipeline or CalibratedClassifierCV
        Fitted on labels that are class indices, or on some of them.
    n_classes : int
        Of the data set.
    """
    pipeline = _inside_calibration(classifier)
    if not _is_linear(pipeline):
        return None
    estimator = pipeline[-1]
    weights = np.atleast_2d(np.asarray(estimator.coef_, np.float64))
    constants = np.atleast_1d(np.asarray(estimator.intercept_, np.float64))
    for scaler in reversed(pipeline[:-1]):
        if scaler.with_std:
            weights = weights / scaler.scale_
        if scaler.with_mean:
            constants = constants - weights @ scaler.mean_
    if len(weights) == 1:
        weights, constants = (np.concatenate([-each, each]) / 2 for each in (weights, constants))
    head = LinearHead(
        weights=np.zeros((n_classes, weights.shape[1])), constants=np.full(n_classes, -np.inf)
    )
    head.weights[estimator.classes_] = weights
    head.constants[estimator.classes_] = constants
    return head


def _inside_calibration(classifier: Any) -> Any:
    """Return what gives the decision scores; None if several do."""
    if not isinstance(classifier, CalibratedClassifierCV):
        return classifier
    calibrated = classifier.calibrated_classifiers_
    return calibrated[0].estimator if len(calibrated) == 1 else None


def _is_linear(pipeline: Any) -> bool:
    return (
        isinstance(pipeline, Pipeline)
        and isinstance(pipeline[-1], _LINEAR)
        and all(isinstance(step, StandardScaler) for step in pipeline[:-1])
    )
