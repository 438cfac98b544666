"""Reading stores: what they say about themselves, and their rows, checked."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.cache.blocks import BlockReader
from pipeline.cache.damage import REDO_HINT, translated
from pipeline.cache.layout import RowIds, Store, content_digest, open_store
from pipeline.errors import (
    CacheCorruptError,
    CacheError,
    CacheIncompleteError,
    CacheNotFoundError,
)
from pipeline.records import UNLABELLED, FeatureTable, Oddity, SampleTable, Status

RESUME_HINT = "Run the same extract command again: it goes on where it stopped."


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreInfo:
    """What a store says about itself without its rows being read.

    Attributes
    ----------
    path : Path
    dataset, model, key : str
    content_sha256 : str
        Empty until the store is complete.
    n_rows, width : int
        Images found, and transfer values a row.
    complete, labelled : bool
    recipe, provenance : mapping
    """

    path: Path
    dataset: str
    model: str
    key: str
    content_sha256: str
    n_rows: int
    width: int
    complete: bool
    labelled: bool
    recipe: Mapping[str, Any]
    provenance: Mapping[str, Any]


def read_info(path: Path) -> StoreInfo:
    """Read a store's attributes.

    Raises
    ------
    CacheNotFoundError
        If there is nothing at `path`.
    CacheCorruptError
        If it is not a readable store of this format and version.
    """
    return _describe(open_store(path, "r"))


def _describe(store: Store) -> StoreInfo:
    about = store.attributes
    n, width = store.array("features").shape
    return StoreInfo(
        path=store.path,
        dataset=about.dataset,
        model=about.recipe.model,
        key=about.key,
        content_sha256=about.content_sha256,
        n_rows=n,
        width=width,
        complete=about.complete,
        labelled=about.class_names != UNLABELLED,
        recipe=about.recipe.to_dict(),
        provenance=about.provenance,
    )


def find_store(cache_dir: Path, *, dataset: str | None = None, model: str | None = None) -> Path:
    """Return the store that was used last, of one data set or model if named.

    Used is completed, or found complete: see `mark_used`. Damaged stores are passed over, those
    without labels, from which nothing can be learned, and those of which only `finetune` has asked:
    they are large, and whoever wants a fit on what lies in the middle of a network says so.

    Raises
    ------
    CacheNotFoundError
        If there is no complete store that fits.
    """
    stores = [
        info
        for info in list_stores(cache_dir)
        if info.labelled
        and not info.provenance.get("for_training")
        and (dataset is None or info.dataset == dataset)
        and (model is None or info.model == model)
    ]
    complete = [info.path for info in stores if info.complete]
    if complete:
        return max(complete, key=_used_at)
    if stores:
        raise CacheNotFoundError(
            f"The extraction into {stores[0].path} has not finished. {RESUME_HINT}"
        )
    named = (("--dataset", dataset), ("--model", model))
    wanted = " ".join(f"{flag} {value}" for flag, value in named if value)
    raise CacheNotFoundError(
        f"No finished extraction{' of ' + wanted if wanted else ''} in {cache_dir}. "
        f"Run: extract {wanted}".rstrip()
    )


def mark_used(path: Path) -> None:
    """Make a store the newest for `find_store`; a cache that cannot be written stays as it is."""
    with contextlib.suppress(OSError):
        os.utime(path / "zarr.json")


def _used_at(path: Path) -> int:
    try:
        return (path / "zarr.json").stat().st_mtime_ns
    except OSError:  # deleted since it was listed
        return 0


def list_stores(cache_dir: Path) -> list[StoreInfo]:
    """Return every readable store below `cache_dir`, sorted by path.

    Raises
    ------
    CacheError
        If the system does not let `cache_dir` be read.
    """
    infos = []
    with translated(cache_dir):
        paths = sorted(cache_dir.glob("*/*.zarr"))
    for path in paths:
        try:
            infos.append(read_info(path))
        except CacheError:  # not ours, or damaged: reading it by name says what is wrong
            continue
    return infos


def read_features(path: Path) -> FeatureTable:
    """Read the usable rows of a complete store, checking every block against its digest.

    Parameters
    ----------
    path : Path

    Returns
    -------
    FeatureTable
        float32, whatever the store's dtype.

    Raises
    ------
    CacheNotFoundError, CacheIncompleteError, CacheCorruptError
    """
    store = _open_complete(path)
    with _as_it_was(store):
        # The blocks first: one of them that is damaged can be named.
        features = _read_usable(store)
        return FeatureTable(features=features, **_read_columns(store))


def read_samples(path: Path) -> SampleTable:
    """Read what a complete store says of its usable rows, without their values.

    Raises
    ------
    CacheNotFoundError, CacheIncompleteError, CacheCorruptError
    """
    store = _open_complete(path)
    with _as_it_was(store):
        return SampleTable(**_read_columns(store))


def stream_features(
    path: Path, order: NDArray[np.intp] | None = None
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Read the usable rows of a complete store block by block, each checked against its digest.

    Parameters
    ----------
    path : Path
    order : intp ndarray of shape (n_blocks,), optional
        Numbers of the blocks, in the order to read them. By default every block in order.

    Yields
    ------
    rows : slice
        Which rows of `read_samples` these are.
    values : float32 ndarray of shape (n_rows, n_features)

    Raises
    ------
    CacheNotFoundError, CacheIncompleteError, CacheCorruptError
    """
    store = _open_complete(path)
    with _as_it_was(store):
        blocks = BlockReader(store)
        before = np.concatenate([[0], np.cumsum(store.read("status") == Status.OK)])
        for number in range(len(blocks)) if order is None else order:
            block = blocks.read(int(number))
            values = block.values[block.status == Status.OK].astype(np.float32, copy=False)
            first = int(before[block.rows.start])
            yield slice(first, first + len(values)), values


