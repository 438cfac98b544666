"""Reading stores: what they say about themselves, and their rows, checked."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.cache.blocks import BlockReader
from pipeline.cache.damage import REDO_HINT, translated
from pipeline.cache.layout import Store, content_digest, open_store
from pipeline.errors import (
    CacheCorruptError,
    CacheError,
    CacheIncompleteError,
    CacheNotFoundError,
)
from pipeline.records import FeatureTable, Oddity, Status

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
    complete : bool
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
        recipe=about.recipe.to_dict(),
        provenance=about.provenance,
    )


def find_store(cache_dir: Path, *, dataset: str | None = None, model: str | None = None) -> Path:
    """Return the store that was used last, of one data set or model if named.

    Used is completed, or found complete: see `mark_used`. Damaged stores are passed over.

    Raises
    ------
    CacheNotFoundError
        If there is no complete store that fits.
    """
    stores = [
        info
        for info in list_stores(cache_dir)
        if (dataset is None or info.dataset == dataset) and (model is None or info.model == model)
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
    store = open_store(path, "r")
    if not store.attributes.complete:
        raise CacheIncompleteError(f"The extraction into {path} has not finished. {RESUME_HINT}")
    try:
        with translated(path):
            table = _read_checked(store)
    except CacheCorruptError:
        check_unchanged(path, store.attributes.content_sha256)
        raise
    check_unchanged(path, store.attributes.content_sha256)
    return table


def check_unchanged(path: Path, content_sha256: str) -> None:
    """Raise CacheError if a store does not hold any more what it held when it was opened."""
    if open_store(path, "r").attributes.content_sha256 != content_sha256:
        raise CacheError(
            f"{path} was written while it was being read. Run this again when that is done."
        )


def _read_checked(store: Store) -> FeatureTable:
    about, blocks, status = store.attributes, BlockReader(store), store.read("status")
    rows = np.flatnonzero(status == Status.OK)
    # The blocks first: one of them that is damaged can be named.
    features = _read_usable(blocks, len(rows), store.array("features").shape[1])
    check_content(store)
    paths = blocks.ids.decode_paths()
    return FeatureTable(
        features=features,
        labels=store.read("labels")[rows],
        class_names=about.class_names,
        split=store.read("split")[rows],
        group=store.read("group")[rows],
        sha256=blocks.ids.sha256[rows],
        paths=tuple(paths[row] for row in rows),
        root=about.root,
        dataset=about.dataset,
        model=about.recipe.model,
        key=about.key,
        recipe=about.recipe.to_dict(),
        content_sha256=about.content_sha256,
        n_found=len(status),
        skipped=count_skipped(status),
        oddities=count_oddities(store.read("oddities")),
    )


def check_content(store: Store) -> None:
    """Raise CacheCorruptError if a complete store does not say what it said at its completion."""
    if content_digest(store) != store.attributes.content_sha256:
        raise CacheCorruptError(
            f"{store.path}: names, folder, status, labels, paths or commits changed after writing. "
            f"{REDO_HINT}"
        )


def _read_usable(blocks: BlockReader, n_usable: int, width: int) -> NDArray[np.float32]:
    """Return the values of the rows that are OK, every block checked against its digest."""
    features, filled = np.empty((n_usable, width), np.float32), 0
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
