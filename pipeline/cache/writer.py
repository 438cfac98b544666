"""Creating a store and filling it, block by block."""

from __future__ import annotations

import csv
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.cache.layout import (
    FORMAT,
    ROW_ARRAYS,
    RowIds,
    array_forms,
    block_digest,
    content_digest,
    create_array,
    open_store,
    skipped_csv,
)
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
    group.create_group("sample")
    names = encode_names(manifest.paths)
    forms = array_forms(n=len(manifest), width=width, dtype=recipe.dtype, path_bytes=len(names))
    for name, fill in (("features", np.nan), ("status", int(Status.PENDING)), ("commit", 0)):
        create_array(group, name, forms[name], fill=fill)
    blob = np.frombuffer(names, np.uint8)
    ends = np.flatnonzero(blob == 0) + 1
    values = {
        **{name: getattr(manifest, name) for name in ROW_ARRAYS},
        "sample/paths": blob,
        "sample/offsets": np.concatenate([[0], ends]),
        "sample/size": manifest.size,
        "sample/sha256": manifest.sha256,
    }
    for name, value in values.items():
        create_array(group, name, forms[name])[...] = value


class StoreWriter:
    """Fills a store block by block. Whoever makes one holds the store's lock.

    Raises
    ------
    CacheMismatchError
        If the store at `path` was made by another recipe.
    """

    def __init__(self, path: Path, recipe: Recipe) -> None:
        self._store = open_store(path, "r+")
        found = self._store.attributes.key
        if found != recipe.key:
            raise CacheMismatchError(
                f"{path} holds another recipe: its key is {found}, expected {recipe.key}. "
                "Move it away, or give another --cache-dir."
            )
        self.path = path
        self._features = self._store.writable("features")
        self._status = self._store.writable("status")
        self._commit = self._store.writable("commit")
        self._ids = RowIds(self._store)
        self._block = self._features.chunks[0]

    @property
    def pending(self) -> list[NDArray[np.int64]]:
        """Row numbers of every block that is not committed, in order."""
        missing: list[int] = np.flatnonzero(~self._store.read("commit").any(axis=1)).tolist()
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

        Raises
        ------
        CacheError
            If the values do not fit, or the store was deleted meanwhile.
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
        with self._noticing_loss():
            self._features[span] = values
            self._status[span] = status
            for chunk in (self.path / f"features/c/{block}/0", self.path / f"status/c/{block}"):
                sync(chunk)
                sync(chunk.parent)
            sync(self.path / "features/c")
        digest = block_digest(block, self._ids.of(span), status, values)
        with self._noticing_loss():
            self._commit[block] = np.frombuffer(digest, np.uint8)
        return status

    def reopen(self, rows: NDArray[np.int64]) -> None:
        """Make the blocks of some rows pending again, in a store that may be complete.

        Parameters
        ----------
        rows : int64 ndarray of shape (n_rows,)
        """
        with self._noticing_loss():
            # First no reader may take the store for whole any more.
            self._store.group.attrs.update({"content_sha256": None, "complete": False})
            sync(self.path / "zarr.json")
            for block in np.unique(rows // self._block):
                self._commit[int(block)] = np.zeros(32, np.uint8)

    def finish(self) -> None:
        """Mark the store complete, the last thing that is written.

        Raises
        ------
        CacheIncompleteError
            If a block is not committed.
        CacheError
            If the store was deleted meanwhile.
        """
        with self._noticing_loss():
            if self.pending:
                raise CacheIncompleteError(
                    f"{self.path} still has {len(self.pending)} blocks to write."
                )
            sync_tree(self.path / "commit")
            digest = content_digest(self._store)
            self._store.group.attrs.update({"content_sha256": digest, "complete": True})
            sync(self.path / "zarr.json")
            sync(self.path)

    @contextmanager
    def _noticing_loss(self) -> Iterator[None]:
        """Refuse to write into a store that was deleted: zarr would make its folders anew."""
        try:
            (self.path / "zarr.json").stat()
            yield
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise CacheError(
                f"The cache vanished while it was being written: {exc.filename or self.path} is "
                "gone. Run the same extract command again; what was deleted is computed anew."
            ) from exc

    @property
    def status(self) -> NDArray[np.uint8]:
        """Status of every row, uint8 of shape (n_samples,)."""
        return self._store.read("status")


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
