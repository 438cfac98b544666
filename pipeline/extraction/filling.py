"""Fill a store block by block, with rows that are copied from other stores or computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.backbones.engine import Engine
from pipeline.cache import (
    RowSource,
    StoreWriter,
    create_store,
    find_source_paths,
    write_skipped,
)
from pipeline.durable import remove
from pipeline.errors import CacheError, CacheMismatchError
from pipeline.extraction.canaries import check_canaries
from pipeline.extraction.job import ExtractJob, find_recovered
from pipeline.extraction.ledger import START, WRITING, Stopwatch
from pipeline.extraction.stream import ComputedRows, Rows, plan_batches
from pipeline.extraction.versions import describe_changes, known_versions, versions_of
from pipeline.extraction.writing import BlockWriter
from pipeline.records import UNLABELLED, OnProgress, Status

OnNote = Callable[[str], None]
"""Called with a sentence for the user."""


@dataclass(slots=True, kw_only=True)
class Filled:
    """What came of filling a store.

    Attributes
    ----------
    n_computed, n_copied : int
        Rows that were computed, and copied from other stores; of several attempts together.
    n_left : int
        Rows that are left for later.
    """

    n_computed: int = 0
    n_copied: int = 0
    n_left: int = 0


def fill(
    job: ExtractJob,
    path: Path,
    engine: Engine,
    *,
    filled: Filled | None = None,
    stopwatch: Stopwatch | None = None,
    copying: bool = True,
    on_progress: OnProgress | None = None,
    on_note: OnNote | None = None,
) -> Filled:
    """Write and commit what is missing of a store; mark it complete unless the deadline passes.

    Parameters
    ----------
    job : ExtractJob
    path : Path
        Its store, or what is to replace it; created if it is not there.
    engine : Engine
    filled : Filled, optional
        Of an attempt before this one; it is added to, whatever comes of this one.
    stopwatch : Stopwatch, optional
        Gets what is waited for.
    copying : bool
        Whether rows that other stores have are copied, not computed.
    on_progress : callable, optional
        Called with (rows done, rows to do).
    on_note : callable, optional

    Raises
    ------
    CacheMismatchError
        If rows that are there differ from what this engine computes of the same images.
    CacheError, OSError
        If the store cannot be written.
    """
    filled, stopwatch = filled or Filled(), stopwatch or Stopwatch()
    with stopwatch.on(START):
        writer, sources = _open_or_create(job, path, engine, on_note, copying=copying)
    pending = writer.pending
    total, n_seen, n_written = sum(map(len, pending)), 0, 0

    def advance(n_rows: int) -> None:
        nonlocal n_seen
        n_seen += n_rows
        if on_progress:
            on_progress(n_seen, total)

    source_of = _assign(len(job.manifest), sources)
    batches = plan_batches(pending, source_of < 0, engine.batch_size)
    with (
        BlockWriter(writer, stopwatch) as out,
        closing(ComputedRows(job, engine, batches, stopwatch, advance)) as computed,
    ):
        for rows in pending:
            if n_written and job.is_late:  # one at least, or the same command would never end
                break
            to_copy = int((source_of[rows] >= 0).sum())
            made = computed.take(len(rows) - to_copy)
            block = _merge(rows, made, sources, source_of[rows]) if to_copy else made
            out.put(rows, block)
            if to_copy:
                advance(to_copy)
            filled.n_copied += to_copy
            filled.n_computed += len(rows) - to_copy
            n_written += len(rows)
        out.flush()
    filled.n_left = total - n_written
    if n_written == total:
        with stopwatch.on(WRITING):
            write_skipped(job.store, job.manifest.paths, writer.status)
            writer.finish()
    return filled


def _open_or_create(
    job: ExtractJob, path: Path, engine: Engine, on_note: OnNote | None, *, copying: bool
) -> tuple[StoreWriter, list[RowSource]]:
    """Return a store to fill, with the other stores to copy from."""
    if path.exists():
        writer = _reopen(job, path, engine, on_note)
        if writer is not None:
            wanted = np.concatenate([np.empty(0, np.int64), *writer.pending])
            sources = _choose_sources(job, path, engine, wanted, on_note) if copying else []
            origin = _describe_origin(job, engine, sources)
            if writer.is_untouched:
                writer.update_provenance(origin)
            else:
                copied = writer.provenance.get("copied_from", [])
                new = [each for each in origin["copied_from"] if each not in copied]
                writer.update_provenance({"copied_from": [*copied, *new]})
            if not job.for_training:
                writer.claim()
            return writer, sources
        remove(path)
    wanted = np.arange(len(job.manifest))
    sources = _choose_sources(job, path, engine, wanted, on_note) if copying else []
    origin = _describe_origin(job, engine, sources)
    create_store(path, job.manifest, job.recipe, width=engine.width, provenance=origin)
    return StoreWriter(path, job.recipe), sources


def _reopen(
    job: ExtractJob, path: Path, engine: Engine, on_note: OnNote | None
) -> StoreWriter | None:
    """Open a store that is there, if what this engine computes agrees with what it holds.

    None if it does not and was only to replace another one.
    """
    writer = StoreWriter(path, job.recipe)
    versions = versions_of(engine)
    if not writer.is_untouched and not _knows(writer.provenance, versions):
        source = RowSource(path, job.manifest, np.arange(len(job.manifest)))
        verdict = check_canaries(job, engine, source)
        changes = describe_changes(writer.provenance.get("versions", {}), versions)
        said = f"{path} was computed by other libraries ({changes})"
        if not verdict.agrees and job.config.overwrite:
            return None
        if not verdict.agrees:
            raise CacheMismatchError(
                f"{said}, and {verdict}. Old and new values must not stand in one table: install "
                "the old versions again, or compute all of it anew with --overwrite."
            )
        agreeing = [*writer.provenance.get("agreeing_versions", []), versions]
        writer.update_provenance({"agreeing_versions": agreeing})
        if on_note:
            on_note(f"{said}: {verdict}.")
    writer.drop_damaged()
    recovered = find_recovered(job.manifest, writer.status)
    if len(recovered):
        writer.reopen(recovered)
    return writer


def _choose_sources(
    job: ExtractJob,
    path: Path,
    engine: Engine,
    wanted: NDArray[np.int64],
    on_note: OnNote | None,
) -> list[RowSource]:
    """Return the other stores to copy from: those that agree with this engine."""
    chosen: list[RowSource] = []
    if not len(wanted):
        return chosen
    for other in find_source_paths(job.config.cache_dir, job.recipe, but=path):
        try:
            source = RowSource(other, job.manifest, wanted)
            if not (source.rows >= 0).any():
                continue
            if not _knows(source.provenance, versions_of(engine)):
                verdict = check_canaries(job, engine, source)
                if not verdict.agrees:
                    if on_note:
                        on_note(f"Nothing is copied from {other}: {verdict}.")
                    continue
            source.drop_damaged()
        except CacheError as exc:  # its rows are computed
            if on_note:
                on_note(f"Nothing is copied from {other}: {exc}")
            continue
        chosen.append(source)
        wanted = wanted[source.rows[wanted] < 0]
        if not len(wanted):
            break
    return chosen


def _knows(provenance: Mapping[str, Any], versions: Mapping[str, str]) -> bool:
    return dict(versions) in [dict(known) for known in known_versions(provenance)]


def _describe_origin(
    job: ExtractJob, engine: Engine, sources: Sequence[RowSource]
) -> dict[str, Any]:
    """Return the provenance of a new store."""
    return {
        "versions": versions_of(engine),
        "engine": engine.name,
        "device": engine.device,
        "settings": _describe_settings(job),
        **({"for_training": True} if job.for_training else {}),
        "copied_from": [
            {
                "store": str(source.path.relative_to(job.config.cache_dir)),
                "versions": source.provenance["versions"],
            }
            for source in sources
        ],
    }


def _describe_settings(job: ExtractJob) -> dict[str, Any]:
    """Return the settings that make the store again, from whatever folder it is asked for."""
    config = job.config
    settings = config.to_dict()
    del settings["cache_dir"]
    settings["data_dir"] = str(config.data_dir.absolute())
    for name in ("dataset", "weights"):
        if Path(settings[name]).exists():
            settings[name] = str(Path(settings[name]).absolute())
    if job.manifest.class_names == UNLABELLED:  # no --dataset gives these rows
        settings["dataset"] = ""
    return settings


def _assign(n_samples: int, sources: Sequence[RowSource]) -> NDArray[np.int64]:
    """Return which source each row is copied from, -1 for none: the first one that has it."""
    source_of = np.full(n_samples, -1, np.int64)
    for number, source in enumerate(sources):
        source_of[(source_of < 0) & (source.rows >= 0)] = number
    return source_of


def _merge(
    rows: NDArray[np.int64],
    made: Rows,
    sources: Sequence[RowSource],
    source_of: NDArray[np.int64],
) -> Rows:
    """Put the rows of a block together from what was computed and what is copied."""
    values = np.empty((len(rows), made.values.shape[1]), np.float32)
    status = np.full(len(rows), Status.OK, np.uint8)
    oddities = np.zeros(len(rows), np.uint16)
    computed = source_of < 0
    values[computed], status[computed], oddities[computed] = (
        made.values,
        made.status,
        made.oddities,
    )
    for number, source in enumerate(sources):
        here = source_of == number
        if here.any():
            values[here], oddities[here] = source.read(rows[here])
    return Rows(values=values, status=status, oddities=oddities)
