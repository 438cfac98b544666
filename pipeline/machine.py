"""What this process may use of the machine: cores, memory, installed packages."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

if sys.platform != "win32":
    import resource

# The same library under other names.
_SAME = {"tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-macos")}
_CGROUP = Path("/sys/fs/cgroup")


def count_cores() -> int:
    """Return the cores that this process may use: its own affinity, its container's quota."""
    n_cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        quota, period = (_CGROUP / "cpu.max").read_text(encoding="utf-8").split()
        return max(1, min(n_cores, int(quota) // int(period)))
    except (OSError, ValueError):  # no quota: no such file, or the word "max"
        return n_cores


def count_memory() -> int | None:
    """Return the bytes of memory that this process may use, None where they are not known."""
    if sys.platform != "linux":
        return None
    n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(n_bytes, int((_CGROUP / "memory.max").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return n_bytes


def free_memory() -> int | None:
    """Return the bytes of memory that this process may still take, None where they are not known.

    That is what the system has available, what is left to its container, and what it was limited
    to itself (``ulimit``), whichever is the least.
    """
    if sys.platform != "linux":
        return None
    free = [_read_available(), _read_container(), *_read_limits()]
    return min((n_bytes for n_bytes in free if n_bytes is not None), default=None)


def _read_available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvail"))
    except (OSError, ValueError, StopIteration):
        return None


def _read_container() -> int | None:
    try:
        limit, used = (
            int((_CGROUP / name).read_text(encoding="utf-8"))
            for name in ("memory.max", "memory.current")
        )
    except (OSError, ValueError):  # no limit: no such file, or the word "max"
        return None
    return max(0, limit - used + _read_reclaimable())


def _read_reclaimable() -> int:
    """Return the bytes of files that were read and count as used, but make way at once."""
    try:
        lines = (_CGROUP / "memory.stat").read_text(encoding="utf-8").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
    except (OSError, ValueError):
        return 0


def _read_limits() -> list[int]:
    if sys.platform == "win32":
        return []
    soft = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
    return [limit for limit in soft if limit != resource.RLIM_INFINITY]


def find_version(distribution: str) -> str | None:
    """Return the version of what is installed under a name, without importing it."""
    for name in _SAME.get(distribution, (distribution,)):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None
