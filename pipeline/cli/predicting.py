"""The command that says what images show."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pipeline import options
from pipeline.cli import steps
from pipeline.cli.apps import app
from pipeline.cli.taking import Takers
from pipeline.commands import add_command
from pipeline.console import Terminal
from pipeline.errors import ConfigError, PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.backbones.engine import Engine
    from pipeline.extraction.job import ExtractJob
    from pipeline.predicting.settling import Predictor
    from pipeline.predicting.writing import AnswerLines
    from pipeline.records import Answer, Predictions
    from pipeline.stages.doubt import Doubt


@add_command([app], "predict")
def predict_command(
    terminal: Terminal,
    images: options.GivenArg,
    *,
    imagenet: options.ImagenetArg = False,
    fit: options.ByFitArg = None,
    dataset: options.OfDatasetArg = None,
    model: options.OfModelArg = None,
    clf: options.OfClfArg = None,
    cache_dir: options.CacheDirArg = options.EXTRACT.cache_dir,
    force: options.ForceArg = False,
    weights: options.FitWeightsArg = None,
    device: options.FitDeviceArg = None,
    batch_size: options.FitBatchSizeArg = None,
    workers: options.FitWorkersArg = None,
    strict: options.StrictArg = False,
    reject: options.RejectArg = False,
    reject_by: options.RejectByArg = None,
    keep: options.KeepArg = None,
    coverage: options.CoverageArg = None,
    topk: options.TopkArg = None,
    written_as: options.AnswerFormatArg = None,
    to: options.AnswersToArg = None,
    explain: options.ExplainToArg = None,
    grid: options.GridToArg = None,
    copy_to: options.CopyToArg = None,
    json: options.JsonArg = False,
) -> None:
    """Say what images show, by the newest fit or another one, or by a whole network."""
    from pipeline.datasets.given import LIST, list_given
    from pipeline.predicting.writing import choose_format

    if json and written_as is not None and to is None:
        raise ConfigError("--json and --format are two ways of printing: leave one of them out.")
    written_as = choose_format(written_as, to)
    if LIST in images and sys.stdin.isatty():
        terminal.note("Reading paths from the terminal, one a line; end with Ctrl-D.")
    given = list_given(images, read_list=sys.stdin.buffer.read)
    for reason, n in sorted(given.ignored.items()):
        terminal.note(f"Passed over: {n:,} {reason}")

    from pipeline.stages.doubt import find_doubt

    settle = _choose_answerer(
        imagenet=imagenet,
        fit=fit,
        dataset=dataset,
        model=model,
        clf=clf,
        cache_dir=cache_dir,
        force=force,
    )
    with terminal.progress("Downloading weights") as on_download:
        predictor = settle(
            cache_dir=cache_dir,
            weights=weights,
            device=device,
            batch_size=batch_size,
            workers=workers,
            on_download=on_download,
        )
    terminal.note(f"Answered by: {predictor.source}")
    if topk is None:
        topk = 3 if imagenet else 1
    doubt = find_doubt(predictor, reject=reject, reject_by=reject_by, keep=keep, coverage=coverage)
    for note in doubt.notes:
        terminal.note(note)
    takers = Takers(terminal, predictor, given.paths, explain=explain, grid=grid, copy_to=copy_to)
    answers, predictions = _predict(
        terminal, predictor, given.paths, takers, doubt, topk=topk, written_as=written_as, to=to
    )
    takers.finish()
    names = predictor.short_names
    _show(terminal, predictions, answers, names, written_as=written_as, to=to, as_json=json)
    _check_skipped(terminal, predictions, strict=strict)


def _choose_answerer(
    *,
    imagenet: bool,
    fit: Path | None,
    dataset: str | None,
    model: str | None,
    clf: str | None,
    cache_dir: Path,
    force: bool,
) -> Callable[..., Predictor]:
    """Return what settles a fit, or a whole network."""
    if imagenet:
        from pipeline.predicting.whole import settle_whole

        given = {"--fit": fit, "--dataset": dataset, "--clf": clf, "--force": force or None}
        for flag in [flag for flag, value in given.items() if value is not None]:
            raise ConfigError(f"{flag} is of a fit, and --imagenet asks none. Leave out one.")
        return partial(settle_whole, model or options.EXTRACT.model)

    from pipeline.artifacts import newest_fit
    from pipeline.predicting.settling import settle_fit

    folder = fit or newest_fit(cache_dir, clf=clf, **steps.named(dataset, model))
    return partial(settle_fit, folder, force=force)


def _predict(
    terminal: Terminal,
    predictor: Predictor,
    paths: tuple[str, ...],
    takers: Takers,
    doubt: Doubt,
    *,
    topk: int,
    written_as: str,
    to: Path | None,
) -> tuple[list[Answer], Predictions]:
    """Answer about all images; the answers are returned if they are not written as they come."""
    from pipeline.stages.predict import Tally, predict

    answers: list[Answer] = []
    tally = Tally(predictor)
    with ExitStack() as stack:
        lines = None
        if written_as != "table":
            lines = _open_lines(stack, predictor, doubt, written_as, to, topk=topk)
        # A bar among lines that are printed as they come would tear them apart.
        is_printed = written_as != "table" and to is None
        progress = Terminal(quiet=True).progress if is_printed else terminal.progress
        on_progress = stack.enter_context(progress("Predicting"))
        parts = predict(
            predictor,
            paths,
            _open_engine,
            topk=topk,
            rejection=doubt.rejection,
            sets=doubt.sets,
            on_progress=on_progress,
            on_note=terminal.note,
        )
        for part in tally.count(parts):
            if lines is None:
                answers += part.answers
            else:
                lines.write(part.answers)
            takers.take(part)
    return answers, tally.sum_up()


def _open_engine(job: ExtractJob) -> Engine:
    # Whole networks are converted here alone: those of fits were when their values were made.
    return steps.open_engine(job, keep=job.network.top)


def _open_lines(
    stack: ExitStack,
    predictor: Predictor,
    doubt: Doubt,
    written_as: str,
    to: Path | None,
    *,
    topk: int,
) -> AnswerLines:
    """Return what writes answers as they come, to a file or to stdout."""
    from pipeline.predicting.writing import AnswerLines, writing_whole

    return AnswerLines(
        sys.stdout.buffer if to is None else stack.enter_context(writing_whole(to)),
        written_as,
        kind=predictor.kind,
        topk=min(topk, len(predictor.class_names)),
        has_distance=doubt.rejection is not None,
        has_set=doubt.sets is not None,
    )


def _show(
    terminal: Terminal,
    predictions: Predictions,
    answers: list[Answer],
    names: dict[str, str],
    *,
    written_as: str,
    to: Path | None,
    as_json: bool,
) -> None:
    """Print the table and how often which label was given."""
    from pipeline.prediction_tables import render_answers, render_sum

    total = render_sum(predictions, encoding=terminal.encoding, names=names)
    if written_as == "table":
        table = render_answers(
            answers,
            predictions,
            width=terminal.width,
            encoding=terminal.encoding,
            names=names,
        )
        terminal.result(table, predictions.to_dict(answers), as_json=as_json)
    elif to is not None:
        terminal.result(total, predictions.to_dict(), as_json=as_json)
        terminal.note(f"Answers: {to}")
    else:
        terminal.note(total.plain)


def _check_skipped(terminal: Terminal, predictions: Predictions, *, strict: bool) -> None:
    """Exit with code 4 if images could not be used and all should be, and with 1 if none could."""
    if not predictions.n_skipped:
        return
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in predictions.skipped.items())
    said = f"{predictions.n_skipped:,} of {predictions.n_images:,} images cannot be used: {reasons}"
    if predictions.n_skipped < predictions.n_images:
        terminal.note(said)
    else:
        terminal.error(f"{said}. There is nothing to answer about. Give other images.")
    if strict:
        raise typer.Exit(steps.SOME_SKIPPED)
    if predictions.n_skipped == predictions.n_images:
        raise typer.Exit(PipelineError.exit_code)
