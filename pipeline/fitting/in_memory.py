"""Fit on a table whose transfer values are in memory, and measure it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import metrics
from pipeline.classifiers import (
    PARAMETERS,
    check_finite,
    class_scores,
    fold_scores,
    loss_curve,
    score_kind,
)
from pipeline.config import FitConfig, Gates
from pipeline.fitting.baselines import Colours, measure_baselines
from pipeline.fitting.choosing import Choice, choose_value, fit_rows
from pipeline.fitting.diagnosing import list_label_errors, measure_learning_curve, measure_twins
from pipeline.fitting.measuring import accuracy_interval, measure_answers, predictions_csv
from pipeline.fitting.tuning_notes import describe_tuning
from pipeline.gates import check_gates, judge
from pipeline.records import FeatureTable, OnProgress, Report
from pipeline.splits import Partition, Rows, describe_folds, draw_folds, split_rows
from pipeline.views import average_views, count_views

Progress = OnProgress | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedTable:
    """A fitted classifier, its report, and the content of predictions.csv."""

    classifier: Any
    report: Report
    predictions: bytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _OutOfFold:
    """Scores of rows of the table from classifiers that had not seen them."""

    rows: Rows
    scores: NDArray[np.floating[Any]]


def fit_table(
    table: FeatureTable,
    config: FitConfig,
    *,
    store: str = "",
    gates: Gates | None = None,
    colours: Colours | None = None,
    notes: tuple[str, ...] = (),
    uses: Mapping[bytes, str] | None = None,
    on_progress: Progress = None,
) -> FittedTable:
    """Split the rows of a table, tune and fit on the training rows, measure on the test rows.

    The test rows are looked at once, when everything is chosen. Where a row holds several views of
    an image, the classifier is fitted on each of them and measured on their average. All that is
    counted are images.

    Parameters
    ----------
    table : FeatureTable
    config : FitConfig
    store : str
        Name of the store, for the report.
    gates : Gates, optional
        What the fit must reach.
    colours : callable, optional
        Returns colour histograms of rows of the table; see `measure_baselines`.
    notes : tuple of str
        What is to be said of the table, in front of the fit's own notes.
    uses : mapping of bytes to str, optional
        If the network was trained here: what it used each image for; see `describe_tuning`.
    on_progress : callable, optional
        Called with (fits done, fits expected) while the classifier is tuned.

    Raises
    ------
    ConfigError, ClassifierError
    """
    gates = gates or Gates()
    check_finite(table.features)
    metrics.check_labels(table.labels, n_classes=len(table.class_names), what="true")
    check_gates(gates, table.class_names)
    part = split_rows(table, config=config)
    notes = (*notes, *describe_tuning(table, part, uses or {}))
    choice = choose_value(table, part.train, config, on_progress=on_progress)
    cv, cv_rows, cv_notes = _cross_validate(table, part, config, on_progress=on_progress)
    curve = measure_learning_curve(table, part, config, choice) if config.learning_curve else None
    started = time.perf_counter()
    fitted, fit_notes = fit_rows(table, part.train, config, choice.value, calibrate=True)
    fit_seconds = time.perf_counter() - started
    asked = average_views(table.features[part.test], n_views=count_views(table.recipe))
    class_scores(fitted, asked[:1], n_classes=len(table.class_names))  # the first call is slower
    started = time.perf_counter()
    scores = class_scores(fitted, asked, n_classes=len(table.class_names))
    predict_seconds = time.perf_counter() - started
    kind = score_kind(fitted)
    measured = measure_answers(
        table, part, scores, are_probabilities=kind == "probability", seed=config.seed
    )
    correct = scores.argmax(axis=1) == table.labels[part.test]
    suspects, n_suspects = _find_suspects(table, cv_rows or _out_of_fold(choice))
    report = Report(
        **describe_table(table, store=store),
        clf=config.clf,
        n_train=len(part.train),
        n_test=len(part.test),
        n_unused=len(part.unused),
        split=part.how,
        **measured,
        loss_curve=loss_curve(fitted),
        baselines=measure_baselines(table, part, config, colours=colours),
        twins=measure_twins(table, part, correct),
        score_kind=kind,
        tuning=None if choice.tuning is None else choice.tuning.to_dict(),
        cv=cv,
        label_errors=suspects,
        n_label_errors=n_suspects,
        learning_curve=curve,
        gates=judge(gates, measured),
        tune_seconds=choice.seconds,
        fit_seconds=fit_seconds,
        predict_seconds=predict_seconds,
        settings={**config.to_dict(), "used": {PARAMETERS[config.clf]: choice.value}},
        notes=tuple(dict.fromkeys((*notes, *part.notes, *choice.notes, *fit_notes, *cv_notes))),
    )
    return FittedTable(
        classifier=fitted, report=report, predictions=predictions_csv(table, part, scores)
    )


def describe_table(table: Any, *, store: str) -> dict[str, Any]:
    """Return the fields of a `Report` that say what was fitted on."""
    return {
        "dataset": table.dataset,
        "model": table.model,
        "key": table.key,
        "store": store,
        "root": table.root,
        "recipe": dict(table.recipe),
        "n_found": table.n_found,
        "skipped": dict(table.skipped),
        "oddities": dict(table.oddities),
        "class_names": table.class_names,
    }


def _out_of_fold(choice: Choice) -> _OutOfFold | None:
    if choice.tuning is None:
        return None
    return _OutOfFold(rows=choice.rows, scores=choice.tuning.out_of_fold)


def _find_suspects(
    table: FeatureTable, seen: _OutOfFold | None
) -> tuple[tuple[dict[str, Any], ...], int | None]:
    return ((), None) if seen is None else list_label_errors(table, seen.rows, seen.scores)


def _cross_validate(
    table: FeatureTable, part: Partition, config: FitConfig, *, on_progress: Progress
) -> tuple[dict[str, Any] | None, _OutOfFold | None, tuple[str, ...]]:
    """Cross-validate all that is done on the training rows, the tuning included.

    Each fold is predicted by a classifier that was tuned and fitted without it.
    """
    if config.cv is None:
        return None, None, ()
    rows, n_classes = part.train, len(table.class_names)
    fold = draw_folds(table, rows, n_folds=config.cv, seed=config.seed)
    scores = np.empty((len(rows), n_classes), np.float32)
    notes = [*describe_folds(table, rows, fold)]
    n_views = count_views(table.recipe)
    for k in range(config.cv):
        outside, inside = rows[fold != k], rows[fold == k]
        choice = choose_value(table, outside, config, on_progress=on_progress)
        fitted, said = fit_rows(table, outside, config, choice.value, calibrate=False)
        asked = average_views(table.features[inside], n_views=n_views)
        scores[fold == k] = fold_scores(fitted, asked, n_classes=n_classes)
        notes += said
    return (
        _summarise_folds(table, rows, fold, scores),
        _OutOfFold(rows=rows, scores=scores),
        tuple(dict.fromkeys(notes)),
    )


def _summarise_folds(
    table: FeatureTable,
    rows: Rows,
    fold: NDArray[np.intp],
    scores: NDArray[np.float32],
) -> dict[str, Any]:
    y_true, y_pred = table.labels[rows], scores.argmax(axis=1)
    correct = y_true == y_pred
    accuracies = [float(correct[fold == k].mean()) for k in np.unique(fold)]
    return {
        "n_folds": len(accuracies),
        "mean": float(np.mean(accuracies)),
        "std": float(np.std(accuracies, ddof=1)),
        "scores": accuracies,
        "accuracy": float(correct.mean()),
        "accuracy_ci": list(accuracy_interval(table, rows, correct)),
        "n_images": len(rows),
    }
