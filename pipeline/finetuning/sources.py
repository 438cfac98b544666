"""Where the numbers of a batch come from: what was kept at the cut, or the photos themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.cache import StoredRows, read_features
from pipeline.errors import FinetuneError
from pipeline.images import Geometry, read_batches
from pipeline.records import Manifest, Status

Arrays = tuple[NDArray[Any], ...]


class Source(Protocol):
    """Gives what a network takes of some images."""

    n_views: int
    """How many versions of each image there are: itself and, if there are two, its mirror image."""

    @property
    def blocks_at_once(self) -> int:
        """How many of the `pools` may be mixed."""
        ...

    def take(self, rows: NDArray[np.intp], view: NDArray[np.intp]) -> Arrays:
        """Return the inputs of a network for some rows of the table, each in one of its views."""
        ...

    def pools(self, rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Return the rows in parts, each to be read together for the disk's sake."""
        ...


class KeptMaps:
    """What lies at the cut, read from a store: all of it at once, or block by block.

    Parameters
    ----------
    store : Path
        Complete, of the layers at the cut, not pooled.
    shapes : sequence of tuple of int
        Of what each layer gives for one image.
    n_views : int
    in_memory : bool
    """

    POOL_BYTES = 384 << 20

    def __init__(
        self, store: Path, shapes: Sequence[tuple[int, ...]], *, n_views: int, in_memory: bool
    ) -> None:
        self.n_views = n_views
        self._shapes = tuple(shapes)
        self._stored = StoredRows(store)
        self._rows = np.flatnonzero(self._stored.usable)
        self._ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        width = int(self._ends[-1]) * n_views
        if width != self._stored.width:
            raise FinetuneError(
                f"{store} has {self._stored.width:,} values a row, expected {width:,} at the cut. "
                "Run finetune again with --overwrite."
            )
        self._values = read_features(store).features if in_memory else None

    def take(self, rows: NDArray[np.intp], view: NDArray[np.intp]) -> Arrays:
        """Return the maps, float32 (b, h, w, c) of each layer."""
        if self._values is None:
            both, _ = self._stored.take(self._rows[rows])
        else:
            both = self._values[rows]
        chosen = both.reshape(len(rows), self.n_views, -1)[np.arange(len(rows)), view]
        parts = np.split(chosen, self._ends[:-1], axis=1)
        return tuple(
            part.reshape(len(rows), *shape) for part, shape in zip(parts, self._shapes, strict=True)
        )

    def pools(self, rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Return the rows of each block; all of them together where they are in memory."""
        if self._values is not None:
            return [rows]
        blocks = self._rows[rows] // self._stored.block_length
        return [rows[blocks == block] for block in np.unique(blocks)]

    @property
    def blocks_at_once(self) -> int:
        """How many blocks may be shuffled among each other and stay in memory."""
        block_bytes = self._stored.block_length * self._stored.width * 4
        return max(2, self.POOL_BYTES // block_bytes)


class Photos:
    """Whole images, decoded anew for every batch as extract decodes them.

    Parameters
    ----------
    manifest : Manifest
    rows : int64 ndarray of shape (n_samples,)
        Row of the manifest of each row of the table.
    geometry : Geometry
    workers : int
        Decoding threads.
    """

    n_views = 1
    blocks_at_once = 1

    def __init__(
        self, manifest: Manifest, rows: NDArray[np.int64], geometry: Geometry, *, workers: int
    ) -> None:
        self._manifest = manifest
        self._rows = rows
        self._geometry = geometry
        self._workers = workers

    def take(self, rows: NDArray[np.intp], view: NDArray[np.intp]) -> Arrays:  # noqa: ARG002
        """Return images, uint8 (b, side, side, 3), RGB 0-255."""
        wanted = self._rows[rows]
        (batch,) = read_batches(self._manifest, [wanted], (self._geometry,), workers=self._workers)
        bad = np.flatnonzero(batch.status != Status.OK)
        if len(bad):
            path = self._manifest.paths[wanted[bad[0]]]
            reason = Status(batch.status[bad[0]]).reason
            raise FinetuneError(
                f"{self._manifest.root / path} cannot be trained on: {reason}. It was there when "
                "the values were extracted: run the same command again."
            )
        return batch.images

    def pools(self, rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Return all rows together: any image is read as quickly as any other."""
        return [rows]
