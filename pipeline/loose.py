"""Transfer values of loose files: from whatever store has their content, the rest computed.

What is computed is kept in a store of its own, made as `extract` makes one: durable, locked, and
resumed where it was cut off. `fit` never takes such a store for the newest: it has no labels.

A new store takes over the rows of those that are not larger than what it holds already. So n images
that come one at a time end in log2(n) stores, and not in n, of which each costs 20 ms a look; and
each value is copied log2(n) times at most.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.cache import (
    StoredRows,
    find_source_paths,
    last_life,
    lock_store,
    remove_store,
    show_life,
    store_path,
)
from pipeline.config import ExtractConfig
from pipeline.datasets.loose import LOOSE, LooseFiles, join_files, select_rows
from pipeline.errors import (
    CacheError,
    CacheLockedError,
    CacheMismatchError,
    EmptyDatasetError,
)
from pipeline.extraction.job import ExtractJob, OpenEngine
from pipeline.extraction.preparing import make_job, settle_network
from pipeline.extraction.versions import is_known_here
from pipeline.records import UNLABELLED, Manifest, Recipe, Status
from pipeline.stages.extract import extract

PATIENCE = 600.0
"""Seconds to wait for another process that gives no sign of life; loading a network takes some."""

_POLL = 0.1
_BEAT = 1.0
# Not of the content: the file may be readable the next time.
_PASSING = (Status.UNREADABLE, Status.CHANGED)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LooseValues:
    """Transfer values of loose files, in the order in which the files were given.

    Attributes
    ----------
    values : float32 ndarray of shape (n_given, n_features)
        NaN where the status is not OK; without columns if no store tells how many there are.
    status : uint8 ndarray of shape (n_given,)
        `Status` values.
    recipe : Recipe
        What decided about the values; its data set is that of these files.
    """

    values: NDArray[np.float32]
    status: NDArray[np.uint8]
    recipe: Recipe


def read_values(config: ExtractConfig, files: LooseFiles, open_engine: OpenEngine) -> LooseValues:
    """Return the transfer values of files, computing and keeping those that no store has.

    Parameters
    ----------
    config : ExtractConfig
        Its data set counts for nothing.
    files : LooseFiles
    open_engine : callable
        Builds the engine; called only if something is to be computed.

    Raises
    ------
    CacheLockedError
        If another process computes what is missing, or something else, and is stuck.
    CacheError
        If the cache cannot be written although it must be.
    BackboneError, ConfigError
        If the network cannot be run as asked.
    """
    job = make_job(config, settle_network(config), files.manifest)
    known = _look_up(job)
    if len(known.pending):
        known = _wait_for_turn(job, open_engine)
    return LooseValues(
        values=known.values[files.rows], status=known.status[files.rows], recipe=job.recipe
    )


class _Known:
    """What stores know of the rows of a manifest, by content.

    Attributes
    ----------
    values : float32 ndarray of shape (n_samples, n_features)
        NaN where nothing is known.
    status : uint8 ndarray of shape (n_samples,)
        PENDING where nothing is known.
    has_width : bool
        Whether any store told how many features there are.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._digests = [digest.tobytes() for digest in manifest.sha256]
        readable = manifest.sha256.any(axis=1)
        self.status = np.where(readable, Status.PENDING, Status.UNREADABLE).astype(np.uint8)
        self.values = np.empty((len(manifest), 0), np.float32)
        self.has_width = False

    @property
    def pending(self) -> NDArray[np.int64]:
        """Rows of which nothing is known, one for each content."""
        rows = np.flatnonzero(self.status == Status.PENDING).tolist()
        first = {self._digests[row]: row for row in reversed(rows)}
        return np.array(sorted(first.values()), np.int64)

    def learn(self, stored: StoredRows, statuses: NDArray[np.uint8]) -> None:
        """Take over what a store knows of rows of which nothing was known.

        Parameters
        ----------
        stored : StoredRows
        statuses : uint8 ndarray of shape (n_statuses,)
            Take only rows of these; those that are damaged are left out.
        """
        if not self.has_width:
            self.values = np.full((len(self.status), stored.width), np.nan, np.float32)
            self.has_width = True
        known = np.flatnonzero(np.isin(stored.status, statuses))
        row_of = {stored.sha256[row].tobytes(): row for row in known.tolist()}
        waiting = np.flatnonzero(self.status == Status.PENDING)
        found = np.array([row_of.get(self._digests[row], -1) for row in waiting], np.int64)
        here, there = waiting[found >= 0], found[found >= 0]
        blocks = there // stored.block_length
        for block in np.unique(blocks):
            with suppress(CacheError):  # damaged: computed anew
                self._take(stored, here[blocks == block], there[blocks == block])

    def _take(self, stored: StoredRows, here: NDArray[np.int64], there: NDArray[np.int64]) -> None:
        usable = stored.usable[there]
        self.values[here[usable]], _ = stored.take(there[usable])
        self.status[here] = stored.status[there]


