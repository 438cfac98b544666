"""Stage one: push every image once through a headless CNN and keep what comes out.

`prepare` settles what would be computed and where it goes, without loading a network: enough to
see that it is done already. `extract` computes it, `estimate` says what it would cost.
"""

from __future__ import annotations

import time
from contextlib import suppress
from math import inf
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.backbones.engine import Engine
from pipeline.backbones.precision import resolve_precision
from pipeline.backbones.specs import get_spec
from pipeline.backbones.weights import fetch_weights, resolve_weights
from pipeline.cache import (
    RowStates,
    count_oddities,
    count_skipped,
    lock_store,
    mark_used,
    overwrite_path,
    read_states,
    skipped_csv,
    store_path,
    swap_store,
    was_killed,
)
from pipeline.config import ExtractConfig, check_at_least
from pipeline.datasets import forget_hashes, load_manifest
from pipeline.errors import CacheError, EmptyDatasetError, OutOfMemoryError
from pipeline.extraction.filling import Filled, OnNote, fill
from pipeline.extraction.job import ExtractJob, OpenEngine
from pipeline.extraction.stream import plan_batches
from pipeline.images import read_batches
from pipeline.records import Estimate, Extraction, OnProgress, Recipe, Status


def prepare(
    config: ExtractConfig,
    *,
    on_progress: OnProgress | None = None,
    on_download: OnProgress | None = None,
    offline: bool = False,
) -> ExtractJob:
    """Settle what an extraction is: its rows, its recipe and its store.

    Parameters
    ----------
    config : ExtractConfig
    on_progress : callable, optional
        Called with (images hashed, images in all).
    on_download : callable, optional
        Called with (bytes of the weights received, bytes in all), if they are not here yet.
    offline : bool
        Download nothing, for weights that are not here are an error, and write nothing.

    Raises
    ------
    DatasetError, ConfigError, WeightsNotFoundError
    """
    started = time.monotonic()
    spec = get_spec(config.model)
    image_size = config.image_size or spec.input_size
    check_at_least(f"--image-size of {spec.name}", image_size, spec.smallest_size)
    precision = resolve_precision(config.precision, device=config.device)
    if offline:
        weights = resolve_weights(spec, config.weights)
    else:
        weights = fetch_weights(spec, config.weights, on_progress=on_download)
    manifest = load_manifest(
        config.dataset,
        data_dir=config.data_dir,
        label_column=config.label_column,
        limit=config.limit,
        cache_dir=None if offline else config.cache_dir,
        on_progress=on_progress,
    )
    recipe = Recipe(
        manifest_digest=manifest.digest,
        model=spec.name,
        weights_sha256=weights.sha256,
        layers=config.layers,
        pooling=config.pooling,
        input_size=image_size,
        resize=config.resize or spec.resize,
        crop_fraction=spec.crop_fraction,
        interpolation=spec.interpolation,
        preprocessing=spec.preprocessing,
        precision=precision,
        dtype=config.dtype,
    )
    return ExtractJob(
        config=config,
        manifest=manifest,
        spec=spec,
        weights=weights,
        recipe=recipe,
        store=store_path(config.cache_dir, manifest.name, recipe),
        deadline=started + (inf if config.max_time is None else config.max_time),
    )


def extract(
    job: ExtractJob,
    open_engine: OpenEngine,
    *,
    on_progress: OnProgress | None = None,
    on_note: OnNote | None = None,
) -> Extraction:
    """Compute what is missing of a job's store and mark it complete.

    Parameters
    ----------
    job : ExtractJob
    open_engine : callable
        Builds the engine; called only if something is to be computed, after the store's lock is
        held, since building one takes seconds. Called again with smaller batches if the memory
        does not suffice.
    on_progress : callable, optional
        Called with (images done, images to do).
    on_note : callable, optional
        Called with sentences for the user.

    Returns
    -------
    Extraction
        With `n_left` images if the job's deadline passed; what is done is kept.

    Raises
    ------
    CacheLockedError
        If another process is writing the store.
    CacheMismatchError
        If the store was computed by libraries that give other values than those here.
    CacheError
        If the store cannot be written. What was committed stays.
    OutOfMemoryError
        If not even one image at a time fits.
    EmptyDatasetError
        If not one image could be used.
    """
    done = job.find_done()
    if done is not None:
        if on_note:
            on_note("Already extracted: nothing to do.")
        with suppress(CacheError):  # in a cache that cannot be written, or while somebody does
            if was_killed(job.store):
                with lock_store(job.store):
                    pass  # taking it mends what is to be mended
        mark_used(job.store)
        return _describe(job, done)
    if on_note:
        on_note(f"Extracting {len(job.manifest):,} images with {job.spec.name} ...")
    with lock_store(job.store):
        # An existing store is replaced only by a complete one.
        replacing = job.config.overwrite and job.store.exists()
        target = overwrite_path(job.store) if replacing else job.store
        if on_progress:
            on_progress(0, len(job.manifest))  # loading a network takes seconds: show life
        try:
            extraction = _fill(job, target, open_engine, on_progress, on_note)
            if replacing and not extraction.n_left:
                swap_store(target, job.store)
        except OSError as exc:
            raise CacheError(
                f"Writing {job.store} failed: {exc}. What was committed is kept: make room or "
                "mend the disk, then run the same command to go on."
            ) from exc
    return extraction


