"""What keeps a second writer out."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from pipeline.errors import CacheError, CacheLockedError


@contextmanager
def lock_store(path: Path) -> Iterator[None]:
    """Hold the store's lock; the operating system frees it when the process dies.

    What a process that died while it held the lock left half made is removed.

    Raises
    ------
    CacheLockedError
        If another process holds it.
    CacheError
        If the folder cannot be written.
    """
    lock = filelock.FileLock(path.with_suffix(".lock"), timeout=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except filelock.Timeout as exc:
        raise CacheLockedError(
            f"Another process is writing {path}. Wait for it to end, then run this again."
        ) from exc
    except OSError as exc:
        raise CacheError(
            f"Cannot write to {path.parent}: {exc}. Make it writable, or give another --cache-dir."
        ) from exc
    try:
        for leftover in path.parent.glob(f".{path.name}.*.partial"):
            shutil.rmtree(leftover)
        yield
    finally:
        lock.release()


def delete_store(path: Path) -> None:
    """Delete a store; the caller holds its lock."""
    # Renamed first, so that a kill in the middle leaves nothing under the final name.
    doomed = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    path.rename(doomed)
    shutil.rmtree(doomed)
