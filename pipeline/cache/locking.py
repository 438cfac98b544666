"""What keeps a second writer out."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import filelock

from pipeline.cache.probing import Holder, holder_file, read_holder
from pipeline.cache.replacing import overwrite_path, tidy
from pipeline.durable import make_folder, sync_folders
from pipeline.errors import CacheError, CacheLockedError


@contextmanager
def lock_store(path: Path) -> Iterator[None]:
    """Hold the store's lock; the operating system frees it when the process dies.

    What a process that died while it held the lock left half made is mended or removed. A link
    has the lock of the store that it leads to.

    Raises
    ------
    CacheLockedError
        If another process holds it.
    CacheError
        If the folder cannot be written.
    """
    path = path.resolve()
    lock = filelock.FileLock(path.with_suffix(".lock"), timeout=0)
    try:
        with _translated(path):
            make_folder(path.parent)
            lock.acquire()
            if was_killed(path):
                _flush(path)
            _introduce(path)
            tidy(path)
        yield
    finally:
        if lock.is_locked:
            with suppress(OSError):
                holder_file(path).unlink(missing_ok=True)
        lock.release()


def was_killed(store: Path) -> bool:
    """Tell whether the last process that wrote a store ended before it gave the lock back."""
    return holder_file(store).exists()


def show_life(store: Path) -> None:
    """Let those who wait for the lock see that its holder gets on."""
    with suppress(OSError):
        os.utime(holder_file(store.resolve()))


def last_life(store: Path) -> float:
    """Return when the lock's holder took it or showed life, in seconds since 1970; 0 for nobody."""
    try:
        return holder_file(store.resolve()).stat().st_mtime
    except OSError:
        return 0.0


def _flush(store: Path) -> None:
    """Flush what a killed process renamed and did not flush any more."""
    for folder in (store, overwrite_path(store)):
        if folder.is_dir():
            sync_folders(folder)


def _introduce(store: Path) -> None:
    """Write down who holds the lock, for the message that others get; not for the lock itself."""
    holder = Holder(
        pid=os.getpid(),
        host=platform.node(),
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    )
    with suppress(OSError):  # on a full disk, too, the run says what it could not write
        holder_file(store).write_text(json.dumps(asdict(holder)), encoding="utf-8")


def _describe_holder(store: Path) -> str:
    holder = read_holder(store)
    if holder is None:
        return "another process"
    return f"process {holder.pid} on {holder.host}, since {holder.since} (`{holder.command}`)"


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except filelock.Timeout as exc:
        raise CacheLockedError(
            f"{path} is being written by {_describe_holder(path)}. Wait for it to end, then "
            "run this again."
        ) from exc
    except NotImplementedError as exc:
        raise CacheError(
            f"The file system of {path.parent} has no locks. Give another --cache-dir."
        ) from exc
    except OSError as exc:
        raise CacheError(
            f"Cannot write to {path.parent}: {exc}. Make it writable, or give another --cache-dir."
        ) from exc
