"""The command that says how a data set is best gone about: advise."""

from __future__ import annotations

from pipeline import options
from pipeline.cli import steps
from pipeline.cli.apps import app
from pipeline.commands import add_command
from pipeline.config import AdviseConfig, ExtractConfig
from pipeline.console import Terminal
from pipeline.errors import ConfigError


@add_command([app], "advise", config=options.advised_config, asked=options.advise_config)
def advise_command(
    terminal: Terminal,
    config: ExtractConfig,
    asked: AdviseConfig,
    *,
    json: options.JsonArg = False,
) -> None:
    """Say how to go about a data set: fit on late or early values, or train the network further."""
    from pipeline.advice_tables import render_advice
    from pipeline.advising.keeping import find_probed
    from pipeline.advising.recommending import advise_by
    from pipeline.backbones.early_layers import name_early_layer
    from pipeline.backbones.specs import get_specs

    if len(get_specs(config.model)) > 1:
        raise ConfigError(
            f"advise tries the layers of one network. Got: --model {config.model}. Ask about each."
        )
    job = steps.prepare_job(terminal, config)
    found = None if asked.overwrite else find_probed(job.store, asked)
    reused = found is not None
    if found is None:
        # scikit-learn takes a second to load: only where there is something to try.
        from pipeline.stages.advise import probe

        n_images = min(asked.limit, len(job.manifest))
        terminal.note(f"Trying two layers of {config.model} on up to {n_images:,} images ...")
        with terminal.progress("Trying layers") as on_progress:
            found = probe(job, asked, steps.open_engine, on_progress=on_progress)
    else:
        terminal.note("These images were tried before: nothing to compute.")
    counts, probed = found
    advice = advise_by(
        config,
        counts,
        probed,
        dataset=job.manifest.name,
        model=job.recipe.model,
        early=name_early_layer(job.network.parts[0].spec),
        reused=reused,
    )
    terminal.result(
        render_advice(advice, width=terminal.width, encoding=terminal.encoding),
        advice.to_dict(),
        as_json=json,
    )
