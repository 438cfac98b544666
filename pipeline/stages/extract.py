"""Stage one: push every image once through a headless CNN and keep what comes out.

`prepare` settles what would be computed and where it goes, without loading a network: enough to
see that it is done already. `extract` computes it, `estimate` says what it would cost.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import __version__
from pipeline.backbones.engine import Engine
from pipeline.backbones.precision import resolve_precision
from pipeline.backbones.specs import BackboneSpec, get_spec
from pipeline.backbones.weights import WeightsFile, fetch_weights, resolve_weights
from pipeline.cache import (
    StoreWriter,
    count_skipped,
    create_store,
    lock_store,
    mark_used,
    overwrite_path,
    read_info,
    read_status,
    skipped_csv,
    store_path,
    swap_store,
    write_skipped,
)
from pipeline.config import ExtractConfig, check_at_least
from pipeline.datasets import load_manifest
from pipeline.errors import CacheError, CacheNotFoundError, EmptyDatasetError
from pipeline.images import Geometry, read_batches
from pipeline.records import Estimate, Extraction, Manifest, OnProgress, Recipe, Status


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExtractJob:
    """What `extract` will do: everything is settled but nothing is computed."""

    config: ExtractConfig
    manifest: Manifest
    spec: BackboneSpec
    weights: WeightsFile
    recipe: Recipe
    store: Path

    @property
    def geometry(self) -> Geometry:
        """How each image becomes what the backbone takes."""
        return Geometry(
            size=self.recipe.input_size,
            resize=self.recipe.resize,
            crop_fraction=self.recipe.crop_fraction,
            interpolation=self.recipe.interpolation,
        )

    @property
    def workers(self) -> int:
        """Decoding threads."""
        return self.config.workers or cpu_count() or 1

    @property
    def is_done(self) -> bool:
        """Whether the store is there, complete, and lacks no image that could be read now."""
        try:
            complete = not self.config.overwrite and read_info(self.store).complete
        except CacheNotFoundError:
            return False
        return complete and not len(_find_recovered(self.manifest, read_status(self.store)))


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
        Download nothing: weights that are not here are an error.

    Raises
    ------
    DatasetError, ConfigError, WeightsNotFoundError
    """
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
    )


def extract(
    job: ExtractJob,
    open_engine: Callable[[ExtractJob], Engine],
    *,
    on_progress: OnProgress | None = None,
) -> Extraction:
    """Compute what is missing of a job's store and mark it complete.

    Parameters
    ----------
    job : ExtractJob
    open_engine : callable
        Builds the engine; called only if something is to be computed, after the store's lock is
        held, since building one takes seconds.
    on_progress : callable, optional
        Called with (images done, images to do).

    Raises
    ------
    CacheLockedError
        If another process is writing the store.
    CacheError
        If the store cannot be written. What was committed stays.
    EmptyDatasetError
        If not one image could be used.
    """
    if job.is_done:
        mark_used(job.store)
        return describe(job)
    with lock_store(job.store):
        # An existing store is replaced only by a complete one.
        replacing = job.config.overwrite and job.store.exists()
        target = overwrite_path(job.store) if replacing else job.store
        if on_progress:
            on_progress(0, len(job.manifest))  # loading a network takes seconds: show life
        engine = open_engine(job)
        started = time.perf_counter()
        try:
            n_computed = _fill(job, target, engine, on_progress)
            if replacing:
                swap_store(target, job.store)
        except OSError as exc:
            raise CacheError(
                f"Writing {job.store} failed: {exc}. What was committed is kept: make room or "
                "mend the disk, then run the same command to go on."
            ) from exc
        seconds = time.perf_counter() - started
    return describe(
        job, n_computed=n_computed, seconds=seconds, engine=f"{engine.name} on {engine.device}"
    )


def describe(
    job: ExtractJob, *, n_computed: int = 0, seconds: float = 0.0, engine: str | None = None
) -> Extraction:
    """Describe a complete store.

    Raises
    ------
    EmptyDatasetError
        If not one image could be used.
    """
    info, status = read_info(job.store), read_status(job.store)
    skipped = count_skipped(status)
    n_cached = int((status == Status.OK).sum())
    if n_cached == 0:
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
        skipped_csv=skipped_csv(job.store) if skipped else None,
        ignored=dict(job.manifest.ignored),
        n_computed=n_computed,
        seconds=seconds,
        engine=engine,
    )


def estimate(job: ExtractJob, engine: Engine, *, on_progress: OnProgress | None = None) -> Estimate:
    """Decode every image and run one batch, write nothing, and say what extracting would cost."""
    n, size = len(job.manifest), job.recipe.input_size
    sample = np.zeros((engine.batch_size, size, size, 3), np.uint8)
    statuses, done, started = [], 0, time.perf_counter()
    parts = _batches([np.arange(n)], engine.batch_size)
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


def _find_recovered(manifest: Manifest, status: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the rows that were gone or changed while they were read, and are there again.

    The manifest has just been hashed: a row whose file it could hash is as the store expects it.
    """
    passing = np.isin(status, (Status.UNREADABLE, Status.CHANGED))
    return np.flatnonzero(passing & manifest.sha256.any(axis=1))


def _fill(job: ExtractJob, store: Path, engine: Engine, on_progress: OnProgress | None) -> int:
    """Compute and commit every pending block of a store, then mark it complete."""
    provenance = {
        "versions": {"transfer-values": __version__, **engine.versions},
        "engine": engine.name,
        "device": engine.device,
        "batch_size": engine.batch_size,
        "settings": job.config.to_dict(),
    }
    if not store.exists():
        create_store(store, job.manifest, job.recipe, width=engine.width, provenance=provenance)
    writer = StoreWriter(store, job.recipe)
    recovered = _find_recovered(job.manifest, writer.status)
    if len(recovered):
        writer.reopen(recovered)
    blocks = writer.pending
    total, done = sum(len(rows) for rows in blocks), 0
    status_of: deque[NDArray[np.uint8]] = deque()

    def images() -> Iterator[NDArray[np.uint8]]:
        parts = _batches(blocks, engine.batch_size)
        for batch in read_batches(job.manifest, parts, job.geometry, workers=job.workers):
            status_of.append(batch.status)
            yield batch.images

    values = engine.infer_many(images())
    for rows in blocks:
        parts, statuses = [], []
        for _ in range(-(-len(rows) // engine.batch_size)):
            parts.append(next(values))
            statuses.append(status_of.popleft())
            done += len(parts[-1])
            if on_progress:
                on_progress(done, total)
        writer.write(rows, np.concatenate(parts), np.concatenate(statuses))
    write_skipped(job.store, job.manifest.paths, writer.status)
    writer.finish()
    return total


def _batches(blocks: list[NDArray[np.int64]], size: int) -> Iterator[NDArray[np.int64]]:
    """Cut each block of rows into batches; none spans two blocks."""
    for rows in blocks:
        for start in range(0, len(rows), size):
            yield rows[start : start + size]
