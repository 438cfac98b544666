"""The commands: parse, call one stage, print.

The only file that imports late: `--help` must not load zarr, scikit-learn or a deep-learning
framework, a finished extraction no deep-learning framework, and `fit` none either.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import typer

from pipeline import __version__, options
from pipeline.commands import add_command, command_line, signals
from pipeline.config import ExtractConfig, FitConfig, Gates
from pipeline.console import Terminal
from pipeline.errors import PipelineError
from pipeline.opening import open_engine, open_maps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipeline.backbones.activation_maps import MapEngine
    from pipeline.backbones.engine import Engine
    from pipeline.extraction.job import ExtractJob
    from pipeline.plots import Figure
    from pipeline.records import Estimate, Extraction, FitResult
    from pipeline.stages.doctor import Check

GATE_FAILED = 3
SOME_SKIPPED = 4
OUT_OF_TIME = 124  # as timeout(1) has it

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Classify images with a headless pretrained CNN and a classical classifier.",
)
extract_app, fit_app, report_app = (
    typer.Typer(add_completion=False, pretty_exceptions_enable=False) for _ in range(3)
)

cache_app = typer.Typer(no_args_is_help=True, help="Look after the stores of transfer values.")
app.add_typer(cache_app, name="cache")
plot_app = typer.Typer(no_args_is_help=True, help="Draw what is in a store, before any fit.")
app.add_typer(plot_app, name="plot")


def main() -> None:
    """Run the umbrella command."""
    app(prog_name="pipeline")


def extract_main() -> None:
    """Run `extract` as a command of its own."""
    extract_app(prog_name="extract")


def fit_main() -> None:
    """Run `fit` as a command of its own."""
    fit_app(prog_name="fit")


def report_main() -> None:
    """Run `report` as a command of its own."""
    report_app(prog_name="report")


@app.callback(invoke_without_command=True)
def _show_version(
    *, version: bool = typer.Option(False, "--version", help="Print the version and exit.")
) -> None:
    if version:
        typer.echo(f"transfer-values {__version__}")
        raise typer.Exit


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
        estimate = _estimate(terminal, config)
        terminal.result(render_estimate(estimate), estimate.to_dict(), as_json=json)
        _check_skipped(estimate, strict=strict)
        return
    extraction = _extract(terminal, config)
    terminal.result(render_extraction(extraction), extraction.to_dict(), as_json=json)
    _check_finished(terminal, extraction)
    terminal.note("Next: fit --clf logreg")
    _check_skipped(extraction, strict=strict)


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

    chosen = store or find_store(cache_dir, **_named(dataset, model))
    results = _fit_all(terminal, chosen, configs, gates, overwrite=overwrite, html=html)
    if len(configs) == 1:
        _show_fit(terminal, results[0], as_json=json)
    else:
        _show_fits(terminal, results, as_json=json)
    _check_gates(terminal, results, gates)


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

    result = report(cache_dir, fit=fit, clf=clf, **_named(dataset, model))
    if html or to is not None:
        result = _make_page(terminal, result, to=to, tsne=tsne, explain=explain)
    if figures is not None:
        _make_figures(terminal, result, figures, tsne=tsne)
    _show_report(terminal, result, as_json=json)
    _check_gates(terminal, [result], gates)


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
    extraction = _extract(terminal, config)
    _check_finished(terminal, extraction)
    results = _fit_all(
        terminal, extraction.store, configs, gates, overwrite=config.overwrite, html=html
    )
    if len(configs) == 1:
        _show_report(terminal, results[0], as_json=json)
    else:
        _show_fits(terminal, results, as_json=json)
    _check_skipped(extraction, strict=strict)
    _check_gates(terminal, results, gates)


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
            extraction = _extract(terminal, config)
            _check_finished(terminal, extraction)
            results += _fit_all(
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
    _check_gates(terminal, results, gates)
    if failures:
        raise typer.Exit(PipelineError.exit_code)


@add_command([app], "models")
def models_command(terminal: Terminal, *, json: options.JsonArg = False) -> None:
    """List the backbones: input size, width, parameters, and whether their weights are here."""
    from pipeline.stages.models import list_models
    from pipeline.tables import render_models

    models = list_models()
    terminal.result(render_models(models), [m.to_dict() for m in models], as_json=json)


@add_command([app], "datasets")
def datasets_command(
    terminal: Terminal,
    *,
    data_dir: options.DataDirArg = options.EXTRACT.data_dir,
    json: options.JsonArg = False,
) -> None:
    """List the named data sets: size, what is here, and where to put files by hand."""
    from pipeline.stages.datasets import list_datasets
    from pipeline.tables import render_datasets

    found = list_datasets(data_dir)
    terminal.result(render_datasets(found), [d.to_dict() for d in found], as_json=json)


@add_command([app], "doctor")
def doctor_command(
    terminal: Terminal,
    *,
    data_dir: options.DataDirArg = options.EXTRACT.data_dir,
    cache_dir: options.CacheDirArg = options.EXTRACT.cache_dir,
    json: options.JsonArg = False,
) -> None:
    """Check this machine: libraries, devices, disk, weights, and what the network computes."""
    from pipeline.tables import render_check, render_verdict

    checks = []
    for check in _diagnose(cache_dir, data_dir):
        checks.append(check)
        if not json:  # as they come: loading a deep-learning framework takes seconds
            terminal.result(render_check(check), check.to_dict(), as_json=False)
    healthy = all(check.state != "error" for check in checks)
    fields = {"ok": healthy, "checks": [check.to_dict() for check in checks]}
    terminal.result(render_verdict(checks), fields, as_json=json)
    if not healthy:
        raise typer.Exit(PipelineError.exit_code)


@add_command([cache_app], "ls")
def cache_ls_command(
    terminal: Terminal,
    *,
    cache_dir: options.CacheDirArg = options.EXTRACT.cache_dir,
    dataset: options.OnlyDatasetArg = None,
    model: options.OnlyModelArg = None,
    json: options.JsonArg = False,
) -> None:
    """List the stores: rows, size, state, fits, and when they were used last."""
    from pipeline.stages.stores import list_cache
    from pipeline.store_tables import render_stores

    found = list_cache(cache_dir, **_named(dataset, model))
    terminal.result(render_stores(found, cache_dir), [s.to_dict() for s in found], as_json=json)


@add_command([cache_app], "info")
def cache_info_command(
    terminal: Terminal,
    store: options.StoreNameArg = None,
    *,
    cache_dir: options.CacheDirArg = options.EXTRACT.cache_dir,
    json: options.JsonArg = False,
) -> None:
    """Say everything about a store: recipe, what made it, rows, and size."""
    from pipeline.stages.stores import describe_store
    from pipeline.store_tables import render_details

    details = describe_store(_choose_store(cache_dir, store))
    terminal.result(render_details(details), details.to_dict(), as_json=json)


@add_command([cache_app], "verify")
def cache_verify_command(
    terminal: Terminal,
    store: options.VerifiedStoreArg = None,
    *,
    cache_dir: options.CacheDirArg = options.EXTRACT.cache_dir,
    repair: options.RepairArg = False,
    json: options.JsonArg = False,
) -> None:
    """Hash every value of one store, or of all, again; exit with code 1 if one is damaged."""
    from pipeline.cache import list_store_paths
    from pipeline.stages.verify import verify
    from pipeline.store_tables import render_verification

    paths = list_store_paths(cache_dir) if store is None else [_choose_store(cache_dir, store)]
    found = []
    for path in paths:
        with terminal.progress(f"Verifying {path.name}") as on_progress:
            verification = verify(path, on_progress=on_progress)
        if repair and not (verification.is_sound and verification.complete):
            try:
                _repair(terminal, path)
                verification = verify(path)
            except PipelineError as exc:  # the others may be mended all the same
                terminal.error(
                    f"{path} could not be repaired: {exc} If its images are elsewhere now, run "
                    "extract --overwrite with that --dataset."
                )
        found.append(verification)
    terminal.result(render_verification(found), [v.to_dict() for v in found], as_json=json)
    if not all(verification.is_sound for verification in found):
        raise typer.Exit(PipelineError.exit_code)


@add_command([cache_app], "diff")
def cache_diff_command(
    terminal: Terminal,
    a: options.OldStoreArg,
    b: options.NewStoreArg,
    *,
    cache_dir: options.CacheDirArg = options.EXTRACT.cache_dir,
    json: options.JsonArg = False,
) -> None:
    """Say what changed from one store to another: recipe, libraries, images, and values.

    The exit code is 0 whether they differ or not: the output is the answer.
    """
    from pipeline.stages.diff import diff_stores
    from pipeline.store_tables import render_diff

    paths = [_choose_store(cache_dir, name) for name in (a, b)]
    with terminal.progress("Comparing") as on_progress:
        diff = diff_stores(*paths, on_progress=on_progress)
    terminal.result(render_diff(diff), diff.to_dict(), as_json=json)


@add_command([cache_app], "gc")
def cache_gc_command(
    terminal: Terminal,
    *,
    cache_dir: options.CacheDirArg = options.EXTRACT.cache_dir,
    superseded: options.SupersededArg = False,
    dry_run: options.ListOnlyArg = False,
    json: options.JsonArg = False,
) -> None:
    """Remove what killed runs left behind; whatever is not of this package stays."""
    from pipeline.stages.clean import clean_cache
    from pipeline.store_tables import render_cleaning

    cleaning = clean_cache(cache_dir, superseded=superseded, dry_run=dry_run)
    terminal.result(render_cleaning(cleaning, cache_dir), cleaning.to_dict(), as_json=json)


@add_command([cache_app], "export")
def cache_export_command(
    terminal: Terminal,
    store: options.StoreNameArg = None,
    *,
    to: options.ToArg,
    format_name: options.FormatArg = None,
    cache_dir: options.CacheDirArg = options.EXTRACT.cache_dir,
    overwrite: options.ReplaceArg = False,
    json: options.JsonArg = False,
) -> None:
    """Write the rows of a store that have values as NumPy arrays, CSV or Parquet."""
    from pipeline.exporting import guess_format
    from pipeline.stages.export import export_store
    from pipeline.store_tables import render_export

    path = _choose_store(cache_dir, store)
    with terminal.progress("Exporting") as on_progress:
        export = export_store(
            path,
            to,
            format_name or guess_format(to),
            overwrite=overwrite,
            on_progress=on_progress,
        )
    terminal.result(render_export(export), export.to_dict(), as_json=json)


@add_command([plot_app], "images")
def plot_images_command(
    terminal: Terminal,
    *,
    cache: options.PlottedStoreArg = None,
    cache_dir: options.CacheDirArg = options.EXTRACT.cache_dir,
    limit: options.NImagesArg = 24,
    seed: options.SeedArg = options.FIT.seed,
    to: options.FigureToArg = None,
    json: options.JsonArg = False,
) -> None:
    """Draw some of the images with the names of their classes."""
    from pipeline.stages.plot import plot_images

    draw = partial(plot_images, limit=limit, seed=seed)
    _plot(terminal, "images", draw, _choose_store(cache_dir, cache), to, as_json=json)


@add_command([plot_app], "values")
def plot_values_command(
    terminal: Terminal,
    *,
    cache: options.PlottedStoreArg = None,
    cache_dir: options.CacheDirArg = options.EXTRACT.cache_dir,
    image: options.ImagePathArg = None,
    to: options.FigureToArg = None,
    json: options.JsonArg = False,
) -> None:
    """Draw an image beside its transfer values, as a picture and as bars."""
    from pipeline.stages.plot import plot_values

    draw = partial(plot_values, image=image)
    _plot(terminal, "values", draw, _choose_store(cache_dir, cache), to, as_json=json)


@add_command([plot_app], "pca")
def plot_pca_command(
    terminal: Terminal,
    *,
    cache: options.PlottedStoreArg = None,
    cache_dir: options.CacheDirArg = options.EXTRACT.cache_dir,
    limit: options.MaxPointsArg = 10_000,
    seed: options.SeedArg = options.FIT.seed,
    to: options.FigureToArg = None,
    json: options.JsonArg = False,
) -> None:
    """Draw where the classes lie: the first two principal components of the transfer values."""
    from pipeline.stages.plot import plot_map

    draw = partial(plot_map, method="pca", limit=limit, seed=seed)
    _plot(terminal, "pca", draw, _choose_store(cache_dir, cache), to, as_json=json)


@add_command([plot_app], "tsne")
def plot_tsne_command(
    terminal: Terminal,
    *,
    cache: options.PlottedStoreArg = None,
    cache_dir: options.CacheDirArg = options.EXTRACT.cache_dir,
    limit: options.MaxPointsArg = 10_000,
    seed: options.SeedArg = options.FIT.seed,
    to: options.FigureToArg = None,
    json: options.JsonArg = False,
) -> None:
    """Draw where the classes lie by t-SNE: near each other is what has similar values."""
    from pipeline.stages.plot import plot_map

    draw = partial(plot_map, method="tsne", limit=limit, seed=seed)
    _plot(terminal, "tsne", draw, _choose_store(cache_dir, cache), to, as_json=json)


def _plot(
    terminal: Terminal,
    what: str,
    draw: Callable[[Path], Figure],
    store: Path,
    to: Path | None,
    *,
    as_json: bool,
) -> None:
    from pathlib import Path

    from pipeline.stages.plot import check_suffix, write_figure

    path = to or Path(f"{store.absolute().parent.name}-{what}.png")
    check_suffix(path)  # before a minute of work, not after
    terminal.note(f"Drawing {store} ...")
    write_figure(draw(store), path)
    terminal.result(str(path), {"path": str(path)}, as_json=as_json)


def _repair(terminal: Terminal, store: Path) -> None:
    from pipeline.extraction.preparing import prepare
    from pipeline.stages.verify import repair, settings_of

    with terminal.progress("Reading the images") as on_progress:
        job = prepare(settings_of(store), on_progress=on_progress)
    with terminal.progress("Repairing") as on_progress:
        n_rows = repair(store, job, _open_engine, on_progress=on_progress, on_note=terminal.note)
    terminal.note(f"Repaired {store}: {n_rows:,} rows were computed again.")


def _choose_store(cache_dir: Path, name: str | None) -> Path:
    from pipeline.cache import find_store, resolve_store

    return find_store(cache_dir) if name is None else resolve_store(cache_dir, name)


def _diagnose(cache_dir: Path, data_dir: Path) -> Iterator[Check]:
    from pipeline.stages.doctor import diagnose

    checks = diagnose(cache_dir, data_dir, import_module)
    while True:
        with signals.hold():
            check = next(checks, None)
        if check is None:
            return
        yield check


def _extract(terminal: Terminal, config: ExtractConfig) -> Extraction:
    from pipeline.stages.extract import extract

    job = _prepare(terminal, config)
    with terminal.progress("Extracting") as on_progress:
        return extract(job, _open_engine, on_progress=on_progress, on_note=terminal.note)


def _estimate(terminal: Terminal, config: ExtractConfig) -> Estimate:
    from pipeline.datasets import needs_fetch
    from pipeline.datasets.catalog import find_spec
    from pipeline.extraction.preparing import prepare
    from pipeline.stages.extract import estimate

    spec = find_spec(config.dataset)
    if spec is not None and not spec.files and needs_fetch(spec.name, config.data_dir):
        from pipeline.stages.fetch import fetch

        fetch(spec.name, config.data_dir)  # embedded: nothing is downloaded
    with terminal.progress("Reading the images") as on_progress:
        job = prepare(config, on_progress=on_progress, offline=True)
    with terminal.progress("Decoding") as on_progress:
        return estimate(job, partial(_open_engine, keep=False), on_progress=on_progress)


def _prepare(terminal: Terminal, config: ExtractConfig) -> ExtractJob:
    from pipeline.datasets import needs_fetch
    from pipeline.extraction.preparing import prepare

    if needs_fetch(config.dataset, config.data_dir):
        from pipeline.datasets.catalog import find_spec
        from pipeline.stages.fetch import fetch

        spec = find_spec(config.dataset)
        if spec is not None and spec.files:
            terminal.note(f"The files of {spec.name} must have the hashes {spec.hash_source}.")
        with terminal.progress(f"Fetching {config.dataset}") as on_progress:
            fetch(config.dataset, config.data_dir, lambda _, done, n: on_progress(done, n))
    with (
        terminal.progress("Reading the images") as on_progress,
        terminal.progress("Downloading weights") as on_download,
    ):
        return prepare(config, on_progress=on_progress, on_download=on_download)


def _open_engine(job: ExtractJob, *, keep: bool = True) -> Engine:
    """Open what computes a job's network; `keep` keeps it converted for the next time."""
    with signals.hold():
        return open_engine(job, keep=keep)


