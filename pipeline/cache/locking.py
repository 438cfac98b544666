"""What keeps a second writer out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from pipeline.cache.replacing import tidy
from pipeline.errors import CacheError, CacheLockedError


@contextmanager
def lock_store(path: Path) -> Iterator[None]:
    """Hold the store's lock; the operating system frees it when the process dies.

    What a process that died while it held the lock left half made is mended or removed.

    Raises
    ------
    CacheLockedError
        If another process holds it.
    CacheError
        If the folder cannot be written.
    """
    lock = filelock.FileLock(path.with_suffix(".lock"), timeout=0)
    try:
        with _translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
            tidy(path)
        yield
    finally:
        lock.release()


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except filelock.Timeout as exc:
        raise CacheLockedError(
            f"Another process is writing {path}. Wait for it to end, then run this again."
        ) from exc
    except OSError as exc:
        raise CacheError(
            f"Cannot write to {path.parent}: {exc}. Make it writable, or give another --cache-dir."
        ) from exc
