"""What this process may use of the machine: cores, memory, installed packages."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# The same library under other names.
_SAME = {"tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-macos")}
_CGROUP = Path("/sys/fs/cgroup")


def count_cores() -> int:
    """Return the cores that this process may use: its own affinity, its container's quota."""
    n_cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        quota, period = (_CGROUP / "cpu.max").read_text(encoding="ascii").split()
        return max(1, min(n_cores, int(quota) // int(period)))
    except (OSError, ValueError):  # no quota: no such file, or the word "max"
        return n_cores


def count_memory() -> int | None:
    """Return the bytes of memory that this process may use, None where they are not known."""
    if sys.platform != "linux":
        return None
    n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(n_bytes, int((_CGROUP / "memory.max").read_text(encoding="ascii")))
    except (OSError, ValueError):
        return n_bytes


def find_version(distribution: str) -> str | None:
    """Return the version of what is installed under a name, without importing it."""
    for name in _SAME.get(distribution, (distribution,)):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None