def _fit_all(
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
        paged = _make_quick_page(terminal, best, again=gates != Gates())
        results[results.index(best)] = paged
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


def _make_quick_page(terminal: Terminal, result: FitResult, *, again: bool) -> FitResult:
    """Make the page about a fit that was just made, without what takes long.

    One that is there already is made again only if `again`.
    """
    if result.folder is None or (result.page is not None and not again):
        return result
    from pipeline.stages.page import write_page

    quick = (
        "A map by t-SNE and explanations of the mistakes are not in this page, which fit made. To "
        "add them: report --html",
    )
    try:
        with terminal.progress("Making the page") as on_progress:
            page = write_page(
                result.folder, find_maps=("tsne", "umap"), notes=quick, on_progress=on_progress
            )
    except PipelineError as exc:  # the fit is made and kept all the same
        terminal.note(f"There is no page: {exc}")
        return result
    return replace(result, page=page.path)


def _make_page(
    terminal: Terminal, result: FitResult, *, to: Path | None, tsne: bool, explain: bool
) -> FitResult:
    if result.folder is None:
        return result
    from pipeline.stages.page import write_page

    with terminal.progress("Making the page") as on_progress:
        page = write_page(
            result.folder,
            to=to,
            compute_maps=_choose_maps(tsne=tsne),
            open_maps=_open_maps if explain else None,
            on_progress=on_progress,
        )
    for note in page.notes:
        terminal.note(note)
    return replace(result, page=page.path)


def _make_figures(terminal: Terminal, result: FitResult, to: Path, *, tsne: bool) -> None:
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


def _show_fit(terminal: Terminal, result: FitResult, *, as_json: bool) -> None:
    from pipeline.printing import render_headline
    from pipeline.tables import render_fit

    summary = render_fit(render_headline(result.report), result.folder, result.page)
    terminal.result(summary, result.to_dict(), as_json=as_json)
    terminal.note("Next: report")


def _show_fits(terminal: Terminal, results: list[FitResult], *, as_json: bool) -> None:
    from pipeline.fit_tables import render_fits

    terminal.result(
        render_fits(results, width=terminal.width, encoding=terminal.encoding),
        [result.to_dict() for result in results],
        as_json=as_json,
    )
    terminal.note("Next: report (the best in cross-validation), or pipeline compare")


def _show_report(terminal: Terminal, result: FitResult, *, as_json: bool) -> None:
    from pipeline.printing import render_report

    terminal.result(
        render_report(result.report, width=terminal.width, encoding=terminal.encoding),
        result.to_dict(),
        as_json=as_json,
    )
    if result.page is not None:
        terminal.note(f"Page: {result.page}")


def _named(dataset: str | None, model: str | None) -> dict[str, str | None]:
    """Return the names that `extract` gave to what is called so: `vgg16` for VGG16."""
    from pipeline.backbones.specs import name_model
    from pipeline.datasets import name_dataset

    return {
        "dataset": dataset and name_dataset(dataset),
        "model": model and name_model(model),
    }


def _check_finished(terminal: Terminal, extraction: Extraction) -> None:
    if extraction.n_left:
        terminal.interrupted(command_line())
        raise typer.Exit(OUT_OF_TIME)


def _check_skipped(result: Extraction | Estimate, *, strict: bool) -> None:
    if strict and result.skipped:
        raise typer.Exit(SOME_SKIPPED)


def _check_gates(terminal: Terminal, results: list[FitResult], gates: Gates) -> None:
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
