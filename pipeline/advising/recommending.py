"""Which commands follow from the case that a data set is."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

from pipeline.advising.judging import (
    CASES,
    has_little_to_gain,
    judge_likeness,
    judge_size,
    say_why,
    tells_classes,
)
from pipeline.config import LAST_BLOCK, ExtractConfig
from pipeline.records import Advice, Counts, Probed, Step

_DEFAULTS = ExtractConfig()
# What advise, run and finetune all take, and what it is called there.
_SHARED = {
    "data_dir": "--data-dir",
    "cache_dir": "--cache-dir",
    "label_column": "--label-column",
    "image_size": "--image-size",
    "resize": "--resize",
    "weights": "--weights",
    "device": "--device",
}


def advise_by(
    config: ExtractConfig,
    counts: Counts,
    probed: Probed,
    *,
    dataset: str,
    model: str,
    early: str,
    reused: bool,
) -> Advice:
    """Put together what counts and a probe come to.

    Parameters
    ----------
    config : ExtractConfig
        What was asked for: the commands are about the same images and network.
    counts : Counts
    probed : Probed
    dataset, model : str
        Their names.
    early : str
        Name of the earlier layer.
    reused : bool
        Whether an earlier run probed the images.
    """
    size, likeness = judge_size(counts), judge_likeness(probed)
    return Advice(
        dataset=dataset,
        model=model,
        counts=counts,
        probed=probed,
        size=size,
        likeness=likeness,
        case=CASES.get((size, likeness)),
        reasons=tuple(say_why(counts, probed)),
        steps=tuple(_recommend(config, counts, probed, early=early)),
        reused=reused,
    )


def _recommend(
    config: ExtractConfig, counts: Counts, probed: Probed, *, early: str
) -> Iterator[Step]:
    size, likeness = judge_size(counts), judge_likeness(probed)
    run = _command("run", config)
    run_early = _command("run", config, "--layer", early)
    tune_last = _command("finetune", config, "--unfreeze-from", LAST_BLOCK)
    tune_deeper = _command("finetune", config, "--unfreeze-from", early)
    if likeness == "similar" and size == "large" and not has_little_to_gain(probed):
        yield Step(why="Train the network's last block on these images", command=tune_last)
        yield Step(why="To compare: fit on the values of the network as it is", command=run)
    elif likeness == "similar":
        yield Step(why="Fit on the last layer's values", command=run)
        if size == "between" and not has_little_to_gain(probed):
            yield Step(
                why="If that does not suffice: train the network's last block", command=tune_last
            )
    elif likeness == "different" and size == "large":
        yield Step(why=f"Train the network from {early} on", command=tune_deeper)
        yield Step(why="To compare: fit on the earlier layer's values", command=run_early)
    elif likeness == "different":
        yield Step(why="Fit on the earlier layer's values", command=run_early)
        if size == "between":
            yield Step(
                why=f"If that does not suffice: train the network from {early} on",
                command=tune_deeper,
            )
    else:
        yield from _recommend_in_doubt(config, counts, probed, run=run, run_early=run_early)


def _recommend_in_doubt(
    config: ExtractConfig, counts: Counts, probed: Probed, *, run: str, run_early: str
) -> Iterator[Step]:
    if probed.difference is not None and not tells_classes(probed):
        yield Step(
            why="Look at the images and their labels first: the report's page shows them",
            command=run,
        )
        return
    yield Step(why="Fit on the last layer's values, the usual choice", command=run)
    if probed.difference is not None:
        yield Step(why="To compare: fit on the earlier layer's values", command=run_early)
    if probed.n_images < counts.n_train and probed.difference is not None:
        more = _command("advise", config, "--limit", str(counts.n_train), "--max-time", "1h")
        yield Step(why="Or ask again, of all training images", command=more)


def _command(name: str, config: ExtractConfig, *flags: str) -> str:
    words = ["pipeline", name, "--dataset", config.dataset, "--model", config.model]
    for field, flag in _SHARED.items():
        value = getattr(config, field)
        is_path = (
            os.sep in config.dataset and field == "data_dir"
        )  # only names are looked for there
        if value != getattr(_DEFAULTS, field) and not is_path:
            words += [flag, str(value)]
    return shlex.join([*words, *flags])
