"""Stage one: push every image once through a headless CNN and keep what comes out.

`extract` does what `extraction.preparing.prepare` has settled, `estimate` says what it would cost.
"""

from __future__ import annotations

import platform
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.backbones.engine import Engine, Images
from pipeline.backbones.precision import resolve_precision
from pipeline.cache import (
    RowStates,
    StoreWriter,
    count_oddities,
    count_skipped,
    lock_store,
    log_replacement,
    log_run,
    mark_used,
    overwrite_path,
    read_states,
    skipped_csv,
    swap_store,
    was_killed,
)
from pipeline.datasets import forget_hashes
from pipeline.errors import CacheError, EmptyDatasetError
from pipeline.extraction.attempts import halve_until_it_fits
from pipeline.extraction.batch_sizes import remember
from pipeline.extraction.filling import Filled, OnNote, fill
from pipeline.extraction.job import ExtractJob, OpenEngine
from pipeline.extraction.ledger import START, Stopwatch, advise
from pipeline.extraction.stream import plan_batches
from pipeline.images import read_batches
from pipeline.records import Estimate, Extraction, OnProgress, Status, TimeLedger


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
            if done.info.provenance.get("for_training") and not job.for_training:
                with lock_store(job.store):
                    StoreWriter(job.store, job.recipe).claim()
        mark_used(job.store)
        return _describe(job, done)
    if on_note:
        on_note(f"Extracting {len(job.manifest):,} images with {job.recipe.model} ...")
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
                log_replacement(job.store)
        except OSError as exc:
            raise CacheError(
                f"Writing {job.store} failed: {exc}. What was committed is kept: make room or "
                "mend the disk, then run the same command to go on."
            ) from exc
    return extraction


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What one run came to: what it filled, by what, and where its time went."""

    filled: Filled
    engine: str
    device: str
    batch_size: int
    ledger: TimeLedger
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """Return what is said of it beside the store, as JSON values."""
        return {
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "host": platform.node(),
            "n_computed": self.filled.n_computed,
            "n_copied": self.filled.n_copied,
            "n_left": self.filled.n_left,
            "engine": self.engine,
            "device": self.device,
            "batch_size": self.batch_size,
            "ledger": self.ledger.to_dict(),
            "advice": self.advice,
        }


def _fill(
    job: ExtractJob,
    target: Path,
    open_engine: OpenEngine,
    on_progress: OnProgress | None,
    on_note: OnNote | None,
) -> Extraction:
    """Fill a store, in batches as large as the memory allows."""
    filled, stopwatch = Filled(), Stopwatch()

    def attempt(job: ExtractJob) -> _Run:
        with stopwatch.on(START):
            engine = open_engine(job)
        fill(
            job,
            target,
            engine,
            filled=filled,
            stopwatch=stopwatch,
            copying=not job.config.overwrite,
            on_progress=on_progress,
            on_note=on_note,
        )
        return _describe_run(job, filled, engine, stopwatch.read())

    run = halve_until_it_fits(job, attempt, on_note=on_note)
    if job.remembered is not None and job.remembered < run.batch_size:
        remember(job.config.cache_dir, run.batch_size, **job.place)  # asked for, and it fits now
    log_run(job.store, {**run.to_dict(), "overwrite": job.config.overwrite})
    states = read_states(target)
    if (states.status == Status.CHANGED).any():
        forget_hashes(job.manifest, cache_dir=job.config.cache_dir)
    return _describe(job, states, run)


def _describe_run(job: ExtractJob, filled: Filled, engine: Engine, ledger: TimeLedger) -> _Run:
    fastest = resolve_precision("auto", device="cpu")
    can_be_coarser = engine.device == "cpu" and fastest != job.recipe.precision == "float32"
    return _Run(
        filled=filled,
        engine=engine.name,
        device=engine.device,
        batch_size=engine.batch_size,
        ledger=ledger,
        advice=advise(
            ledger, device=engine.device, workers=job.workers, can_be_coarser=can_be_coarser
        ),
    )


def _describe(job: ExtractJob, states: RowStates, run: _Run | None = None) -> Extraction:
    """Describe a store, and the run that filled it if there was one.

    Raises
    ------
    EmptyDatasetError
        If it is complete without one usable image.
    """
    info, status = states.info, states.status
    skipped = count_skipped(status[status != Status.PENDING])
    n_cached = int((status == Status.OK).sum())
    if n_cached == 0 and info.complete:
        reasons = ", ".join(f"{n} {reason}" for reason, n in skipped.items())
        raise EmptyDatasetError(
            f"None of the {info.n_rows} files in {job.manifest.root} is a usable image "
            f"({reasons}). They are listed in {skipped_csv(job.store)}."
        )
    extraction = Extraction(
        store=job.store,
        dataset=job.manifest.name,
        model=job.recipe.model,
        n_found=info.n_rows,
        n_cached=n_cached,
        n_features=info.width,
        skipped=skipped,
        skipped_csv=skipped_csv(job.store) if skipped and info.complete else None,
        oddities=count_oddities(states.oddities),
        ignored=dict(job.manifest.ignored),
        n_left=int((status == Status.PENDING).sum()),
    )
    if run is None:
        return extraction
    return replace(
        extraction,
        n_computed=run.filled.n_computed,
        n_copied=run.filled.n_copied,
        seconds=run.ledger.total,
        engine=f"{run.engine} on {run.device}",
        batch_size=run.batch_size,
        ledger=run.ledger,
        advice=run.advice,
    )


def estimate(
    job: ExtractJob, open_engine: OpenEngine, *, on_progress: OnProgress | None = None
) -> Estimate:
    """Decode every image and run one batch, write nothing, and say what extracting would cost."""
    return halve_until_it_fits(job, lambda job: _estimate(job, open_engine(job), on_progress))


def _estimate(job: ExtractJob, engine: Engine, on_progress: OnProgress | None) -> Estimate:
    n = len(job.manifest)
    sample = tuple(np.zeros((engine.batch_size, s, s, 3), np.uint8) for s in engine.image_sizes)
    statuses, done, started = [], 0, time.perf_counter()
    parts = plan_batches([np.arange(n)], np.ones(n, np.bool_), engine.batch_size)
    for batch in read_batches(job.manifest, parts, job.geometries, workers=job.workers):
        for images, decoded in zip(sample, batch.images, strict=True):
            images[: len(decoded)] = decoded
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
        # A GPU computes while the CPU decodes; a CPU does one or the other.
        seconds=decoding + inference if engine.device == "cpu" else max(decoding, inference),
        megabytes=n * engine.width * np.dtype(job.recipe.dtype).itemsize / 1e6,
        engine=f"{engine.name} on {engine.device}",
    )


def _run_once(engine: Engine, images: Images) -> float:
    started = time.perf_counter()
    for _ in engine.infer_many(iter([images])):
        pass
    return time.perf_counter() - started
