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

from pipeline.cache.damage import REDO_HINT, translated
from pipeline.cache.layout import RowIds, Store, block_digest, content_digest, open_store
from pipeline.errors import (
    CacheCorruptError,
    CacheError,
    CacheIncompleteError,
    CacheNotFoundError,
)
from pipeline.records import FeatureTable, Status

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
    store = open_store(path, "r")
    about = store.attributes
    n, width = store.array("features").shape
    return StoreInfo(
        path=path,
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
    with translated(path):
        return _read_checked(store)


def _read_checked(store: Store) -> FeatureTable:
    about = store.attributes
    if content_digest(store) != about.content_sha256:
        raise CacheCorruptError(
            f"{store.path}: names, folder, labels, paths or commits changed after writing. "
            f"{REDO_HINT}"
        )
    ids, status = RowIds(store), store.read("status")
    features = _read_blocks(store, ids, status)
    rows, paths = np.flatnonzero(status == Status.OK), ids.decode_paths()
    return FeatureTable(
        features=features,
        labels=store.read("labels")[rows],
        class_names=about.class_names,
        split=store.read("split")[rows],
        group=store.read("group")[rows],
        sha256=ids.sha256[rows],
        paths=tuple(paths[row] for row in rows),
        root=about.root,
        dataset=about.dataset,
        model=about.recipe.model,
        key=about.key,
        recipe=about.recipe.to_dict(),
        content_sha256=about.content_sha256,
        n_found=len(status),
        skipped=count_skipped(status),
    )


def _read_blocks(store: Store, ids: RowIds, status: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the values of the rows that are OK, every block checked against its digest."""
    source, ok = store.array("features"), status == Status.OK
    features = np.empty((int(ok.sum()), source.shape[1]), np.float32)
    length, filled = source.chunks[0], 0
    for block, digest in enumerate(store.read("commit")):
        span = slice(block * length, min((block + 1) * length, len(status)))
        where = f"block {block} (rows {span.start} to {span.stop - 1})"
        with translated(store.path, where, file=store.path / f"features/c/{block}/0"):
            values = np.asarray(source[span])
        if block_digest(block, ids.of(span), status[span], values) != digest.tobytes():
            raise CacheCorruptError(
                f"{store.path}: {where} of features or status is not what was written. {REDO_HINT}"
            )
        kept = values[ok[span]]
        features[filled : filled + len(kept)] = kept
        filled += len(kept)
    return features


def read_status(path: Path) -> NDArray[np.uint8]:
    """Return the status of every row of a store, uint8 of shape (n_rows,)."""
    return open_store(path, "r").read("status")


def count_skipped(status: NDArray[np.uint8]) -> dict[str, int]:
    """Count the rows that are not OK by their reason."""
    values, counts = np.unique(status[status != Status.OK], return_counts=True)
    return {Status(v).reason: int(n) for v, n in zip(values, counts, strict=True)}
