"""Say which of the four cases of transfer a data set is: count its images and try two layers."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.advising.judging import count_images
from pipeline.advising.keeping import keep_probed
from pipeline.advising.probing import order_rows, probe_layers
from pipeline.backbones.early_layers import name_early_layer
from pipeline.cache import read_samples
from pipeline.config import AdviseConfig, FitConfig
from pipeline.errors import CacheError
from pipeline.extraction.job import ExtractJob, OpenEngine, list_samples
from pipeline.extraction.preparing import make_job, settle_network
from pipeline.predicting.computing import compute_values
from pipeline.records import Counts, FeatureTable, OnProgress, Probed, SampleTable, Status
from pipeline.showing.evidence import read_values
from pipeline.splits import Rows, split_rows

LATE_SHARE = 0.55
"""Of the time, what the last layer's values may take: those of an earlier one cost less."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Values:
    """Values of the first so many of some rows, and which of them are usable."""

    values: NDArray[np.float32]
    usable: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.usable)


def probe(
    job: ExtractJob,
    config: AdviseConfig,
    open_engine: OpenEngine,
    *,
    on_progress: OnProgress | None = None,
) -> tuple[Counts, Probed]:
    """Count a data set's images, and try a late and an early layer on some of its training images.

    None of the images is tried that `fit` would test on by itself, for what is chosen here is
    chosen before the test; where images turn out to be unusable its split may differ by a few.
    Values that a store has are read from it. What was found is kept for the next time.

    Parameters
    ----------
    job : ExtractJob
        Of the last layer's values of one backbone.
    config : AdviseConfig
    open_engine : callable
        Builds the engine of a job.
    on_progress : callable, optional
        Called with (images done, images to do), first of one layer and then of the other.

    Raises
    ------
    ClassifierError
        If there is nothing to train on.
    BackboneError
        If the network cannot be built or run.
    """
    started = time.monotonic()
    table = list_samples(job)
    train = split_rows(table, config=FitConfig(seed=config.seed)).train
    counts = count_images(table.labels, train, n_classes=len(table.class_names))
    rows = order_rows(table.labels, train, config.limit, seed=config.seed)
    layer = name_early_layer(job.network.parts[0].spec)
    late = _gather(
        job, rows, open_engine, started + LATE_SHARE * config.max_time, on_progress=on_progress
    )
    early = _gather(
        _tap(job, layer),
        rows[: len(late)],
        open_engine,
        started + config.max_time,
        on_progress=on_progress,
    )
    n = min(len(late), len(early))
    good = late.usable[:n] & early.usable[:n]
    probed = probe_layers(
        _take(table, rows[:n][good], late.values[:n][good]),
        _take(table, rows[:n][good], early.values[:n][good]),
        layer=layer,
        n_wanted=len(rows),
        was_cut=n < len(rows),
        seed=config.seed,
    )
    keep_probed(job.store, config, counts, probed)
    return counts, probed


def _tap(job: ExtractJob, layer: str) -> ExtractJob:
    """Return the job that takes another layer's values of the same images."""
    config = replace(job.config, layers=(layer,))
    return make_job(config, settle_network(config), job.manifest)


def _gather(
    job: ExtractJob,
    rows: Rows,
    open_engine: OpenEngine,
    deadline: float,
    *,
    on_progress: OnProgress | None,
) -> _Values:
    """Return the values of rows of the manifest, in order, of as many as there is time for."""
    kept = _read_kept(job, rows)
    if kept is not None:
        return kept
    paths = [job.manifest.root / job.manifest.paths[row] for row in rows]
    parts: list[_Values] = []
    computing = compute_values(job, paths, open_engine, on_progress=on_progress)
    with closing(computing):  # type: ignore[type-var]
        for part in computing:
            parts.append(_Values(values=part.values, usable=part.status == Status.OK))
            if time.monotonic() >= deadline:
                break
    if not parts:
        return _Values(values=np.empty((0, 0), np.float32), usable=np.empty(0, np.bool_))
    return _Values(
        values=np.concatenate([part.values for part in parts]),
        usable=np.concatenate([part.usable for part in parts]),
    )


def _read_kept(job: ExtractJob, rows: Rows) -> _Values | None:
    """Return the values that a complete store has; None if there is none that can be read."""
    try:
        samples = read_samples(job.store)
        place = {path: row for row, path in enumerate(samples.paths)}
        found = np.array([place.get(job.manifest.paths[row], -1) for row in rows], np.intp)
        usable = found >= 0
        values = np.zeros((len(rows), samples.n_features), np.float32)
        values[usable] = read_values(job.store, samples, found[usable])
    except CacheError:
        return None
    return _Values(values=values, usable=usable)


def _take(table: SampleTable, rows: Rows, values: NDArray[np.float32]) -> FeatureTable:
    """Return some rows with their values, as what fits on a store takes them."""
    return FeatureTable(
        labels=table.labels[rows],
        class_names=table.class_names,
        split=table.split[rows],
        group=table.group[rows],
        group_names=table.group_names,
        sha256=table.sha256[rows],
        paths=tuple(table.paths[row] for row in rows),
        root=table.root,
        dataset=table.dataset,
        source=table.source,
        model=table.model,
        key=table.key,
        recipe=table.recipe,
        content_sha256=table.content_sha256,
        n_features=values.shape[1],
        n_found=len(rows),
        skipped={},
        oddities={},
        features=values,
    )
