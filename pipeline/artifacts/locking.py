"""What keeps two processes from changing a store's fits at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock

from pipeline.errors import CacheError, CacheLockedError

LOCK = ".lock"


@contextlib.contextmanager
def lock_fits(fits: Path, *, timeout: float = 0) -> Iterator[None]:
    """Hold the lock of a store's fits; the operating system frees it when the process dies.

    Parameters
    ----------
    fits : Path
        Their folder, which is there.
    timeout : float
        Seconds to wait for another process.

    Raises
    ------
    CacheLockedError
        If another process holds it all the while.
    CacheError
        If the file system has no locks.
    OSError
        If the lock's file cannot be made.
    """
    lock = filelock.FileLock(fits / LOCK, timeout=timeout)
    try:
        lock.acquire()
    except filelock.Timeout as exc:
        raise CacheLockedError(
            f"A fit is being written into {fits} by another process. Wait for it to end, then run "
            "this again."
        ) from exc
    except NotImplementedError as exc:
        raise CacheError(
            f"The file system of {fits} has no locks. Copy the cache elsewhere and give "
            "--cache-dir, then run this again."
        ) from exc
    try:
        yield
    finally:
        lock.release()