_LASTING = np.array([s for s in Status if s not in (*_PASSING, Status.PENDING)], np.uint8)
_ALL = np.array([s for s in Status if s != Status.PENDING], np.uint8)


def _look_up(job: ExtractJob) -> _Known:
    """Ask every complete store of the recipe whose values are those of the libraries here.

    Others are for the extraction: it resumes what was cut off, and recomputes a few rows of what
    other libraries made before it copies the rest.
    """
    known = _Known(job.manifest)
    for path in find_source_paths(job.config.cache_dir, job.recipe):
        if known.has_width and not len(known.pending):
            break
        with suppress(CacheError):  # deleted meanwhile, or damaged
            stored = StoredRows(path)
            if _is_trusted(stored):
                known.learn(stored, _LASTING)
    return known


def _wait_for_turn(job: ExtractJob, open_engine: OpenEngine) -> _Known:
    """Compute what is missing once no other process computes values by this recipe.

    Two folds of a cross-validation that run side by side want almost the same images: whoever
    comes second finds most of them done.
    """
    of_all = replace(job.recipe, manifest_digest="")
    turn = store_path(job.config.cache_dir, LOOSE, of_all)  # never a store: only its lock is used
    seen, since = 0.0, time.monotonic()
    while True:
        try:
            with lock_store(turn):
                return _complete(job, turn, open_engine)
        except CacheLockedError:
            life = last_life(turn)
            if life != seen:
                seen, since = life, time.monotonic()
            elif time.monotonic() - since > PATIENCE:
                raise
        time.sleep(_POLL)


def _complete(job: ExtractJob, turn: Path, open_engine: OpenEngine) -> _Known:
    known = _look_up(job)
    if not len(known.pending):
        return known
    missing = select_rows(job.manifest, known.pending)
    smaller = _find_smaller(job, len(missing))
    manifest = join_files([missing, *(stored.manifest for stored in smaller)])
    part = make_job(job.config, job.network, manifest)
    if _is_damaged(part):
        part = _overwriting(part)
    try:
        _extract(part, turn, open_engine)
    except CacheMismatchError:  # made by libraries that are gone, and give other values
        _extract(_overwriting(part), turn, open_engine)
    known.learn(StoredRows(part.store), _ALL)
    if len(known.pending):
        raise CacheError(
            f"{part.store} lacks rows that were just written to it. Is something else writing "
            "there? Run this again."
        )
    for stored in smaller:
        if stored.path != part.store:
            with suppress(CacheError):  # it costs time, nothing else
                remove_store(stored.path)
    return known


def _find_smaller(job: ExtractJob, n_rows: int) -> list[StoredRows]:
    """Return stores of loose files to take over, smallest first, each no larger than all before.

    Parameters
    ----------
    job : ExtractJob
    n_rows : int
        What there is to begin with.
    """
    found: list[StoredRows] = []
    for path in reversed(find_source_paths(job.config.cache_dir, job.recipe)):
        try:
            stored = StoredRows(path)
        except CacheError:
            continue
        if stored.about.class_names != UNLABELLED or not _is_trusted(stored):
            continue
        if len(stored) > n_rows:
            break
        found.append(stored)
        n_rows += len(stored)
    return found


def _is_trusted(stored: StoredRows) -> bool:
    return stored.about.complete and is_known_here(stored.about.provenance)


def _is_damaged(part: ExtractJob) -> bool:
    """Tell whether the store is said to be complete, although its rows could not be read."""
    try:
        return part.find_done() is not None
    except CacheError:
        return True


def _overwriting(part: ExtractJob) -> ExtractJob:
    return replace(part, config=replace(part.config, overwrite=True))


def _extract(part: ExtractJob, turn: Path, open_engine: OpenEngine) -> None:
    beaten = 0.0

    def beat(_done: int, _total: int) -> None:
        nonlocal beaten
        if time.monotonic() - beaten > _BEAT:
            beaten = time.monotonic()
            show_life(turn)

    with suppress(EmptyDatasetError):  # each row says why
        extract(part, open_engine, on_progress=beat)
