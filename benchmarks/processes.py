"""What a process and all that descend from it have used, from Linux's /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def _tree(pid: int) -> Iterator[Path]:
    """Yield the /proc folder of a process and of all that descend from it."""
    folder = Path(f"/proc/{pid}")
    yield folder
    for children in folder.glob("task/*/children"):
        try:
            found = children.read_text(encoding="ascii").split()
        except OSError:  # the thread has just ended
            continue
        for child in found:
            yield from _tree(int(child))


def cpu_seconds(pid: int) -> float:
    """Return the processor seconds that a process and its descendants have used."""
    total = 0
    for folder in _tree(pid):
        # Behind the name in brackets, from the third on: utime, stime, cutime and cstime are
        # the 14th to the 17th field (proc_pid_stat(5)).
        fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        total += sum(map(int, fields[11:15]))
    return total / _TICKS


def peak_mb(pid: int) -> float:
    """Return the largest resident memory of a process and its descendants, each at its own peak.

    Pages that they share count in each.
    """
    total = 0
    for folder in _tree(pid):
        for line in (folder / "status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                total += int(line.split()[1])
    return total * 1024 / 1e6
