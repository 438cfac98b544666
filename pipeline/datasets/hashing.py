"""Hash many files in threads."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.records import OnProgress

WORKERS = min(4, os.cpu_count() or 1)  # more only fight over the interpreter lock
FILES_PER_TASK = 128  # a task for each file would cost more than hashing a small image
BLOCK_BYTES = 1 << 20


def hash_file(path: str | Path) -> tuple[int, bytes]:
    """Return the size in bytes and the SHA-256 of one file; raises OSError."""
    digest = hashlib.sha256()
    size = 0
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - half the time of Path.open
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            size += len(block)
    return size, digest.digest()


def hash_files(
    root: Path, paths: Sequence[str], *, on_progress: OnProgress | None = None
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Hash files in threads; one that cannot be read gets size 0 and a hash of zeros.

    It stays in the data set: reading it again will fail and be listed with its reason, so no
    file vanishes between what was found and what was used.

    Parameters
    ----------
    root : Path
    paths : sequence of str
        Relative to `root`.
    on_progress : callable, optional
        Called with how many are done and how many there are.

    Returns
    -------
    size : int64 ndarray of shape (n_files,)
        Bytes.
    sha256 : uint8 ndarray of shape (n_files, 32)
    """
    size = np.zeros(len(paths), np.int64)
    sha256 = np.zeros((len(paths), 32), np.uint8)
    starts = range(0, len(paths), FILES_PER_TASK)
    base = os.path.join(root, "")  # noqa: PTH118 - a Path for each file would take longer than hashing
    tasks = ([base + path for path in paths[i : i + FILES_PER_TASK]] for i in starts)
    done = 0
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="hash") as pool:
        try:
            for hashed in pool.map(_hash_some, tasks):
                for number, (n_bytes, digest) in enumerate(hashed, start=done):
                    size[number] = n_bytes
                    sha256[number] = np.frombuffer(digest, np.uint8)
                done += len(hashed)
                if on_progress is not None:
                    on_progress(done, len(paths))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return size, sha256


def _hash_some(paths: Sequence[str]) -> list[tuple[int, bytes]]:
    return list(map(_hash_or_zeros, paths))


def _hash_or_zeros(path: str) -> tuple[int, bytes]:
    try:
        # Opening a pipe would wait for ever; a table can name one, the folder scan cannot.
        return hash_file(path) if os.path.isfile(path) else (0, bytes(32))  # noqa: PTH113
    except OSError:
        return 0, bytes(32)
