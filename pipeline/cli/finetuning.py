"""The command that trains the last layers of a network: finetune."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline import options
from pipeline.cli import fits, steps
from pipeline.cli.apps import app
from pipeline.commands import add_command, signals
from pipeline.config import ExtractConfig, FinetuneConfig, FitConfig, Gates
from pipeline.console import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.extraction.job import ExtractJob
    from pipeline.records import Epoch, TunedNetwork


@add_command(
    [app],
    "finetune",
    config=options.start_config,
    tuning=options.finetune_config,
    configs=options.fit_configs,
    gates=options.gates,
)
def finetune_command(
    terminal: Terminal,
    config: ExtractConfig,
    tuning: FinetuneConfig,
    configs: tuple[FitConfig, ...],
    gates: Gates,
    *,
    fit: options.FitTooArg = True,
    html: options.PageArg = True,
    json: options.JsonArg = False,
) -> None:
    """Train the last layers of a CNN on a data set, then extract and fit with its new weights."""
    from pipeline.tuned import weights_path
    from pipeline.tuning_tables import render_tuned

    job = steps.prepare_job(terminal, config)
    folder = _folder_of(job, tuning, configs[0])
    tuned = _find(terminal, folder, overwrite=config.overwrite)
    if tuned is None:
        tuned = _train(terminal, job, folder, tuning, configs[0])
    said = {**tuned.to_dict(), "folder": str(folder), "weights": str(weights_path(folder))}
    if not fit:
        from pipeline.invocation import extract_command

        terminal.result(render_tuned(tuned, weights_path(folder)), said, as_json=json)
        settings = {**config.to_dict(), "weights": str(weights_path(folder))}
        terminal.note(f"Next: {extract_command(settings, job.store)}")
        return
    if not json:
        terminal.result(render_tuned(tuned, weights_path(folder)), said, as_json=False)
    after = replace(config, weights=str(weights_path(folder)), overwrite=False)
    extraction = steps.run_extraction(terminal, after)
    results = fits.fit_all(
        terminal, extraction.store, configs, gates, overwrite=config.overwrite, html=html
    )
    if json:
        fields = {**said, "fits": [result.to_dict() for result in results]}
        terminal.result("", fields, as_json=True)
    elif len(results) == 1:
        fits.show_fit(terminal, results[0], as_json=False)
    else:
        fits.show_fits(terminal, results, as_json=False)
    fits.check_gates(terminal, results, gates)


def _folder_of(job: ExtractJob, tuning: FinetuneConfig, split: FitConfig) -> Path:
    from pipeline.tuned import settings_of_tuning, tuned_path

    settings = settings_of_tuning(tuning, split)
    return tuned_path(job.store, key=job.recipe.key, settings=settings)


def _find(terminal: Terminal, folder: Path, *, overwrite: bool) -> TunedNetwork | None:
    from pipeline.tuned import read_tuned

    found = None if overwrite else read_tuned(folder)
    if found is not None:
        terminal.note("Already trained: nothing to do.")
    return found


def _train(
    terminal: Terminal, job: ExtractJob, folder: Path, tuning: FinetuneConfig, split: FitConfig
) -> TunedNetwork:
    from pipeline.tuning_tables import describe_epoch, describe_kept, describe_layers

    with signals.hold():  # Keras must not be cut off while it loads
        from pipeline.stages.finetune import finetune
        from pipeline.stages.plan_finetuning import check_split, plan

        check_split(job, split)
        planned = plan(job, tuning)
    for note in planned.notes:
        terminal.note(note)
    if planned.cut:
        terminal.note(describe_kept(planned.cut, planned.n_bytes))
    extraction = steps.run_extraction(terminal, planned.extraction, for_training=bool(planned.cut))
    steps.check_finished(terminal, extraction)

    def tell(history: tuple[Epoch, ...]) -> None:
        terminal.note(describe_epoch(history, tuning.epochs))

    with terminal.progress("Training") as on_progress:
        return finetune(
            job,
            planned,
            extraction.store,
            folder,
            tuning,
            split,
            on_layers=lambda layers: terminal.note(describe_layers(layers)),
            on_epoch=tell,
            on_note=terminal.note,
            on_progress=on_progress,
        )
