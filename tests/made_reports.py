"""Reports and fits that no classifier was fitted for: what they say is what a test asks for."""

from dataclasses import replace

import numpy as np

from pipeline import artifacts
from pipeline.config import FitConfig
from pipeline.predictions import format_predictions
from pipeline.records import FitResult, Report
from tests.feature_tables import make_table

CLASS_NAMES = ("cat", "dog")


def make_report(**changes):
    """A report on 40 test images of 2 classes, 36 of which were answered rightly."""
    report = Report(
        dataset="pets",
        model="fake",
        clf="logreg",
        key="ab" * 32,
        store="fake-abababab.zarr",
        root="/photos",
        recipe=dict(make_table().recipe),
        n_found=200,
        n_train=160,
        n_test=40,
        n_unused=0,
        skipped={},
        oddities={},
        split="drawn: stratified 20 %, seed 42",
        class_names=CLASS_NAMES,
        confusion_matrix=((19, 1), (3, 17)),
        accuracy=0.9,
        balanced_accuracy=0.9,
        macro_f1=0.899749,
        log_loss=0.3,
        calibration_error=0.05,
        roc_auc=0.96,
        average_precision=0.95,
        calibration=(
            {"low": 8 / 15, "high": 0.6, "n": 10, "confidence": 0.58, "accuracy": 0.7},
            {"low": 14 / 15, "high": 1.0, "n": 30, "confidence": 0.9933, "accuracy": 29 / 30},
        ),
        loss_curve=None,
        intervals={
            "accuracy": [0.769, 0.960],
            "balanced_accuracy": [0.80, 0.98],
            "macro_f1": [0.80, 0.98],
            "log_loss": [0.2, 0.5],
            "calibration_error": [0.02, 0.1],
        },
        baselines=(
            {
                "name": "most frequent class",
                "accuracy": 0.5,
                "accuracy_ci": [0.35, 0.65],
                "n_train": 160,
                "n_test": 40,
            },
        ),
        twins=None,
        per_class=(
            _class_scores(
                "cat", precision=19 / 22, recall=0.95, f1=38 / 42, average_precision=0.96
            ),
            _class_scores(
                "dog", precision=17 / 18, recall=0.85, f1=34 / 38, average_precision=0.94
            ),
        ),
        confused_pairs=(
            {"true": "dog", "predicted": "cat", "count": 3},
            {"true": "cat", "predicted": "dog", "count": 1},
        ),
        mistakes=({"path": "dog/23.jpg", "true": "dog", "predicted": "cat", "score": 0.9},),
        score_kind="probability",
        tuning={
            "parameter": "C",
            "scoring": "accuracy",
            "n_folds": 5,
            "n_rows": 160,
            "values": [0.001, 0.01, 0.1],
            "means": [0.85, 0.91, 0.88],
            "stds": [0.02, 0.02, 0.02],
            "best": 0.01,
            "extended": False,
        },
        cv=None,
        label_errors=(),
        n_label_errors=None,
        learning_curve=None,
        gates=(),
        tune_seconds=2.0,
        fit_seconds=0.5,
        predict_seconds=0.04,
        settings={**FitConfig().to_dict(), "used": {"C": 0.01}},
        notes=(),
    )
    return replace(report, **changes)


def _class_scores(name, **scores):
    intervals = {f"{key}_ci": [0.7, 1.0] for key in ("precision", "recall")}
    return {"name": name, **scores, **intervals, "roc_auc": 0.96, "n_test": 20, "n_train": 80}


def make_result(**changes):
    """A result that was not kept."""
    return FitResult(report=make_report(**changes), folder=None, reused=False)


def save_made_fit(store, right, *, config=None, labels=None, paths=None, content="cd", **changes):
    """Write a fit beside a store, of which `right` says which test rows it answers rightly.

    Half of the rows are cats, the others dogs, unless `labels` says something else.
    """
    right = np.asarray(right, dtype=bool)
    n = len(right)
    labels = np.arange(n) * 2 // n if labels is None else np.asarray(labels)
    answers = np.where(right, labels, 1 - labels)
    config = config or FitConfig()
    matrix = [[int(((labels == i) & (answers == j)).sum()) for j in (0, 1)] for i in (0, 1)]
    report = make_report(
        **{
            "clf": config.clf,
            "store": store.name,
            "n_test": n,
            "accuracy": float(right.mean()),
            "confusion_matrix": tuple(map(tuple, matrix)),
            "settings": {**config.to_dict(), "used": {"C": 0.01}},
            **changes,
        }
    )
    table = make_table(
        dataset=report.dataset,
        model=report.model,
        class_names=report.class_names,
        content_sha256=content * 32,
    )
    predictions = format_predictions(
        paths=[f"{row:03}.jpg" for row in range(n)] if paths is None else paths,
        y_true=labels,
        y_pred=answers,
        split=["none"] * n,
        scores=np.eye(2)[answers],
        class_names=report.class_names,
    )
    folder = artifacts.fit_path(
        store, key=table.key, content_sha256=table.content_sha256, config=config
    )
    artifacts.save_fit(
        folder,
        classifier="a classifier",
        table=table,
        config=config,
        report=report,
        predictions=predictions,
    )
    return folder


def read_result(folder):
    """Read a fit back as the result of making it."""
    return FitResult(report=artifacts.read_report(folder), folder=folder, reused=False)
