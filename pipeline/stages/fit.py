"""Stage two: fit a classifier on transfer values, and measure it on the test rows.

`fit_table` is the core, from a table in memory to a classifier and its report. `fit` reads the
table from a store and keeps what comes out beside it.
"""

from __future__ import annotations

import errno
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import artifacts, metrics
from pipeline.cache import read_features
from pipeline.classifiers import (
    check_finite,
    class_scores,
    cross_validate,
    default_c,
    fit_classifier,
    make_classifier,
    score_kind,
)
from pipeline.config import FitConfig
from pipeline.errors import ClassifierError
from pipeline.predictions import format_predictions
from pipeline.records import FeatureTable, FitResult, Report, Split
from pipeline.splits import Partition, draw_folds, split_rows
from pipeline.views import average_views, count_views, unfold_views

N_PAIRS = 20
N_MISTAKES = 20
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedTable:
    """A fitted classifier, its report, and the content of predictions.csv."""

    classifier: Any
    report: Report
    predictions: bytes


def fit(store: Path, config: FitConfig) -> FitResult:
    """Fit a classifier on a store's transfer values and keep it beside the store.

    A fit that is there already is made again and replaced; `stages.report.find_fit` finds it.

    Parameters
    ----------
    store : Path
        A complete store, for example from `cache.find_store`.
    config : FitConfig

    Raises
    ------
    CacheError
        If the store cannot be read.
    ConfigError
        If the classifier does not take a setting.
    ClassifierError
        If the rows cannot be split or fitted, or the fit cannot be written.
    """
    table = read_features(store)
    folder = artifacts.fit_path(
        store, key=table.key, content_sha256=table.content_sha256, config=config
    )
    fitted = fit_table(table, config, store=store.name)
    try:
        artifacts.save_fit(
            folder,
            classifier=fitted.classifier,
            table=table,
            config=config,
            report=fitted.report,
            predictions=fitted.predictions,
        )
    except OSError as exc:
        if exc.errno not in READ_ONLY:
            raise ClassifierError(
                f"The fit could not be written to {folder}: {exc}. Make room, or copy the cache "
                "elsewhere and give --cache-dir; then run fit again."
            ) from exc
        note = f"The fit was not kept: {folder.parent} cannot be written."
        report = replace(fitted.report, notes=(*fitted.report.notes, note))
        return FitResult(report=report, folder=None, reused=False)
    return FitResult(report=fitted.report, folder=folder, reused=False)


def fit_table(table: FeatureTable, config: FitConfig, *, store: str = "") -> FittedTable:
    """Split the rows of a table, fit on the training rows, measure on the test rows.

    Where a row holds several views of an image, the classifier is fitted on each of them and
    measured on their average. All that is counted are images.

    Parameters
    ----------
    table : FeatureTable
    config : FitConfig
    store : str
        Name of the store, for the report.

    Raises
    ------
    ConfigError, ClassifierError
    """
    check_finite(table.features)
    metrics.check_labels(table.labels, n_classes=len(table.class_names), what="true")
    part = split_rows(table, test_size=config.test_size, seed=config.seed)
    X, y = table.features[part.train], table.labels[part.train]
    n_views = count_views(table.recipe)
    C = config.C or default_c(config.clf, n_samples=len(y))
    classifier = make_classifier(
        config.clf,
        n_samples=len(y),
        C=C,
        class_weight=config.class_weight,
        random_state=config.seed,
    )
    cv: dict[str, Any] | None = None
    cv_notes: tuple[str, ...] = ()
    if config.cv is not None:
        fold = draw_folds(table, part.train, n_folds=config.cv, seed=config.seed)
        accuracies, cv_notes = cross_validate(classifier, X, y, fold=fold, n_views=n_views)
        cv = _summarise_folds(accuracies)
    started = time.perf_counter()
    fitted, notes = fit_classifier(classifier, *unfold_views(X, y, n_views=n_views))
    seconds = time.perf_counter() - started
    asked = average_views(table.features[part.test], n_views=n_views)
    scores = class_scores(fitted, asked, n_classes=len(table.class_names))
    report = Report(
        dataset=table.dataset,
        model=table.model,
        clf=config.clf,
        key=table.key,
        store=store,
        root=table.root,
        recipe=dict(table.recipe),
        n_found=table.n_found,
        n_train=len(part.train),
        n_test=len(part.test),
        skipped=dict(table.skipped),
        oddities=dict(table.oddities),
        split=part.how,
        class_names=table.class_names,
        **_measure(table, part, scores),
        score_kind=score_kind(fitted),
        cv=cv,
        fit_seconds=seconds,
        settings={**config.to_dict(), "C": C},
        notes=tuple(dict.fromkeys((*part.notes, *notes, *cv_notes))),
    )
    return FittedTable(
        classifier=fitted, report=report, predictions=_predictions_csv(table, part, scores)
    )


def _summarise_folds(accuracies: list[float]) -> dict[str, Any]:
    return {
        "n_folds": len(accuracies),
        "mean": float(np.mean(accuracies)),
        "std": float(np.std(accuracies, ddof=1)),
        "scores": accuracies,
    }


def _measure(table: FeatureTable, part: Partition, scores: NDArray[np.floating]) -> dict[str, Any]:
    names, n_classes = table.class_names, len(table.class_names)
    y_train, y_test = table.labels[part.train], table.labels[part.test]
    y_pred = scores.argmax(axis=1)
    matrix = metrics.confusion_matrix(y_test, y_pred, n_classes=n_classes)
    return {
        "confusion_matrix": tuple(tuple(row) for row in matrix.tolist()),
        "accuracy": metrics.accuracy(matrix),
        "accuracy_ci": metrics.wilson_interval(int(np.trace(matrix)), len(y_test)),
        "balanced_accuracy": metrics.balanced_accuracy(matrix),
        "macro_f1": metrics.macro_f1(matrix),
        "baseline": metrics.majority_baseline(y_train, y_test),
        "per_class": _per_class(names, matrix, np.bincount(y_train, minlength=n_classes)),
        "confused_pairs": tuple(
            {"true": names[true], "predicted": names[predicted], "count": count}
            for true, predicted, count in metrics.confused_pairs(matrix, limit=N_PAIRS)
        ),
        "mistakes": tuple(
            {
                "path": table.paths[part.test[row]],
                "true": names[y_test[row]],
                "predicted": names[y_pred[row]],
                "score": float(scores[row].max()),
            }
            for row in metrics.confident_mistakes(y_test, scores, limit=N_MISTAKES)
        ),
    }


def _per_class(
    names: tuple[str, ...], matrix: NDArray[np.int64], n_train: NDArray[np.int64]
) -> tuple[dict[str, Any], ...]:
    scores = metrics.class_scores(matrix)
    return tuple(
        {
            "name": name,
            "precision": _none_if_nan(scores.precision[i]),
            "recall": _none_if_nan(scores.recall[i]),
            "f1": _none_if_nan(scores.f1[i]),
            "n_test": int(scores.support[i]),
            "n_train": int(n_train[i]),
        }
        for i, name in enumerate(names)
    )


def _none_if_nan(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _predictions_csv(table: FeatureTable, part: Partition, scores: NDArray[np.floating]) -> bytes:
    return format_predictions(
        paths=[table.paths[row] for row in part.test],
        y_true=table.labels[part.test],
        y_pred=scores.argmax(axis=1),
        split=[Split(table.split[row]).name.lower() for row in part.test],
        scores=scores,
        class_names=table.class_names,
    )
