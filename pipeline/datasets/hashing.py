"""Hash many files in threads, and tell by `stat` which ones to hash again."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import time_ns
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.records import OnProgress

WORKERS = min(4, os.cpu_count() or 1)  # more only fight over the interpreter lock
FILES_PER_TASK = 128  # a task for each file would cost more than hashing a small image
BLOCK_BYTES = 1 << 20
SETTLING_NS = 60_000_000_000
"""How long a file must have lain unchanged when its hashing began for its hash to be kept.

Two edits within one tick of a file system's clock leave the same times behind, so a file that was
changed this recently can change once more and look the same. The coarsest clock in use ticks every
2 s (FAT). Longer is what a program may change that has the file mapped into memory: Linux stamps
the first change of a page, and the next one only after the page has been written back, which takes
up to 35 s by default.
"""

_IDENTITY = struct.Struct("<5Q")
_64_BITS = 2**64 - 1  # a time before 1970 is negative


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FileHashes:
    """Files' contents, and what `stat` said when they were read.

    Attributes
    ----------
    size : int64 ndarray of shape (n_files,)
        Bytes; 0 for a file that could not be read.
    sha256 : uint8 ndarray of shape (n_files, 32)
        Zeros for a file that could not be read.
    identity : uint64 ndarray of shape (n_files, 5)
        See `identify_files`.
    settled : bool ndarray of shape (n_files,)
        Whether a file whose identity is still the same has this hash for certain.
    """

    size: NDArray[np.int64]
    sha256: NDArray[np.uint8]
    identity: NDArray[np.uint64]
    settled: NDArray[np.bool_]


class _FileHash(NamedTuple):
    size: int
    sha256: bytes
    identity: bytes
    settled: bool


_UNREADABLE = _FileHash(0, bytes(32), bytes(_IDENTITY.size), settled=False)


def hash_file(path: str | Path) -> tuple[int, bytes]:
    """Return the size in bytes and the SHA-256 of one file; raises OSError."""
    hashed = _hash_and_identify(path)
    return hashed.size, hashed.sha256


def hash_files(
    root: Path, paths: Sequence[str], *, on_progress: OnProgress | None = None
) -> FileHashes:
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
    """
    found: list[_FileHash] = []
    full = _join(root, paths)
    tasks = (full[i : i + FILES_PER_TASK] for i in range(0, len(full), FILES_PER_TASK))
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="hash") as pool:
        try:
            for hashed in pool.map(_hash_some, tasks):
                found += hashed
                if on_progress is not None:
                    on_progress(len(found), len(paths))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    joined = b"".join(one.sha256 for one in found)
    return FileHashes(
        size=np.array([one.size for one in found], np.int64),
        sha256=np.frombuffer(joined, np.uint8).reshape(-1, 32),
        identity=_to_rows([one.identity for one in found]),
        settled=np.array([one.settled for one in found], np.bool_),
    )


def identify_files(root: Path, paths: Sequence[str]) -> NDArray[np.uint64]:
    """Return what changes when a file does, without opening it.

    The times of the last change of content (mtime) and of anything at all (ctime) differ after an
    edit; ctime does even where a program puts the mtime back, since no program can set it.

    Returns
    -------
    uint64 ndarray of shape (n_files, 5)
        Bytes, mtime and ctime in nanoseconds, inode, device; zeros where there is no such file.
    """
    return _to_rows([_identify_or_zeros(path) for path in _join(root, paths)])


def _join(root: Path, paths: Sequence[str]) -> list[str]:
    base = os.path.join(root, "")  # noqa: PTH118 - a Path for each file would take longer than hashing
    return [base + path for path in paths]


def _to_rows(identities: list[bytes]) -> NDArray[np.uint64]:
    rows = np.frombuffer(b"".join(identities), "<u8").reshape(-1, 5)
    return rows.astype(np.uint64, copy=False)


def _identify(found: os.stat_result) -> bytes:
    return _IDENTITY.pack(
        found.st_size,
        found.st_mtime_ns & _64_BITS,
        found.st_ctime_ns & _64_BITS,
        found.st_ino & _64_BITS,
        found.st_dev & _64_BITS,
    )


def _identify_or_zeros(path: str) -> bytes:
    try:
        return _identify(os.stat(path))  # noqa: PTH116
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return _UNREADABLE.identity


def _hash_some(paths: Sequence[str]) -> list[_FileHash]:
    return list(map(_hash_or_zeros, paths))


def _hash_or_zeros(path: str) -> _FileHash:
    try:
        # Opening a pipe would wait for ever; a table can name one, the folder scan cannot.
        return _hash_and_identify(path) if os.path.isfile(path) else _UNREADABLE  # noqa: PTH113
    except OSError:
        return _UNREADABLE


def _hash_and_identify(path: str | Path) -> _FileHash:
    digest = hashlib.sha256()
    size = 0
    began = time_ns()
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - half the time of Path.open
        before = os.fstat(file.fileno())
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            size += len(block)
        after = os.fstat(file.fileno())
    identity = _identify(before)
    settled = (
        stat.S_ISREG(before.st_mode)
        and size == before.st_size  # not so in /proc, whose files change without a trace
        and identity == _identify(after)
        and max(before.st_mtime_ns, before.st_ctime_ns) < began - SETTLING_NS
    )
    return _FileHash(size, digest.digest(), identity, settled)