def _fill(
    job: ExtractJob,
    target: Path,
    open_engine: OpenEngine,
    on_progress: OnProgress | None,
    on_note: OnNote | None,
) -> Extraction:
    """Fill a store, in batches as large as the memory allows."""
    while True:
        size = job.config.batch_size
        started = time.perf_counter()
        try:
            filled, engine = _fill_once(job, target, open_engine, on_progress, on_note)
        except OutOfMemoryError:
            if size == 1:
                raise
        else:
            break
        job = job.with_batch_size(size // 2)
        if on_note:
            on_note(f"Out of memory with batches of {size}: going on with {size // 2}.")
    states = read_states(target)
    if (states.status == Status.CHANGED).any():
        forget_hashes(job.manifest, cache_dir=job.config.cache_dir)
    return _describe(
        job, states, filled=filled, seconds=time.perf_counter() - started, engine=engine
    )


def _fill_once(
    job: ExtractJob,
    target: Path,
    open_engine: OpenEngine,
    on_progress: OnProgress | None,
    on_note: OnNote | None,
) -> tuple[Filled, str]:
    """Fill a store in batches of one size; return also what computed it.

    The engine goes when this returns: where the memory is short, no two of them fit.
    """
    engine = open_engine(job)
    filled = fill(
        job,
        target,
        engine,
        copying=not job.config.overwrite,
        on_progress=on_progress,
        on_note=on_note,
    )
    return filled, f"{engine.name} on {engine.device}"


def _describe(
    job: ExtractJob,
    states: RowStates,
    *,
    filled: Filled | None = None,
    seconds: float = 0.0,
    engine: str | None = None,
) -> Extraction:
    """Describe a store.

    Raises
    ------
    EmptyDatasetError
        If it is complete without one usable image.
    """
    info, status = states.info, states.status
    filled = filled or Filled(n_computed=0, n_copied=0, n_left=0)
    skipped = count_skipped(status[status != Status.PENDING])
    n_cached = int((status == Status.OK).sum())
    if n_cached == 0 and info.complete:
        reasons = ", ".join(f"{n} {reason}" for reason, n in skipped.items())
        raise EmptyDatasetError(
            f"None of the {info.n_rows} files in {job.manifest.root} is a usable image "
            f"({reasons}). They are listed in {skipped_csv(job.store)}."
        )
    return Extraction(
        store=job.store,
        dataset=job.manifest.name,
        model=job.spec.name,
        n_found=info.n_rows,
        n_cached=n_cached,
        n_features=info.width,
        skipped=skipped,
        skipped_csv=skipped_csv(job.store) if skipped and info.complete else None,
        oddities=count_oddities(states.oddities),
        ignored=dict(job.manifest.ignored),
        n_computed=filled.n_computed,
        n_copied=filled.n_copied,
        n_left=int((status == Status.PENDING).sum()),
        seconds=seconds,
        engine=engine,
    )


def estimate(job: ExtractJob, engine: Engine, *, on_progress: OnProgress | None = None) -> Estimate:
    """Decode every image and run one batch, write nothing, and say what extracting would cost."""
    n, size = len(job.manifest), job.recipe.input_size
    sample = np.zeros((engine.batch_size, size, size, 3), np.uint8)
    statuses, done, started = [], 0, time.perf_counter()
    parts = plan_batches([np.arange(n)], np.ones(n, np.bool_), engine.batch_size)
    for batch in read_batches(job.manifest, parts, job.geometry, workers=job.workers):
        sample[: len(batch.images)] = batch.images
        statuses.append(batch.status)
        done += len(batch.status)
        if on_progress:
            on_progress(done, n)
    decoding = time.perf_counter() - started
    _run_once(engine, sample)  # the first batch also pays for compiling
    inference = _run_once(engine, sample) * n / engine.batch_size
    return Estimate(
        n_images=n,
        n_classes=len(job.manifest.class_names),
        n_features=engine.width,
        skipped=count_skipped(np.concatenate(statuses)),
        seconds=max(decoding, inference),
        megabytes=n * engine.width * np.dtype(job.recipe.dtype).itemsize / 1e6,
        engine=f"{engine.name} on {engine.device}",
    )


def _run_once(engine: Engine, images: NDArray[np.uint8]) -> float:
    started = time.perf_counter()
    for _ in engine.infer_many(iter([images])):
        pass
    return time.perf_counter() - started
