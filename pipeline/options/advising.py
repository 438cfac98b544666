"""Flags: on how many images, and for how long, layers are tried for advice."""

# No `from __future__ import annotations`: the flags are read from the annotations themselves.

from typing import Annotated

from pipeline.config import AdviseConfig, ExtractConfig, parse_count, parse_duration
from pipeline.options.flags import EXTRACT, IMAGES, MACHINE, option
from pipeline.options.images import (
    DataDirArg,
    DatasetArg,
    ImageSizeArg,
    LabelColumnArg,
    ResizeArg,
)
from pipeline.options.learning import SeedArg
from pipeline.options.machine import BatchSizeArg, DeviceArg, PrecisionArg, WorkersArg
from pipeline.options.network import ModelArg, WeightsArg
from pipeline.options.output import OverwriteArg
from pipeline.options.places import CacheDirArg

ADVISE = AdviseConfig()

ProbedLimitArg = Annotated[
    int,
    option("--limit", IMAGES, "Try the layers on at most N of the training images.", "N"),
]
ProbeTimeArg = Annotated[
    str,
    option(
        "--max-time",
        MACHINE,
        "Try them on fewer images if computing their values takes longer than this.",
        "2h|30m|90s",
    ),
]


def advised_config(
    *,
    dataset: DatasetArg = EXTRACT.dataset,
    model: ModelArg = EXTRACT.model,
    data_dir: DataDirArg = EXTRACT.data_dir,
    cache_dir: CacheDirArg = EXTRACT.cache_dir,
    label_column: LabelColumnArg = EXTRACT.label_column,
    image_size: ImageSizeArg = EXTRACT.image_size,
    resize: ResizeArg = EXTRACT.resize,
    weights: WeightsArg = EXTRACT.weights,
    batch_size: BatchSizeArg = "auto",
    workers: WorkersArg = "auto",
    device: DeviceArg = EXTRACT.device,
    precision: PrecisionArg = EXTRACT.precision,
) -> ExtractConfig:
    """Return which images and which network advice is wanted about; the parameters are flags."""
    return ExtractConfig(
        dataset=dataset,
        model=model,
        data_dir=data_dir,
        cache_dir=cache_dir,
        label_column=label_column,
        image_size=image_size,
        resize=resize,
        weights=weights,
        batch_size=parse_count("--batch-size", batch_size),
        workers=parse_count("--workers", workers),
        device=device,
        precision=precision,
    )


def advise_config(
    *,
    limit: ProbedLimitArg = ADVISE.limit,
    max_time: ProbeTimeArg = "5m",
    seed: SeedArg = ADVISE.seed,
    overwrite: OverwriteArg = ADVISE.overwrite,
) -> AdviseConfig:
    """Return how advice is to be found; the parameters are its flags."""
    return AdviseConfig(
        limit=limit, max_time=parse_duration(max_time), seed=seed, overwrite=overwrite
    )
