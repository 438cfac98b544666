"""From row numbers to values: decode, batch, compute, in order."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.backbones.engine import Engine, Images
from pipeline.extraction.job import ExtractJob
from pipeline.extraction.ledger import DECODING, INFERENCE, Stopwatch
from pipeline.images import ReadRow, decode_batches, read_batches
from pipeline.records import ImageBatch


def plan_batches(
    blocks: Iterable[NDArray[np.int64]], is_missing: NDArray[np.bool_], size: int
) -> Iterator[NDArray[np.int64]]:
    """Yield the rows to compute, in order, in batches.

    A block of which nothing is there makes batches of its own, the same in every run, unless it is
    shorter than one. What is missing of the others is put together: ten new images are one batch,
    wherever they lie.

    Parameters
    ----------
    blocks : iterable of int64 ndarray of shape (n_rows,)
    is_missing : bool ndarray of shape (n_samples,)
        Which rows of the data set are to be computed.
    size : int
        Rows of a batch.
    """
    rest = np.empty(0, np.int64)
    for rows in blocks:
        todo = rows[is_missing[rows]]
        if len(todo) == len(rows) >= size:
            yield from _cut(rest, size)
            yield from _cut(todo, size)
            rest = rest[:0]
        else:
            rest = np.concatenate([rest, todo])
            whole = len(rest) - len(rest) % size
            yield from _cut(rest[:whole], size)
            rest = rest[whole:]
    yield from _cut(rest, size)


def _cut(rows: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    return (rows[i : i + size] for i in range(0, len(rows), size))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Rows as a store takes them: values (n, n_features), status (n,) and oddities (n,)."""

    values: NDArray[np.float32]
    status: NDArray[np.uint8]
    oddities: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.status)

    def __getitem__(self, part: slice) -> Rows:
        return Rows(
            values=self.values[part], status=self.status[part], oddities=self.oddities[part]
        )

    @classmethod
    def join(cls, parts: Sequence[Rows], *, width: int) -> Rows:
        """Put rows of `width` values one below the other."""
        return cls(
            values=np.concatenate([np.empty((0, width), np.float32), *(p.values for p in parts)]),
            status=np.concatenate([np.empty(0, np.uint8), *(p.status for p in parts)]),
            oddities=np.concatenate([np.empty(0, np.uint16), *(p.oddities for p in parts)]),
        )


class ComputedRows:
    """The rows of some batches, decoded and computed ahead, to be taken in any portions.

    Parameters
    ----------
    job : ExtractJob
    engine : Engine
    batches : iterable of int64 ndarray
        Rows of the job's manifest.
    stopwatch : Stopwatch
        Gets what decoding and inference are waited for.
    on_rows : callable
        Called with how many more rows are computed.
    read : callable, optional
        Decodes one row by its number, in place of the file that the manifest lists.
    """

    def __init__(
        self,
        job: ExtractJob,
        engine: Engine,
        batches: Iterable[NDArray[np.int64]],
        stopwatch: Stopwatch,
        on_rows: Callable[[int], None],
        *,
        read: ReadRow | None = None,
    ) -> None:
        self._width = engine.width
        self._stopwatch = stopwatch
        self._on_rows = on_rows
        # Small batches are no reason for a decoding thread to wait.
        ahead = max(2, math.ceil(2 * job.workers / engine.batch_size))
        if read is None:
            self._images = read_batches(
                job.manifest, batches, job.geometries, workers=job.workers, ahead=ahead
            )
        else:
            self._images = decode_batches(
                read, batches, job.geometries, workers=job.workers, ahead=ahead
            )
        self._decoded: deque[ImageBatch] = deque()
        self._values = iter(engine.infer_many(self._decode()))
        self._rest = Rows.join([], width=self._width)

    def take(self, n: int) -> Rows:
        """Return the next `n` rows; they must be there."""
        parts = [self._rest]
        while sum(map(len, parts)) < n:
            with self._stopwatch.on(INFERENCE):
                values = next(self._values)
            batch = self._decoded.popleft()
            parts.append(Rows(values=values, status=batch.status, oddities=batch.oddities))
            self._on_rows(len(values))
        rows = Rows.join(parts, width=self._width)
        self._rest = rows[n:]
        return rows[:n]

    def close(self) -> None:
        """Stop decoding and computing."""
        for running in (self._values, self._images):
            close = getattr(running, "close", None)
            if close is not None:
                close()

    def _decode(self) -> Iterator[Images]:
        while True:
            with self._stopwatch.on(DECODING):
                batch = next(self._images, None)
            if batch is None:
                return
            self._decoded.append(batch)
            yield batch.images
