"""The curves of a fit, drawn for a page or for a paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipeline import plots
from pipeline.metrics import CalibrationBin, precision_recall_curve, roc_curve
from pipeline.records import AnsweredRows, Report, StaticFigure

MAX_CURVE_POINTS = 5_000
"""Of a precision-recall curve, which has one for each row: 1,000 of them would fill the memory."""


def draw_curves(report: Report, rows: AnsweredRows) -> dict[str, tuple[plots.Figure, str]]:
    """Return the figures that a fit has, by name, each with a sentence that says what it shows.

    Parameters
    ----------
    report : Report
    rows : AnsweredRows
        Every test row.

    Returns
    -------
    dict of str to (plots.Figure, str)
        "calibration", "roc", "precision_recall", "tuning", "loss" and "learning_curve"; only those
        that there is something to draw for.
    """
    return {**dict(_draw_answers(report, rows)), **dict(_draw_training(report))}


def inline(drawn: Mapping[str, tuple[plots.Figure, str]]) -> dict[str, StaticFigure]:
    """Return figures as a page takes them."""
    return {
        name: StaticFigure(svg=plots.to_inline_svg(figure, name=name), alt=alt)
        for name, (figure, alt) in drawn.items()
    }


def _draw_answers(
    report: Report, rows: AnsweredRows
) -> Iterator[tuple[str, tuple[plots.Figure, str]]]:
    if report.calibration and report.calibration_error is not None:
        bins = [CalibrationBin(**each) for each in report.calibration]
        yield (
            "calibration",
            (
                plots.draw_calibration(bins, error=report.calibration_error),
                "Accuracy by stated probability. On the diagonal, answers given with 80 % are "
                f"right 80 % of the time; the mean distance is {100 * report.calibration_error:.1f}"
                " %.",
            ),
        )
    areas = [(each["roc_auc"], each["average_precision"]) for each in report.per_class]
    known = [i for i, (auc, ap) in enumerate(areas) if auc is not None and ap is not None]
    if known:
        # Of two classes the curves of one against the other are each other's mirror images.
        shown = known[-1:] if len(report.class_names) == 2 else known
        yield (
            "roc",
            (
                plots.draw_roc([_roc(report, rows, label) for label in shown], classes=shown),
                "Receiver operating characteristic: share of a class that is found against share "
                "of the others that is taken for it, for every threshold of its score.",
            ),
        )
        yield (
            "precision_recall",
            (
                plots.draw_precision_recall(
                    [_precision_recall(report, rows, label) for label in known], classes=known
                ),
                "Precision by recall of each class, for every threshold of its score.",
            ),
        )


def _draw_training(report: Report) -> Iterator[tuple[str, tuple[plots.Figure, str]]]:
    if report.tuning is not None:
        what = report.tuning["parameter"]
        yield (
            "tuning",
            (
                plots.draw_tuning(report.tuning),
                f"{report.tuning['scoring'].capitalize()} in cross-validation for each value of "
                f"{what}; {report.tuning['best']:g} was taken.",
            ),
        )
    if report.loss_curve is not None:
        yield "loss", (plots.draw_loss(report.loss_curve), "Training loss by epoch.")
    if report.learning_curve is not None:
        yield (
            "learning_curve",
            (
                plots.draw_learning_curve(report.learning_curve),
                "Accuracy by the number of training images, and what more of them would bring.",
            ),
        )


def _roc(report: Report, rows: AnsweredRows, label: int) -> tuple[str, Any, Any, float]:
    curve = roc_curve(rows.y_true == label, _finite(rows, label))
    auc = report.per_class[label]["roc_auc"]
    return report.class_names[label], curve.false_positive_rate, curve.true_positive_rate, auc


def _precision_recall(
    report: Report, rows: AnsweredRows, label: int
) -> tuple[str, Any, Any, float]:
    curve = precision_recall_curve(rows.y_true == label, _finite(rows, label))
    area = report.per_class[label]["average_precision"]
    few = np.unique(np.linspace(0, len(curve.recall) - 1, MAX_CURVE_POINTS).astype(int))
    return report.class_names[label], curve.recall[few], curve.precision[few], area


def _finite(rows: AnsweredRows, label: int) -> Any:
    """Return the scores of a class; one that had no training image scores lowest, not -inf."""
    return np.nan_to_num(rows.scores[:, label], neginf=np.finfo(np.float64).min)
