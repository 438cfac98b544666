"""What several commands do with images and stores."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import typer

from pipeline import opening
from pipeline.commands import command_line, signals
from pipeline.config import ExtractConfig
from pipeline.console import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.backbones.engine import Engine
    from pipeline.extraction.job import ExtractJob
    from pipeline.records import Estimate, Extraction

SOME_SKIPPED = 4
OUT_OF_TIME = 124  # as timeout(1) has it


def run_extraction(
    terminal: Terminal, config: ExtractConfig, *, for_training: bool = False
) -> Extraction:
    """Compute what a store lacks, or find it done; see `ExtractJob` for `for_training`."""
    from pipeline.stages.extract import extract

    job = replace(prepare_job(terminal, config), for_training=for_training)
    with terminal.progress("Extracting") as on_progress:
        return extract(job, open_engine, on_progress=on_progress, on_note=terminal.note)


def estimate_extraction(terminal: Terminal, config: ExtractConfig) -> Estimate:
    """Say what an extraction would cost."""
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
        return estimate(job, partial(open_engine, keep=False), on_progress=on_progress)


def prepare_job(terminal: Terminal, config: ExtractConfig) -> ExtractJob:
    """Settle what an extraction is, after fetching what it needs."""
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


def open_engine(job: ExtractJob, *, keep: bool = True) -> Engine:
    """Open what computes a job's network; `keep` keeps it converted for the next time."""
    with signals.hold():
        return opening.open_engine(job, keep=keep)


def choose_store(
    cache_dir: Path,
    name: str | None = None,
    *,
    dataset: str | None = None,
    model: str | None = None,
) -> Path:
    """Return a store by path, name or beginning of its key; by default the last one used.

    Parameters
    ----------
    cache_dir : Path
    name : str, optional
    dataset, model : str, optional
        Of what it must be, if it is not named.
    """
    from pipeline.cache import find_store, resolve_store

    if name is not None:
        return resolve_store(cache_dir, name)
    return find_store(cache_dir, **named(dataset, model))


def named(dataset: str | None, model: str | None) -> dict[str, str | None]:
    """Return the names that `extract` gave to what is called so: `vgg16` for VGG16."""
    from pipeline.backbones.specs import name_model
    from pipeline.datasets import name_dataset

    return {
        "dataset": dataset and name_dataset(dataset),
        "model": model and name_model(model),
    }


def check_finished(terminal: Terminal, extraction: Extraction) -> None:
    """Exit with code 124 if the time was over before all was done."""
    if extraction.n_left:
        terminal.interrupted(command_line())
        raise typer.Exit(OUT_OF_TIME)


def check_skipped(result: Extraction | Estimate, *, strict: bool) -> None:
    """Exit with code 4 if images were skipped and none should be."""
    if strict and result.skipped:
        raise typer.Exit(SOME_SKIPPED)
