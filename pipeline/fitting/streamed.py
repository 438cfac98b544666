"""Fit on transfer values that do not fit into the memory, block by block, and measure it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

from pipeline import metrics
from pipeline.classifiers import class_scores, score_kind
from pipeline.config import FitConfig, Gates
from pipeline.errors import ConfigError
from pipeline.fitting.baselines import measure_majority
from pipeline.fitting.in_memory import FittedTable, describe_table
from pipeline.fitting.measuring import measure_answers, predictions_csv
from pipeline.fitting.tuning_notes import describe_tuning
from pipeline.gates import check_gates, judge
from pipeline.records import OnProgress, Report, SampleTable
from pipeline.splits import find_units, split_rows
from pipeline.streaming import Blocks, fit_stream, score_stream
from pipeline.views import count_views

STREAMED = (
    "Fitted block by block: near-duplicates, suspect labels and the k-NN and colour baselines "
    "were not looked at."
)


def fit_blocks(
    table: SampleTable,
    blocks: Blocks,
    config: FitConfig,
    *,
    store: str = "",
    gates: Gates | None = None,
    notes: tuple[str, ...] = (),
    uses: Mapping[bytes, str] | None = None,
    on_progress: OnProgress | None = None,
) -> FittedTable:
    """Do what `fit_table` does with few blocks of the values in memory at a time.

    Parameters
    ----------
    table : SampleTable
    blocks : callable
        Reads the values of its rows; see `pipeline.streaming`.
    config, store, gates, notes, uses, on_progress
        As for `fit_table`.

    Raises
    ------
    ConfigError
        Also if the classifier, --cv or --learning-curve needs all values at once.
    ClassifierError
    """
    gates = gates or Gates()
    _check_streams(config)
    n_classes = len(table.class_names)
    metrics.check_labels(table.labels, n_classes=n_classes, what="true")
    check_gates(gates, table.class_names)
    part = split_rows(table, config=config)
    notes = (*notes, *describe_tuning(table, part, uses or {}))
    n_views = count_views(table.recipe)
    started = time.perf_counter()
    fitted = fit_stream(
        config.clf,
        blocks,
        table.labels,
        part.train,
        C=config.C,
        tune=config.tune,
        class_weight=config.class_weight,
        n_views=n_views,
        units=find_units(table.sha256, table.group),
        random_state=config.seed,
        on_progress=on_progress,
    )
    fit_seconds = time.perf_counter() - started
    started = time.perf_counter()
    score = partial(class_scores, fitted.classifier, n_classes=n_classes)
    scores = score_stream(score, blocks, part.test, n_classes=n_classes, n_views=n_views)
    predict_seconds = time.perf_counter() - started
    kind = score_kind(fitted.classifier)
    measured = measure_answers(
        table, part, scores, are_probabilities=kind == "probability", seed=config.seed
    )
    report = Report(
        **describe_table(table, store=store),
        clf=config.clf,
        n_train=len(part.train),
        n_test=len(part.test),
        n_unused=len(part.unused),
        split=part.how,
        **measured,
        loss_curve=fitted.loss_curve,
        baselines=(measure_majority(table, part),),
        twins=None,
        score_kind=kind,
        tuning=fitted.tuning,
        cv=None,
        label_errors=(),
        n_label_errors=None,
        learning_curve=None,
        gates=judge(gates, measured),
        tune_seconds=0.0,
        fit_seconds=fit_seconds,
        predict_seconds=predict_seconds,
        settings={**config.to_dict(), "stream": True, "used": dict(fitted.used)},
        notes=tuple(dict.fromkeys((*notes, *part.notes, STREAMED, *fitted.notes))),
    )
    return FittedTable(
        classifier=fitted.classifier,
        report=report,
        predictions=predictions_csv(table, part, scores),
    )


def _check_streams(config: FitConfig) -> None:
    for flag, asked in (("--cv", config.cv), ("--learning-curve", config.learning_curve)):
        if asked:
            raise ConfigError(
                f"{flag} needs all transfer values in memory and cannot be had with --stream. "
                f"Leave out {flag}, or add memory and --no-stream."
            )
