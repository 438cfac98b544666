"""Creating a store and filling it, block by block."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.cache.blocks import BlockReader
from pipeline.cache.damage import REDO_HINT
from pipeline.cache.disk import DurableStore
from pipeline.cache.layout import (
    FILLS,
    FORMAT,
    RowIds,
    array_forms,
    block_digest,
    content_digest,
    create_array,
    describe_dataset,
    describe_rows,
    open_store,
    read_manifest,
)
from pipeline.durable import make_folder, partial_path, rename, sync
from pipeline.errors import (
    CacheCorruptError,
    CacheError,
    CacheIncompleteError,
    CacheMismatchError,
)
from pipeline.records import FORMAT_VERSION, Manifest, Recipe, Status, encode_names


def create_store(
    path: Path, manifest: Manifest, recipe: Recipe, *, width: int, provenance: Mapping[str, Any]
) -> None:
    """Create an empty store whole: built beside its place, synced, then renamed into it.

    If another process creates the same store first, theirs stays and is used.
    """
    building = partial_path(path)
    make_folder(building)
    try:
        _build(building, manifest, recipe, width, provenance)
        try:
            rename(building, path)
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
        "key": recipe.key,
        "recipe": recipe.to_dict(),
        **describe_dataset(manifest),
        "provenance": {**provenance, "root": str(manifest.root.resolve())},
        "complete": False,
        "content_sha256": None,
    }
    group = zarr.create_group(DurableStore(path), zarr_format=3, attributes=attributes)
    sample = group.create_group("sample")
    names = encode_names(manifest.paths)
    forms = array_forms(n=len(manifest), width=width, dtype=recipe.dtype, path_bytes=len(names))
    for name, fill in FILLS.items():
        create_array(group, name, forms[name], fill=fill)
    for name, value in describe_rows(manifest).items():
        _, _, own_name = name.rpartition("/")
        owner = group if own_name == name else sample
        create_array(owner, own_name, forms[name])[...] = value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SealedBlock:
    """One block with its digest, ready to be written.

    Attributes
    ----------
    number : int
    span : slice
        Its rows.
    values : ndarray of shape (n_rows, n_features)
        In the store's dtype; NaN where the status is not OK.
    status : uint8 ndarray of shape (n_rows,)
    oddities : uint16 ndarray of shape (n_rows,)
    digest : bytes
    """

    number: int
    span: slice
    values: NDArray[np.floating]
    status: NDArray[np.uint8]
    oddities: NDArray[np.uint16]
    digest: bytes


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
        self._oddities = self._store.writable("oddities")
        self._commit = self._store.writable("commit")
        self._ids = RowIds(self._store)
        self._block = self._features.chunks[0]

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Who computed the values, and how."""
        return self._store.attributes.provenance

    @property
    def pending(self) -> list[NDArray[np.int64]]:
        """Row numbers of every block that is not committed, in order."""
        missing: list[int] = np.flatnonzero(~self._store.read("commit").any(axis=1)).tolist()
        n = self._features.shape[0]
        return [np.arange(b * self._block, min((b + 1) * self._block, n)) for b in missing]

    def seal(
        self,
        rows: NDArray[np.int64],
        features: NDArray[np.float32],
        status: NDArray[np.uint8],
        oddities: NDArray[np.uint16],
    ) -> SealedBlock:
        """Make a block as it is to be written, with its digest.

        Rows with a value that is not finite become NOT_FINITE.

        Parameters
        ----------
        rows : int64 ndarray of shape (n_rows,)
            One item of `pending`.
        features : float32 ndarray of shape (n_rows, n_features)
        status : uint8 ndarray of shape (n_rows,)
        oddities : uint16 ndarray of shape (n_rows,)

        Raises
        ------
        CacheError
            If the values do not fit.
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
        oddities = np.where(status == Status.OK, oddities, 0).astype(np.uint16)
        block, span = int(rows[0]) // self._block, slice(int(rows[0]), int(rows[-1]) + 1)
        ids, key = self._ids.of(span), self._store.attributes.key
        return SealedBlock(
            number=block,
            span=span,
            values=values,
            status=status,
            oddities=oddities,
            digest=block_digest(key, block, ids, status, oddities, values),
        )

    def commit(self, block: SealedBlock) -> None:
        """Write a block, then the digest that says that all of it is on the disk.

        Raises
        ------
        CacheError
            If the store was deleted meanwhile.
        """
        with self._noticing_loss():
            self._features[block.span] = block.values
            self._status[block.span] = block.status
            self._oddities[block.span] = block.oddities
            self._commit[block.number] = np.frombuffer(block.digest, np.uint8)

    def drop_damaged(self) -> None:
        """Make the blocks pending that are damaged, in a store that is not complete.

        A complete one says itself whether it is what was written.
        """
        if self._store.attributes.complete:
            return
        reader = BlockReader(self._store)
        with self._noticing_loss():
            for block in range(len(reader)):
                try:
                    if reader.is_committed(block):
                        reader.read(block)
                except CacheCorruptError:
                    self._commit[block] = np.zeros(32, np.uint8)

    def reopen(self, rows: NDArray[np.int64]) -> None:
        """Make the blocks of some rows pending again, in a store that may be complete.

        Parameters
        ----------
        rows : int64 ndarray of shape (n_rows,)
        """
        with self._noticing_loss():
            # First no reader may take the store for whole any more.
            self._store.group.update_attributes({"content_sha256": None, "complete": False})
            for block in np.unique(rows // self._block):
                self._commit[int(block)] = np.zeros(32, np.uint8)

    @property
    def is_untouched(self) -> bool:
        """Whether no block is committed."""
        return not self._store.read("commit").any()

    def update_provenance(self, changes: Mapping[str, Any]) -> None:
        """Say more, or something else, about who computed the values."""
        provenance = {**self.provenance, **changes}
        if provenance == self.provenance:
            return
        with self._noticing_loss():
            self._store.group.update_attributes({"provenance": provenance})
        self._store = open_store(self.path, "r+")

    def claim(self) -> None:
        """Say that the values are wanted for more than training a network: see `find_store`."""
        if self.provenance.get("for_training"):
            self.update_provenance({"for_training": False})

    def finish(self) -> None:
        """Mark the store complete, the last thing that is written.

        Raises
        ------
        CacheIncompleteError
            If a block is not committed.
        CacheCorruptError
            If what the store says of its rows is not what it was made for.
        CacheError
            If the store was deleted meanwhile.
        """
        with self._noticing_loss():
            if read_manifest(self._store).digest != self._store.attributes.recipe.manifest_digest:
                raise CacheCorruptError(
                    f"{self.path}: labels, split, group, paths or hashes changed after writing. "
                    f"{REDO_HINT}"
                )
            if self.pending:
                raise CacheIncompleteError(
                    f"{self.path} still has {len(self.pending)} blocks to write."
                )
            digest = content_digest(self._store)
            self._store.group.update_attributes({"content_sha256": digest, "complete": True})

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
