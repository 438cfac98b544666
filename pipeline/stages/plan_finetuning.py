"""Settle how a network is to be trained: which layers, and on what of the others."""

from __future__ import annotations

import shutil
from dataclasses import replace
from math import prod

import numpy as np

from pipeline.backbones.engines import choose_device
from pipeline.backbones.headless import build_bare
from pipeline.config import FinetuneConfig, FitConfig
from pipeline.errors import ConfigError
from pipeline.extraction.job import ExtractJob, list_samples
from pipeline.finetuning.choosing import find_first
from pipeline.finetuning.graph import find_cut
from pipeline.finetuning.plans import TuningPlan
from pipeline.finetuning.training import check_tensorboard
from pipeline.grouping import group_table
from pipeline.splits import split_rows


def check_split(job: ExtractJob, split_config: FitConfig) -> None:
    """Refuse a split that cannot be made before anything is computed, which may take hours.

    Parameters
    ----------
    job : ExtractJob
    split_config : FitConfig

    Raises
    ------
    ConfigError, DatasetError
        If there are no such groups.
    ClassifierError
        If the images cannot be split, or there is nothing to tell apart.
    """
    table = list_samples(job)
    if split_config.group_by is not None:
        table, _ = group_table(table, split_config.group_by)
    split_rows(table, config=split_config)


def plan(job: ExtractJob, config: FinetuneConfig) -> TuningPlan:
    """Find out which layers train, and what of the others can be computed once.

    Parameters
    ----------
    job : ExtractJob
        Of the plain transfer values of the network that the training begins with.
    config : FinetuneConfig

    Raises
    ------
    ConfigError
        If there is no such layer, or --cache-frozen was asked for and cannot be.
    """
    check_tensorboard(config)
    choose_device(job.config.device)  # first of all: quietly
    (part,) = job.network.parts
    bare = build_bare(part.spec, None, image_size=part.image_size)
    first = find_first([layer.name for layer in bare.layers], config.unfreeze_from)
    cut = find_cut(bare, first)
    plain = replace(job.config, overwrite=False, batch_size=None)
    whole = TuningPlan(part=part, first=first, cut=(), extraction=plain)
    if not config.caches:
        return whole
    n_views = 2 if "hflip" in config.augment else 1
    width = sum(prod(bare.get_layer(name).output.shape[1:]) for name in cut) * n_views
    n_bytes = len(job.manifest) * width * np.dtype(job.config.dtype).itemsize
    obstacle = _find_obstacle(job, cut, width, n_bytes)
    if obstacle:
        if config.cache_frozen:
            raise ConfigError(f"--cache-frozen: {obstacle} Leave it out.")
        note = f"The whole network is computed in every epoch: {obstacle}"
        return replace(whole, notes=(note,))
    frozen = replace(
        plain,
        layers=cut,
        pooling="none",
        augment="hflip" if n_views == 2 else "none",
        views=n_views,
    )
    return replace(whole, cut=cut, extraction=frozen, n_bytes=n_bytes)


def _find_obstacle(job: ExtractJob, cut: tuple[str, ...], width: int, n_bytes: int) -> str:
    """Return why nothing can be kept of the frozen part; empty if it can."""
    if not cut:
        return "no layer before those that train is one that all of them depend on alone."
    folder = next(path for path in job.store.absolute().parents if path.exists())
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        return (
            f"{len(job.manifest):,} × {width:,} values would take {n_bytes / 1e9:,.1f} GB, and "
            f"{free / 1e9:,.1f} GB are free."
        )
    return ""
