"""The command that says what images show."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pipeline import options
from pipeline.cli import steps
from pipeline.cli.answerers import choose_answerer
from pipeline.cli.apps import app
from pipeline.cli.taking import Places, Takers, check_inputs, check_places
from pipeline.commands import add_command
from pipeline.console import Terminal
from pipeline.errors import ConfigError, PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.backbones.engine import Engine
    from pipeline.extraction.job import ExtractJob
    from pipeline.predicting.settling import Predictor
    from pipeline.predicting.writing import AnswerLines, Output
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
    from pipeline.predicting.answering import check_topk
    from pipeline.predicting.writing import choose_format

    if json and written_as is not None and to is None:
        raise ConfigError("--json and --format are two ways of printing: leave one of them out.")
    written_as = choose_format(written_as, to)
    places = Places(to=to, explain=explain, grid=grid, copy_to=copy_to)
    check_places(places)
    topk = check_topk((3 if imagenet else 1) if topk is None else topk)
    if LIST in images and sys.stdin.isatty():
        terminal.note("Reading paths from the terminal, one a line; end with Ctrl-D.")
    given = list_given(images, read_list=sys.stdin.buffer.read)
    check_inputs(places, images, given.paths)
    for reason, n in sorted(given.ignored.items()):
        terminal.note(f"Passed over: {n:,} {reason}")

    from pipeline.stages.doubt import find_doubt

    settle = choose_answerer(
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
    doubt = find_doubt(predictor, reject=reject, reject_by=reject_by, keep=keep, coverage=coverage)
    for note in doubt.notes:
        terminal.note(note)
    takers = Takers(terminal, predictor, given.paths, places)
    answers, predictions = _predict(
        terminal, predictor, given.paths, takers, doubt, topk=topk, written_as=written_as, to=to
    )
    takers.finish()
    names = predictor.short_names
    _show(terminal, predictions, answers, names, written_as=written_as, to=to, as_json=json)
    _check_skipped(terminal, predictions, strict=strict)


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
            output = sys.stdout.buffer
            if to is not None:
                output = stack.enter_context(_writing(terminal, to))
            lines = _head_lines(output, predictor, doubt, written_as, topk=topk)
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


@contextmanager
def _writing(terminal: Terminal, to: Path) -> Iterator[Output]:
    """Yield the file of the answers; if they do not all come, say that it holds none of them."""
    from pipeline.predicting.writing import writing_whole

    try:
        with writing_whole(to) as output:
            yield output
    except BaseException:
        terminal.note(f"Nothing was written to {to}: it gets all answers, or none.")
        raise


def _head_lines(
    output: Output, predictor: Predictor, doubt: Doubt, written_as: str, *, topk: int
) -> AnswerLines:
    """Return what writes answers as they come, its head written."""
    from pipeline.predicting.writing import AnswerLines

    return AnswerLines(
        output,
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
