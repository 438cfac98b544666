"""Stage two: fit a classifier on a store's transfer values, and keep what comes out beside it.

`pipeline.fitting` is the core, from a table to a classifier and its report.
"""

from __future__ import annotations

import errno
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import artifacts
from pipeline.cache import check_unchanged, read_features, read_samples, stream_features
from pipeline.config import FitConfig, Gates
from pipeline.errors import ClassifierError, FinetuneError
from pipeline.finetuning.origin import find_origin, find_weights_file
from pipeline.fitting.in_memory import FittedTable, fit_table
from pipeline.fitting.streamed import fit_blocks
from pipeline.fitting.tuning_notes import describe_unknown
from pipeline.grouping import group_table
from pipeline.images import colour_histograms
from pipeline.machine import count_cores, free_memory
from pipeline.records import FitResult, OnProgress, SampleTable
from pipeline.splits import Rows
from pipeline.streaming import needs_streaming
from pipeline.tuned import read_image_uses

READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
FLOAT32_BYTES = 4


def fit(
    store: Path,
    config: FitConfig,
    *,
    gates: Gates | None = None,
    on_progress: OnProgress | None = None,
) -> FitResult:
    """Fit a classifier on a store's transfer values and keep it beside the store.

    A fit that is there already is made again and replaced; `stages.report.find_fit` finds it.

    Parameters
    ----------
    store : Path
        A complete store, for example from `cache.find_store`.
    config : FitConfig
    gates : Gates, optional
        What the fit must reach to be marked as usable.
    on_progress : callable, optional
        Called with (fits done, fits expected) while the classifier is tuned.

    Raises
    ------
    CacheError
        If the store cannot be read.
    ConfigError
        If the classifier does not take a setting.
    ClassifierError
        If the rows cannot be split or fitted, or the fit cannot be written.
    """
    samples = read_samples(store)
    make = _fit_streamed if _is_streamed(samples, config) else _fit_in_memory
    fitted = make(store, samples, config, gates or Gates(), on_progress)
    check_unchanged(store, samples.content_sha256)
    folder = artifacts.fit_path(
        store, key=samples.key, content_sha256=samples.content_sha256, config=config
    )
    try:
        artifacts.save_fit(
            folder,
            classifier=fitted.classifier,
            table=samples,
            config=config,
            report=fitted.report,
            predictions=fitted.predictions,
        )
    except OSError as exc:
        if exc.errno not in READ_ONLY:
            raise ClassifierError(
                f"The fit could not be written to {folder}: {exc}. Make room, or copy the cache "
                "elsewhere and give --cache-dir; then run fit again."
            ) from exc
        note = f"The fit was not kept: {folder.parent} cannot be written."
        report = replace(fitted.report, notes=(*fitted.report.notes, note))
        return FitResult(report=report, folder=None, reused=False)
    return FitResult(report=fitted.report, folder=folder, reused=False)


def _is_streamed(samples: SampleTable, config: FitConfig) -> bool:
    if config.stream is not None:
        return config.stream
    n_bytes = len(samples.labels) * samples.n_features * FLOAT32_BYTES
    return needs_streaming(n_bytes, free=free_memory())


def _fit_in_memory(
    store: Path,
    samples: SampleTable,
    config: FitConfig,
    gates: Gates,
    on_progress: OnProgress | None,
) -> FittedTable:
    table = read_features(store)
    notes, uses = _read_uses(store, samples)
    if config.group_by is not None:
        table, said = group_table(table, config.group_by)
        notes = (*notes, *said)
    return fit_table(
        table,
        config,
        store=store.name,
        gates=gates,
        colours=partial(_read_colours, samples),
        notes=notes,
        uses=uses,
        on_progress=on_progress,
    )


def _fit_streamed(
    store: Path,
    samples: SampleTable,
    config: FitConfig,
    gates: Gates,
    on_progress: OnProgress | None,
) -> FittedTable:
    notes, uses = _read_uses(store, samples)
    if config.group_by is not None:
        samples, said = group_table(samples, config.group_by)
        notes = (*notes, *said)
    return fit_blocks(
        samples,
        partial(stream_features, store),
        config,
        store=store.name,
        gates=gates,
        notes=notes,
        uses=uses,
        on_progress=on_progress,
    )


def _read_uses(store: Path, samples: SampleTable) -> tuple[tuple[str, ...], dict[bytes, str]]:
    """Return what the images of a network that was trained here were used for, or why not."""
    folder = find_origin(store, samples.recipe)
    if folder is None:
        file = find_weights_file(store)
        return (() if file is None else (describe_unknown(file.name),)), {}
    try:
        return (), read_image_uses(folder)
    except FinetuneError as exc:
        return (f"It cannot be told whether test images trained the network: {exc}",), {}


def _read_colours(
    samples: SampleTable, rows: Rows
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the colour histograms of rows whose images are where they were."""
    return colour_histograms(
        Path(samples.root),
        [samples.paths[row] for row in rows],
        sha256=samples.sha256[rows],
        n_workers=count_cores(),
    )
