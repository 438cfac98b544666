"""Remember, in a file at the top of a cache, the batch sizes that fitted into memory.

    {"<host>, <cores> cores, <memory> GiB": {"<network>, <engine> on <device>, <precision>": 32}}

A cache may lie on a disk that several machines share, so each machine has its own sizes. Losing
the file costs a few attempts and nothing else: whatever is wrong with it, it counts as empty.
"""

from __future__ import annotations

import json
import platform
from contextlib import suppress
from pathlib import Path
from typing import Any

import filelock

from pipeline.durable import remove, write_file
from pipeline.machine import count_cores, count_memory

FILE = "batch-sizes.json"
LOCK_SECONDS = 5.0


def recall(
    cache_dir: Path, *, network: str, engine: str, device: str, precision: str
) -> int | None:
    """Return the batch size that worked last on this machine, None if none is known.

    Parameters
    ----------
    cache_dir : Path
    network : str
        Model and input size, for example "vgg16@150".
    engine, device, precision : str
    """
    entry = _name_entry(network, engine, device, precision)
    return _read(cache_dir / FILE).get(_name_machine(), {}).get(entry)


def remember(
    cache_dir: Path, size: int, *, network: str, engine: str, device: str, precision: str
) -> None:
    """Note a batch size that worked, beside what other processes note meanwhile.

    Where that is not possible it is left: a cache that is not there is not made, one that is
    read-only stays as it is.

    Parameters
    ----------
    cache_dir : Path
    size : int
        Images a batch, at least 1.
    network, engine, device, precision : str
        As for `recall`.
    """
    known = recall(cache_dir, network=network, engine=engine, device=device, precision=precision)
    # Some file systems have no locks: filelock says so by NotImplementedError.
    with suppress(OSError, NotImplementedError):
        if size != known and cache_dir.is_dir():
            _note(cache_dir, _name_entry(network, engine, device, precision), size)


def _note(cache_dir: Path, entry: str, size: int) -> None:
    path = cache_dir / FILE
    with filelock.FileLock(cache_dir / f".{FILE}.lock", timeout=LOCK_SECONDS):
        # Whoever made these held the lock, and holds it no more: they were killed.
        for left in cache_dir.glob(f".{FILE}.*.partial"):
            remove(left)
        sizes = _read(path)
        sizes.setdefault(_name_machine(), {})[entry] = size
        write_file(path, (json.dumps(sizes, indent=1, sort_keys=True) + "\n").encode("ascii"))


def _name_machine() -> str:
    memory = count_memory()
    words = f"{memory / 2**30:.0f} GiB" if memory else "unknown memory"
    return f"{platform.node()}, {count_cores()} cores, {words}"


def _name_entry(network: str, engine: str, device: str, precision: str) -> str:
    return f"{network}, {engine} on {device}, {precision}"


def _read(path: Path) -> dict[str, dict[str, int]]:
    """Return what is noted, without whatever `remember` does not write."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return {
        machine: {entry: size for entry, size in sizes.items() if _is_size(size)}
        for machine, sizes in (found.items() if isinstance(found, dict) else ())
        if isinstance(sizes, dict)
    }


def _is_size(value: Any) -> bool:
    return type(value) is int and value > 0
