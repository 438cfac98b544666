"""Remember files' hashes, so that a file whose `stat` is still the same is not read again.

One index serves one root. Losing it costs time and nothing else, so whatever is wrong with it,
it counts as empty. It is not used on Windows, where `st_ctime` is the time of creation: there an
edit that puts the mtime back could not be seen.

An index tells the truth as far as the file system's times do. Network file systems may show
another machine's edit only after a minute, which is how long they cache what `stat` returns.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import durable
from pipeline.datasets.hashing import hash_files, identify_files
from pipeline.errors import CacheError
from pipeline.records import Manifest, OnProgress
from pipeline.records.names import decode_names, encode_names

IS_SUPPORTED = os.name != "nt"

_MAGIC = b"transfer-values hashes, version 1\n"
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True, eq=False)
class HashIndex:
    """The hashes of the files below one root.

    Attributes
    ----------
    paths : tuple of str
        Relative to the root, each once.
    identity : uint64 ndarray of shape (n_files, 5)
        See `identify_files`.
    sha256 : uint8 ndarray of shape (n_files, 32)
    """

    paths: tuple[str, ...]
    identity: NDArray[np.uint64]
    sha256: NDArray[np.uint8]

    def find(self, paths: Sequence[str], identity: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return each file's row, or -1 where the index has none that is still true.

        Returns
        -------
        int64 ndarray of shape (n_files,)
        """
        row_of = {path: row for row, path in enumerate(self.paths)}
        rows = np.array([row_of.get(path, -1) for path in paths], np.int64)
        listed = np.flatnonzero(rows >= 0)
        changed = (self.identity[rows[listed]] != identity[listed]).any(axis=1)
        rows[listed[changed]] = -1
        return rows

    def take(self, rows: NDArray[np.int64]) -> HashIndex:
        """Return an index of some of the files."""
        paths = tuple(self.paths[row] for row in rows.tolist())
        return HashIndex(paths, self.identity[rows], self.sha256[rows])

    def __add__(self, other: HashIndex) -> HashIndex:
        """Return an index of the files of two that share none."""
        return HashIndex(
            self.paths + other.paths,
            np.concatenate([self.identity, other.identity]),
            np.concatenate([self.sha256, other.sha256]),
        )


EMPTY = HashIndex((), np.zeros((0, 5), np.uint64), np.zeros((0, 32), np.uint8))


def index_path(cache_dir: Path, name: str, root: Path) -> Path:
    """Return where the index of the data set `name` in `root` lies."""
    return cache_dir / name / f".hashes-{hashlib.sha256(os.fsencode(root)).hexdigest()[:8]}.bin"


