"""Putting a new store in the place of an old one, such that a kill at any moment is mended.

Every function here is for the holder of the store's lock. What is doomed gets a `.partial` name
first: nothing half deleted ever lies under a name that is read.
"""

from __future__ import annotations

import contextlib
import glob
from pathlib import Path

from pipeline.cache.reader import read_info
from pipeline.cache.skipped import skipped_csv
from pipeline.durable import partial_path, remove, rename, sync
from pipeline.errors import CacheError, CacheIncompleteError


def overwrite_path(path: Path) -> Path:
    """Return where the store that is to replace `path` is built, for `swap_store`.

    It lies beside `path`, under a name that no reader looks for. What an interrupted run left
    there stays.

    Raises
    ------
    CacheError
        If there is a link or a file at either place: neither is replaced.
    """
    new = path.with_name(f".{path.name}.overwrite")
    for place in (path, new):
        _check_plain(place)
    return new


def swap_store(new: Path, path: Path) -> None:
    """Put the complete store at `new` in the place of `path` and delete what was there.

    Parameters
    ----------
    new : Path
        `overwrite_path(path)`.
    path : Path
        A store, or nothing.

    Raises
    ------
    CacheIncompleteError
        If the new store is not complete. The old one stays.
    CacheError
        If the old one is a link or a file, or cannot be renamed. It stays.
    """
    for place in (path, new):
        _check_plain(place)
    if not read_info(new).complete:
        raise CacheIncompleteError(
            f"The new store at {new} is not complete, so {path} was left as it is. "
            "Run the same extract command again."
        )
    old = _replaced_path(path)
    try:
        _settle_swap(path)
        if path.exists():
            rename(path, old)
        rename(new, path)
        sync(path.parent)
        if old.exists():
            _discard(old, path)
    except OSError as exc:
        if not path.exists():
            with contextlib.suppress(OSError):
                rename(old, path)
        raise CacheError(
            f"Cannot put the new store {new} in the place of {path}: {exc}. "
            f"Make {path.parent} writable, then run the same extract command again."
        ) from exc


def tidy(path: Path) -> None:
    """Mend and remove what a process that was killed while it held the lock left behind."""
    _settle_swap(path)
    new = f".{path.name}.overwrite"
    csv = skipped_csv(path).name
    for name in (path.name, new, csv):
        for leftover in path.parent.glob(f".{glob.escape(name)}.*.partial"):
            _remove(leftover)
    for store in (path, path.with_name(new)):
        for leftover in store.rglob(".*.partial"):  # of files within, cut off while being written
            _remove(leftover)


def _settle_swap(path: Path) -> None:
    """Finish a swap that was cut off between its renames, or take it back."""
    old, new = _replaced_path(path), path.with_name(f".{path.name}.overwrite")
    if not old.exists():
        return
    if not (path.exists() or path.is_symlink()):
        rename(new if _is_complete(new) else old, path)
        sync(path.parent)
    if old.exists():
        _discard(old, path)


def _replaced_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.replaced")


def _is_complete(path: Path) -> bool:
    try:
        return not path.is_symlink() and read_info(path).complete
    except CacheError:
        return False


def _check_plain(path: Path) -> None:
    if path.is_symlink():
        kind = f"a symbolic link to {path.readlink()}"
    elif path.exists() and not path.is_dir():
        kind = "not a folder"
    else:
        return
    raise CacheError(
        f"{path} is {kind}, expected the folder of a store. It was left as it is. Remove it "
        "yourself, or give another --cache-dir, then run this again."
    )


def _discard(doomed: Path, store: Path) -> None:
    """Delete a folder that belongs to `store`; a kill in the middle leaves a `.partial`."""
    partial = partial_path(store)
    rename(doomed, partial)
    sync(store.parent)  # otherwise a power cut could leave it half deleted under its old name
    _remove(partial)


def _remove(leftover: Path) -> None:
    with contextlib.suppress(OSError):
        remove(leftover)
