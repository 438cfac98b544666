"""Blocks of a store, each checked against the digest that commits it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.cache.damage import REDO_HINT, translated
from pipeline.cache.layout import RowIds, Store, block_digest
from pipeline.errors import CacheCorruptError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """What one committed block of a store holds.

    Attributes
    ----------
    rows : slice
        Of the store.
    values : float32 or float16 ndarray of shape (n_rows, n_features)
        NaN where the status is not OK.
    status : uint8 ndarray of shape (n_rows,)
        `Status` values.
    oddities : uint16 ndarray of shape (n_rows,)
        `Oddity` flags.
    """

    rows: slice
    values: NDArray[np.floating[Any]]
    status: NDArray[np.uint8]
    oddities: NDArray[np.uint16]


class BlockReader:
    """Reads the blocks of one store, complete or not, one at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._arrays = {
            name: store.array(name) for name in ("features", "status", "oddities", "commit")
        }
        self.ids = RowIds(store)
        self.n_rows = int(self._arrays["features"].shape[0])
        self.length = int(self._arrays["features"].chunks[0])

    def __len__(self) -> int:
        """Blocks of the store, committed or not."""
        return int(self._arrays["commit"].shape[0])

    def __iter__(self) -> Iterator[Block]:
        """Read every block in order; raises as `read` does."""
        return map(self.read, range(len(self)))

    def span(self, number: int) -> slice:
        """Return the rows of a block."""
        return slice(number * self.length, min((number + 1) * self.length, self.n_rows))

    def is_committed(self, number: int) -> bool:
        """Tell whether a block has a digest; raises CacheCorruptError if that cannot be read."""
        return bool(self._part("commit", number, slice(number, number + 1)).any())

    def read(self, number: int) -> Block:
        """Read one block.

        Raises
        ------
        CacheCorruptError
            If it is not what was committed, or was not committed.
        """
        rows = self.span(number)
        digest = self._part("commit", number, slice(number, number + 1)).tobytes()
        block = Block(
            rows=rows,
            values=self._part("features", number, rows),
            status=self._part("status", number, rows),
            oddities=self._part("oddities", number, rows),
        )
        ids, key = self.ids.of(rows), self._store.attributes.key
        found = block_digest(key, number, ids, block.status, block.oddities, block.values)
        if found != digest:
            raise CacheCorruptError(
                f"{self._store.path}: {self._where(number)} of features, status or oddities, or "
                f"what identifies these rows, is not what was written. {REDO_HINT}"
            )
        return block

    def read_state(self, number: int) -> None:
        """Read what a block says of its rows; raises CacheCorruptError if that cannot be."""
        for name in ("status", "oddities"):
            self._part(name, number, self.span(number))

    def _part(self, name: str, number: int, rows: slice) -> NDArray[Any]:
        place = "/0" if name in ("features", "commit") else ""
        chunk = self._store.path / f"{name}/c/{number}{place}"
        with translated(self._store.path, f"{name}, {self._where(number)}", file=chunk):
            return np.asarray(self._arrays[name][rows])

    def _where(self, number: int) -> str:
        rows = self.span(number)
        return f"block {number} (rows {rows.start} to {rows.stop - 1})"
