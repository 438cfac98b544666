"""Hash again what a cache holds, and compute anew what is damaged."""

from __future__ import annotations

from pathlib import Path

from pipeline.cache import (
    StoreWriter,
    Verification,
    lock_store,
    read_info,
    reset_damage,
    verify_store,
)
from pipeline.errors import CacheCorruptError, CacheError, CacheMismatchError
from pipeline.extraction.attempts import halve_until_it_fits
from pipeline.extraction.filling import Filled, OnNote, fill
from pipeline.extraction.job import ExtractJob, OpenEngine
from pipeline.records import OnProgress


def verify(store: Path, *, on_progress: OnProgress | None = None) -> Verification:
    """Hash all of a store again; a description that cannot be read is a finding, too.

    Parameters
    ----------
    store : Path
    on_progress : callable, optional
        Called with (blocks read, blocks in all).

    Raises
    ------
    CacheNotFoundError
        If there is no store.
    CacheError
        If the system does not let it be read.
    """
    try:
        return verify_store(store, on_progress=on_progress)
    except CacheCorruptError as exc:
        return Verification(
            path=store,
            complete=False,
            n_blocks=0,
            n_committed=0,
            bad_blocks=(),
            problems=(str(exc),),
        )


def repair(
    store: Path,
    job: ExtractJob,
    open_engine: OpenEngine,
    *,
    on_progress: OnProgress | None = None,
    on_note: OnNote | None = None,
) -> int:
    """Compute the damaged blocks of a store again, and those that were never computed.

    Parameters
    ----------
    store : Path
    job : ExtractJob
        Prepared from `settings_of(store)`.
    open_engine : callable
        Called only if something is to be computed.
    on_progress : callable, optional
        Called with (rows done, rows to do).
    on_note : callable, optional

    Returns
    -------
    int
        How many rows were computed.

    Raises
    ------
    CacheMismatchError
        If the data set is not the one that the store was made of any more.
    CacheLockedError
        If another process is writing the store.
    CacheCorruptError
        If the store is still damaged: its description is, or the disk is.
    """
    store = store.absolute()
    key = read_info(store).key
    if job.recipe.key != key:
        raise CacheMismatchError(
            f"{store} cannot be repaired: its images in {job.manifest.root}, its weights or this "
            "program changed since. Run extract: it makes a new store and copies what is sound."
        )
    with lock_store(store):
        try:
            reset_damage(store, job.manifest)
            writer = StoreWriter(store, job.recipe)
            if not writer.pending:
                writer.finish()
                return 0
            filled = Filled()
            halve_until_it_fits(
                job,
                lambda job: fill(
                    job,
                    store,
                    open_engine(job),
                    filled=filled,
                    copying=False,
                    on_progress=on_progress,
                    on_note=on_note,
                ),
                on_note=on_note,
            )
        except OSError as exc:
            raise CacheError(
                f"Writing {store} failed: {exc}. Make room or mend the disk, then run this again."
            ) from exc
    left = verify_store(store).problems
    if left:
        raise CacheCorruptError(
            f"{left[0]} It was just written: the disk or the memory of this machine is failing."
        )
    return filled.n_computed
