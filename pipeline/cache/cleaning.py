"""What killed runs left in a cache, and removing it and whole stores.

Only names that this package makes are known here. Whatever is called otherwise, is a link, or
holds a file that no store has, belongs to somebody else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.cache.layout import FILLS, ROW_ARRAYS, SAMPLE_ARRAYS, open_store
from pipeline.cache.locking import lock_store
from pipeline.cache.outline import count_committed
from pipeline.cache.runs import runs_jsonl
from pipeline.cache.skipped import skipped_csv
from pipeline.durable import partial_path, remove, rename, sync
from pipeline.errors import CacheError

_HEX = "[0-9a-f]{8}"
_STORE = rf"(?P<store>[^./\n][^/\n]*-{_HEX})"
# What a leftover is, and how its name is made of the store's.
_LEFTOVERS = {
    "a store half made or half deleted": (
        rf"\.(?P<new>\.)?{_STORE}\.zarr(?(new)\.overwrite)\.{_HEX}\.partial"
    ),
    "a list half written": rf"\.{_STORE}\.skipped\.csv\.{_HEX}\.partial",
    "an old store that a new one replaced": rf"\.{_STORE}\.zarr\.replaced",
    "a new store that was to replace another": rf"\.{_STORE}\.zarr\.overwrite",
    "a list of skipped images without its store": rf"{_STORE}\.skipped\.csv",
    "a list of runs without its store": rf"{_STORE}\.runs\.jsonl",
    "a note of a process that was killed": rf"{_STORE}\.lock\.json",
}
_FILE_LEFT = "a file half written"
_ARRAYS = (*FILLS, *ROW_ARRAYS, *(f"sample/{name}" for name in SAMPLE_ARRAYS))
_OF_A_STORE = re.compile(
    rf"(?:(?:{'|'.join(_ARRAYS)})/c(?:/\d+)+"
    rf"|(?:(?:{'|'.join((*_ARRAYS, 'sample'))})/)?zarr\.json"
    rf"|(?:[\w/]+/)?\.[\w.]+\.{_HEX}\.partial)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Something that no run needs any more.

    Attributes
    ----------
    path : Path
    store : Path
        Whose lock guards it; it may be gone.
    why : str
        What it is.
    """

    path: Path
    store: Path
    why: str


def find_leftovers(folder: Path) -> list[Leftover]:
    """Return what killed runs left in the folder of a data set, sorted by path.

    That another process needs it still is seen by the store's lock only.
    """
    found = []
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            continue
        if re.fullmatch(rf"{_STORE}\.zarr", path.name) and path.is_dir():
            found += _find_within(path, store=path)
        leftover = _recognise(path)
        if leftover is not None:
            found.append(leftover)
            if path == _beside(leftover.store, "overwrite") and path.is_dir():
                found += _find_within(path, store=leftover.store)
    return found


def _find_within(folder: Path, *, store: Path) -> list[Leftover]:
    paths = sorted(path for path in folder.rglob(".*.partial") if not path.is_symlink())
    return [Leftover(path=path, store=store, why=_FILE_LEFT) for path in paths]


def _recognise(path: Path) -> Leftover | None:
    for why, pattern in _LEFTOVERS.items():
        match = re.fullmatch(pattern, path.name)
        if match:
            store = path.with_name(f"{match['store']}.zarr")
            needed = path in lists_of(store) and _is_there(store)
            return None if needed else Leftover(path=path, store=store, why=why)
    return None


def count_resumable(store: Path) -> int:
    """Return how many blocks of the store that is to replace `store` are done and will be used.

    None are if there is nothing to replace any more: the next run fills `store` itself.
    """
    new = _beside(store, "overwrite")
    try:
        return count_committed(new) if _is_there(store) and new.is_dir() else 0
    except CacheError:  # damaged
        return 0


def find_mend(store: Path) -> Path | None:
    """Return what the lock's next holder puts in the place of a store whose swap was cut off."""
    old, new = _beside(store, "replaced"), _beside(store, "overwrite")
    if _is_there(store) or not old.is_dir() or old.is_symlink():
        return None
    try:
        return new if new.is_dir() and open_store(new, "r").attributes.complete else old
    except CacheError:
        return old


def remove_leftovers(store: Path) -> None:
    """Remove the leftovers of one store, but a new store in which something was computed.

    Raises
    ------
    CacheLockedError
        If another process is writing the store.
    CacheError
        If they cannot be removed.
    """
    with lock_store(store):  # mends and removes most of them
        kept = _beside(store, "overwrite") if count_resumable(store) else None
        for leftover in find_leftovers(store.parent):
            if leftover.store == store and leftover.path != kept and _is_there(leftover.path):
                _remove(leftover.path)


def lists_of(store: Path) -> tuple[Path, ...]:
    """Return where the skipped images and the runs of a store are listed, if they are."""
    return skipped_csv(store), runs_jsonl(store)


def list_foreign(store: Path) -> list[Path]:
    """Return the files within a store that no store has, and links."""
    return sorted(
        path
        for path in store.rglob("*")
        if path.is_symlink()
        or (path.is_file() and not _OF_A_STORE.fullmatch(path.relative_to(store).as_posix()))
    )


def remove_store(path: Path) -> None:
    """Remove a store and the lists beside it.

    Raises
    ------
    CacheLockedError
        If another process is writing it.
    CacheError
        If it is a link, holds files of somebody else, or cannot be removed.
    """
    if path.is_symlink():
        raise CacheError(f"{path} is a link. It was left as it is.")
    with lock_store(path):
        foreign = list_foreign(path)
        if foreign:
            raise CacheError(f"{path} holds {foreign[0].name}, which is not a store's. It stays.")
        doomed = partial_path(path)
        try:
            # Nothing half deleted lies under a name that is read, not even after a power cut.
            rename(path, doomed)
            sync(path.parent)
        except OSError as exc:
            raise CacheError(f"Cannot remove {path}: {exc}.") from exc
        _remove(doomed)
        for listed in lists_of(path):
            _remove(listed)


def _remove(path: Path) -> None:
    try:
        remove(path)
    except OSError as exc:
        raise CacheError(f"Cannot remove {path}: {exc}. Remove it by hand.") from exc


def _beside(store: Path, role: str) -> Path:
    return store.with_name(f".{store.name}.{role}")


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()
