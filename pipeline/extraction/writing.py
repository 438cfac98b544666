"""Hash and write blocks while the next ones are computed."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from pipeline.cache import StoreWriter
from pipeline.extraction.ledger import WRITING, Stopwatch
from pipeline.extraction.stream import Rows


class BlockWriter:
    """Writes blocks in a thread of its own, one after the other.

    While one is written the next one is computed, and no third one waits: memory is bounded, and
    nothing is begun after an error.

    Parameters
    ----------
    writer : StoreWriter
    stopwatch : Stopwatch
        Gets the seconds of work, and of waiting for it.
    """

    def __init__(self, writer: StoreWriter, stopwatch: Stopwatch) -> None:
        self._writer = writer
        self._stopwatch = stopwatch
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._running: Future[None] | None = None

    def put(self, rows: NDArray[np.int64], block: Rows) -> None:
        """Write a block, after the one before it, whose errors are raised here."""
        self.flush()
        self._running = self._pool.submit(self._write, rows, block)

    def flush(self) -> None:
        """Wait until everything is written.

        Raises
        ------
        CacheError, OSError
            If it cannot be.
        """
        if self._running is not None:
            with self._stopwatch.on(WRITING):
                self._running.result()
            self._running = None

    def __enter__(self) -> BlockWriter:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Wait for the block that is being written, if there is one.

        Raises
        ------
        CacheError, OSError
            If it could not be: also in the place of another error, which may have come of it, but
            not of an interruption.
        """
        self._pool.shutdown(wait=True)
        if self._running is not None and (error is None or isinstance(error, Exception)):
            self._running.result()

    def _write(self, rows: NDArray[np.int64], block: Rows) -> None:
        started = time.perf_counter()
        sealed = self._writer.seal(rows, block.values, block.status, block.oddities)
        hashed = time.perf_counter()
        self._writer.commit(sealed)
        ended = time.perf_counter()
        self._stopwatch.add_work(hashing=hashed - started, writing=ended - hashed)
