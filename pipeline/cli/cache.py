"""The commands that look after stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from pipeline import options
from pipeline.cli import steps
from pipeline.cli.apps import cache_app
from pipeline.commands import add_command
from pipeline.console import Terminal
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pathlib import Path


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

    found = list_cache(cache_dir, **steps.named(dataset, model))
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

    details = describe_store(steps.choose_store(cache_dir, store))
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

    paths = list_store_paths(cache_dir) if store is None else [steps.choose_store(cache_dir, store)]
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

    paths = [steps.choose_store(cache_dir, name) for name in (a, b)]
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
    from pipeline.stages.export_values import export_store
    from pipeline.store_tables import render_export

    path = steps.choose_store(cache_dir, store)
    with terminal.progress("Exporting") as on_progress:
        export = export_store(
            path,
            to,
            format_name or guess_format(to),
            overwrite=overwrite,
            on_progress=on_progress,
        )
    terminal.result(render_export(export), export.to_dict(), as_json=json)


def _repair(terminal: Terminal, store: Path) -> None:
    from pipeline.extraction.preparing import prepare
    from pipeline.extraction.settings import settings_of
    from pipeline.stages.verify import repair

    with terminal.progress("Reading the images") as on_progress:
        job = prepare(settings_of(store), on_progress=on_progress)
    with terminal.progress("Repairing") as on_progress:
        n_rows = repair(
            store, job, steps.open_engine, on_progress=on_progress, on_note=terminal.note
        )
    terminal.note(f"Repaired {store}: {n_rows:,} rows were computed again.")
