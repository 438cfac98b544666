"""The same estimators, faster: scikit-learn-intelex's, by name, where they serve the case.

That is the RBF SVM, on x86-64. Its logistic regression is left alone: on two cores and 10,000
CIFAR-10 images it took 0.3, 0.7 and 2.1 s for C = 0.0001, 0.003 and 0.1, scikit-learn's in one
thread 0.4, 1.0 and 0.8 s, and of these two run side by side.

What is kept is always scikit-learn's own estimator with the fitted numbers in it, so that a fit can
be loaded where there is no scikit-learn-intelex, and one row gets the same scores alone as among
others. Nothing is patched: scikit-learn stays as it is for everybody else in the process.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

try:
    from sklearnex.svm import SVC as FastSVC  # noqa: N811
except ImportError:  # another processor, or a system for which there is none
    _FAST: dict[type, Any] = {}
else:
    _FAST = {SVC: FastSVC}

IS_ACCELERATED = bool(_FAST)
_FLOATS = (
    *("support_vectors_", "dual_coef_", "_dual_coef_", "intercept_", "_intercept_"),
    *("_probA", "_probB"),
)
_INTEGERS = ("support_", "_n_support")
_AS_THEY_ARE = ("classes_", "class_weight_", "n_features_in_", "shape_fit_", "fit_status_")


def is_accelerated(estimator: Any) -> bool:
    """Tell whether an estimator is one of the fast ones, which use all cores by themselves."""
    return type(estimator) in _FAST.values()


def accelerate(classifier: Pipeline) -> Pipeline:
    """Return an unfitted classifier with the fast estimator in the place of scikit-learn's.

    The fast ones ignore class weights: with them, and where there is no fast one, the classifier
    itself comes back.
    """
    estimator = classifier[-1]
    fast = _FAST.get(type(estimator))
    if fast is None or estimator.class_weight is not None:
        return classifier
    return _replace_last(classifier, fast(**estimator.get_params(deep=False)))


def to_plain(fitted: Pipeline) -> Pipeline:
    """Return a fitted classifier with scikit-learn's own estimator, which answers the same.

    Raises
    ------
    AttributeError, TypeError, ValueError
        If this version of scikit-learn keeps an estimator's numbers in another way.
    """
    estimator = fitted[-1]
    if not is_accelerated(estimator):
        return fitted
    plain = _plain_svc(estimator)
    plain.predict(np.zeros((1, estimator.n_features_in_)))  # fails here rather than later
    return _replace_last(fitted, plain)


def _replace_last(classifier: Pipeline, estimator: Any) -> Pipeline:
    name, _ = classifier.steps[-1]
    return Pipeline([*classifier.steps[:-1], (name, estimator)])


def _plain_svc(fast: Any) -> SVC:
    names = SVC().get_params(deep=False)
    shared = {name: v for name, v in fast.get_params(deep=False).items() if name in names}
    plain = SVC(**shared)
    for name in _FLOATS:
        setattr(plain, name, np.ascontiguousarray(getattr(fast, name), np.float64))
    for name in _INTEGERS:
        setattr(plain, name, np.ascontiguousarray(getattr(fast, name), np.int32))
    for name in _AS_THEY_ARE:
        setattr(plain, name, getattr(fast, name))
    plain._gamma, plain._sparse, plain._effective_probability = float(fast._gamma), False, False
    plain.n_iter_ = plain._num_iter = np.atleast_1d(np.asarray(fast.n_iter_, np.int32))
    return plain
