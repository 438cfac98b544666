"""The classifiers of stage two, on arrays alone. The only owner of scikit-learn's estimators."""

from pipeline.classifiers.epochs import loss_curve
from pipeline.classifiers.fitting import (
    can_calibrate,
    check_finite,
    fit_calibrated,
    fit_classifier,
    has_probabilities,
)
from pipeline.classifiers.folding import fold
from pipeline.classifiers.head_file import write_head
from pipeline.classifiers.linear_head import LinearHead, linear_head
from pipeline.classifiers.making import (
    PARAMETERS,
    default_value,
    make_classifier,
)
from pipeline.classifiers.scoring import class_scores, fold_scores, score_kind
from pipeline.classifiers.tuning import Tuning, scale_to, tune

__all__ = [
    "PARAMETERS",
    "LinearHead",
    "Tuning",
    "can_calibrate",
    "check_finite",
    "class_scores",
    "default_value",
    "fit_calibrated",
    "fit_classifier",
    "fold",
    "fold_scores",
    "has_probabilities",
    "linear_head",
    "loss_curve",
    "make_classifier",
    "scale_to",
    "score_kind",
    "tune",
    "write_head",
]
