"""The commands from images to a report: extract, fit, report, run."""

from __future__ import annotations

from pipeline import options
from pipeline.cli import fits, steps
from pipeline.cli.apps import app, extract_app, fit_app, report_app
from pipeline.commands import add_command
from pipeline.config import ExtractConfig, FitConfig, Gates
from pipeline.console import Terminal


@add_command([app, extract_app], "extract", config=options.extract_config)
def extract_command(
    terminal: Terminal,
    config: ExtractConfig,
    *,
    dry_run: options.DryRunArg = False,
    strict: options.StrictArg = False,
    json: options.JsonArg = False,
) -> None:
    """Run every image through a headless CNN once and keep its transfer values."""
    from pipeline.tables import render_estimate, render_extraction

    if dry_run:
        estimate = steps.estimate_extraction(terminal, config)
        terminal.result(render_estimate(estimate), estimate.to_dict(), as_json=json)
        steps.check_skipped(estimate, strict=strict)
        return
    extraction = steps.run_extraction(terminal, config)
    terminal.result(render_extraction(extraction), extraction.to_dict(), as_json=json)
    steps.check_finished(terminal, extraction)
    terminal.note("Next: fit --clf logreg")
    steps.check_skipped(extraction, strict=strict)


@add_command([app, fit_app], "fit", configs=options.fit_configs, gates=options.gates)
def fit_command(
    terminal: Terminal,
    configs: tuple[FitConfig, ...],
    gates: Gates,
    store: options.StoreArg = None,
    *,
    dataset: options.OfDatasetArg = None,
    model: options.OfModelArg = None,
    cache_dir: options.CacheDirArg = options.EXTRACT.cache_dir,
    overwrite: options.OverwriteArg = False,
    html: options.PageArg = True,
    json: options.JsonArg = False,
) -> None:
    """Fit a classifier on cached transfer values and measure it on images it has not seen."""
    from pipeline.cache import find_store

    chosen = store or find_store(cache_dir, **steps.named(dataset, model))
    results = fits.fit_all(terminal, chosen, configs, gates, overwrite=overwrite, html=html)
    if len(configs) == 1:
        fits.show_fit(terminal, results[0], as_json=json)
    else:
        fits.show_fits(terminal, results, as_json=json)
    fits.check_gates(terminal, results, gates)


@add_command([app, report_app], "report", gates=options.gates)
def report_command(
    terminal: Terminal,
    gates: Gates,
    fit: options.FitArg = None,
    *,
    dataset: options.OfDatasetArg = None,
    model: options.OfModelArg = None,
    clf: options.OfClfArg = None,
    cache_dir: options.CacheDirArg = options.EXTRACT.cache_dir,
    html: options.HtmlArg = False,
    to: options.HtmlToArg = None,
    tsne: options.TsneArg = True,
    explain: options.ExplainArg = True,
    figures: options.FiguresArg = None,
    json: options.JsonArg = False,
) -> None:
    """Show how good a fit is: accuracy, confusion matrix, what it gets wrong; also as a page."""
    from pipeline.stages.report import report

    result = report(cache_dir, fit=fit, clf=clf, **steps.named(dataset, model))
    if html or to is not None:
        result = fits.make_page(terminal, result, gates, to=to, tsne=tsne, explain=explain)
    if figures is not None:
        fits.make_figures(terminal, result, figures, tsne=tsne)
    fits.show_report(terminal, result, as_json=json)
    fits.check_gates(terminal, [result], gates)


@add_command(
    [app],
    "run",
    config=options.extract_config,
    configs=options.fit_configs,
    gates=options.gates,
)
def run_command(
    terminal: Terminal,
    config: ExtractConfig,
    configs: tuple[FitConfig, ...],
    gates: Gates,
    *,
    strict: options.StrictArg = False,
    html: options.PageArg = True,
    json: options.JsonArg = False,
) -> None:
    """Extract, fit and report in one go."""
    extraction = steps.run_extraction(terminal, config)
    steps.check_finished(terminal, extraction)
    results = fits.fit_all(
        terminal, extraction.store, configs, gates, overwrite=config.overwrite, html=html
    )
    if len(configs) == 1:
        fits.show_report(terminal, results[0], as_json=json)
    else:
        fits.show_fits(terminal, results, as_json=json)
    steps.check_skipped(extraction, strict=strict)
    fits.check_gates(terminal, results, gates)
