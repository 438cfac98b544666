"""The commands about several fits: compare, sweep."""

from __future__ import annotations

import typer

from pipeline import options
from pipeline.cli import fits, steps
from pipeline.cli.apps import app
from pipeline.commands import add_command
from pipeline.config import ExtractConfig, FitConfig, Gates
from pipeline.console import Terminal
from pipeline.errors import PipelineError


@add_command([app], "compare")
def compare_command(
    terminal: Terminal,
    fits: options.FitsArg = None,
    *,
    cache_dir: options.CacheDirArg = options.EXTRACT.cache_dir,
    seed: options.SeedArg = options.FIT.seed,
    html: options.HtmlArg = False,
    to: options.HtmlToArg = None,
    json: options.JsonArg = False,
) -> None:
    """Compare several fits on the test images that they share: which is better, and is it sure."""
    from pipeline.fit_tables import render_comparison
    from pipeline.stages.compare import compare

    comparison = compare(fits or (), cache_dir, seed=seed)
    if html or to is not None:
        from pipeline.stages.page import write_comparison

        page = write_comparison(comparison.to_dict(), comparison.rows, to=to)
        terminal.note(f"Page: {page}")
    terminal.result(
        render_comparison(comparison, width=terminal.width, encoding=terminal.encoding),
        comparison.to_dict(),
        as_json=json,
    )


@add_command(
    [app],
    "sweep",
    configs=options.sweep_configs,
    fit_configs=options.fit_configs,
    gates=options.gates,
)
def sweep_command(
    terminal: Terminal,
    configs: tuple[ExtractConfig, ...],
    fit_configs: tuple[FitConfig, ...],
    gates: Gates,
    *,
    to: options.SweepToArg = None,
    json: options.JsonArg = False,
) -> None:
    """Try several networks with one classifier or all: extract what is missing, fit, one table."""
    from pipeline.fit_tables import render_sweep
    from pipeline.stages.sweep import Failure, check_table_name, summarise, write_sweep

    if to is not None:
        check_table_name(to)  # before hours of work, not after
    results, failures = [], []
    for config in configs:
        try:
            extraction = steps.run_extraction(terminal, config)
            steps.check_finished(terminal, extraction)
            results += fits.fit_all(
                terminal,
                extraction.store,
                fit_configs,
                gates,
                overwrite=config.overwrite,
                html=False,
            )
        except PipelineError as exc:  # the others may do all the same
            terminal.error(f"{config.model}: {exc}")
            failures.append(Failure(model=config.model, clf="", error=str(exc)))
    sweep = summarise(results, cache_dir=configs[0].cache_dir, failures=failures)
    terminal.result(
        render_sweep(sweep, width=terminal.width, encoding=terminal.encoding),
        sweep.to_dict(),
        as_json=json,
    )
    if to is not None:
        write_sweep(sweep, to)
    fits.check_gates(terminal, results, gates)
    if failures:
        raise typer.Exit(PipelineError.exit_code)
