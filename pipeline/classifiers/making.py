"""The classifiers before they are fitted: each a scikit-learn Pipeline with its scaler.

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

from collections.abc import Callable
from dataclasses import dataclass

from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import SVC, LinearSVC

PARAMETERS = {
    "logreg": "C",
    "svm": "C",
    "linear-svm": "C",
    "ridge": "alpha",
    "mlp": "alpha",
    "knn": "n_neighbors",
}
"""The setting of each classifier that is tuned."""

LOGREG_C_ROWS, LOGREG_C_RANGE = 30, (3e-3, 1.0)
SVM_C, LINEAR_SVM_C = 10.0, 1e-3
RIDGE_ALPHA_SHARE = 0.1
MLP_ALPHA = 1e-4
N_NEIGHBORS = 10
MAX_ITER = 1000
SVC_CACHE_MB = 1000  # the whole kernel matrix of 10,000 rows is 800 MB; the default 200 thrashes
# Ten times faster than scikit-learn's 1e-4, and the same accuracy to the second digit.
LINEAR_SVM_TOL = 1e-2
MLP_UNITS = 256
MLP_STOPS_EARLY_FROM = 1000  # below, the held-out tenth says too little, and is missed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    value: float
    class_weight: str | None
    random_state: int
    n_samples: int


def default_value(clf: str, *, n_samples: int) -> float:
    """Return what a classifier's tuned parameter is where it is not tuned; see `PARAMETERS`.

    Parameters
    ----------
    clf : str
    n_samples : int
        Rows that it will be fitted on.
    """
    if clf == "logreg":
        low, high = LOGREG_C_RANGE
        # Two digits, so that what the report shows is what --C repeats.
        return float(f"{min(high, max(low, LOGREG_C_ROWS / n_samples)):.2g}")
    return {
        "svm": SVM_C,
        "linear-svm": LINEAR_SVM_C,
        "ridge": float(f"{RIDGE_ALPHA_SHARE * n_samples:.2g}"),
        "mlp": MLP_ALPHA,
        "knn": float(min(N_NEIGHBORS, n_samples)),
    }[clf]


def make_classifier(
    clf: str,
    *,
    n_samples: int,
    value: float | None = None,
    class_weight: str | None = None,
    random_state: int = 0,
) -> Pipeline:
    """Build an unfitted classifier.

    Parameters
    ----------
    clf : {"logreg", "svm", "linear-svm", "mlp", "knn", "ridge"}
    n_samples : int
        Rows that it will be fitted on: there cannot be more neighbours than that.
    value : float, optional
        Of the parameter that `PARAMETERS` names. By default the classifier's own.
    class_weight : {"balanced"}, optional
        Weigh each class by the inverse of its frequency; mlp and knn have no such thing.
    random_state : int

    Returns
    -------
    Pipeline
        Scaler and estimator.
    """
    options = _Options(
        value=default_value(clf, n_samples=n_samples) if value is None else value,
        class_weight=class_weight,
        random_state=random_state % 2**32,  # scikit-learn's range
        n_samples=n_samples,
    )
    return _MAKERS[clf](options)


def _make_logreg(options: _Options) -> Pipeline:
    return make_pipeline(
        StandardScaler(),
        LogisticRegression(C=options.value, class_weight=options.class_weight, max_iter=MAX_ITER),
    )


def _make_svm(options: _Options) -> Pipeline:
    # break_ties makes predict() answer with the class of the highest decision score.
    svc = SVC(
        C=options.value,
        class_weight=options.class_weight,
        cache_size=SVC_CACHE_MB,
        decision_function_shape="ovr",
        break_ties=True,
    )
    return make_pipeline(StandardScaler(), svc)


def _make_linear_svm(options: _Options) -> Pipeline:
    svc = LinearSVC(
        C=options.value,
        class_weight=options.class_weight,
        dual=True,  # "auto" takes the primal where rows outnumber values: here four times slower
        tol=LINEAR_SVM_TOL,
        max_iter=MAX_ITER,
        random_state=options.random_state,
    )
    return make_pipeline(StandardScaler(), svc)


def _make_ridge(options: _Options) -> Pipeline:
    ridge = RidgeClassifier(alpha=options.value, class_weight=options.class_weight)
    return make_pipeline(StandardScaler(), ridge)


def _make_mlp(options: _Options) -> Pipeline:
    mlp = MLPClassifier(
        (MLP_UNITS,),
        alpha=options.value,
        max_iter=MAX_ITER,
        early_stopping=options.n_samples >= MLP_STOPS_EARLY_FROM,
        random_state=options.random_state,
    )
    return make_pipeline(StandardScaler(), mlp)


def _make_knn(options: _Options) -> Pipeline:
    neighbours = KNeighborsClassifier(min(int(options.value), options.n_samples))
    return make_pipeline(StandardScaler(), Normalizer(), neighbours)


_MAKERS: dict[str, Callable[[_Options], Pipeline]] = {
    "logreg": _make_logreg,
    "svm": _make_svm,
    "linear-svm": _make_linear_svm,
    "ridge": _make_ridge,
    "mlp": _make_mlp,
    "knn": _make_knn,
}