def _open_complete(path: Path) -> Store:
    store = open_store(path, "r")
    if not store.attributes.complete:
        raise CacheIncompleteError(f"The extraction into {path} has not finished. {RESUME_HINT}")
    return store


@contextlib.contextmanager
def _as_it_was(store: Store) -> Iterator[None]:
    """Translate what goes wrong while a store is read; say so if it was rewritten meanwhile."""
    digest = store.attributes.content_sha256
    try:
        with translated(store.path):
            yield
    except CacheCorruptError:
        check_unchanged(store.path, digest)
        raise
    check_unchanged(store.path, digest)


def check_unchanged(path: Path, content_sha256: str) -> None:
    """Raise CacheError if a store does not hold any more what it held when it was opened."""
    if open_store(path, "r").attributes.content_sha256 != content_sha256:
        raise CacheError(
            f"{path} was written while it was being read. Run this again when that is done."
        )


def _read_columns(store: Store) -> dict[str, Any]:
    """Return the fields of a `SampleTable`, once they are what they were at the completion."""
    check_content(store)
    about, status = store.attributes, store.read("status")
    rows = np.flatnonzero(status == Status.OK)
    ids = RowIds(store)
    paths = ids.decode_paths()
    return {
        "labels": store.read("labels")[rows],
        "class_names": about.class_names,
        "split": store.read("split")[rows],
        "group": store.read("group")[rows],
        "group_names": about.group_names,
        "sha256": ids.sha256[rows],
        "paths": tuple(paths[row] for row in rows),
        "root": about.root,
        "dataset": about.dataset,
        "source": str(about.provenance.get("settings", {}).get("dataset", "")),
        "model": about.recipe.model,
        "key": about.key,
        "recipe": about.recipe.to_dict(),
        "content_sha256": about.content_sha256,
        "n_features": int(store.array("features").shape[1]),
        "n_found": len(status),
        "skipped": count_skipped(status),
        "oddities": count_oddities(store.read("oddities")),
    }


def check_content(store: Store) -> None:
    """Raise CacheCorruptError if a complete store does not say what it said at its completion."""
    if content_digest(store) != store.attributes.content_sha256:
        raise CacheCorruptError(
            f"{store.path}: names, folder, status, labels, paths or commits changed after writing. "
            f"{REDO_HINT}"
        )


def _read_usable(store: Store) -> NDArray[np.float32]:
    """Return the values of the rows that are OK, every block checked against its digest."""
    blocks = BlockReader(store)
    n_usable = int((store.read("status") == Status.OK).sum())
    features = np.empty((n_usable, store.array("features").shape[1]), np.float32)
    filled = 0
    for block in blocks:
        kept = block.values[block.status == Status.OK]
        features[filled : filled + len(kept)] = kept
        filled += len(kept)
    return features


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowStates:
    """What a store says of its rows without their values.

    Attributes
    ----------
    info : StoreInfo
    status : uint8 ndarray of shape (n_rows,)
        `Status` values; PENDING in a block that is not committed.
    oddities : uint16 ndarray of shape (n_rows,)
        `Oddity` flags; 0 where the status is not OK.
    """

    info: StoreInfo
    status: NDArray[np.uint8]
    oddities: NDArray[np.uint16]


def read_states(path: Path) -> RowStates:
    """Read what became of every row of a store, complete or not.

    Raises
    ------
    CacheError
        If the store cannot be read, or does not say what it said when it was completed.
    """
    store = open_store(path, "r")
    if store.attributes.complete:
        check_content(store)
    committed = np.repeat(store.read("commit").any(axis=1), store.array("status").chunks[0])
    status = store.read("status")
    status[~committed[: len(status)]] = Status.PENDING
    oddities = store.read("oddities")
    oddities[status != Status.OK] = 0
    return RowStates(info=_describe(store), status=status, oddities=oddities)


def count_skipped(status: NDArray[np.uint8]) -> dict[str, int]:
    """Count the rows that are not OK by their reason."""
    values, counts = np.unique(status[status != Status.OK], return_counts=True)
    return {Status(v).reason: int(n) for v, n in zip(values, counts, strict=True)}


def count_oddities(oddities: NDArray[np.uint16]) -> dict[str, int]:
    """Count the rows that have each oddity, by its words."""
    counts = {kind.words: int(((oddities & kind) != 0).sum()) for kind in Oddity}
    return {words: n for words, n in counts.items() if n}
