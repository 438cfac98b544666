"""What the answers on the test rows are worth: pure functions on arrays, NumPy alone.

A ratio with nothing to divide by is NaN here, and null in metrics.json: it is unknown, not zero.
Intervals are 95 % ones. Rows of one *unit* (copies of an image, images of one patient) are not
independent evidence; whatever has an interval takes the units of its rows.
"""

from pipeline.metrics.confusion import (
    ClassScores,
    accuracy,
    balanced_accuracy,
    check_labels,
    class_scores,
    confident_mistakes,
    confused_pairs,
    confusion_matrix,
    macro_f1,
)
from pipeline.metrics.curves import (
    CalibrationBin,
    ClassRankings,
    PrecisionRecallCurve,
    RocCurve,
    average_precision,
    calibration_bins,
    precision_recall_curve,
    rank_classes,
    roc_auc,
    roc_curve,
)
from pipeline.metrics.intervals import Intervals, measure_intervals
from pipeline.metrics.paired import Difference, McNemar, mcnemar, paired_difference
from pipeline.metrics.probabilities import calibration_error, log_loss
from pipeline.metrics.proportions import Z_95, proportion_intervals, wilson_interval

__all__ = [
    "Z_95",
    "CalibrationBin",
    "ClassRankings",
    "ClassScores",
    "Difference",
    "Intervals",
    "McNemar",
    "PrecisionRecallCurve",
    "RocCurve",
    "accuracy",
    "average_precision",
    "balanced_accuracy",
    "calibration_bins",
    "calibration_error",
    "check_labels",
    "class_scores",
    "confident_mistakes",
    "confused_pairs",
    "confusion_matrix",
    "log_loss",
    "macro_f1",
    "mcnemar",
    "measure_intervals",
    "paired_difference",
    "precision_recall_curve",
    "proportion_intervals",
    "rank_classes",
    "roc_auc",
    "roc_curve",
    "wilson_interval",
]
