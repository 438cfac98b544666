"""The rows of one store: who they are at once, their values block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.cache.blocks import Block, BlockReader
from pipeline.cache.damage import translated
from pipeline.cache.layout import open_store, read_manifest
from pipeline.cache.reader import check_content, check_unchanged
from pipeline.errors import CacheCorruptError, CacheError
from pipeline.records import Manifest, Status

# What the blocks that `take` keeps decoded may hold in all, if they are more than a few.
KEPT_BYTES = 512 << 20
FEWEST_KEPT = 4


class StoredRows:
    """The rows of a store, complete or not, as they are committed when this is made.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    path : Path
    about : Attributes
    paths : tuple of str
    labels, group : int32 ndarray of shape (n_rows,)
    split, status : uint8 ndarray of shape (n_rows,)
        `Split` and `Status` values; PENDING in blocks that are not committed.
    oddities : uint16 ndarray of shape (n_rows,)
        0 in blocks that are not committed.
    sha256 : uint8 ndarray of shape (n_rows, 32)
        Zeros where the file could not be read.
    width : int
        Transfer values a row.

    Raises
    ------
    CacheError
        If the store cannot be read, or does not say what it said when it was completed.
    """

    def __init__(self, path: Path) -> None:
        store = self._store = open_store(path, "r")
        self.path, self.about = path, store.attributes
        with translated(path):
            self._check_content()
            self._blocks = BlockReader(store)
            self.paths = self._blocks.ids.decode_paths()
        self.sha256 = self._blocks.ids.sha256
        self.labels, self.group = store.read("labels"), store.read("group")
        self.split = store.read("split")
        self._committed = store.read("commit").any(axis=1)
        if self.about.complete and not self._committed.all():
            raise self._written_anew()
        done = self._committed.repeat(self.block_length)[: len(self)]
        self.status = np.where(done, store.read("status"), np.uint8(Status.PENDING))
        self.oddities = np.where(done, store.read("oddities"), np.uint16(0))
        features = store.array("features")
        self.width = int(features.shape[1])
        block_bytes = self.block_length * self.width * features.dtype.itemsize
        n_kept = max(FEWEST_KEPT, KEPT_BYTES // block_bytes)
        self._read_again = lru_cache(maxsize=n_kept)(self._blocks.read)

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def n_committed(self) -> int:
        """Blocks that are committed."""
        return int(self._committed.sum())

    @property
    def manifest(self) -> Manifest:
        """The data set that the store says it is of."""
        with translated(self.path):
            return read_manifest(self._store)

    @property
    def block_length(self) -> int:
        """Rows of a block."""
        return self._blocks.length

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Whether each row has values."""
        return np.asarray(self.status == Status.OK)

    def iter_values(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield the usable rows, all of them, and their values, a committed block at a time.

        Yields
        ------
        rows : int64 ndarray of shape (n,)
        values : float32 ndarray of shape (n, n_features)

        Raises
        ------
        CacheCorruptError
            If a block is not what was committed.
        CacheError
            If the store is another one at the end than when this was made.
        """
        for number in np.flatnonzero(self._committed).tolist():
            block = self._check(number, self._blocks.read)
            kept = np.flatnonzero(block.status == Status.OK)
            yield block.rows.start + kept, block.values[kept].astype(np.float32)
        self._check_unchanged()

    def take(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
        """Return the values and the oddities of usable rows in any order.

        Blocks stay in memory until they are more than 512 MB (and more than 4): in a store that is
        larger, rows that lie close to each other are quicker.

        Parameters
        ----------
        rows : int64 ndarray of shape (n,)

        Returns
        -------
        values : float32 ndarray of shape (n, n_features)
        oddities : uint16 ndarray of shape (n,)
            `Oddity` flags.

        Raises
        ------
        CacheCorruptError
            If a block is not what was committed.
        CacheError
            If a row has no values, or was written since this was made.
        """
        lacking = rows[self.status[rows] != Status.OK]
        if len(lacking):
            raise CacheError(f"{self.path}: row {lacking[0]} has no values. Run: pipeline cache ls")
        values, oddities = np.empty((len(rows), self.width), np.float32), self.oddities[rows]
        numbers = rows // self.block_length
        for number in np.unique(numbers).tolist():
            block = self._check(number, self._read_again)
            here = numbers == number
            places = rows[here] - block.rows.start
            values[here], oddities[here] = block.values[places], block.oddities[places]
        return values, oddities

    def name_labels(self) -> NDArray[Any]:
        """Return the class name of each row, as objects."""
        return np.asarray(np.array(self.about.class_names, dtype=object)[self.labels])

    def name_groups(self) -> NDArray[Any]:
        """Return the group's name of each row, "" for none, as objects."""
        return np.asarray(np.array([*self.about.group_names, ""], dtype=object)[self.group])

    def _check(self, number: int, read: Callable[[int], Block]) -> Block:
        """Read a block that is still committed, and of which still the same rows have values."""
        try:
            block = read(number)
        except CacheCorruptError:
            self._check_unchanged()
            if not self._blocks.is_committed(number):
                raise self._written_anew() from None
            raise
        if (block.status != self.status[block.rows]).any():
            raise self._written_anew()
        return block

    def _written_anew(self) -> CacheError:
        return CacheError(
            f"{self.path}: blocks were written anew while it was being read. Run this again."
        )

    def _check_unchanged(self) -> None:
        check_unchanged(self.path, self.about.content_sha256)

    def _check_content(self) -> None:
        if not self.about.complete:
            return
        try:
            check_content(self._store)
        except CacheCorruptError:
            self._check_unchanged()
            raise