def hash_changed_files(
    root: Path,
    paths: Sequence[str],
    *,
    cache_dir: Path | None,
    name: str,
    on_progress: OnProgress | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Hash the files that the index does not know, or that changed since, and update the index.

    Besides the files of `paths`, the index keeps those that are still on disk and unchanged: a
    run with a limit does not make the next one without hash everything, and what is deleted does
    not pile up. An index that cannot be written is done without.

    Parameters
    ----------
    root : Path
    paths : sequence of str
        Relative to `root`, each once.
    cache_dir : Path, optional
        The index lies in `cache_dir/<name>/`. Without it all files are hashed and nothing is
        written.
    name : str
        Name of the data set.
    on_progress : callable, optional
        Called with how many files are known or hashed and how many there are.

    Returns
    -------
    size : int64 ndarray of shape (n_files,)
        Bytes; 0 for a file that cannot be read.
    sha256 : uint8 ndarray of shape (n_files, 32)
        Zeros for a file that cannot be read.
    """
    if cache_dir is None or not IS_SUPPORTED:
        hashes = hash_files(root, paths, on_progress=on_progress)
        return hashes.size, hashes.sha256
    file = index_path(cache_dir, name, root)
    index = read_index(file, root)
    identity = identify_files(root, paths)
    rows = index.find(paths, identity)
    known, unknown = np.flatnonzero(rows >= 0), np.flatnonzero(rows < 0)
    unknown_paths = [paths[i] for i in unknown.tolist()]
    if on_progress is not None and len(known):
        on_progress(len(known), len(paths))
    hashes = hash_files(root, unknown_paths, on_progress=_count_on(on_progress, len(known)))
    fresh = HashIndex(tuple(unknown_paths), hashes.identity, hashes.sha256)
    settled = fresh.take(np.flatnonzero(hashes.settled))
    if settled.paths:
        others = _drop_changed(_drop_listed(index, paths), root)
        with suppress(OSError):
            durable.write_file(file, _pack(index.take(rows[known]) + settled + others, root))
    size, sha256 = np.empty(len(paths), np.int64), np.empty((len(paths), 32), np.uint8)
    size[known], sha256[known] = identity[known, 0], index.sha256[rows[known]]
    size[unknown], sha256[unknown] = hashes.size, hashes.sha256
    return size, sha256


def read_index(file: Path, root: Path) -> HashIndex:
    """Read the index of the files in `root`; empty if it is missing, damaged or another's."""
    try:
        return _unpack(file.read_bytes(), root)
    except (OSError, ValueError):
        return EMPTY


def forget_hashes(manifest: Manifest, *, cache_dir: Path) -> None:
    """Delete the index of a manifest that was seen to be wrong, so that it is not believed again.

    Raises
    ------
    CacheError
        If it is there and cannot be deleted.
    """
    file = index_path(cache_dir, manifest.name, manifest.root)
    try:
        if file.is_file():
            durable.remove(file)
    except OSError as exc:
        raise CacheError(
            f"Cannot delete {file}: {exc.strerror}. It remembers another content for a file than "
            "the file has. Delete it by hand, then run the same command again."
        ) from exc


def _count_on(on_progress: OnProgress | None, n_known: int) -> OnProgress | None:
    """Return a callback for the unknown files that counts the known ones as done."""
    if on_progress is None:
        return None
    return lambda done, total: on_progress(n_known + done, n_known + total)


def _drop_listed(index: HashIndex, paths: Sequence[str]) -> HashIndex:
    listed = set(paths)
    rows = [row for row, path in enumerate(index.paths) if path not in listed]
    return index.take(np.array(rows, np.int64))


def _drop_changed(index: HashIndex, root: Path) -> HashIndex:
    rows = index.find(index.paths, identify_files(root, index.paths))
    return index.take(rows[rows >= 0])


def _pack(index: HashIndex, root: Path) -> bytes:
    """Return a version, a digest of all that follows, and the index.

    The root is part of it: the name of the file holds only the beginning of its hash.
    """
    names = encode_names((os.fspath(root), *index.paths))
    counts = np.array([len(index.paths), len(names)], "<u8").tobytes()
    numbers = index.identity.astype("<u8").tobytes()
    body = b"".join((counts, names, numbers, index.sha256.tobytes()))
    return _MAGIC + hashlib.sha256(body).digest() + body


def _unpack(data: bytes, root: Path) -> HashIndex:
    """Read what `_pack` wrote; raises ValueError for anything else, or for another root."""
    start = len(_MAGIC) + _DIGEST_BYTES
    body = memoryview(data)[start:]
    if data[:start] != _MAGIC + hashlib.sha256(body).digest():
        raise ValueError("not an index of hashes, or damaged")
    n_files, n_bytes = np.frombuffer(body[:16], "<u8").tolist()
    numbers = 16 + n_bytes
    hashes = numbers + 40 * n_files
    found_root, *paths = decode_names(bytes(body[16:numbers]))
    if found_root != os.fspath(root) or len(paths) != n_files:
        raise ValueError("the index of another folder")
    identity = np.frombuffer(body[numbers:hashes], "<u8").reshape(n_files, 5)
    sha256 = np.frombuffer(body[hashes:], np.uint8).reshape(n_files, 32)
    return HashIndex(tuple(paths), identity.astype(np.uint64, copy=False), sha256)
