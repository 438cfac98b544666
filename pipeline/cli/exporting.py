"""The command that makes a fit a file for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import options
from pipeline.cli import steps
from pipeline.cli.apps import app
from pipeline.commands import add_command, signals
from pipeline.console import Terminal

if TYPE_CHECKING:
    from pipeline.stages.export_model import MakeFile


@add_command([app], "export")
def export_command(
    terminal: Terminal,
    *,
    fit: options.ByFitArg = None,
    dataset: options.OfDatasetArg = None,
    model: options.OfModelArg = None,
    clf: options.OfClfArg = None,
    cache_dir: options.CacheDirArg = options.EXTRACT.cache_dir,
    weights: options.FitWeightsArg = None,
    force: options.ForceArg = False,
    format_name: options.ExportFormatArg = None,
    to: options.ExportToArg = None,
    check: options.SelfCheckArg = True,
    tolerance: options.ToleranceArg = 1e-3,
    overwrite: options.ExportOverwriteArg = False,
    json: options.JsonArg = False,
) -> None:
    """Write a fit as one file from photos to probabilities: Keras, ONNX, OpenVINO, TF Lite."""
    from pipeline.artifacts import newest_fit, read_info
    from pipeline.export_tables import render_model_export
    from pipeline.model_places import check_place, choose_format, choose_place
    from pipeline.predicting.settling import settle_fit
    from pipeline.stages.export_model import export_model

    folder = fit or newest_fit(cache_dir, clf=clf, **steps.named(dataset, model))
    chosen = choose_format(format_name, to)
    place = choose_place(to, chosen, read_info(folder))
    check_place(place, chosen, overwrite=overwrite)
    with terminal.progress("Downloading weights") as on_download:
        predictor = settle_fit(
            folder, cache_dir=cache_dir, weights=weights, force=force, on_download=on_download
        )
    terminal.note(f"Writing {folder} as {place} ...")
    make_file = None if chosen == "npz" else _load_formats(chosen)
    with terminal.progress("Checking") as on_progress:
        export = export_model(
            predictor,
            place,
            chosen,
            make_file,
            check=check,
            tolerance=tolerance,
            overwrite=overwrite,
            on_progress=on_progress,
        )
    if export.kept:
        terminal.note(export.kept)
    terminal.result(render_model_export(export), export.to_dict(), as_json=json)


def _load_formats(format_name: str) -> MakeFile:
    """Load Keras and what else a format needs."""
    from pipeline.errors import BackboneError

    with signals.hold():
        try:
            from pipeline.backbones import formats
        except (ImportError, ValueError) as exc:  # as Keras says that a backend is not there
            raise BackboneError(f"Keras cannot be loaded: {exc}. Run: pipeline doctor") from exc

        formats.check_available(format_name)
    return formats.make_file
