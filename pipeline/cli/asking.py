"""The commands that tell what there is: models, datasets, doctor."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import typer

from pipeline import options
from pipeline.cli.apps import app
from pipeline.commands import add_command, signals
from pipeline.console import Terminal
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.stages.doctor import Check


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


def _diagnose(cache_dir: Path, data_dir: Path) -> Iterator[Check]:
    from pipeline.stages.doctor import diagnose

    checks = diagnose(cache_dir, data_dir, import_module)
    while True:
        with signals.hold():
            check = next(checks, None)
        if check is None:
            return
        yield check
