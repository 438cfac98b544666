"""Clear out the cache: what killed runs left, and stores that newer ones stand in for."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from pipeline.artifacts.leftovers import (
    count_fits,
    list_half_made,
    remove_fits,
    remove_half_made,
)
from pipeline.artifacts.leftovers import list_foreign as list_foreign_fits
from pipeline.backbones.converted import list_partial
from pipeline.cache import (
    Leftover,
    Outline,
    StoredRows,
    count_bytes,
    count_committed,
    count_resumable,
    find_holder,
    find_leftovers,
    find_mend,
    find_superseded,
    list_foreign,
    lists_of,
    read_outline,
    remove_leftovers,
    remove_store,
)
from pipeline.datasets.hash_index import index_path
from pipeline.durable import remove
from pipeline.errors import CacheError, CacheLockedError
from pipeline.invocation import extract_command
from pipeline.tuned import find_trainings_left, remove_training_left

# An index is written, and a network converted, without a lock, in far less time.
SECONDS_TO_WRITE_AN_INDEX = SECONDS_TO_CONVERT = 3600

_INDEX = re.compile(r"\.hashes-[0-9a-f]{8}\.bin")
_PARTIAL_INDEX = re.compile(r"\.\.hashes-[0-9a-f]{8}\.bin\.[0-9a-f]{8}\.partial")


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What was removed, or would be: `path`, its `n_bytes`, and `why`."""

    path: Path
    n_bytes: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was kept although it may not be needed: `path`, and `why` it was."""

    path: Path
    why: str


@dataclass(slots=True, kw_only=True)
class Cleaning:
    """What `pipeline cache gc` did, or would do.

    Attributes
    ----------
    dry_run : bool
    removed : list of Removed
    kept : list of Kept
    """

    dry_run: bool
    removed: list[Removed] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    @property
    def n_bytes(self) -> int:
        """How much is freed."""
        return sum(item.n_bytes for item in self.removed)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "dry_run": self.dry_run,
            "removed": [{**asdict(item), "path": str(item.path)} for item in self.removed],
            "kept": [{**asdict(item), "path": str(item.path)} for item in self.kept],
            "n_bytes": self.n_bytes,
        }

    def keep(self, path: Path, why: str) -> None:
        """Note that something stays."""
        self.kept.append(Kept(path=path, why=why))


def clean_cache(cache_dir: Path, *, superseded: bool = False, dry_run: bool = False) -> Cleaning:
    """Remove what no run needs any more.

    Links are neither removed nor followed. A store that another process is writing, one that is
    not finished but can be, and whatever is not known here, stay.

    Parameters
    ----------
    cache_dir : Path
    superseded : bool
        Also remove complete stores, and the fits on them, for which a newer complete one stands
        in: of the same data set in the same folder and the same recipe, and of no fewer images by
        its --limit.
    dry_run : bool
        Remove nothing.

    Raises
    ------
    CacheError
        If something cannot be removed.
    OSError
        If a folder cannot be read.
    """
    cleaning = Cleaning(dry_run=dry_run)
    for folder in sorted(cache_dir.iterdir()) if cache_dir.is_dir() else []:
        if folder.is_symlink():
            if folder.is_dir():
                cleaning.keep(folder, "a link: clean the cache that it leads to by its own path")
        elif folder.is_dir():
            _clean_folder(folder, cleaning, superseded=superseded)
    for folder in list_partial(cache_dir):
        with suppress(FileNotFoundError):  # it was just finished
            if _age(folder) > SECONDS_TO_CONVERT:
                _remove(folder, "a network half converted", cleaning)
    return cleaning


def _clean_folder(folder: Path, cleaning: Cleaning, *, superseded: bool) -> None:
    leftovers = sorted(find_leftovers(folder), key=lambda leftover: leftover.store)
    for store, group in groupby(leftovers, key=lambda leftover: leftover.store):
        _clean_leftovers(store, list(group), cleaning)
    for fits in sorted(folder.glob("[!.]*.fits")):
        _clean_fits(fits, cleaning)
    _clean_trainings(folder, cleaning)
    stores = sorted(path for path in folder.glob("[!.]*.zarr"))
    outlines = [outline for path in stores if (outline := _read(path, cleaning)) is not None]
    if superseded:
        for old, new in find_superseded(outlines):
            _remove_superseded(old.path, new.path, cleaning)
    if len(outlines) == len(stores):  # the folder of a damaged store is not known
        _clean_indexes(folder, outlines, cleaning)


def _clean_leftovers(store: Path, leftovers: list[Leftover], cleaning: Cleaning) -> None:
    if store.is_symlink():
        cleaning.keep(store, "a link: what lies beside it was left as it is")
        return
    holder = find_holder(store)
    if holder:
        cleaning.keep(store, f"being written by {holder}")
        return
    mend = find_mend(store)
    if mend is not None:
        cleaning.keep(mend, f"the whole store, which is moved to {store.name}")
    n_blocks = count_resumable(store)
    new = store.with_name(f".{store.name}.overwrite")
    if n_blocks:
        cleaning.keep(new, _tell_resumable(read_outline(new), n_blocks, overwrite=True))
    staying = {mend, new if n_blocks else None}
    removed = [
        Removed(path=leftover.path, n_bytes=count_bytes(leftover.path), why=leftover.why)
        for leftover in leftovers
        if leftover.path not in staying
    ]
    if not cleaning.dry_run:
        try:
            remove_leftovers(store)
        except CacheLockedError:  # by a process that has just begun
            cleaning.keep(store, "being written by another process")
            return
    cleaning.removed += _without_parts(removed)


def _without_parts(removed: Iterable[Removed]) -> Iterator[Removed]:
    """Leave out what lies within something that is removed whole."""
    items = list(removed)
    whole = {item.path for item in items}
    return (item for item in items if not whole & set(item.path.parents))


def _clean_fits(fits: Path, cleaning: Cleaning) -> None:
    removed = [
        Removed(path=path, n_bytes=count_bytes(path), why="half made beside or in a fit")
        for path in list_half_made(fits)
    ]
    if removed and not cleaning.dry_run:
        try:
            remove_half_made(fits)
        except CacheLockedError as exc:
            cleaning.keep(fits, str(exc))
            return
    cleaning.removed += removed
    store = fits.with_suffix(".zarr")
    if count_fits(store) and not store.exists():
        cleaning.keep(fits, "fits on a store that is gone: they predict all the same")


def _clean_trainings(folder: Path, cleaning: Cleaning) -> None:
    for left in find_trainings_left(folder):
        if left.n_epochs:
            epochs = "1 epoch" if left.n_epochs == 1 else f"{left.n_epochs:,} epochs"
            why = f"{epochs} done; the same finetune command goes on, or delete the folder"
            cleaning.keep(left.path, why)
            continue
        why = "left by a training that ended, or hardly began"
        removed = Removed(path=left.path, n_bytes=count_bytes(left.path), why=why)
        if not cleaning.dry_run:
            try:
                remove_training_left(left)
            except CacheLockedError as exc:
                cleaning.keep(left.path, str(exc))
                continue
        cleaning.removed.append(removed)


def _read(path: Path, cleaning: Cleaning) -> Outline | None:
    """Return the outline of a store, having noted why it stays if it is not a whole one."""
    if path.is_symlink():
        cleaning.keep(path, "a link")
        return None
    try:
        outline = read_outline(path)
        if not outline.about.complete and find_holder(path) is None:
            cleaning.keep(path, _tell_resumable(outline, count_committed(path)))
    except CacheError as exc:
        cleaning.keep(path, f"damaged: {' '.join(str(exc).split())}")
        return None
    return outline


def _tell_resumable(outline: Outline, n_blocks: int, *, overwrite: bool = False) -> str:
    settings = outline.about.provenance.get("settings", {})
    command = extract_command(settings, outline.path, overwrite=overwrite)
    share = n_blocks / max(outline.n_blocks, 1)
    return f"{share:.0%} done; `{command}` goes on, or delete the folder"


def _remove_superseded(old: Path, new: Path, cleaning: Cleaning) -> None:
    fits = old.with_suffix(".fits")
    foreign = [*list_foreign(old), *list_foreign_fits(fits)]
    holder = find_holder(old)
    if foreign or holder:
        why = f"being written by {holder}" if holder else f"holds {foreign[0]}, which is not ours"
        cleaning.keep(old, f"{new.name} stands in for it, but it is {why}")
        return
    n_missing = _count_missing(old, new)
    if n_missing:
        rows = "1 of its rows is" if n_missing == 1 else f"{n_missing:,} of its rows are"
        cleaning.keep(old, f"{new.name} is newer, but {rows} not in it, or labelled otherwise")
        return
    why = f"{new.name} stands in for it"
    # Fits without their store would stay for ever, a store without its fits does not.
    for paths, remove_them in (([fits], remove_fits), ([*lists_of(old), old], remove_store)):
        found = [path for path in paths if path.exists()]
        removed = [Removed(path=path, n_bytes=count_bytes(path), why=why) for path in found]
        if found and not cleaning.dry_run:
            try:
                remove_them(found[-1])
            except CacheLockedError as exc:
                cleaning.keep(found[-1], str(exc))
                return
        cleaning.removed += removed


def _count_missing(old: Path, new: Path) -> int:
    """Count the images of one store that another one has not, or has under another label."""
    try:
        known = _list_rows(new)
        return sum((_list_rows(old) - known).values())
    except CacheError:  # what cannot be read may be missing
        return read_outline(old).n_rows


def _list_rows(path: Path) -> Counter[tuple[bytes, str]]:
    stored = StoredRows(path)
    digests = (digest.tobytes() for digest in stored.sha256)
    return Counter(zip(digests, stored.name_labels().tolist(), strict=True))


def _clean_indexes(folder: Path, outlines: Iterable[Outline], cleaning: Cleaning) -> None:
    """Remove what remembers the hashes of files of which there is no store."""
    needed = {
        index_path(folder.parent, folder.name, Path(outline.about.root)) for outline in outlines
    }
    for path in sorted(folder.glob(".*")):
        if path.is_symlink() or not path.is_file() or _age(path) < SECONDS_TO_WRITE_AN_INDEX:
            continue
        if _PARTIAL_INDEX.fullmatch(path.name):
            why = "a file half written"
        elif _INDEX.fullmatch(path.name) and path not in needed:
            why = "hashes of files of which there is no store"
        else:
            continue
        _remove(path, why, cleaning)


def _remove(path: Path, why: str, cleaning: Cleaning) -> None:
    cleaning.removed.append(Removed(path=path, n_bytes=count_bytes(path), why=why))
    if not cleaning.dry_run:
        remove(path)


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime
