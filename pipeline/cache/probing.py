"""Seeing who writes a store, without keeping anybody from writing it."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import filelock


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a store's lock, as they said themselves."""

    pid: int
    host: str
    since: str
    command: str

    def __str__(self) -> str:
        here = "" if self.host == platform.node() else f" on {self.host}"
        return f"process {self.pid}{here}"


def find_holder(store: Path) -> Holder | None:
    """Return who is writing a store, None if nobody is.

    The lock itself is only touched where a living process says that it holds it: taking it, for
    however short a time, could turn away a run that starts just then.
    """
    holder = read_holder(store)
    if holder is None or not _may_be_alive(holder):
        return None
    lock = store.with_suffix(".lock")
    if not lock.exists():
        return None
    try:
        with filelock.FileLock(lock, timeout=0):
            return None  # another process got the number of one that was killed
    except filelock.Timeout:
        return holder
    except OSError:  # a cache that cannot be written: what the holder says is all there is
        return holder


def read_holder(store: Path) -> Holder | None:
    """Return who held a store's lock last, and may hold it still; None if nobody said so."""
    try:
        found = json.loads(holder_file(store).read_bytes())
        return Holder(
            pid=int(found["pid"]),
            host=str(found["host"]),
            since=str(found["since"]),
            command=str(found["command"]),
        )
    except (OSError, ValueError, KeyError, TypeError):  # it may be in the making
        return None


def holder_file(store: Path) -> Path:
    """Return where the holder of a store's lock says who it is."""
    return store.with_suffix(".lock.json")


def _may_be_alive(holder: Holder) -> bool:
    if os.name != "posix" or holder.host != platform.node():  # cannot be seen from here
        return True
    try:
        os.kill(holder.pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True
