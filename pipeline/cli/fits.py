"""What several commands do with fits: make them, show them, judge them."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from pipeline.commands import signals
from pipeline.config import FitConfig, Gates
from pipeline.console import Terminal
from pipeline.errors import PipelineError
from pipeline.opening import open_maps

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.backbones.activation_maps import MapEngine
    from pipeline.extraction.job import ExtractJob
    from pipeline.records import FitResult

GATE_FAILED = 3


def fit_all(
    terminal: Terminal,
    store: Path,
    configs: tuple[FitConfig, ...],
    gates: Gates,
    *,
    overwrite: bool,
    html: bool,
) -> list[FitResult]:
    """Fit each classifier, or find it fitted; the best in cross-validation is then the newest.

    With `html` that one, or the only one, gets a page.
    """
    results = [_fit(terminal, store, config, gates, overwrite=overwrite) for config in configs]
    best: FitResult | None = results[0]
    if len(results) > 1:
        from pipeline.stages.report import mark_best

        best = mark_best(results)
    if html and best is not None:
        results[results.index(best)] = _make_quick_page(terminal, best)
    return results


def _fit(
    terminal: Terminal, store: Path, config: FitConfig, gates: Gates, *, overwrite: bool
) -> FitResult:
    from pipeline.stages.report import find_fit

    store = store if store.name else store.resolve()  # `fit .` within a store
    found = None if overwrite else find_fit(store, config, gates)
    if found is not None:
        terminal.note(f"Already fitted {config.clf}: nothing to do.")
        return found

    # scikit-learn takes a second to load: only where there is something to fit.
    from pipeline.stages.fit import fit

    terminal.note(f"Fitting {config.clf} on {store} ...")
    with terminal.progress(f"Fitting {config.clf}") as on_progress:
        return fit(store, config, gates=gates, on_progress=on_progress)


def _make_quick_page(terminal: Terminal, result: FitResult) -> FitResult:
    """Make the page about a fit, unless it is there: at once if it is new, else with all of it.

    Whatever goes wrong with the page, the fit is made and kept.
    """
    if result.folder is None or result.page is not None:
        return result
    if not os.access(result.folder, os.W_OK):
        terminal.note(f"There is no page: {result.folder} cannot be written. Run: report --to FILE")
        return result
    from pipeline.stages.page import write_page

    slow = ("tsne", "umap")
    try:
        with terminal.progress("Making the page") as on_progress:
            page = write_page(
                result.folder,
                find_maps=slow,
                open_maps=_open_maps if result.reused else None,
                on_progress=on_progress,
            )
    except (PipelineError, OSError, MemoryError) as exc:
        terminal.note(f"There is no page: {exc or type(exc).__name__}")
        return result
    return replace(result, page=page.path)


def make_page(
    terminal: Terminal,
    result: FitResult,
    gates: Gates,
    *,
    to: Path | None,
    tsne: bool,
    explain: bool,
) -> FitResult:
    """Make the page about a fit, with all there is to see."""
    if result.folder is None:
        return result
    from pipeline.gates import check_gates, judge
    from pipeline.stages.page import write_page

    check_gates(gates, result.report.class_names)

    with terminal.progress("Making the page") as on_progress:
        page = write_page(
            result.folder,
            to=to,
            compute_maps=_choose_maps(tsne=tsne),
            open_maps=_open_maps if explain else None,
            gates=judge(gates, result.report.to_dict()),
            on_progress=on_progress,
        )
    for note in page.notes:
        terminal.note(note)
    return replace(result, page=page.path)


def make_figures(terminal: Terminal, result: FitResult, to: Path, *, tsne: bool) -> None:
    """Draw the figures of a fit for a paper."""
    if result.folder is None:
        return
    from pipeline.stages.figures import write_figures

    terminal.note(f"Drawing figures into {to} ...")
    written = write_figures(result.folder, to, compute_maps=_choose_maps(tsne=tsne))
    terminal.note(f"Figures: {len(written)} files in {to}")


def _choose_maps(*, tsne: bool) -> tuple[str, ...]:
    from pipeline.projection import is_available

    return ("pca", *(name for name in ("tsne", "umap") if tsne and is_available(name)))


def _open_maps(job: ExtractJob) -> MapEngine:
    """Open what computes the maps that a job's values are the averages of."""
    with signals.hold():
        return open_maps(job)


def show_fit(terminal: Terminal, result: FitResult, *, as_json: bool) -> None:
    """Print a fit in a line, and where it lies."""
    from pipeline.printing import render_headline
    from pipeline.tables import render_fit

    summary = render_fit(render_headline(result.report), result.folder, result.page)
    terminal.result(summary, result.to_dict(), as_json=as_json)
    terminal.note("Next: report")


def show_fits(terminal: Terminal, results: list[FitResult], *, as_json: bool) -> None:
    """Print several fits as a table."""
    from pipeline.fit_tables import render_fits

    terminal.result(
        render_fits(results, width=terminal.width, encoding=terminal.encoding),
        [result.to_dict() for result in results],
        as_json=as_json,
    )
    for result in results:
        if result.page is not None:
            terminal.note(f"Page of {result.report.clf}: {result.page}")
    terminal.note("Next: report (the best in cross-validation), or pipeline compare")


def show_report(terminal: Terminal, result: FitResult, *, as_json: bool) -> None:
    """Print all that there is to say of a fit."""
    from pipeline.printing import render_report
    from pipeline.showing.verdict import write_verdict

    terminal.result(
        render_report(
            result.report,
            width=terminal.width,
            encoding=terminal.encoding,
            verdict=write_verdict(result.report),
        ),
        result.to_dict(),
        as_json=as_json,
    )
    if result.page is not None:
        terminal.note(f"Page: {result.page}")


def check_gates(terminal: Terminal, results: list[FitResult], gates: Gates) -> None:
    """Exit with code 3 if a fit misses what is demanded of it."""
    from pipeline.gates import check_gates, describe_gate, judge

    missed = False
    for result in results:
        check_gates(gates, result.report.class_names)
        for gate in judge(gates, result.report.to_dict()):
            if not gate["met"]:
                missed = True
                terminal.error(f"{result.report.clf}: {describe_gate(gate)}")
    if missed:
        raise typer.Exit(GATE_FAILED)
