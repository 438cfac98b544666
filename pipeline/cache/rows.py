"""The rows of one store: who they are at once, their values block by block."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.cache.blocks import Block, BlockReader
from pipeline.cache.damage import REDO_HINT, translated
from pipeline.cache.layout import content_digest, open_store
from pipeline.errors import CacheCorruptError
from pipeline.records import Status


class StoredRows:
    """The rows of a store, complete or not.

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
        `Split` and `Status` values.
    oddities : uint16 ndarray of shape (n_rows,)
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
        store = open_store(path, "r")
        self.path, self.about = path, store.attributes
        with translated(path):
            if self.about.complete and content_digest(store) != self.about.content_sha256:
                raise CacheCorruptError(
                    f"{path}: names, folder, labels, paths or commits changed after writing. "
                    f"{REDO_HINT}"
                )
            self._blocks = BlockReader(store)
            self.paths = self._blocks.ids.decode_paths()
        self.sha256 = self._blocks.ids.sha256
        self.labels, self.group = store.read("labels"), store.read("group")
        self.split, self.status = store.read("split"), store.read("status")
        self.oddities = store.read("oddities")
        self.width = int(store.array("features").shape[1])
        self._read_block = lru_cache(maxsize=8)(self._blocks.read)

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def n_blocks(self) -> int:
        """Blocks of the store, committed or not."""
        return len(self._blocks)

    @property
    def block_length(self) -> int:
        """Rows of a block."""
        return self._blocks.length

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Whether each row has values."""
        return np.asarray(self.status == Status.OK)

    def iter_values(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield the rows that have values and these, for each committed block in order.

        Yields
        ------
        rows : int64 ndarray of shape (n,)
        values : float32 ndarray of shape (n, n_features)

        Raises
        ------
        CacheCorruptError
            If a block is not what was committed.
        """
        for number in range(len(self._blocks)):
            if self._blocks.is_committed(number):
                block = self._blocks.read(number)
                kept = np.flatnonzero(block.status == Status.OK)
                yield block.rows.start + kept, block.values[kept].astype(np.float32)

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the values of rows in any order, float32 of shape (n, n_features).

        At most 8 blocks are kept in memory; rows that lie close to each other are quick.

        Raises
        ------
        CacheCorruptError
            If a block is not what was committed.
        """
        values = np.empty((len(rows), self.width), np.float32)
        numbers = rows // self._blocks.length
        for number in np.unique(numbers).tolist():
            block: Block = self._read_block(number)
            here = numbers == number
            values[here] = block.values[rows[here] - block.rows.start]
        return values

    def name_labels(self) -> NDArray[Any]:
        """Return the class name of each row, as objects."""
        return np.asarray(np.array(self.about.class_names, dtype=object)[self.labels])

    def name_groups(self) -> NDArray[Any]:
        """Return the group's name of each row, "" for none, as objects."""
        return np.asarray(np.array([*self.about.group_names, ""], dtype=object)[self.group])
