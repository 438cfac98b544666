"""Creating a store and filling it, block by block."""

from __future__ import annotations

import csv
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.cache.layout import (
    FORMAT,
    ROW_ARRAYS,
    RowIds,
    block_digest,
    block_length,
    content_digest,
    create_array,
    create_filled_array,
    open_store,
    open_writable,
    read_array,
    skipped_csv,
)
from pipeline.cache.reader import read_info
from pipeline.durable import sync, sync_tree
from pipeline.errors import CacheError, CacheIncompleteError, CacheMismatchError
from pipeline.records import FORMAT_VERSION, Manifest, Recipe, Status, csv_path, encode_names


def create_store(
    path: Path, manifest: Manifest, recipe: Recipe, *, width: int, provenance: Mapping[str, Any]
) -> None:
    """Create an empty store whole: built beside its place, synced, then renamed into it.

    If another process creates the same store first, theirs stays and is used.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    building = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        _build(building, manifest, recipe, width, provenance)
        sync_tree(building)
        try:
            building.rename(path)
        except OSError:
            if not path.exists():
                raise
        sync(path.parent)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _build(
    path: Path, manifest: Manifest, recipe: Recipe, width: int, provenance: Mapping[str, Any]
) -> None:
    n = len(manifest)
    block = block_length(width * np.dtype(recipe.dtype).itemsize)
    n_blocks = -(-n // block)
    attributes = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "dataset": manifest.name,
        "key": recipe.key,
        "recipe": recipe.to_dict(),
        "class_names": list(manifest.class_names),
        "group_names": list(manifest.group_names),
        "ignored": dict(manifest.ignored),
        "provenance": {**provenance, "root": str(manifest.root.resolve())},
        "complete": False,
        "content_sha256": None,
    }
    group = zarr.create_group(path, zarr_format=3, attributes=attributes)
    create_array(group, "features", (n, width), (block, width), recipe.dtype, np.nan)
    create_array(group, "status", (n,), (block,), "uint8", int(Status.PENDING))
    create_array(group, "commit", (n_blocks, 32), (1, 32), "uint8", 0)
    for name in ROW_ARRAYS:
        create_filled_array(group, name, getattr(manifest, name))
    sample = group.create_group("sample")
    names = encode_names(manifest.paths)
    ends = np.flatnonzero(np.frombuffer(names, np.uint8) == 0) + 1
    create_filled_array(sample, "paths", np.frombuffer(names, np.uint8))
    create_filled_array(sample, "offsets", np.concatenate([[0], ends]).astype(np.int64))
    create_filled_array(sample, "size", manifest.size)
    create_filled_array(sample, "sha256", manifest.sha256)


class StoreWriter:
    """Fills a store block by block. Whoever makes one holds the store's lock.

    Raises
    ------
    CacheMismatchError
        If the store at `path` was made by another recipe.
    """

    def __init__(self, path: Path, recipe: Recipe) -> None:
        found = read_info(path).key
        if found != recipe.key:
            raise CacheMismatchError(
                f"{path} holds another recipe: its key is {found}, expected {recipe.key}. "
                "Move it away, or give another --cache-dir."
            )
        self.path = path
        self._group = open_store(path, "r+")
        self._features = open_writable(self._group, "features")
        self._status = open_writable(self._group, "status")
        self._commit = open_writable(self._group, "commit")
        self._ids = RowIds(self._group)
        self._block = self._features.chunks[0]

    @property
    def pending(self) -> list[NDArray[np.int64]]:
        """Row numbers of every block that is not committed, in order."""
        missing: list[int] = np.flatnonzero(~read_array(self._commit).any(axis=1)).tolist()
        n = self._features.shape[0]
        return [np.arange(b * self._block, min((b + 1) * self._block, n)) for b in missing]

    def write(
        self, rows: NDArray[np.int64], features: NDArray[np.float32], status: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        """Write and commit one block.

        Parameters
        ----------
        rows : int64 ndarray of shape (n_rows,)
            One item of `pending`.
        features : float32 ndarray of shape (n_rows, n_features)
        status : uint8 ndarray of shape (n_rows,)

        Returns
        -------
        uint8 ndarray of shape (n_rows,)
            The status as written: rows with a value that is not finite are NOT_FINITE.
        """
        if features.shape != (len(rows), self._features.shape[1]):
            raise CacheError(
                f"Block of {self.path}: expected values of shape "
                f"{(len(rows), self._features.shape[1])}, got {features.shape}."
            )
        with np.errstate(over="ignore"):  # float16 overflows to inf, which is caught below
            values = features.astype(self._features.dtype)
        status = status.copy()
        status[(status == Status.OK) & ~np.isfinite(values).all(axis=1)] = Status.NOT_FINITE
        values[status != Status.OK] = np.nan
        block, span = int(rows[0]) // self._block, slice(int(rows[0]), int(rows[-1]) + 1)
        self._features[span] = values
        self._status[span] = status
        for chunk in (self.path / f"features/c/{block}/0", self.path / f"status/c/{block}"):
            sync(chunk)
            sync(chunk.parent)
        sync(self.path / "features/c")
        digest = block_digest(block, self._ids.of(span), status, values)
        self._commit[block] = np.frombuffer(digest, np.uint8)
        return status

    def finish(self) -> None:
        """Mark the store complete, the last thing that is written.

        Raises
        ------
        CacheIncompleteError
            If a block is not committed.
        """
        if self.pending:
            raise CacheIncompleteError(
                f"{self.path} still has {len(self.pending)} blocks to write."
            )
        sync_tree(self.path / "commit")
        self._group.attrs.update({"content_sha256": content_digest(self._group), "complete": True})
        sync(self.path / "zarr.json")
        sync(self.path)

    @property
    def status(self) -> NDArray[np.uint8]:
        """Status of every row, uint8 of shape (n_samples,)."""
        return read_array(self._status)


def write_skipped(store: Path, paths: tuple[str, ...], status: NDArray[np.uint8]) -> None:
    """List the skipped rows of a store beside it, with columns path and reason, if there are any.

    The file is `skipped_csv(store)`.
    """
    listed = skipped_csv(store)
    rows = np.flatnonzero(status != Status.OK)
    if not len(rows):
        listed.unlink(missing_ok=True)
        return
    with listed.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        lines = csv.writer(file)
        lines.writerow(["path", "reason"])
        lines.writerows([csv_path(paths[i]), Status(status[i]).reason] for i in rows)
